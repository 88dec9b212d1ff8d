"""What all strategies read alike of one history: its arrays, coarser frames and regimes, each computed once.

A history that grows takes over what it shares with the one before it: the numbers of a candle never change, so a week
later only the new candles are turned into numbers. numpy holds the columns because `trading.facts` computes them so.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trading.candles import Candle, CandleSeries, resample
from trading.facts import indicators
from trading.facts.bars import Bars, FloatArray, IntArray, bars_of, shortened
from trading.facts.catalogue import WINDOW_BARS, FactGroup, columns
from trading.facts.regimes import RUN_EDGE, TREND_EDGE, risk_regime, trend_label, trend_regime, volatility_label
from trading.policy.regimes import RegimePolicy

BoolArray = NDArray[np.bool_]

REGIME_FACTS: Mapping[str, Callable[[Decimal | None, Decimal | None, RegimePolicy], str | None]] = {
    "trend_24h": lambda change, _volatility, _policy: None if change is None else trend_label(change),
    "volatility": lambda _change, volatility, policy: (
        None if volatility is None else volatility_label(volatility, policy=policy)
    ),
    "trend_regime": lambda change, volatility, policy: trend_regime(change, volatility, policy=policy),
    "risk_regime": lambda change, volatility, policy: risk_regime(change, volatility, policy=policy),
}

NEAR = 1e-6
"""Wider than what rounding to eight significant digits moves a change or a volatility."""

_opened = attrgetter("open_time")


class Seen(NamedTuple):
    """A fact as the evaluator reads it."""

    value: Decimal | str


@dataclass(slots=True)
class Frame:
    """One timeframe's candles; `place[i]` is its newest candle that had closed when base candle i did, -1 for none."""

    series: CandleSeries
    bars: Bars
    place: IntArray
    _windows: dict[tuple[str, int, int], tuple[float, ...]] = field(default_factory=dict)

    def at_the_end(self, group: FactGroup, there: int) -> tuple[float, ...]:
        """The group's last elements over the newest 500 candles at `there`, as a snapshot computes them."""
        first = max(0, there + 1 - WINDOW_BARS)
        key = (group.rows[0].name, int(self.bars.closes_at[first]), int(self.bars.closes_at[there]))
        if key not in self._windows:
            window = _cut(self.bars, first, there + 1)
            self._windows[key] = tuple(
                float(column.values[-1]) for column in columns(window, (group,), start=len(window) - 1)
            )
        return self._windows[key]

    def take_windows(self, other: Frame) -> None:
        """Take over what was computed of windows that lie in both; the candles that both have must be the same."""
        first, last = int(self.bars.closes_at[0]), int(self.bars.closes_at[-1])
        self._windows.update(
            (key, values) for key, values in other._windows.items() if first <= key[1] and key[2] <= last
        )


class MarketFacts:
    """The facts of one history. One of these may serve any number of back-tests of the same series and policy.

    With `before`, the facts of an earlier state of the history, what both have in common is taken over from it and the
    rest computed: the result is the same without. It is only ever added to.
    """

    def __init__(self, series: CandleSeries, *, policy: RegimePolicy, before: MarketFacts | None = None) -> None:
        self.series = series
        self.policy = policy
        shared = None if before is None else _shared(before.series.candles, series.candles)
        self._before: dict[str, Frame] = {} if before is None or shared is None else dict(before._frames)
        self.bars: Bars = bars_of(series) if before is None else _grown(before.series, before.bars, series)
        known = () if before is None or shared is None else before.closes[shared]
        self.closes_s: list[int] = self.bars.closes_at.tolist()
        fresh = self.closes_s[len(known) :]
        self.closes: tuple[datetime, ...] = (*known, *(datetime.fromtimestamp(seconds, UTC) for seconds in fresh))
        """The time of each candle's close."""
        self.change = indicators.change_24h(self.bars, 0)[0]
        self.volatility = indicators.daily_volatility(self.bars, 0)[0]
        base = Frame(series, self.bars, np.arange(len(self.bars)))
        if series.timeframe in self._before:
            base.take_windows(self._before.pop(series.timeframe))
        self._frames: dict[str, Frame] = {series.timeframe: base}
        self._cells: tuple[list[int], IntArray] | None = None
        self._regimes: dict[str, list[str | None]] = {}
        self.seen: dict[str, dict[int, Seen | None]] = {}
        """By fact and base candle what strategies have read so far; facts of the account are not among them."""

    def frame(self, timeframe: str) -> Frame:
        """The history in a coarser timeframe, or in its own."""
        if timeframe not in self._frames:
            known = self._before.pop(timeframe, None)
            if known is None:
                series = resample(self.series, timeframe).series
                bars = bars_of(series)
            else:
                series = _resampled_on(known.series, self.series, timeframe)
                bars = _grown(known.series, known.bars, series)
            place = np.searchsorted(bars.closes_at, self.bars.closes_at, side="right") - 1
            frame = self._frames[timeframe] = Frame(series, bars, place)
            if known is not None and len(bars):
                frame.take_windows(known)
        return self._frames[timeframe]

    def regime_word(self, fact_id: str, place: int) -> str | None:
        """The word of a regime fact at the close of base candle `place`, as `regime` says it."""
        return self._words(fact_id)[int(self._cell_of()[1][place])]

    def regime_is(self, fact_id: str, word: str | None, first: int, end: int) -> BoolArray:
        """Where the regime has this word, or none, from base candle `first` to `end` (not included)."""
        matching = np.array([found == word for found in self._words(fact_id)], dtype=bool)
        found: BoolArray = matching[self._cell_of()[1][first:end]]
        return found

    def regime(self, fact_id: str, place: int) -> str | None:
        change, volatility = _stated(self.change[place]), _stated(self.volatility[place])
        word = REGIME_FACTS[fact_id](change, volatility, self.policy)
        return None if word is None else str(word)

    def _words(self, fact_id: str) -> list[str | None]:
        if fact_id not in self._regimes:
            self._regimes[fact_id] = [self.regime(fact_id, place) for place in self._cell_of()[0]]
        return self._regimes[fact_id]

    def _cell_of(self) -> tuple[list[int], IntArray]:
        """A candle of each cell, and the cell of each candle. Between two thresholds all numbers have one word, so each
        such cell is asked once; numbers that rounding could carry over a threshold are each a cell of their own."""
        if self._cells is None:
            policy = self.policy
            falls = map(float, (TREND_EDGE, RUN_EDGE, policy.crash_fall_fraction, policy.rally_rise_fraction))
            moves = np.array([*falls])
            quiet, wild = float(policy.low_volatility_fraction), float(policy.high_volatility_fraction)
            change_cell, change_near = _cells(self.change, np.sort(np.concatenate((moves, -moves))))
            volatility_cell, volatility_near = _cells(self.volatility, np.array([quiet, wild]))
            cells = np.where(
                change_near | volatility_near, -1 - np.arange(len(self.bars)), change_cell * 8 + volatility_cell
            )
            _, first, inverse = np.unique(cells, return_index=True, return_inverse=True)
            self._cells = first.tolist(), inverse
        return self._cells


