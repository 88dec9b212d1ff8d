"""Market data over real HTTP: only closed candles, only new ones, errors by name; then the whole activity."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from builders import START, book_top, end_of, market_series, position_view
from fakes.kline_server import KlineServer, Scripted, kline_server
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.market.binance import BinanceMarketData
from activities.market.calls import MarketCalls
from activities.market.port import (
    MarketRefused,
    MarketUnavailable,
    Observation,
    ObserveRequest,
    TimeframeNotOffered,
)
from trading.candles import CandleSeries
from trading.facts.models import MarketSnapshot, RiskRegime
from trading.facts.snapshot import observe
from trading.ids import content_hash

HOUR = timedelta(hours=1)
MARKET = market_series(days=40, crash_days=(30,))
BTC = MARKET.symbol
LATE = START + timedelta(days=39)


class KeptTexts:
    """`Blobs` in a dictionary."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    async def put(self, text: str, *, media_type: str) -> str:
        assert media_type == "application/json"
        self.texts[content_hash(text)] = text
        return content_hash(text)

    async def get(self, content_hash: str) -> str:
        return self.texts[content_hash]


@contextlib.asynccontextmanager
async def replayed(
    *, now: datetime = LATE, series: CandleSeries = MARKET
) -> AsyncIterator[tuple[KlineServer, BinanceMarketData]]:
    async with kline_server({BTC: series}, now=now) as server:
        source = BinanceMarketData(
            venue="simulated", base_url=server.url, base_timeframe="1h", market_time_is_replayed=True
        )
        try:
            yield server, source
        finally:
            await source.aclose()


@contextlib.asynccontextmanager
async def live(server: KlineServer, *, clock_ahead: timedelta = timedelta(0)) -> AsyncIterator[BinanceMarketData]:
    source = BinanceMarketData(venue="testnet", base_url=server.url, wall_clock=lambda: server.now + clock_ahead)
    try:
        yield source
    finally:
        await source.aclose()


async def test_candles_are_the_venues_own_and_end_with_the_last_closed_one() -> None:
    async with replayed() as (_, source):
        got = await source.candles(BTC, "1h", as_of=LATE + timedelta(minutes=-1), limit=500)

    assert got == MARKET.closed_at(LATE - timedelta(minutes=1)).last(500)
    assert len(got.candles) == 500


async def test_the_forming_candle_is_never_served_even_to_an_as_of_ahead_of_the_market() -> None:
    async with replayed(now=LATE + timedelta(minutes=30)) as (_, source):
        got = await source.candles(BTC, "1h", as_of=LATE + 5 * HOUR, limit=10)

    assert got.candles[-1].open_time == LATE - HOUR
    assert all(candle.high < 600_000 for candle in got.candles)


async def test_only_new_candles_travel() -> None:
    async with replayed() as (server, source):
        for hours in range(4):
            server.now = LATE + hours * HOUR
            got = await source.candles(BTC, "1h", as_of=server.now, limit=500)
            assert got == MARKET.closed_at(server.now).last(500)
        asked = server.klines_asked()

    assert [("startTime" in query, query["limit"]) for query in asked] == [
        (False, "600"),
        (True, "1"),
        (True, "1"),
        (True, "1"),
    ]


async def test_the_same_hour_is_asked_for_once() -> None:
    async with replayed(now=LATE + timedelta(minutes=59)) as (server, source):
        for minutes in (0, 7, 59):
            await source.candles(BTC, "1h", as_of=LATE + timedelta(minutes=minutes), limit=500)

        assert len(server.klines_asked()) == 1


async def test_many_tasks_at_once_share_one_request() -> None:
    async with replayed() as (server, source):
        wishes = [source.candles(BTC, "1h", as_of=LATE, limit=500) for _ in range(8)]
        got = await asyncio.gather(*wishes)

        assert all(series == got[0] for series in got)
        assert len(server.klines_asked()) == 1


