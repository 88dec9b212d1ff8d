"""Reconciliation over a real store and a venue in memory."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from store_rows import NOON, REALM, D, a_fill, a_prepared, a_request, a_venue_order
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.exchange.port import RealmRefused, VenueRefused, VenueUnavailable
from activities.exchange.reconcile import ReconcileCalls, ReconcileRequest
from activities.store.open import Store
from trading.ledger.balances import balances
from trading.orders.models import Fill, VenueOrder
from trading.orders.venue_account import Balance, VenueAccount, VenueFees

REQUEST = ReconcileRequest(realm=REALM, venue="simulated", accounts=("main",), symbols=("BTC/USDT",))


class BookOfAVenue:
    """What a venue answers to questions: its orders, fills and the balances that follow from them."""

    venue = "simulated"
    realm = REALM

    def __init__(self, orders: Iterable[VenueOrder] = (), fills: Iterable[Fill] = ()) -> None:
        self.told_orders = list(orders)
        self.told_fills = list(fills)
        self.silent = False

    async def orders(self, account: str, symbol: str) -> tuple[VenueOrder, ...]:
        if self.silent:
            raise VenueUnavailable("no answer")
        return tuple(order for order in self.told_orders if order.symbol == symbol)

    async def fills(self, account: str, symbol: str, *, venue_order_id: str | None = None) -> tuple[Fill, ...]:
        return tuple(fill for fill in self.told_fills if fill.symbol == symbol)

    async def account(self, account: str) -> VenueAccount:
        held = balances({"USDT": D("10000")}, self.told_fills)
        return VenueAccount(
            account=account,
            balances=tuple(Balance(asset=asset, free=amount, locked=D(0)) for asset, amount in held.items()),
            fees=VenueFees(maker=D("0.001"), taker=D("0.001")),
            can_trade=True,
            can_withdraw=False,
        )


@pytest.fixture
async def traded(store: Store) -> tuple[Store, BookOfAVenue]:
    """One filled entry, in the ledger and at the venue."""
    await store.open_account(
        REALM, venue="simulated", ledger="main", account="main", opening=[("USDT", D("10000"))], as_of=NOON
    )
    request = a_request()
    fill = a_fill(request)
    await store.record_intent(request, a_prepared(request))
    await store.record_sent(request.key)
    await store.record_order(request.key, a_venue_order(request, fill), [fill])
    return store, BookOfAVenue([a_venue_order(request, fill)], [fill])


def calls(store: Store, venue: BookOfAVenue) -> ReconcileCalls:
    return ReconcileCalls(venue, store)  # type: ignore[arg-type] # only the questions are asked


async def test_equal_books_are_compared_and_equal(traded: tuple[Store, BookOfAVenue]) -> None:
    found = await calls(*traded).reconcile(REQUEST)
    assert (found.orders_checked, found.fills_checked, found.differences, found.foreign_orders) == (1, 1, (), ())


async def test_a_fill_that_we_missed_is_found(traded: tuple[Store, BookOfAVenue]) -> None:
    store, venue = traded
    request = a_request()
    late = a_fill(request, trade_id="2", quantity=D("0.01"))
    venue.told_fills.append(late)
    found = await calls(store, venue).reconcile(REQUEST)
    assert [difference.kind for difference in found.differences] == [
        "fill_missing",
        "balance",
        "balance",
        "invariant_quantity",
        "invariant_ids",
    ]


async def test_a_symbol_that_the_venue_does_not_list_is_left_out(traded: tuple[Store, BookOfAVenue]) -> None:
    store, venue = traded
    orders = venue.orders

    async def listed(account: str, symbol: str) -> tuple[VenueOrder, ...]:
        if symbol == "DOGE/USDT":
            raise VenueRefused("Invalid symbol.", code=-1121)
        return await orders(account, symbol)

    venue.orders = listed  # type: ignore[method-assign]
    wider = REQUEST.model_copy(update={"symbols": ("BTC/USDT", "DOGE/USDT")})
    assert (await calls(store, venue).reconcile(wider)).differences == ()


async def test_a_change_under_way_is_no_difference(traded: tuple[Store, BookOfAVenue]) -> None:
    """The venue has filled more than we know at the first look; by the second look the ledger has it."""
    store, venue = traded
    second = a_request(decision_id="d2")
    fill = a_fill(second, trade_id="2", venue_order_id="11")
    await store.record_intent(second, a_prepared(second))
    await store.record_sent(second.key)
    venue.told_orders.append(a_venue_order(second, fill, venue_order_id="11"))
    venue.told_fills.append(fill)
    asked = venue.account

    async def account_then_ledger_catches_up(account: str) -> VenueAccount:
        told = await asked(account)
        await store.record_order(second.key, a_venue_order(second, fill, venue_order_id="11"), [fill])
        return told

    venue.account = account_then_ledger_catches_up  # type: ignore[method-assign]
    assert (await calls(store, venue).reconcile(REQUEST)).differences == ()


async def test_foreign_orders_are_named_and_no_difference(traded: tuple[Store, BookOfAVenue]) -> None:
    store, venue = traded
    web = a_request().model_copy(update={"client_order_id": "web_7"})
    fill = a_fill(web, trade_id="9", venue_order_id="90")
    venue.told_orders.append(a_venue_order(web, fill, venue_order_id="90"))
    venue.told_fills.append(fill)
    found = await calls(store, venue).reconcile(REQUEST)
    assert (found.differences, found.foreign_orders, found.orders_checked) == ((), ("web_7",), 2)


async def test_an_activity_gives_errors_their_types(traded: tuple[Store, BookOfAVenue]) -> None:
    store, venue = traded
    with pytest.raises(RealmRefused):
        await calls(store, venue).reconcile(REQUEST.model_copy(update={"realm": "paper"}))
    with pytest.raises(ApplicationError) as refused:
        await ActivityEnvironment().run(calls(store, venue).reconcile, REQUEST.model_copy(update={"realm": "paper"}))
    assert (refused.value.type, refused.value.non_retryable) == ("RealmRefused", True)
    venue.silent = True
    with pytest.raises(ApplicationError) as silent:
        await ActivityEnvironment().run(calls(store, venue).reconcile, REQUEST)
    assert (silent.value.type, silent.value.non_retryable) == ("VenueUnavailable", False)


async def test_what_no_trade_explains_is_a_transfer_to_classify(traded: tuple[Store, BookOfAVenue]) -> None:
    store, venue = traded
    asked = venue.account

    async def after_a_deposit(account: str) -> VenueAccount:
        told = await asked(account)
        richer = tuple(
            one.model_copy(update={"free": one.free + 500}) if one.asset == "USDT" else one for one in told.balances
        )
        return told.model_copy(update={"balances": richer})

    venue.account = after_a_deposit  # type: ignore[method-assign]
    found = await calls(store, venue).reconcile(REQUEST)
    assert [(one.account, one.asset, one.amount) for one in found.transfers] == [("main", "USDT", D(500))]
    assert [difference.kind for difference in found.differences] == ["balance"]
