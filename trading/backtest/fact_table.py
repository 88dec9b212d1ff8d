"""The facts that one strategy reads, for every candle of a history, by the same functions as the snapshot's.

numpy holds the columns because `trading.facts` computes them as arrays. Facts that are quick on whole arrays are
computed once; the others (structure, levels, profile) only for the candles that are asked for, over the newest 500, as
the snapshot does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from trading.backtest.holdings import Held
from trading.candles import CandleSeries, coarser_timeframes, resample
from trading.facts import indicators
from trading.facts.bars import Bars, FloatArray, IntArray, bars_of, shortened
from trading.facts.catalogue import DAY_FACTS, TIMEFRAME_FACTS, WINDOW_BARS, FactGroup, FactRow, columns
from trading.facts.models import Fact
from trading.facts.regimes import RUN_EDGE, TREND_EDGE, risk_regime, trend_label, trend_regime, volatility_label
from trading.facts.snapshot import OBSERVED_TIMEFRAMES
from trading.money import plain
from trading.policy.regimes import RegimePolicy
from trading.strategies.models import Strategy

BoolArray = NDArray[np.bool_]

QUICK = frozenset(
    group.compute
    for group in (*DAY_FACTS, *TIMEFRAME_FACTS)
    if group.compute.__module__ == indicators.__name__ and group.compute is not indicators.volume_24h
)
"""Computations that work on whole arrays at once; the others walk candle by candle."""

REGIME_FACTS: Mapping[str, Callable[[Decimal | None, Decimal | None, RegimePolicy], str | None]] = {
    "trend_24h": lambda change, _volatility, _policy: None if change is None else trend_label(change),
    "volatility": lambda _change, volatility, policy: (
        None if volatility is None else volatility_label(volatility, policy=policy)
    ),
    "trend_regime": lambda change, volatility, policy: trend_regime(change, volatility, policy=policy),
    "risk_regime": lambda change, volatility, policy: risk_regime(change, volatility, policy=policy),
}
ACCOUNT_FACTS = frozenset(
    {"position_quantity", "equity_usd", "position_fraction", "cash_fraction", "unrealised_fraction"}
)


NEAR = 1e-6
"""Wider than what rounding to eight significant digits moves a change or a volatility."""


class FactsUnavailable(ValueError):
    """The strategy reads facts that a back-test of these candles does not have; the message names them."""


@dataclass(slots=True)
class _Column:
    """One fact: on its own timeframe, with the base candle's place in it; `values` only where it is quick."""

    row: FactRow
    group: FactGroup
    frame: _Frame
    place_in_group: int
    values: FloatArray | None


@dataclass(slots=True)
class _Frame:
    """One timeframe's candles; `place[i]` is its newest candle that had closed when base candle i did, -1 for none."""

    bars: Bars
    place: IntArray
    windows: dict[tuple[int, int], tuple[float, ...]] = field(default_factory=dict)


class MarketFacts:
    """What all strategies read alike of one history: arrays, coarser frames and regimes, each computed once.

    One of these may serve any number of back-tests of the same series and policy; it is only ever added to.
    """

    def __init__(self, series: CandleSeries, *, policy: RegimePolicy) -> None:
        self.series = series
        self.policy = policy
        self.bars = bars_of(series)
        self.change = indicators.change_24h(self.bars, 0)[0]
        self.volatility = indicators.daily_volatility(self.bars, 0)[0]
        self._frames = {series.timeframe: _Frame(self.bars, np.arange(len(self.bars)))}
        self._regimes: dict[str, list[str | None]] = {}
        self._words: dict[tuple[str, str | None], BoolArray] = {}

    def frame(self, timeframe: str) -> _Frame:
        if timeframe not in self._frames:
            bars = bars_of(resample(self.series, timeframe).series)
            place = np.searchsorted(bars.closes_at, self.bars.closes_at, side="right") - 1
            self._frames[timeframe] = _Frame(bars, place)
        return self._frames[timeframe]

    def regime_words(self, fact_id: str) -> list[str | None]:
        """The word at every candle. Between two thresholds all numbers have one word, so each such cell is asked once;
        numbers that rounding could carry over a threshold are asked one by one."""
        if fact_id not in self._regimes:
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
            words = [self.regime(fact_id, int(place)) for place in first]
            self._regimes[fact_id] = [words[place] for place in inverse.tolist()]
        return self._regimes[fact_id]

    def regime_is(self, fact_id: str, word: str | None) -> BoolArray:
        """Where the regime has this word, or none."""
        key = (fact_id, word)
        if key not in self._words:
            words = self.regime_words(fact_id)
            self._words[key] = np.fromiter((found == word for found in words), bool, len(words))
        return self._words[key]

    def regime(self, fact_id: str, place: int) -> str | None:
        change, volatility = _stated(self.change[place]), _stated(self.volatility[place])
        word = REGIME_FACTS[fact_id](change, volatility, self.policy)
        return None if word is None else str(word)