@pytest.mark.parametrize("hours_back", [1, 50, 120, 400, 900, 935])
async def test_going_back_in_time_serves_what_was_known_then(hours_back: int) -> None:
    async with replayed() as (_, source):
        await source.candles(BTC, "1h", as_of=LATE, limit=500)
        back = LATE - hours_back * HOUR

        assert await source.candles(BTC, "1h", as_of=back, limit=500) == MARKET.closed_at(back).last(500)
        assert await source.candles(BTC, "1h", as_of=LATE, limit=500) == MARKET.closed_at(LATE).last(500)


async def test_a_leap_of_weeks_is_one_request_for_the_newest_window() -> None:
    async with replayed() as (server, source):
        for day in (5, 38):
            server.now = START + timedelta(days=day)
            got = await source.candles(BTC, "1h", as_of=server.now, limit=500)
            assert got == MARKET.closed_at(server.now).last(500)

        assert len(server.klines_asked()) == 2


async def test_a_gap_at_the_venue_stays_a_gap() -> None:
    whole = MARKET.closed_at(LATE)
    holed = CandleSeries(BTC, "1h", whole.candles[:-10] + whole.candles[-7:])
    async with replayed(series=holed) as (server, source):
        for hours in range(-12, 1):
            server.now = LATE + hours * HOUR
            got = await source.candles(BTC, "1h", as_of=server.now, limit=500)
            assert got == holed.closed_at(server.now).last(500)


async def test_a_candle_that_the_venue_publishes_late_is_not_lost() -> None:
    before, after = MARKET.closed_at(LATE - HOUR), MARKET.closed_at(LATE)
    async with replayed(series=before) as (server, source):
        late = await source.candles(BTC, "1h", as_of=LATE, limit=500)
        server.series[BTC] = after

        assert late.candles[-1].open_time == LATE - 2 * HOUR
        assert await source.candles(BTC, "1h", as_of=LATE, limit=500) == after.last(500)


async def test_a_young_market_has_what_it_has_and_is_not_asked_again_and_again() -> None:
    now = START + 30 * HOUR
    async with replayed(now=now) as (server, source):
        for _ in range(3):
            assert len((await source.candles(BTC, "1h", as_of=now, limit=500)).candles) == 30

        assert len(server.klines_asked()) == 1


async def test_live_a_candle_counts_only_when_our_clock_says_it_has_closed() -> None:
    async with kline_server({BTC: MARKET}, now=LATE + timedelta(minutes=30)) as server, live(server) as source:
        got = await source.candles(BTC, "1h", as_of=LATE + timedelta(hours=1), limit=5)

    assert got.candles[-1].open_time == LATE - HOUR


async def test_the_book_of_a_replayed_market_belongs_to_its_instant_alone() -> None:
    async with replayed() as (server, source):
        book = await source.book_top(BTC, as_of=LATE)
        assert book == book_top(bid="27999.1", ask="28000.9", as_of=LATE).model_copy(
            update={"bid_quantity": Decimal(1), "ask_quantity": Decimal(2)}
        )

        server.now = LATE + timedelta(seconds=1)
        assert await source.book_top(BTC, as_of=LATE) is None
        assert await source.book_top(BTC, as_of=LATE + timedelta(seconds=2)) is None


async def test_a_live_book_belongs_to_an_as_of_of_the_last_two_minutes() -> None:
    async with kline_server({BTC: MARKET}, now=LATE) as server, live(server) as source:
        assert (await source.book_top(BTC, as_of=LATE - timedelta(seconds=119))) is not None
        assert (await source.book_top(BTC, as_of=LATE - timedelta(seconds=121))) is None


async def test_the_book_of_a_simulated_market_that_runs_by_itself_is_treated_as_a_live_one() -> None:
    async with replayed() as (server, source):
        server.clock_mode = "realtime"
        server.now = LATE + timedelta(seconds=3)

        assert await source.book_top(BTC, as_of=LATE) is not None
        assert await source.book_top(BTC, as_of=LATE - timedelta(seconds=118)) is None


