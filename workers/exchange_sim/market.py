"""One symbol's candles in the engine's units, and what is known of them at an instant."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import UTC, datetime, timedelta

from trading.candles import CandleSeries
from trading.matching.book import Known, known_at
from trading.matching.fills import Venue
from trading.matching.filters import derive_filters
from trading.matching.model import Bar

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def to_ms(at: datetime) -> int:
    """Milliseconds since 1970 (rounded down)."""
    if at.tzinfo is None:
        raise ValueError(f"the time {at.isoformat()} needs a zone")
    return (at - _EPOCH) // _MS


def from_ms(at_ms: int) -> datetime:
    return _EPOCH + at_ms * _MS


def iso(at_ms: int) -> str:
    return from_ms(at_ms).isoformat().replace("+00:00", "Z")


class Market:
    """A symbol: its names, filters (derived from its first price) and bars, oldest first. Nothing here changes."""

    def __init__(self, series: CandleSeries) -> None:
        base, slash, quote = series.symbol.partition("/")
        if not (base and slash and quote):
            raise ValueError(f"symbol {series.symbol!r} must look like BTC/USDT")
        self.symbol = series.symbol
        self.api_symbol = base + quote
        self.timeframe = series.timeframe
        self.step_ms = series.step // _MS
        self.bars = [
            Bar(to_ms(c.open_time), to_ms(c.open_time) + self.step_ms, c.open, c.high, c.low, c.close, c.volume)
            for c in series.candles
        ]
        self.opens = [bar.open_ms for bar in self.bars]
        self.first_ms = self.opens[0]
        self.end_ms = self.bars[-1].end_ms
        self.venue = Venue(symbol=series.symbol, base=base, quote=quote, filters=derive_filters(self.bars[0].open))

    def index_at(self, at_ms: int) -> int:
        """The last bar opened at or before `at_ms`; -1 before the first."""
        return bisect_right(self.opens, at_ms) - 1

    def bar_at(self, at_ms: int) -> Bar | None:
        """The bar in progress at `at_ms`, or `None` in a gap and outside the data."""
        index = self.index_at(at_ms)
        return self.bars[index] if index >= 0 and at_ms < self.bars[index].end_ms else None

    def is_listed(self, at_ms: int) -> bool:
        """Whether the symbol's data has begun: the universe is the one known on each day."""
        return at_ms >= self.first_ms

    def has_ended(self, at_ms: int) -> bool:
        return at_ms >= self.end_ms

    def known(self, at_ms: int) -> Known:
        return known_at(self.bars, self.index_at(at_ms), at_ms)

    def next_traded_ms(self, at_ms: int) -> int:
        """`at_ms` where the symbol trades then, else the next bar's open; `at_ms` again where no bar follows."""
        if self.bar_at(at_ms) is not None:
            return at_ms
        index = bisect_left(self.opens, at_ms)
        return self.opens[index] if index < len(self.opens) else at_ms