class FactTable:
    """Facts of `strategy` over the series of `market`; nothing at a candle depends on a later one (C59).

    Raises `FactsUnavailable` for facts that the candles do not give: order-book, funding and news, a finer timeframe.
    """

    def __init__(self, strategy: Strategy, market: MarketFacts) -> None:
        self._market = market
        self.bars = market.bars
        self.series = series = market.series
        self._columns: dict[str, _Column] = {}
        self._needed = tuple(sorted(strategy.facts()))
        self._regimes: dict[str, list[str | None]] = {}
        unknown = [fact_id for fact_id in self._needed if not self._prepared(fact_id)]
        if unknown:
            raise FactsUnavailable(
                f"strategy {strategy.name} reads {', '.join(unknown)}, which {series.timeframe} candles of "
                f"{series.symbol} do not give: allowed are facts of {', '.join(self._timeframes())}, "
                "the day's, the regimes and the account's"
            )

    def _timeframes(self) -> tuple[str, ...]:
        base = self.series.timeframe
        return (base, *coarser_timeframes(base, OBSERVED_TIMEFRAMES))

    def _prepared(self, fact_id: str) -> bool:
        if fact_id == "last_price" or fact_id in ACCOUNT_FACTS:
            return True
        if fact_id in REGIME_FACTS:
            self._regimes[fact_id] = self._market.regime_words(fact_id)
            return True
        name, _, timeframe = fact_id.partition("@")
        groups = TIMEFRAME_FACTS if timeframe else DAY_FACTS
        timeframe = timeframe or self.series.timeframe
        if timeframe not in self._timeframes():
            return False
        for group in groups:
            for place, row in enumerate(group.rows):
                if row.name == name:
                    self._columns[fact_id] = self._column(group, place, self._market.frame(timeframe))
                    return True
        return False

    def _column(self, group: FactGroup, place: int, frame: _Frame) -> _Column:
        values = None
        if group.compute in QUICK:
            computed = frame.bars.once(
                f"backtest {group.rows[0].name}", lambda bars: tuple(c.values for c in columns(bars, (group,)))
            )
            values = computed[place]
        return _Column(group.rows[place], group, frame, place, values)

    def aligned(self, fact_id: str) -> tuple[FactRow, FloatArray] | None:
        """A quick fact as base candles knew it, NaN where absent; `None` for any other fact."""
        if fact_id == "last_price":
            return FactRow("last_price", "USD"), self.bars.close
        column = self._columns.get(fact_id)
        if column is None or column.values is None:
            return None
        padded = np.concatenate((column.values, [np.nan]))
        return column.row, padded[column.frame.place]

    def word_is(self, fact_id: str, word: str | None) -> BoolArray | None:
        """Where a regime fact has this word (or none) at the base candles; `None` for any other fact."""
        return self._market.regime_is(fact_id, word) if fact_id in self._regimes else None

    def risk_regime_at(self, place: int) -> str | None:
        """The risk regime at the close of base candle `place`."""
        return self._market.regime("risk_regime", place)

    def at(self, place: int, held: Held) -> dict[str, Fact]:
        """The facts of base candle `place` as the evaluator reads them; what is not known is absent."""
        known_at = datetime.fromtimestamp(int(self.bars.closes_at[place]), UTC)
        last_price = self.last_price(place)
        facts = {}
        for fact_id in self._needed:
            value, unit, as_of = self._value(fact_id, place, held, last_price, known_at)
            if value is not None:
                name = fact_id.partition("@")[0]
                facts[fact_id] = Fact(id=fact_id, name=name, value=value, unit=unit, as_of=as_of)
        return facts

    def last_price(self, place: int) -> Decimal:
        """The close of base candle `place`, as the snapshot states it."""
        return Decimal(plain(self.series.candles[place].close))

    def _value(
        self, fact_id: str, place: int, held: Held, last_price: Decimal, known_at: datetime
    ) -> tuple[Decimal | str | None, str, datetime]:
        if fact_id == "last_price":
            return last_price, "USD", known_at
        if fact_id in ACCOUNT_FACTS:
            return (*held.fact(fact_id, last_price), known_at)
        if fact_id in self._regimes:
            return self._regimes[fact_id][place], "label", known_at
        column = self._columns[fact_id]
        there = int(column.frame.place[place])
        if there < 0:
            return None, column.row.unit, known_at
        as_of = datetime.fromtimestamp(int(column.frame.bars.closes_at[there]), UTC)
        return column.row.value_of(self._number(column, there)), column.row.unit, as_of

    def _number(self, column: _Column, there: int) -> float:
        if column.values is not None:
            return float(column.values[there])
        key = (id(column.group), there)
        if key not in column.frame.windows:
            column.frame.windows[key] = _at_the_end(column.group, column.frame.bars, there)
        return column.frame.windows[key][column.place_in_group]


def _at_the_end(group: FactGroup, bars: Bars, there: int) -> tuple[float, ...]:
    """The group's last elements over the newest 500 candles at `there`, as a snapshot computes them."""
    cut = slice(max(0, there + 1 - WINDOW_BARS), there + 1)
    window = Bars(
        bars.open[cut],
        bars.high[cut],
        bars.low[cut],
        bars.close[cut],
        bars.volume[cut],
        bars.closes_at[cut],
        bars.step_s,
    )
    return tuple(float(column.values[-1]) for column in columns(window, (group,), start=len(window) - 1))


def _cells(values: FloatArray, edges: FloatArray) -> tuple[IntArray, BoolArray]:
    """Between which edges each value lies (NaN behind them all), and whether it is so near one that rounding counts."""
    cells = np.searchsorted(edges, values).astype(np.int64)
    near: BoolArray = np.any(np.abs(values[:, None] - edges) <= NEAR, axis=1)
    return np.where(np.isnan(values), len(edges) + 1, cells), near


def _stated(value: np.float64) -> Decimal | None:
    return shortened(float(value)) if np.isfinite(value) else None
