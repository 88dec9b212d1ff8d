"""How the newest candles of a series are kept: joined without a hole, bounded, as text, and for seven days (C64)."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal

from trading.candle_quality import EPOCH
from trading.candles import Candle, CandleSeries

KEPT_FOR = timedelta(days=7)
KEEP_CANDLES = 600
"""A snapshot wants 500."""

_MS = timedelta(milliseconds=1)


def joined(old: CandleSeries | None, new: CandleSeries) -> CandleSeries:
    """`new` behind what it continues; what it does not reach back to, or is not before it, is let go."""
    first = new.candles[0].open_time
    kept = () if old is None else tuple(candle for candle in old.candles if candle.open_time < first)
    if kept and first - kept[-1].open_time > new.step:
        kept = ()
    return CandleSeries(new.symbol, new.timeframe, (*kept, *new.candles)[-KEEP_CANDLES:])


def newest_close(series: CandleSeries) -> datetime:
    """When the newest candle of a series that has one closed."""
    return series.candles[-1].open_time + series.step


def still_counts(series: CandleSeries, *, as_of: datetime) -> bool:
    """Whether there is a candle, and the newest is at most seven days old."""
    return bool(series.candles) and as_of - newest_close(series) <= KEPT_FOR


def to_text(series: CandleSeries) -> str:
    """A row a candle: its open time in milliseconds, then open, high, low, close and volume as text."""
    rows = [[(one.open_time - EPOCH) // _MS, *(format(number, "f") for number in one[1:])] for one in series.candles]
    return json.dumps(rows, separators=(",", ":"))


def from_text(text: str, *, symbol: str, timeframe: str) -> CandleSeries:
    """The series that `to_text` wrote."""
    candles = tuple(
        Candle(EPOCH + int(opened) * _MS, *(Decimal(number) for number in numbers))
        for opened, *numbers in json.loads(text)
    )
    return CandleSeries(symbol, timeframe, candles)
