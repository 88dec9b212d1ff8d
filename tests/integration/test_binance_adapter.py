"""The adapter against the simulated exchange in a process of its own, with the fault proxy between them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from decimal import Decimal
from urllib.parse import urlsplit

import pytest
from fakes.venue_desk import HORIZON_S, LIST_PATH, ORDER_PATH, REALM, Desk
from fakes.venue_process import OPENS_AT, venue_process

from activities.exchange.binance import BinanceExchange
from activities.exchange.binance_session import Credential, simulated_credential
from activities.exchange.following import OrderFollowing
from activities.exchange.port import Level, RealmRefused, ResolveOrder, VenueRefused, VenueUnavailable
from trading.orders.models import Leg, OrderRequest, OrderStatus, OrderType, OutcomeClass, Side
from trading.orders.wishes import Resolution, Verdict
from workers.trials.fault_proxy import Fault, FaultProxy, Rule, venue_error


@pytest.fixture(scope="module")
def venue_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with venue_process(tmp_path_factory.mktemp("venue")) as url:
        yield url


@pytest.fixture
async def proxy(venue_url: str) -> AsyncIterator[FaultProxy]:
    parts = urlsplit(venue_url)
    async with FaultProxy((str(parts.hostname), int(parts.port or 0))) as proxy:
        yield proxy


@pytest.fixture
async def desk(venue_url: str, proxy: FaultProxy) -> AsyncIterator[Desk]:
    desk = Desk(venue_url, proxy)
    await desk.clock.open_account(desk.account, {"USDT": Decimal(100_000), "BTC": Decimal(2)})
    yield desk
    for part in (desk.through, desk.direct, desk.clock):
        await part.aclose()


FURTHER = {
    # beside those of the matrix (test_fault_matrix.py): what never arrives, and what the venue refuses to look at
    "delivered late, still valid": Rule(fault=Fault.HOLD, hold_s=0.3),
    "never delivered": Rule(fault=Fault.DROP),
    "-1021": venue_error(Fault.ANSWER, status=400, code=-1021, message="outside of the recvWindow"),
    "429": venue_error(Fault.ANSWER, status=429, code=-1003, message="Too many requests.", retry_after_s=1),
    "418": Rule(fault=Fault.ANSWER, status=418, retry_after_s=1),
}


@pytest.mark.parametrize("kind", ["market", "limit", "stop", "order list"])
@pytest.mark.parametrize("fault", FURTHER)
async def test_a_faulted_order_is_one_order_at_the_venue(desk: Desk, proxy: FaultProxy, fault: str, kind: str) -> None:
    request = desk.request(kind)
    proxy.plan(
        [FURTHER[fault].model_copy(update={"method": "POST", "path": LIST_PATH if request.beside else ORDER_PATH})]
    )
    report = await desk.place(request)
    await proxy.all_delivered()
    at_venue = await desk.direct.orders(desk.account, "BTC/USDT")
    intended = {order.client_order_id for order in (request, *request.beside)}
    assert len(at_venue) == len(intended)
    assert {order.client_order_id for order in at_venue} == intended
    assert (report.status, report.outcome) == (OrderStatus.NEW, OutcomeClass.ACCEPTED)
    assert sum(proxy.counts[kind] for kind in Fault) == 1, "the fault was really used"


@pytest.mark.parametrize("kind", ["market", "limit", "stop", "order list"])
@pytest.mark.parametrize(
    ("remembered", "sends"),
    [({"step_size": Decimal("0.0000001")}, 2), ({"is_trading": False}, 1)],
    ids=["a coarser step since", "trades again"],
)
async def test_filters_that_changed_since_they_were_read_refuse_no_order(
    desk: Desk, kind: str, remembered: dict[str, object], sends: int
) -> None:
    request = desk.request(kind).model_copy(update={"quantity": Decimal("0.1000004")})
    known = await desk.through.rules("BTC/USDT")
    desk.through._rules["BTC/USDT"] = (time.monotonic(), known.model_copy(update=remembered))
    report = await desk.place(request)
    assert (report.status, report.outcome) == (OrderStatus.NEW, OutcomeClass.ACCEPTED)
    at_venue = {order.client_order_id: order for order in await desk.direct.orders(desk.account, "BTC/USDT")}
    assert len(at_venue) == 1 + len(request.beside)
    assert at_venue[request.client_order_id].quantity == Decimal("0.1")
    intent = await desk.journal.find_intent(request.key)
    assert intent is not None
    assert intent.sends == sends
    assert await desk.place(request) == report, "the same request again is the same order"


@pytest.mark.parametrize("kind", ["limit", "order list"])
@pytest.mark.parametrize("fault", FURTHER)
async def test_a_faulted_cancel_cancels(desk: Desk, proxy: FaultProxy, fault: str, kind: str) -> None:
    request = desk.request(kind)
    await desk.place(request)
    path = "/api/v3/orderList" if request.beside else ORDER_PATH
    proxy.plan([FURTHER[fault].model_copy(update={"method": "DELETE", "path": path})])
    report = await desk.cancel(request)
    assert {report.status, *(leg.status for leg in report.legs)} == {OrderStatus.CANCELED}
    at_venue = await desk.direct.orders(desk.account, "BTC/USDT")
    assert [order.status for order in at_venue] == [OrderStatus.CANCELED] * (1 + len(request.beside))
    assert sum(proxy.counts[kind] for kind in Fault) == 1, "the fault was really used"


async def frozen_list(desk: Desk, *, arrives: bool, exits_only: bool = False) -> OrderRequest:
    """A list of which nobody knows what became of it: the venue took it, or never saw it."""
    request = desk.request("order list")
    prepared = await desk.direct.prepare(request)
    await desk.journal.record_intent(request, prepared)
    if arrives:
        await desk.direct.send(prepared, protective=False)
    if exits_only:
        stop = request.beside[0].model_copy(update={"led_by": None})
        await desk.direct.send(await desk.direct.prepare(stop), protective=True)
    await desk.journal.record_status(request.key, OrderStatus.FROZEN, reason="a test")
    return request


@pytest.mark.parametrize(
    ("arrives", "exits_only", "said", "entry", "exits"),
    [
        (True, False, Verdict.FILLED, OrderStatus.NEW, OrderStatus.PENDING_NEW),
        (False, False, Verdict.ABSENT, OrderStatus.REFUSED, OrderStatus.REFUSED),
        (True, False, Verdict.ABSENT, OrderStatus.FROZEN, OrderStatus.INTENDED),  #  the venue contradicts
        (False, False, Verdict.FILLED, OrderStatus.FROZEN, OrderStatus.INTENDED),
        (False, True, Verdict.ABSENT, OrderStatus.FROZEN, OrderStatus.INTENDED),  #  an exit is there under its id
    ],
)
async def test_a_word_on_a_frozen_list_settles_every_order_of_it(
    desk: Desk, *, arrives: bool, exits_only: bool, said: Verdict, entry: OrderStatus, exits: OrderStatus
) -> None:
    request = await frozen_list(desk, arrives=arrives, exits_only=exits_only)
    following = OrderFollowing(desk.direct, desk.journal, pause=asyncio.sleep)
    word = Resolution(client_order_id=request.client_order_id, verdict=said, who="me", reason="looked it up")
    if said is Verdict.ABSENT:
        early = await following.resolve(ResolveOrder(key=request.key, word=word))
        assert early.status is OrderStatus.FROZEN, "what was sent may still arrive"
        await asyncio.sleep(HORIZON_S)
    report = await following.resolve(ResolveOrder(key=request.key, word=word))
    assert report.status is entry
    kept = {desk.journal.intents[leg.client_order_id].status for leg in request.beside}
    assert kept == {exits}
    assert {leg.status for leg in report.legs} <= {exits}


async def test_an_exit_that_is_missing_beside_a_filled_entry_is_marked_once_it_cannot_come(desk: Desk) -> None:
    """The entry alone is there under its id: a person says so, and the guard has to protect it by itself."""
    request = desk.request("order list")
    alone = request.model_copy(update={"beside": ()})
    await desk.journal.record_intent(request, await desk.direct.prepare(request))
    await desk.direct.send(await desk.direct.prepare(alone), protective=False)
    await desk.journal.record_status(request.key, OrderStatus.FROZEN, reason="a test")
    following = OrderFollowing(desk.direct, desk.journal, pause=asyncio.sleep)
    word = Resolution(client_order_id=request.client_order_id, verdict=Verdict.FILLED, who="me", reason="looked it up")
    with pytest.raises(VenueUnavailable):
        await following.resolve(ResolveOrder(key=request.key, word=word))
    await asyncio.sleep(HORIZON_S)
    report = await following.resolve(ResolveOrder(key=request.key, word=word))
    assert {leg.status for leg in report.legs} == {OrderStatus.REFUSED}


@pytest.mark.parametrize("call", ["place", "cancel"])
async def test_who_died_between_an_entry_s_report_and_its_exits_tells_of_these_the_next_time(
    desk: Desk, call: str
) -> None:
    request = desk.request("order list")
    prepared = await desk.direct.prepare(request)
    await desk.journal.record_intent(request, prepared)
    await desk.journal.record_sent(request.key)
    await desk.direct.send(prepared, protective=False)
    now = await desk.direct.market_time()
    await desk.clock.advance(now + timedelta(minutes=1), (), request_id=f"{desk.account}-fill")
    found = await desk.direct.find(request.key)
    assert found is not None
    fills = await desk.direct.fills(desk.account, "BTC/USDT", venue_order_id=found.venue_order_id)
    assert (await desk.journal.record_order(request.key, found, fills)).status is OrderStatus.FILLED
    report = await (desk.place(request) if call == "place" else desk.cancel(request))
    assert report.status is OrderStatus.FILLED
    assert {leg.status for leg in report.legs} == {OrderStatus.NEW}


async def test_a_list_answered_by_half_is_asked_about(desk: Desk, proxy: FaultProxy) -> None:
    """An answer that names the entry and not its stop says nothing about the list: the venue is asked."""
    request = desk.request("order list")
    half = {"orderListId": 1, "orderReports": []}
    proxy.plan([Rule(fault=Fault.REPLACE, method="POST", path=LIST_PATH, status=200, body=json.dumps(half))])
    report = await desk.place(request)
    assert report.status is OrderStatus.NEW
    assert len(report.legs) == 2
    assert len(await desk.direct.orders(desk.account, "BTC/USDT")) == 3


async def test_the_venue_itself_refuses_a_request_that_comes_after_its_window(desk: Desk, proxy: FaultProxy) -> None:
    proxy.plan([Rule(fault=Fault.HOLD, hold_s=HORIZON_S, method="POST", path=ORDER_PATH)])
    await desk.place(desk.request("market"))
    await proxy.all_delivered()
    assert (proxy.counts["late_400"], proxy.counts["late_200"]) == (1, 0)


async def test_a_lost_reply_and_lost_questions_are_one_order(desk: Desk, proxy: FaultProxy) -> None:
    request = desk.request("market")
    proxy.plan(
        [
            Rule(fault=Fault.RESET, method="POST", path=ORDER_PATH),
            Rule(fault=Fault.RESET, method="GET", path=ORDER_PATH, times=2),
            Rule(fault=Fault.REPLACE, method="GET", path="/api/v3/time", after=1, times=1),
        ]
    )
    await desk.place(request)
    assert len(await desk.direct.orders(desk.account, "BTC/USDT")) == 1


async def test_nothing_is_sent_during_a_ban(desk: Desk, proxy: FaultProxy) -> None:
    await desk.through.rules("BTC/USDT")
    prepared = await desk.through.prepare(desk.request("stop"))
    proxy.plan([FURTHER["429"].model_copy(update={"method": "POST"})])
    first = await desk.through.send(prepared, protective=True)
    passed = proxy.counts["passed"]
    second = await desk.through.send(prepared, protective=True)
    assert (first.outcome, second.outcome) == (OutcomeClass.NOT_PROCESSED, OutcomeClass.NOT_PROCESSED)
    assert proxy.counts["passed"] == passed
    assert second.retry_after_s is not None
    assert 0 < second.retry_after_s <= 1


async def test_a_closed_port_is_not_sent(desk: Desk, unused_tcp_port: int) -> None:
    prepared = await desk.direct.prepare(desk.request("limit"))
    dead = BinanceExchange(
        realm=REALM, venue="sim", base_url=f"http://127.0.0.1:{unused_tcp_port}", credentials=simulated_credential
    )
    answer = await dead.send(prepared, protective=False)
    await dead.aclose()
    assert answer.outcome is OutcomeClass.NOT_SENT


async def test_orders_fills_and_balances_after_market_time_passed(desk: Desk) -> None:
    buy = desk.request("market")
    await desk.place(buy)
    now = await desk.direct.market_time()
    stop = await desk.clock.advance(now + timedelta(hours=2), (), request_id=f"{desk.account}-1")
    ours = [event for event in stop.events if event.account == desk.account]
    assert [(event.kind, event.client_order_id) for event in ours] == [("order", buy.client_order_id)]
    report = await OrderFollowing(desk.direct, desk.journal, pause=asyncio.sleep).sync(buy.key)
    fills = await desk.direct.fills(desk.account, "BTC/USDT")
    account = await desk.direct.account(desk.account)
    assert report.status is OrderStatus.FILLED
    assert report.executed_quantity == sum((fill.quantity for fill in fills), Decimal(0)) == Decimal("0.1")
    assert {fill.client_order_id for fill in fills} == {buy.client_order_id}
    commissions = sum((fill.commission for fill in fills if fill.commission_asset == "BTC"), Decimal(0))
    assert commissions > 0
    assert account.balance("BTC").total == Decimal(2) + Decimal("0.1") - commissions
    assert account.can_trade
    assert not account.can_withdraw


async def test_a_fill_wakes_the_one_who_follows_the_order(desk: Desk) -> None:
    """The stream tells of the fill; without it the follower would ask again only after the pause of this test."""
    buy = desk.request("market")
    await desk.place(buy)
    subscribed = asyncio.create_task(desk.direct.news(desk.account, 30))
    await asyncio.wait_for(subscribed, 10)  # the answer to the subscription is the first thing that is told
    waiting = asyncio.create_task(desk.direct.news(desk.account, 60))
    await asyncio.sleep(0)
    now = await desk.direct.market_time()
    await desk.clock.advance(now + timedelta(minutes=1), (), request_id=f"{desk.account}-stream")
    await asyncio.wait_for(waiting, 5)
    report = await OrderFollowing(desk.direct, desk.journal, pause=asyncio.sleep).sync(buy.key)
    assert report.status is OrderStatus.FILLED


async def test_the_same_advance_twice_is_one_advance(desk: Desk) -> None:
    now = await desk.direct.market_time()
    level = Level(id="l1", symbol="BTC/USDT", direction="above", price=Decimal(7040))
    to = now + timedelta(hours=3)
    first = await desk.clock.advance(to, (level,), request_id=f"{desk.account}-level")
    again = await desk.clock.advance(to, (level,), request_id=f"{desk.account}-level")
    assert [event.level_id for event in first.events] == ["l1"]
    assert first == again
    assert now < first.now < to


async def test_opening_an_account_again_tells_what_it_has(desk: Desk) -> None:
    await desk.place(desk.request("limit"))
    balances = await desk.clock.open_account(desk.account, {"USDT": Decimal(1)})
    usdt = next(balance for balance in balances if balance.asset == "USDT")
    assert usdt.total == Decimal(100_000)
    assert usdt.locked == Decimal("0.1") * 6900


async def test_rules_and_book_are_the_venue_s(desk: Desk) -> None:
    rules = await desk.direct.rules("BTC/USDT")
    book = await desk.direct.book_top("BTC/USDT")
    assert (rules.symbol, rules.base_asset, rules.quote_asset) == ("BTC/USDT", "BTC", "USDT")
    assert rules.is_trading
    assert rules.tick_size > 0
    assert {OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LOSS} <= rules.order_types
    assert book.bid < book.ask
    assert book.as_of >= OPENS_AT


async def test_books_asked_for_at_once_are_those_asked_for_one_by_one(desk: Desk) -> None:
    wanted = ("BTC/USDT", "BTC/USDT")
    at_once = await desk.direct.book_tops(wanted)
    assert at_once == tuple([await desk.direct.book_top(symbol) for symbol in wanted])
    assert {book.as_of for book in at_once} == {await desk.direct.market_time()}
    with pytest.raises(VenueRefused):
        await desk.direct.book_tops(("BTC/USDT", "NONE/USDT"))


async def test_open_orders_of_all_symbols_carry_our_names(desk: Desk) -> None:
    stop, limit = desk.request("stop"), desk.request("limit")
    await desk.place(stop)
    await desk.place(limit)
    found = await desk.direct.open_orders(desk.account)
    assert {order.client_order_id for order in found} == {stop.client_order_id, limit.client_order_id}
    assert {order.symbol for order in found} == {"BTC/USDT"}
    assert await desk.direct.open_orders(desk.account, "BTC/USDT") == found


async def test_a_wrong_secret_and_an_unknown_symbol_are_refused(desk: Desk, venue_url: str) -> None:
    wrong = BinanceExchange(
        realm=REALM,
        venue="sim",
        base_url=venue_url,
        credentials={desk.account: Credential(api_key=f"sim-{desk.account}", secret="wrong")},
    )
    with pytest.raises(VenueRefused) as refused:
        await wrong.account(desk.account)
    assert refused.value.code == -1022
    with pytest.raises(VenueRefused, match="accounts with one"):
        await wrong.account("stranger")
    with pytest.raises(VenueRefused):
        await wrong.rules("NOPE/USDT")
    await wrong.aclose()


async def test_another_realm_s_order_is_not_sent(desk: Desk, proxy: FaultProxy) -> None:
    ours = desk.request("limit")
    prepared = await desk.through.prepare(ours)
    foreign = prepared.model_copy(update={"key": prepared.key.model_copy(update={"realm": "live"})})
    before = proxy.counts["passed"]
    with pytest.raises(RealmRefused):
        await desk.through.send(foreign, protective=True)
    with pytest.raises(RealmRefused):
        await desk.through.prepare(ours.model_copy(update={"venue": "other"}))
    assert proxy.counts["passed"] == before


async def test_an_expired_request_is_refused_by_the_venue_itself(desk: Desk) -> None:
    """The venue's own check is what the protocol rests on: the adapter's is by-passed with a later expiry."""
    prepared = await desk.direct.prepare(desk.request("limit"))
    await asyncio.sleep(1.0)
    answer = await desk.direct.send(
        prepared.model_copy(update={"expires_at": prepared.expires_at + timedelta(minutes=1)}), protective=False
    )
    assert (answer.outcome, answer.code) == (OutcomeClass.NOT_PROCESSED, -1021)


async def test_a_sell_of_more_than_is_held_is_refused(desk: Desk) -> None:
    sell = desk.request("market").model_copy(
        update={"side": Side.SELL, "leg": Leg.EXIT, "quantity": Decimal(3), "client_order_id": "f" * 32}
    )
    report = await desk.place(sell)
    assert (report.status, report.code) == (OrderStatus.REFUSED, -2010)
    assert "insufficient balance" in report.reason
