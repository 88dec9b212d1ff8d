"""Bring the computing processes' candles up to a time, asking the venue only for what they do not have."""

from __future__ import annotations

from datetime import datetime

from activities.evolution.port import Calculators
from activities.market.port import MarketData
from trading.candles import Candle, step_of

MOST_AT_ONCE = 1000
"""Candles that a venue answers in one call."""


async def bring_up_to(
    calculators: Calculators, market: MarketData, symbol: str, *, as_of: datetime, first: datetime
) -> None:
    """Tell the processes every candle of `symbol` that opened at or after `first` and had closed at `as_of`.

    Raises what the market raises. A week after the last time this is one call.
    """
    known = calculators.known_until(symbol, first=first)
    step = step_of(market.base_timeframe)
    after = first - step if known is None or known < first else known
    candles: list[Candle] = []
    at = as_of
    while (missing := (at - after) // step - 1) > 0:
        asked = min(missing, MOST_AT_ONCE)
        series = await market.candles(symbol, market.base_timeframe, as_of=at, limit=asked)
        fresh = [candle for candle in series.candles if after < candle.open_time]
        candles[:0] = fresh
        if len(series.candles) < asked or len(fresh) < len(series.candles):
            break
        at = series.candles[0].open_time
    await calculators.learn(symbol, market.base_timeframe, candles, first=first)
