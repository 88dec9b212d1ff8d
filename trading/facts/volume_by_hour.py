"""How much is usually traded in each hour of the day: what slices of an order follow (C24, C67)."""

from __future__ import annotations

from datetime import UTC, timedelta
from decimal import Decimal

from trading.candles import CandleSeries
from trading.money import ZERO

PROFILE_DAYS = 7
HOURS = 24


def volume_by_hour(series: CandleSeries) -> tuple[Decimal, ...]:
    """USD traded in each hour of the UTC day, the mean over the newest seven days of the series, in whole dollars.

    None where a candle is longer than an hour, or where not every hour was seen. Volume is valued at each close.
    """
    if not series.candles or series.step > timedelta(hours=1):
        return ()
    since = series.candles[-1].open_time - timedelta(days=PROFILE_DAYS)
    traded = [ZERO] * HOURS
    seen: list[set[object]] = [set() for _ in range(HOURS)]
    for candle in reversed(series.candles):
        if candle.open_time <= since:
            break
        at = candle.open_time.astimezone(UTC)
        traded[at.hour] += candle.volume * candle.close
        seen[at.hour].add(at.date())
    if not all(seen):
        return ()
    return tuple((total / len(days)).quantize(Decimal(1)) for total, days in zip(traded, seen, strict=True))