async def test_an_empty_side_is_no_book() -> None:
    async with replayed() as (server, source):
        server.bid = "0.00000000"

        assert await source.book_top(BTC, as_of=LATE) is None


@pytest.mark.parametrize(
    "reply",
    [
        Scripted(cut=True),
        Scripted(status=502, text="<html>bad gateway</html>"),
        Scripted(status=503, text='{"code":-1008,"msg":"Server is currently overloaded."}'),
        Scripted(status=200, text="<html>not json</html>"),
        Scripted(status=200, text='[["yesterday"]]'),
        Scripted(status=200, text='[[1708300800000,"1","0.5","2","1","1",0]]'),  # high below low
    ],
    ids=["cut", "502", "503", "no json", "no klines", "impossible"],
)
async def test_an_answer_that_cannot_be_used_is_unavailable_and_the_next_one_counts(reply: Scripted) -> None:
    async with replayed() as (server, source):
        await source.candles(BTC, "1h", as_of=LATE - 5 * HOUR, limit=10)
        server.script.append(reply)

        with pytest.raises(MarketUnavailable, match="simulated"):
            await source.candles(BTC, "1h", as_of=LATE, limit=10)
        assert await source.candles(BTC, "1h", as_of=LATE, limit=10) == MARKET.closed_at(LATE).last(10)


async def test_a_dead_server_is_unavailable() -> None:
    source = BinanceMarketData(venue="simulated", base_url="http://127.0.0.1:9", market_time_is_replayed=True)
    with pytest.raises(MarketUnavailable, match="no answer"):
        await source.candles(BTC, "1h", as_of=LATE, limit=10)
    await source.aclose()


async def test_a_venue_that_asks_for_silence_gets_it() -> None:
    async with replayed() as (server, source):
        server.script.append(Scripted(status=429, text='{"code":-1003,"msg":"slow"}', headers={"Retry-After": "7"}))
        with pytest.raises(MarketUnavailable) as refused:
            await source.candles(BTC, "1h", as_of=LATE, limit=10)
        asked = len(server.requests)
        with pytest.raises(MarketUnavailable, match="silence") as held:
            await source.candles(BTC, "1h", as_of=LATE, limit=10)

        assert refused.value.retry_after_s == 7
        assert held.value.retry_after_s is not None
        assert 5 < held.value.retry_after_s <= 7
        assert len(server.requests) == asked


async def test_unknown_symbols_and_timeframes_are_refused_for_good() -> None:
    async with replayed() as (server, source):
        server.timeframes = frozenset({"1h"})
        with pytest.raises(MarketRefused, match="Invalid symbol"):
            await source.candles("NOPE/USDT", "1h", as_of=LATE, limit=10)
        with pytest.raises(TimeframeNotOffered, match="Invalid interval"):
            await source.candles(BTC, "4h", as_of=LATE, limit=10)


def request(as_of: datetime = LATE, **changes: object) -> ObserveRequest:
    fields: dict[str, object] = {"realm": "test-market", "venue": "simulated", "symbol": BTC, "as_of": as_of}
    return ObserveRequest.model_validate({**fields, **changes})


async def observed(source: BinanceMarketData, blobs: KeptTexts, wish: ObserveRequest) -> Observation:
    result: Observation = await ActivityEnvironment().run(MarketCalls(source, blobs).observe_market, wish)
    return result


async def test_an_observation_carries_the_hash_of_the_stored_snapshot_and_the_numbers_to_branch_on() -> None:
    blobs = KeptTexts()
    async with replayed() as (_, source):
        seen = await observed(source, blobs, request(position=position_view(quantity="0.1", average_price="30000")))

    snapshot = MarketSnapshot.model_validate_json(blobs.texts[seen.snapshot_hash])
    assert (seen.bars, seen.facts, seen.insufficient) == (500, len(snapshot.facts), None)
    assert seen.last_price == snapshot.last_price == MARKET.closed_at(LATE).candles[-1].close
    assert (seen.bid, seen.ask) == (Decimal("27999.1"), Decimal("28000.9"))
    assert round(seen.spread_fraction, 6) == Decimal("0.000064")
    assert seen.atr_fraction == snapshot.atr_fraction == snapshot.by_id()["atr_fraction@1h"].value
    assert snapshot.by_id()["position_quantity"].value == Decimal("0.1")
    assert {"rsi_14@1h", "macd_histogram@4h", "rsi_14@1d"} <= set(snapshot.by_id())


