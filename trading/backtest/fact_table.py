"""The facts that one strategy reads, for every candle of a history, by the same functions as the snapshot's.

Facts that are quick on whole arrays are computed once; the others (structure, levels, profile) only for the candles
that are asked for, over the newest 500, as the snapshot does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from trading.backtest.holdings import Held
from trading.backtest.market_facts import REGIME_FACTS, BoolArray, Frame, MarketFacts, Seen
from trading.candles import coarser_timeframes
from trading.facts import indicators
from trading.facts.bars import FloatArray
from trading.facts.catalogue import DAY_FACTS, TIMEFRAME_FACTS, FactGroup, FactRow, columns
from trading.facts.snapshot import OBSERVED_TIMEFRAMES
from trading.money import plain
from trading.strategies.models import Strategy

QUICK = frozenset(
    group.compute
    for group in (*DAY_FACTS, *TIMEFRAME_FACTS)
    if group.compute.__module__ == indicators.__name__ and group.compute is not indicators.volume_24h
)
"""Computations that work on whole arrays at once; the others walk candle by candle."""

ACCOUNT_FACTS = frozenset(
    {"position_quantity", "equity_usd", "position_fraction", "cash_fraction", "unrealised_fraction"}
)

_Place = tuple[FactGroup, int]


def _places(groups: tuple[FactGroup, ...]) -> Mapping[str, _Place]:
    return {row.name: (group, place) for group in groups for place, row in enumerate(group.rows)}


_OF_A_DAY, _OF_A_TIMEFRAME = _places(DAY_FACTS), _places(TIMEFRAME_FACTS)


class FactsUnavailable(ValueError):
    """The strategy reads facts that a back-test of these candles does not have; the message names them."""


@dataclass(slots=True)
class _Column:
    """One fact: on its own timeframe, with the base candle's place in it; `values` only where it is quick."""

    row: FactRow
    group: FactGroup
    frame: Frame
    place_in_group: int
    values: FloatArray | None


class FactTable:
    """Facts of `strategy` over the series of `market`; nothing at a candle depends on a later one (C59).

    Columns are those of the candles from `first` to `end` (not included). Raises `FactsUnavailable` for facts that the
    candles do not give: order-book, funding and news, a finer timeframe.
    """

    def __init__(self, strategy: Strategy, market: MarketFacts, *, first: int = 0, end: int | None = None) -> None:
        self._market = market
        self.bars = market.bars
        self.series = series = market.series
        self._first = first
        self._end = len(market.bars) if end is None else end
        self._columns: dict[str, _Column] = {}
        self._regimes: set[str] = set()
        self.needed = tuple(sorted(strategy.facts()))
        self._seen = {fact_id: market.seen.setdefault(fact_id, {}) for fact_id in self.needed}
        unknown = [fact_id for fact_id in self.needed if not self._prepared(fact_id)]
        if unknown:
            raise FactsUnavailable(
                f"strategy {strategy.name} reads {', '.join(unknown)}, which {series.timeframe} candles of "
                f"{series.symbol} do not give: allowed are facts of {', '.join(self._timeframes())}, "
                "the day's, the regimes and the account's"
            )

    def __len__(self) -> int:
        """The length of its columns."""
        return self._end - self._first

    def _timeframes(self) -> tuple[str, ...]:
        base = self.series.timeframe
        return (base, *coarser_timeframes(base, OBSERVED_TIMEFRAMES))

    def _prepared(self, fact_id: str) -> bool:
        if fact_id == "last_price" or fact_id in ACCOUNT_FACTS:
            return True
        if fact_id in REGIME_FACTS:
            self._regimes.add(fact_id)
            return True
        name, _, timeframe = fact_id.partition("@")
        found = (_OF_A_TIMEFRAME if timeframe else _OF_A_DAY).get(name)
        timeframe = timeframe or self.series.timeframe
        if found is None or timeframe not in self._timeframes():
            return False
        self._columns[fact_id] = self._column(*found, self._market.frame(timeframe))
        return True

    def _column(self, group: FactGroup, place: int, frame: Frame) -> _Column:
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
            return FactRow("last_price", "USD"), self.bars.close[self._first : self._end]
        column = self._columns.get(fact_id)
        if column is None or column.values is None:
            return None
        if not len(column.values):
            return column.row, np.full(len(self), np.nan)
        place = column.frame.place[self._first : self._end]
        values = column.values[place]
        values[place < 0] = np.nan
        return column.row, values

    def word_is(self, fact_id: str, word: str | None) -> BoolArray | None:
        """Where a regime fact has this word (or none) at the base candles; `None` for any other fact."""
        return self._market.regime_is(fact_id, word, self._first, self._end) if fact_id in self._regimes else None

    def risk_regime_at(self, place: int) -> str | None:
        """The risk regime at the close of base candle `place`."""
        return self._market.regime("risk_regime", place)

    def at(self, place: int, held: Held) -> FactsAt:
        """The facts of base candle `place` as the evaluator reads them; what is not known is absent."""
        return FactsAt(self, place, held)

    def last_price(self, place: int) -> Decimal:
        """The close of base candle `place`, as the snapshot states it."""
        return Decimal(plain(self.series.candles[place].close))

    def seen_at(self, fact_id: str, place: int, held: Held) -> Seen | None:
        """One of the strategy's facts at base candle `place`; `None` where it is not known or not the strategy's."""
        if fact_id in ACCOUNT_FACTS:
            value, _unit = held.fact(fact_id, self.last_price(place))
            return None if value is None else Seen(value)
        known = self._seen.get(fact_id)
        if known is None:
            return None
        if place not in known:
            found = self._value(fact_id, place)
            known[place] = None if found is None else Seen(found)
        return known[place]

    def _value(self, fact_id: str, place: int) -> Decimal | str | None:
        if fact_id == "last_price":
            return self.last_price(place)
        column = self._columns.get(fact_id)
        if column is None:
            return self._market.regime_word(fact_id, place)
        there = int(column.frame.place[place])
        return column.row.value_of(self._number(column, there)) if there >= 0 else None

    def _number(self, column: _Column, there: int) -> float:
        if column.values is not None:
            return float(column.values[there])
        return column.frame.at_the_end(column.group, there)[column.place_in_group]


class FactsAt(Mapping[str, Seen]):
    """The facts of one candle, each computed when it is first asked for, once for all strategies."""

    def __init__(self, table: FactTable, place: int, held: Held) -> None:
        self._table = table
        self._place = place
        self._held = held

    def get(self, fact_id: str, default: Any = None) -> Any:
        found = self._table.seen_at(fact_id, self._place, self._held)
        return default if found is None else found

    def __getitem__(self, fact_id: str) -> Seen:
        found = self._table.seen_at(fact_id, self._place, self._held)
        if found is None:
            raise KeyError(fact_id)
        return found

    def __iter__(self) -> Iterator[str]:
        return (fact_id for fact_id in self._table.needed if fact_id in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)
