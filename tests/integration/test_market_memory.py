"""Candles that outlive their sources and the worker that heard them, and scores that workers share (C64)."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from builders import START, end_of, market_series
from fakes.kline_server import kline_server
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.market.binance import BinanceMarketData
from activities.market.calls import MarketCalls
from activities.market.checking import CheckSources, SourceCalls
from activities.market.failover import HEARD_EVERY_S, RankedSources
from activities.market.port import MarketUnavailable, Observation, ObserveAllRequest, ObserveRequest
from activities.market.remembering import RememberedMarket, RememberingMarket
from activities.store.open import Store
from trading.candles import CandleSeries
from trading.decision.outcomes import outcome_of_insufficient
from trading.facts.models import MarketSnapshot
from trading.watching.kept_candles import KEEP_CANDLES, joined
from trading.watching.quality import Answer
from workers.runtime.site import Site
from workers.runtime.wiring import furnished
from workflows.names import QueueRole

ROOT = Path(__file__).parents[2]
MARKET = market_series(days=40)
BTC = MARKET.symbol
LATE = START + timedelta(days=39)
HOUR = timedelta(hours=1)
SILENT = "http://127.0.0.1:9"
"""An address where nobody answers."""

HEARS_AND_HANGS = """
import asyncio, sys
from datetime import datetime
from activities.market.binance import BinanceMarketData
from activities.market.failover import RankedSources
from activities.market.observing import snapshot_of
from activities.market.port import ObserveRequest
from activities.market.remembering import RememberingMarket
from activities.store.open import open_store

async def work(database, url, at):
    store, as_of = await open_store(database), datetime.fromisoformat(at)
    source = BinanceMarketData(venue="binance", base_url=url, wall_clock=lambda: as_of)
    market = RememberingMarket(RankedSources([(url, source)]), store)
    await snapshot_of(market, ObserveRequest(realm="paper", venue="binance", symbol="BTC/USDT", as_of=as_of))
    print("heard", flush=True)
    await asyncio.sleep(600)

asyncio.run(work(*sys.argv[1:]))
"""


def sources(*urls: str, at: datetime = LATE, **given: object) -> RankedSources:
    listed = [(url, BinanceMarketData(venue="binance", base_url=url, wall_clock=lambda: at)) for url in urls]
    return RankedSources(listed, **given)  # type: ignore[arg-type] # the keywords of RankedSources


def remembered(store: Store) -> RememberedMarket:
    return RememberedMarket(store, venue="binance", base_timeframe="1h")


async def observed(store: Store, *, waited_s: int, as_of: datetime = LATE) -> Observation:
    """What a decision's observation comes to after `waited_s` of silence, of two minutes that it has."""
    environment = ActivityEnvironment()
    info = ActivityEnvironment.default_info()
    since = datetime.now(UTC) - timedelta(seconds=waited_s)
    changed = {"scheduled_time": since, "schedule_to_close_timeout": timedelta(minutes=2)}
    environment.info = type(info)(**{**vars(info), **changed})
    calls = MarketCalls(sources(SILENT, at=as_of), store, remembered=remembered(store))
    request = ObserveRequest(realm="paper", venue="binance", symbol=BTC, as_of=as_of)
    seen: Observation = await environment.run(calls.observe_market, request)
    return seen


async def planned_from(store: Store, *, as_of: datetime) -> MarketSnapshot | None:
    """What a plan's survey has of the symbol when its patience is over, or nothing."""
    calls = MarketCalls(sources(SILENT, at=as_of), store, remembered=remembered(store))
    request = ObserveAllRequest(realm="paper", venue="binance", symbols=(BTC,), as_of=as_of, patience_s=0)
    seen = await ActivityEnvironment().run(calls.observe_markets, request)
    if not seen.snapshots:
        assert [(one.symbol, one.reason) for one in seen.unobserved] == [(BTC, "market_unavailable")]
        return None
    return MarketSnapshot.model_validate_json(await store.get(seen.snapshots[0]))


@pytest.mark.timeout(60)
async def test_what_a_killed_worker_had_heard_is_there_when_no_source_answers(store: Store, database_url: str) -> None:
    async with kline_server({BTC: MARKET}, now=LATE) as venue:
        worker = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            HEARS_AND_HANGS,
            database_url,
            venue.url,
            LATE.isoformat(),
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        assert worker.stdout is not None
        assert (await worker.stdout.readline()).strip() == b"heard"
        worker.send_signal(signal.SIGKILL)
        await worker.wait()
    with pytest.raises(ApplicationError) as early:
        await observed(store, waited_s=30)
    assert early.value.type == "MarketUnavailable", "for half of its time a decision waits for an answer"
    seen = await observed(store, waited_s=61)
    assert (seen.insufficient, seen.bars, seen.bid) == ("remembered", 500, None)
    assert outcome_of_insufficient("remembered") == "abstained_stale_data"
    plan = await planned_from(store, as_of=LATE + 30 * HOUR)
    assert plan is not None
    assert (plan.insufficient, plan.last_price) == ("remembered", seen.last_price)
    assert max(fact.as_of for fact in plan.facts) <= LATE, "each fact says how old it is"


