"""Candles as float arrays for numeric work, and the one border back to `Decimal`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from trading.candle_quality import CandleDataError
from trading.candles import CandleSeries

Derived = TypeVar("Derived")

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

DAY_S = 86_400
SIGNIFICANT_DIGITS = 8
"""To this many digits a fact is stated: more than a decision needs, fewer than float noise reaches."""


@dataclass(frozen=True, slots=True)
class Bars:
    """One timeframe's candles, oldest first, as arrays of one length. `closes_at` is in seconds since 1970, UTC."""

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    closes_at: IntArray
    step_s: int
    _derived: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.close)

    def once(self, name: str, compute: Callable[[Bars], Derived]) -> Derived:
        """What several facts lean on (ATR, swings), computed the first time and kept with the bars."""
        if name not in self._derived:
            self._derived[name] = compute(self)
        result: Derived = self._derived[name]
        return result

    @property
    def per_day(self) -> int:
        """Candles in a day without gaps, at least 1."""
        return max(1, DAY_S // self.step_s)

    def prefix(self, count: int) -> Bars:
        """The first `count` bars: what was known `count` candles after the start."""
        return Bars(
            self.open[:count],
            self.high[:count],
            self.low[:count],
            self.close[:count],
            self.volume[:count],
            self.closes_at[:count],
            self.step_s,
        )


def bars_of(series: CandleSeries) -> Bars:
    """The arrays of `series`. Raises `CandleDataError` for values that no market can have, naming the first candle."""
    step_s = int(series.step.total_seconds())
    numbers = map(float, chain.from_iterable(candle[1:] for candle in series.candles))
    table = np.fromiter(numbers, np.float64, 5 * len(series.candles)).reshape(-1, 5)
    columns = [np.ascontiguousarray(table[:, place]) for place in range(5)]
    opens = np.fromiter((candle.open_time.timestamp() for candle in series.candles), np.float64).astype(np.int64)
    bars = Bars(columns[0], columns[1], columns[2], columns[3], columns[4], opens + step_s, step_s)
    _check(bars, series)
    return bars


def _check(bars: Bars, series: CandleSeries) -> None:
    possible = (
        (bars.low > 0)
        & (bars.low <= np.minimum(bars.open, bars.close))
        & (bars.high >= np.maximum(bars.open, bars.close))
        & (bars.volume >= 0)
        & np.isfinite(bars.high)
    )
    ordered = np.diff(bars.closes_at) > 0
    if not possible.all():
        worst = series.candles[int(np.argmin(possible))]
        raise CandleDataError(
            f"{series.symbol} {series.timeframe} candle of {worst.open_time:%Y-%m-%dT%H:%M:%SZ}: open {worst.open}, "
            f"high {worst.high}, low {worst.low}, close {worst.close}, volume {worst.volume}; allowed are prices "
            "above 0 with low <= open, close <= high, and volume >= 0"
        )
    if not ordered.all():
        worst = series.candles[int(np.argmin(ordered)) + 1]
        raise CandleDataError(
            f"{series.symbol} {series.timeframe} candle of {worst.open_time:%Y-%m-%dT%H:%M:%SZ} is not later than the "
            "one before it; allowed are strictly increasing open times"
        )


def stated(value: float) -> Decimal | None:
    """`value` as a fact states it: eight significant digits, no exponent; NaN and infinity are absent."""
    return shortened(value) if math.isfinite(value) else None


def shortened(value: float | Decimal) -> Decimal:
    """A finite `value` to eight significant digits, ties to even, without exponent and without a negative zero."""
    text = f"{value:.{SIGNIFICANT_DIGITS}g}"
    if "e" in text or "E" in text:
        text = format(Decimal(text), "f")
    return Decimal("0" if text == "-0" else text)
