"""How long what was bought waited for its exit, and what is held without one now, on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from fakes.exchange import FakeExchange, Fate, lost_reply, lost_request
from store_rows import NOON, REALM, D, a_fill, a_prepared, a_request, a_venue_order

from activities.exchange.placing import OrderPlacement, Patience
from activities.exchange.port import PreparedLeg, VenueUnavailable
from activities.store.open import Store
from activities.store.ports.journal import IntentRefused
from activities.store.reading import status
from trading.orders.models import Leg, OrderRequest, OrderStatus, OrderType, Side


@pytest.fixture
async def account(store: Store) -> Store:
    await store.open_account(
        REALM, venue="simulated", ledger="main", account="main", opening=[("USDT", D("10000"))], as_of=NOON
    )
    return store


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def a_stop(decision: str = "d1", revision: int = 0) -> OrderRequest:
    return a_request(
        decision_id=decision,
        leg=Leg.STOP,
        side=Side.SELL,
        type=OrderType.STOP_LOSS,
        stop_price=D("4900"),
        permit_id=None,
        revision=revision,
    )


async def buys(store: Store, decision: str, *seconds: float) -> OrderRequest:
    """An entry that fills in as many parts, at these seconds after noon."""
    request = a_request(decision_id=decision, permit_id=f"p-{decision}")
    part = request.quantity / len(seconds)
    fills = [
        a_fill(request, trade_id=f"{decision}-{place}", venue_order_id=decision, quantity=part, filled_at=at(second))
        for place, second in enumerate(seconds)
    ]
    await store.record_intent(request, a_prepared(request))
    await store.record_order(request.key, a_venue_order(request, *fills, venue_order_id=decision), fills)
    return request


async def stops(store: Store, stop: OrderRequest, second: float, *, status: OrderStatus = OrderStatus.NEW) -> None:
    await store.record_intent(stop, a_prepared(stop))
    told = a_venue_order(stop, venue_order_id=stop.client_order_id, created_at=at(second), updated_at=at(second + 9))
    await store.record_order(stop.key, told.model_copy(update={"status": status}), [])


async def closes(store: Store, decision: str) -> None:
    await store.record_outcome(
        REALM,
        "main",
        "BTC/USDT",
        decision,
        pnl_usd=D(1),
        return_fraction=D("0.1"),
        exit_reason="target",
        closed_at=at(60),
    )


async def test_a_stop_answers_the_first_fill_before_it_and_later_ones_are_not_its_own(account: Store) -> None:
    await buys(account, "d1", 1, 3)
    assert await account.unprotected_since(a_stop().key) == at(1)
    await stops(account, a_stop(), 4.5)
    assert await account.unprotected_s(a_stop().key) == D("3.5")
    assert await account.unprotected_since(a_stop().key) is None
    higher = a_stop(revision=1)
    await stops(account, higher, 60)
    assert await account.unprotected_s(higher.key) is None
    await buys(account, "d2", 100)
    await stops(account, a_stop("d2"), 107.25)
    assert await account.unprotected_s(a_stop("d2").key) == D("7.25")
    seen = await status(account, REALM)
    assert seen["protection"] == {"exits": 2, "late": 1, "longest_s": "7.25"}


async def test_what_is_told_again_later_changes_no_wait(account: Store) -> None:
    await buys(account, "d1", 1)
    await stops(account, a_stop(), 2)
    await buys(account, "d2", 1.5)  # told late: it had filled before that stop
    told = a_venue_order(a_stop(), venue_order_id=a_stop().client_order_id, created_at=at(50), updated_at=at(50))
    await account.record_order(a_stop().key, told, [])
    assert await account.unprotected_s(a_stop().key) == D(1)
    assert await account.unprotected_since(a_stop().key) is None


async def test_an_entry_that_brings_its_stop_along_waits_for_nothing(account: Store) -> None:
    stop = a_stop().model_copy(update={"led_by": a_request().client_order_id})
    entry = a_request().model_copy(update={"beside": (stop,)})
    sent = PreparedLeg(client_order_id=stop.client_order_id, quantity=D("0.1"), stop_price=stop.stop_price)
    await account.record_intent(entry, a_prepared(entry).model_copy(update={"beside": (sent,)}))
    fill = a_fill(entry, filled_at=at(1))
    await account.record_order(entry.key, a_venue_order(entry, fill), [fill])
    told = a_venue_order(stop, venue_order_id="11", created_at=at(1))
    await account.record_order(stop.key, told, [])
    assert await account.unprotected_since(entry.key) is None
    await stops(account, a_stop(revision=1), 3600)
    assert (await status(account, REALM))["protection"] == {"exits": 0, "late": 0, "longest_s": None}


async def test_a_stop_that_the_venue_did_not_keep_answers_nothing(account: Store) -> None:
    await buys(account, "d1", 1)
    await stops(account, a_stop(), 2, status=OrderStatus.REJECTED)
    assert await account.unprotected_s(a_stop().key) is None
    assert await account.unprotected_since(a_stop().key) == at(1)
    again = a_stop(revision=1)
    await stops(account, again, 9)
    assert await account.unprotected_s(again.key) == D(8)


async def test_what_is_held_without_an_exit_is_shown_until_one_rests(account: Store) -> None:
    await buys(account, "d1", 1)
    assert (await status(account, REALM))["unprotected"] == [
        {"account": "main", "symbol": "BTC/USDT", "quantity": "0.0999", "since": iso(at(1))}
    ]
    await stops(account, a_stop(), 2)
    assert (await status(account, REALM))["unprotected"] == []


async def test_one_that_replaces_another_is_missed_from_the_end_of_that(account: Store) -> None:
    await buys(account, "d1", 1)
    await stops(account, a_stop(), 2, status=OrderStatus.CANCELED)
    higher = a_stop(revision=1)
    await account.record_intent(higher, a_prepared(higher))
    assert await account.unprotected_since(higher.key) == at(11)
    await account.record_status(higher.key, OrderStatus.REFUSED, reason="banned")
    assert [line["since"] for line in (await status(account, REALM))["unprotected"]] == [iso(at(11))]


async def test_exits_of_a_list_that_did_not_fill_answer_nothing(account: Store) -> None:
    await buys(account, "d1", 1)
    entry = a_request(decision_id="d2", permit_id="p-d2")
    stop = a_stop("d2").model_copy(update={"led_by": entry.client_order_id})
    sent = PreparedLeg(client_order_id=stop.client_order_id, quantity=D("0.1"), stop_price=stop.stop_price)
    listed = entry.model_copy(update={"beside": (stop,)})
    await account.record_intent(listed, a_prepared(listed).model_copy(update={"beside": (sent,)}))
    ended = a_venue_order(stop, venue_order_id="11", status=OrderStatus.EXPIRED, created_at=at(5))
    await account.record_order(stop.key, ended, [])
    assert await account.unprotected_since(stop.key) == at(1)


async def test_dust_that_an_earlier_trade_left_makes_no_later_stop_late(account: Store) -> None:
    await buys(account, "d1", 1)
    await closes(account, "d1")
    await buys(account, "d2", 86400)
    await stops(account, a_stop("d2"), 86400.5)
    assert await account.unprotected_s(a_stop("d2").key) == D("0.5")


async def test_it_is_shown_again_from_the_end_of_its_exit(account: Store) -> None:
    await buys(account, "d1", 1)
    await stops(account, a_stop(), 2, status=OrderStatus.EXPIRED)
    assert [line["since"] for line in (await status(account, REALM))["unprotected"]] == [iso(at(11))]


async def test_dust_of_a_closed_trade_needs_no_exit(account: Store) -> None:
    await buys(account, "d1", 1)
    await closes(account, "d1")
    assert (await status(account, REALM))["unprotected"] == []
    another = a_request(decision_id="d2", permit_id="p-d2")
    await account.record_intent(another, a_prepared(another))
    assert (await status(account, REALM))["unprotected"] == []


@pytest.mark.parametrize("fate", [lost_reply(), lost_request()])
async def test_a_stop_that_a_silent_venue_left_open_freezes_the_symbol_until_it_answers(
    account: Store, fate: Fate
) -> None:
    venue, stop = FakeExchange(fate, realm=REALM), a_stop()
    placement = OrderPlacement(venue, account, pause=venue.pause, patience=Patience(), clock_s=venue.clock_s)
    await buys(account, "d1", 1)
    venue.silent = 10_000
    for _ in range(2):
        with pytest.raises(VenueUnavailable):
            await placement.place(stop)
    assert [order["status"] for order in (await status(account, REALM))["open_orders"]] == [OrderStatus.FROZEN]
    with pytest.raises(IntentRefused, match="waits for a person"):
        await buys(account, "d2", 5)
    venue.silent = 0
    assert (await placement.place(stop)).status is OrderStatus.NEW
    assert len(venue.created) == 1
    assert (await status(account, REALM))["unprotected"] == []
    await buys(account, "d2", 5)
