"""What is left of a market when no source answers: candles kept across restarts, and always marked as such (C64)."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Protocol

from activities.market.failover import STALE_CANDLES, behind
from activities.market.port import MarketData, MarketUnavailable, TimeframeNotOffered
from activities.store.ports.faults import StoreUnavailable
from activities.store.ports.market import KeptCandles
from trading.candles import CandleSeries
from trading.orders.symbols import BookTop
from trading.watching.kept_candles import KEEP_CANDLES
from trading.watching.quality import SourceQuality

log = logging.getLogger(__name__)


class CheckedMarket(MarketData, Protocol):
    """Market data that knows its market's time, and of several sources which is good."""

    async def market_time(self) -> datetime: ...

    async def check(self, symbol: str, *, as_of: datetime) -> tuple[SourceQuality, ...]: ...


class RememberingMarket:
    """Market data that writes down what it hears: one small write for each new candle of a series.

    It answers as its source does, and with nothing else: what was kept is only in `RememberedMarket`.
    """

    def __init__(self, source: CheckedMarket, kept: KeptCandles) -> None:
        self._source = source
        self._kept = kept
        self._newest: dict[tuple[str, str], datetime] = {}
        self.venue = source.venue
        self.base_timeframe = source.base_timeframe

    async def market_time(self) -> datetime:
        return await self._source.market_time()

    async def book_top(self, symbol: str, *, as_of: datetime) -> BookTop | None:
        return await self._source.book_top(symbol, as_of=as_of)

    async def check(self, symbol: str, *, as_of: datetime) -> tuple[SourceQuality, ...]:
        return await self._source.check(symbol, as_of=as_of)

    async def candles(self, symbol: str, timeframe: str, *, as_of: datetime, limit: int) -> CandleSeries:
        series = await self._source.candles(symbol, timeframe, as_of=as_of, limit=limit)
        if series.candles and behind(series, timeframe, as_of) <= STALE_CANDLES:
            await self._remember(series)
        return series

    async def aclose(self) -> None:
        await self._source.aclose()

    async def _remember(self, series: CandleSeries) -> None:
        """Only what is newer than all that this process kept; a database that is away costs no observation."""
        key, newest = (series.symbol, series.timeframe), series.candles[-1].open_time
        if key in self._newest and newest <= self._newest[key]:
            return
        try:
            await self._kept.keep_candles(self.venue, series.last(KEEP_CANDLES))
        except StoreUnavailable as away:
            log.warning("%s %s is not remembered: %s", *key, away)
            return
        self._newest[key] = newest


class RememberedMarket:
    """Kept candles as market data: no book, nothing that was not heard in the last seven days."""

    def __init__(self, kept: KeptCandles, *, venue: str, base_timeframe: str) -> None:
        self._kept = kept
        self.venue = venue
        self.base_timeframe = base_timeframe

    async def candles(self, symbol: str, timeframe: str, *, as_of: datetime, limit: int) -> CandleSeries:
        """As of `MarketData`. `MarketUnavailable` where nothing of the base is kept; a coarser one is resampled."""
        series = await self._kept.kept_candles(self.venue, symbol, timeframe, as_of=as_of)
        if series is not None:
            return series.last(limit)
        if timeframe == self.base_timeframe:
            raise MarketUnavailable(f"{self.venue} is silent, and nothing newer than seven days is kept of {symbol}")
        raise TimeframeNotOffered(f"{symbol} {timeframe} is not kept")

    async def book_top(self, symbol: str, *, as_of: datetime) -> BookTop | None:
        return None

    async def aclose(self) -> None:
        return None