async def test_the_crash_is_seen_the_day_it_happens() -> None:
    crash_end = START + timedelta(days=31)
    async with replayed(now=crash_end) as (_, source):
        seen = await observed(source, KeptTexts(), request(crash_end))

    assert seen.risk_regime is RiskRegime.CRASH


async def test_observing_twice_stores_one_snapshot() -> None:
    blobs = KeptTexts()
    async with replayed() as (_, source):
        first = await observed(source, blobs, request())
        second = await observed(source, blobs, request())

    assert first == second
    assert len(blobs.texts) == 1


async def test_whatever_the_venue_answers_of_the_future_the_observation_is_the_same() -> None:
    honest, lying = KeptTexts(), KeptTexts()
    changed = [
        bar._replace(high=bar.high * 9, close=bar.close * 8, volume=bar.volume * 5)
        if bar.open_time + HOUR > LATE
        else bar
        for bar in MARKET.candles
    ]
    async with replayed() as (_, source):
        first = await observed(source, honest, request())
    async with replayed(series=CandleSeries(BTC, "1h", tuple(changed))) as (_, source):
        second = await observed(source, lying, request())

    assert first == second
    assert honest.texts == lying.texts


async def test_an_observation_does_not_depend_on_what_was_asked_before() -> None:
    fresh, used = KeptTexts(), KeptTexts()
    async with replayed() as (_, source):
        first = await observed(source, fresh, request())
    async with replayed(now=START + timedelta(days=20)) as (server, source):
        for day in (20, 22, 38, 39):
            server.now = START + timedelta(days=day)
            second = await observed(source, used, request(server.now))

    assert first == second


async def test_a_source_without_coarser_candles_is_resampled() -> None:
    blobs = KeptTexts()
    async with replayed() as (server, source):
        server.timeframes = frozenset({"1h"})
        seen = await observed(source, blobs, request())
        book = await source.book_top(BTC, as_of=LATE)

    expected = observe(MARKET.closed_at(LATE).last(500), as_of=LATE, venue="simulated", book=book, position=None)
    assert MarketSnapshot.model_validate_json(blobs.texts[seen.snapshot_hash]) == expected


async def test_short_histories_and_ended_symbols_abstain_without_an_error() -> None:
    async with replayed(now=START + timedelta(days=10)) as (_, source):
        young = await observed(source, KeptTexts(), request(START + timedelta(days=10)))
    ended = end_of(MARKET) + timedelta(days=3)
    async with replayed(now=ended) as (_, source):
        over = await observed(source, KeptTexts(), request(ended))

    assert (young.insufficient, young.bars) == ("insufficient_history", 240)
    assert over.insufficient == "stranded"


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"symbol": "NOPE/USDT"}, "MarketRefused"),
        ({"venue": "live"}, "MarketRefused"),
        ({"as_of": START}, "CandleDataError"),
    ],
)
async def test_what_can_never_work_is_not_retried(changes: dict[str, object], kind: str) -> None:
    async with replayed() as (_, source):
        with pytest.raises(ApplicationError) as refused:
            await observed(source, KeptTexts(), request(**changes))

    assert (refused.value.type, refused.value.non_retryable) == (kind, True)


async def test_a_market_that_is_away_is_retried_after_the_venues_own_time() -> None:
    async with replayed() as (server, source):
        server.script.append(Scripted(status=418, text="{}", headers={"Retry-After": "120"}))
        with pytest.raises(ApplicationError) as away:
            await observed(source, KeptTexts(), request())

    assert (away.value.type, away.value.non_retryable) == ("MarketUnavailable", False)
    assert away.value.next_retry_delay == timedelta(seconds=120)
