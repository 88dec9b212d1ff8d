"""Every fact that comes from candles: its name, its unit, its labels and the one function that computes it.

The snapshot asks each function for its last element, the back-tester for the whole array: the same function, the same
number. A fact's id is its name and its timeframe, `rsi_14@1h`; those of `DAY_FACTS` look at a day by the clock, exist
once, and have no timeframe in their id.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from trading.facts import indicators, structure, volume_profile
from trading.facts.bars import Bars, FloatArray, stated

WINDOW_BARS = 500
"""A snapshot sees the newest 500 closed candles of a timeframe; fewer on the base timeframe are not enough to decide.

After 500 candles the recursive indicators have forgotten their start (see `indicators`), and everything else looks back
200 candles at most: the snapshot and a back-test over a longer history state the same eight digits.
"""


@dataclass(frozen=True, slots=True)
class FactRow:
    """One fact: with `labels`, the computed number is an index into them and the fact's value is the word."""

    name: str
    unit: str
    labels: tuple[str, ...] = ()

    def value_of(self, number: float) -> Decimal | str | None:
        """The number as a fact states it, or `None` where it is not known."""
        if not self.labels:
            return stated(number)
        return self.labels[int(number)] if np.isfinite(number) else None


@dataclass(frozen=True, slots=True)
class FactGroup:
    """Facts that come from one computation: `compute(bars, start)` gives an array a row, of the length of the bars.

    Element i of each array depends on bars 0 to i alone. Elements before `start` may be left NaN.
    """

    rows: tuple[FactRow, ...]
    compute: Callable[[Bars, int], tuple[FloatArray, ...]]


def _label(name: str, labels: tuple[str, ...]) -> FactRow:
    return FactRow(name, "label", labels)


DAY_FACTS = (
    FactGroup((FactRow("change_24h", "fraction"),), indicators.change_24h),
    FactGroup((FactRow("volume_24h", "base"), FactRow("turnover_24h_usd", "USD")), indicators.volume_24h),
    FactGroup((FactRow("daily_volatility", "fraction"),), indicators.daily_volatility),
)

TIMEFRAME_FACTS = (
    FactGroup(
        (FactRow("ema_fast", "USD"), FactRow("ema_slow", "USD"), _label("ema_trend", indicators.EMA_TREND)),
        indicators.ema,
    ),
    FactGroup((FactRow("rsi_14", "index"), _label("rsi_signal", indicators.RSI_SIGNAL)), indicators.rsi),
    FactGroup(
        (FactRow("macd", "USD"), FactRow("macd_histogram", "USD"), _label("macd_cross", indicators.CROSS)),
        indicators.macd,
    ),
    FactGroup(
        (
            FactRow("bollinger_upper", "USD"),
            FactRow("bollinger_middle", "USD"),
            FactRow("bollinger_lower", "USD"),
            FactRow("bollinger_width", "fraction"),
            FactRow("bollinger_place", "ratio"),
        ),
        indicators.bollinger,
    ),
    FactGroup(
        (
            FactRow("adx_14", "index"),
            _label("adx_grade", indicators.ADX_GRADE),
            FactRow("plus_di_14", "index"),
            FactRow("minus_di_14", "index"),
        ),
        indicators.adx,
    ),
    FactGroup((FactRow("atr_14", "USD"), FactRow("atr_fraction", "fraction")), indicators.atr),
    FactGroup((FactRow("volume_ratio", "ratio"),), indicators.volume_ratio),
    FactGroup(
        (
            FactRow("support", "USD"),
            FactRow("support_touches", "count"),
            FactRow("resistance", "USD"),
            FactRow("resistance_touches", "count"),
        ),
        structure.levels,
    ),
    FactGroup(
        (
            _label("market_structure", structure.STRUCTURE),
            _label("structure_break", structure.BREAK),
            FactRow("swing_high", "USD"),
            FactRow("swing_low", "USD"),
        ),
        structure.market_structure,
    ),
    FactGroup(
        (
            FactRow("order_blocks_count", "count"),
            FactRow("order_blocks_bullish", "count"),
            FactRow("order_blocks_bearish", "count"),
            FactRow("order_block_below", "USD"),
            FactRow("order_block_above", "USD"),
        ),
        structure.order_blocks,
    ),
    FactGroup(
        (
            FactRow("fvg_count", "count"),
            FactRow("fvg_bullish", "count"),
            FactRow("fvg_bearish", "count"),
            FactRow("fvg_below", "USD"),
            FactRow("fvg_above", "USD"),
        ),
        structure.fair_value_gaps,
    ),
    FactGroup(
        (
            _label("liquidity_context", structure.LIQUIDITY),
            _label("liquidity_sweep", structure.SWEEP),
            FactRow("equal_highs", "USD"),
            FactRow("equal_lows", "USD"),
        ),
        structure.liquidity,
    ),
    FactGroup(
        (
            FactRow("volume_control", "USD"),
            FactRow("value_area_low", "USD"),
            FactRow("value_area_high", "USD"),
            _label("value_place", volume_profile.PLACE),
        ),
        volume_profile.volume_profile,
    ),
)


@dataclass(frozen=True, slots=True)
class FactColumn:
    """One fact over a whole history: `values[i]` was known at the close of candle i (NaN: not known)."""

    row: FactRow
    values: FloatArray


def columns(bars: Bars, groups: tuple[FactGroup, ...] = TIMEFRAME_FACTS, *, start: int = 0) -> tuple[FactColumn, ...]:
    """Every fact of `groups` over `bars`; only elements from `start` on are promised."""
    return tuple(
        FactColumn(row, values)
        for group in groups
        for row, values in zip(group.rows, group.compute(bars, start), strict=True)
    )
