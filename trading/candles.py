"""Candles: open-time stamped, known at their close; gaps, duplicates and impossible values are named."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

TIMEFRAMES: dict[str, timedelta] = {
    "1m": timedelta(minutes=1),
    "5m": timedelta(minutes=5),
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "1d": timedelta(days=1),
}


class Candle(NamedTuple):
    """One bar. `open_time` is aware UTC; prices in quote units, volume in base units."""

    open_time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


@dataclass(frozen=True, slots=True)
class CandleSeries:
    """Candles of one symbol and timeframe, oldest first, strictly increasing in time."""

    symbol: str
    timeframe: str
    candles: tuple[Candle, ...]

    @property
    def step(self) -> timedelta:
        return TIMEFRAMES[self.timeframe]

    def closed_at(self, as_of: datetime) -> CandleSeries:
        """Only the candles that had closed at `as_of`: a candle is known at its close, not at its open."""
        known = tuple(c for c in self.candles if c.open_time + self.step <= as_of)
        return CandleSeries(self.symbol, self.timeframe, known)
