"""Several sources of one market over real HTTP: one killed, one that never answers, one that is behind."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from builders import START, end_of, market_series
from fakes.kline_server import kline_server

from activities.market.binance import BinanceMarketData
from activities.market.failover import RankedSources
from activities.market.observing import snapshot_of
from activities.market.port import MarketUnavailable, ObserveRequest
from trading.candles import CandleSeries
from trading.watching.quality import Answer

HOUR = timedelta(hours=1)
MARKET = market_series(days=40)
BTC = MARKET.symbol
LATE = START + timedelta(days=39)
OLD = CandleSeries(MARKET.symbol, MARKET.timeframe, MARKET.candles[: 38 * 24])
"""What a source has that has not heard anything for a day."""


def a_source(url: str) -> tuple[str, BinanceMarketData]:
    """A live source whose clock stands at `LATE`."""
    return url, BinanceMarketData(venue="binance", base_url=url, wall_clock=lambda: LATE)


@contextlib.asynccontextmanager
async def mute_server() -> AsyncIterator[str]:
    """Takes every connection and never answers."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def newest(market: RankedSources) -> timedelta:
    """How long before `LATE` the newest candle had closed."""
    series = await market.candles(BTC, "1h", as_of=LATE, limit=500)
    return LATE - end_of(series)


@pytest.mark.alone
@pytest.mark.timeout(60)
async def test_a_killed_and_a_mute_source_are_left_within_five_seconds() -> None:
    async with kline_server({BTC: MARKET}, now=LATE) as good, mute_server() as mute:
        async with kline_server({BTC: MARKET}, now=LATE) as killed:
            market = RankedSources([a_source(killed.url), a_source(mute), a_source(good.url)])
            assert await newest(market) == timedelta(0)
            assert good.requests == [], "the first source answers while it lives"
        began = time.monotonic()
        book = await market.book_top(BTC, as_of=LATE)
        took_s = time.monotonic() - began
        assert book is not None
        assert took_s < 5, f"the third source answered after {took_s:.1f} s"
        assert [one.name for one in market.quality] == [good.url, killed.url, mute]
        assert {one.name: one.last for one in market.quality} == {
            good.url: Answer.GOOD,
            killed.url: Answer.FAILED,
            mute: Answer.SLOW,
        }
        began = time.monotonic()
        assert await newest(market) == timedelta(0)
        assert time.monotonic() - began < 1, "nobody waits for a source that was left"
        await market.aclose()


@pytest.mark.timeout(60)
async def test_a_source_that_is_behind_is_left_and_comes_back_when_it_is_checked() -> None:
    async with kline_server({BTC: OLD}, now=LATE) as stale, kline_server({BTC: MARKET}, now=LATE) as good:
        market = RankedSources([a_source(stale.url), a_source(good.url)])
        assert await newest(market) == timedelta(0)
        assert [one.name for one in market.quality] == [good.url, stale.url]
        stale.series = {BTC: MARKET}
        low = market.quality[-1].score
        (_, better) = await market.check(BTC, as_of=LATE)
        assert better.name == stale.url
        assert better.score > low
        await market.aclose()


@pytest.mark.timeout(60)
async def test_where_all_are_behind_the_least_old_is_shown_and_no_decision_is_made_on_it() -> None:
    older = CandleSeries(MARKET.symbol, MARKET.timeframe, MARKET.candles[: 37 * 24])
    async with kline_server({BTC: older}, now=LATE) as first, kline_server({BTC: OLD}, now=LATE) as second:
        market = RankedSources([a_source(first.url), a_source(second.url)])
        assert await newest(market) == LATE - end_of(OLD)
        seen = await snapshot_of(market, ObserveRequest(realm="paper", venue="binance", symbol=BTC, as_of=LATE))
        assert seen.insufficient == "stale_data", "a decision abstains on it"
        await market.aclose()


@pytest.mark.timeout(60)
async def test_where_nobody_answers_nothing_that_was_known_takes_the_answers_place() -> None:
    async with kline_server({BTC: MARKET}, now=LATE) as first, kline_server({BTC: MARKET}, now=LATE) as second:
        market = RankedSources([a_source(first.url), a_source(second.url)])
        request = ObserveRequest(realm="paper", venue="binance", symbol=BTC, as_of=LATE)
        assert (await snapshot_of(market, request)).insufficient is None
    with pytest.raises(MarketUnavailable):
        await snapshot_of(market, request)
    await market.aclose()