async def test_what_was_not_heard_for_seven_days_is_forgotten(store: Store) -> None:
    await store.keep_candles("binance", MARKET)
    week = end_of(MARKET) + timedelta(days=7)
    assert await planned_from(store, as_of=week) is not None
    assert await planned_from(store, as_of=week + HOUR) is None
    assert await store.kept_candles("binance", BTC, "1h", as_of=week + HOUR) is None
    later = market_series(symbol="ETH/USDT", days=48)
    await store.keep_candles("binance", later)
    assert await store.kept_candles("binance", BTC, "1h", as_of=end_of(MARKET)) is None, "and takes no room"


async def test_a_series_is_written_once_a_candle(store: Store) -> None:
    written: list[int] = []

    class Counting:
        async def keep_candles(self, venue: str, series: CandleSeries) -> None:
            written.append(len(series.candles))
            await store.keep_candles(venue, series)

        kept_candles = store.kept_candles

    async with kline_server({BTC: MARKET}, now=LATE) as venue:
        market = RememberingMarket(sources(venue.url, at=LATE + HOUR), Counting())
        for as_of, limit in ((LATE, 500), (LATE, 500), (LATE, 25), (LATE + HOUR / 2, 500), (LATE + HOUR, 25)):
            await market.candles(BTC, "1h", as_of=as_of, limit=limit)
        await market.aclose()
    assert written == [500, 25]
    kept = await store.kept_candles("binance", BTC, "1h", as_of=LATE + HOUR)
    assert kept is not None
    assert (len(kept.candles), end_of(kept)) == (501, LATE + HOUR), "a short series is joined to the long one"


def test_series_are_joined_without_a_hole_and_bounded() -> None:
    def part(first: int, last: int) -> CandleSeries:
        return CandleSeries(BTC, "1h", MARKET.candles[first:last])

    assert joined(None, part(0, 10)) == part(0, 10)
    assert joined(part(0, 10), part(5, 12)) == part(0, 12)
    assert joined(part(0, 10), part(10, 12)) == part(0, 12)
    assert joined(part(0, 10), part(11, 13)) == part(11, 13), "what lies before a hole is let go"
    assert joined(part(0, 400), part(300, 900)) == part(900 - KEEP_CANDLES, 900)


async def test_what_one_worker_finds_bad_the_others_leave_too(store: Store) -> None:
    now_s = 0.0
    clock: Callable[[], float] = lambda: now_s  # noqa: E731
    async with kline_server({BTC: MARKET}, now=LATE) as good:
        other = sources(SILENT, good.url, scores=store, clock_s=clock)
        await other.candles(BTC, "1h", as_of=LATE, limit=10)
        assert [one.name for one in other.quality] == [good.url, SILENT]
        one = sources(SILENT, good.url, scores=store, clock_s=clock)
        await one.candles(BTC, "1h", as_of=LATE, limit=10)
        assert one.quality[-1].answers == {Answer.FAILED: 1}, "it did not ask the one that the other had left"
        kept = await store.source_scores("binance")
        assert [(row.name, row.last) for row in kept] == [(SILENT, Answer.FAILED)], "a good one costs no write"
        checked = await ActivityEnvironment().run(
            SourceCalls(one).check_sources, CheckSources(venue="binance", symbol=BTC)
        )
        assert [(row.name, row.last) for row in checked.sources] == [(good.url, Answer.GOOD), (SILENT, Answer.FAILED)]
        assert await store.source_scores("binance") == checked.sources
        now_s = HEARD_EVERY_S
        await other.candles(BTC, "1h", as_of=LATE, limit=10)
        assert other.quality[-1].answers == {Answer.FAILED: 2}, "and hears of it"
        for market in (one, other):
            await market.aclose()


async def test_scores_survive_their_process_and_a_silent_venue_is_an_error_of_the_call(store: Store) -> None:
    market = sources(SILENT, scores=store)
    with pytest.raises(MarketUnavailable):
        await market.candles(BTC, "1h", as_of=LATE, limit=10)
    (row,) = await store.source_scores("binance")
    assert (row.last, row.score < 1) == (Answer.FAILED, True)


@pytest.mark.parametrize(("realm", "remembers"), [("simulated", True), ("replay-year", False)])
async def test_a_trial_remembers_nothing(database_url: str, realm: str, remembers: bool) -> None:
    site = Site(
        realm=realm,
        venue="simulated",
        venue_url=SILENT,
        market_is_replayed=True,
        database_url=database_url,
        models={},
        roles=(QueueRole.MARKET,),
    )
    async with furnished(site) as (room,):
        (observe,) = [one for one in room.activities if one.__name__ == "observe_market"]
        calls = observe.__self__  # type: ignore[attr-defined] # a bound method
        assert isinstance(calls._source, RememberingMarket) is remembers
        assert (calls._remembered is not None) is remembers