def _shared(known: Sequence[Candle], candles: Sequence[Candle]) -> slice | None:
    """Which of the `known` candles `candles` begin with; `None` where they do not."""
    if not known or not candles:
        return None
    first = bisect_left(known, candles[0].open_time, key=_opened)
    end = min(len(known), first + len(candles))
    return slice(first, end) if first < end and known[first:end] == candles[: end - first] else None


def _grown(known: CandleSeries, bars: Bars, series: CandleSeries) -> Bars:
    """`bars_of(series)`, with those of the `known` candles that it begins with taken from their `bars`."""
    shared = _shared(known.candles, series.candles)
    if shared is None:
        return bars_of(series)
    count = shared.stop - shared.start
    fresh = bars_of(CandleSeries(series.symbol, series.timeframe, series.candles[count - 1 :]))
    old = _cut(bars, shared.start, shared.stop)
    return Bars(
        np.concatenate((old.open, fresh.open[1:])),
        np.concatenate((old.high, fresh.high[1:])),
        np.concatenate((old.low, fresh.low[1:])),
        np.concatenate((old.close, fresh.close[1:])),
        np.concatenate((old.volume, fresh.volume[1:])),
        np.concatenate((old.closes_at, fresh.closes_at[1:])),
        bars.step_s,
    )


def _resampled_on(known: CandleSeries, series: CandleSeries, timeframe: str) -> CandleSeries:
    """`resample(series, timeframe).series`; those `known` that lie wholly inside `series` are taken as they are."""
    begins, ends = series.candles[0].open_time, series.candles[-1].open_time + series.step
    first = bisect_left(known.candles, begins, key=_opened)
    kept = known.candles[first : bisect_right(known.candles, ends - known.step, key=_opened)]
    if not kept:
        return resample(series, timeframe).series
    later = series.candles[bisect_left(series.candles, kept[-1].open_time + known.step, key=_opened) :]
    fresh = resample(CandleSeries(series.symbol, series.timeframe, later), timeframe).series
    return CandleSeries(series.symbol, timeframe, (*kept, *fresh.candles))


def _cut(bars: Bars, first: int, end: int) -> Bars:
    part = slice(first, end)
    return Bars(
        bars.open[part],
        bars.high[part],
        bars.low[part],
        bars.close[part],
        bars.volume[part],
        bars.closes_at[part],
        bars.step_s,
    )


def _cells(values: FloatArray, edges: FloatArray) -> tuple[IntArray, BoolArray]:
    """Between which edges each value lies (NaN behind them all), and whether it is so near one that rounding counts."""
    cells = np.searchsorted(edges, values).astype(np.int64)
    near: BoolArray = np.any(np.abs(values[:, None] - edges) <= NEAR, axis=1)
    return np.where(np.isnan(values), len(edges) + 1, cells), near


def _stated(value: np.float64) -> Decimal | None:
    return shortened(float(value)) if np.isfinite(value) else None
