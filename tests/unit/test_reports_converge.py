"""However reports come in (shuffled, twice, late, not at all), one pass makes ledger and venue equal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_rows import NOON, REALM, D, a_fill, a_prepared, a_request, a_venue_order

from activities.store.migrate import migrate
from activities.store.open import Store, open_store
from trading.ids import client_order_id
from trading.ledger.balances import balances
from trading.ledger.differences import LedgerOrder, LedgerView, VenueView, compare
from trading.orders.models import Fill, OrderRequest, OrderStatus, Side, VenueOrder
from trading.orders.venue_account import Balance

STEP = D("0.001")


@dataclass(frozen=True)
class Traded:
    """One order of the venue with each state that it went through: the order and its fills so far."""

    request: OrderRequest
    states: tuple[tuple[VenueOrder, tuple[Fill, ...]], ...]


def traded(number: int, side: Side, parts: list[int], *, ends: OrderStatus) -> Traded:
    name = client_order_id(ledger="main", account="main", decision=f"d{number}", leg="entry")
    quantity = STEP * sum(parts) * 2
    request = a_request(
        decision_id=f"d{number}",
        client_order_id=name,
        side=side,
        quantity=quantity,
        as_of=NOON + timedelta(hours=number),
    )
    fills: list[Fill] = []
    states: list[tuple[VenueOrder, tuple[Fill, ...]]] = []
    for place, part in enumerate(parts):
        at = request.as_of + timedelta(seconds=place + 1)
        fill = a_fill(
            request,
            trade_id=f"{number * 100 + place}",
            venue_order_id=f"{number}",
            quantity=STEP * part,
            price=D(7000 + 10 * place + number),
            filled_at=at,
        )
        fills.append(fill)
        states.append((_told(request, fills, number, OrderStatus.PARTIALLY_FILLED), tuple(fills)))
    states.append((_told(request, fills, number, ends), tuple(fills)))
    return Traded(request, tuple(states))


def _told(request: OrderRequest, fills: list[Fill], number: int, status: OrderStatus) -> VenueOrder:
    return a_venue_order(
        request,
        fills[-1],
        venue_order_id=f"{number}",
        status=status,
        executed_quantity=sum((fill.quantity for fill in fills), D(0)),
        executed_quote=sum((fill.quantity * fill.price for fill in fills), D(0)),
        updated_at=fills[-1].filled_at,
    )


books = st.lists(
    st.tuples(
        st.sampled_from([Side.BUY, Side.BUY, Side.SELL]),
        st.lists(st.integers(1, 50), min_size=1, max_size=4),
        st.sampled_from([OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED]),
    ),
    min_size=1,
    max_size=4,
)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("converge")


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(book=books, data=st.data())
async def test_any_order_of_reports_converges_in_one_pass(empty: Path, book: list, data: st.DataObject) -> None:
    orders = [traded(number + 1, side, parts, ends=ends) for number, (side, parts, ends) in enumerate(book)]
    told = [(one.request, *state) for one in orders for state in one.states]
    heard = data.draw(st.lists(st.sampled_from(told), max_size=2 * len(told)))  # shuffled, repeated, dropped, late
    database = empty / f"{data.draw(st.uuids())}.sqlite"
    await migrate(f"sqlite+aiosqlite:///{database}")
    store = await open_store(f"sqlite+aiosqlite:///{database}")
    try:
        await store.open_account(
            REALM, venue="simulated", ledger="main", account="main", opening=[("USDT", D(10**6))], as_of=NOON
        )
        for one in orders:
            await store.record_intent(one.request, a_prepared(one.request))
            await store.record_sent(one.request.key)
        for request, order, fills in heard:
            await store.record_order(request.key, order, fills)
        for one in orders:  # the one pass: each order as the venue has it now
            await store.record_order(one.request.key, *one.states[-1])
        assert compare(await ledger(store), venue(orders)) == ()
    finally:
        await store.aclose()
        database.unlink()


async def ledger(store: Store) -> LedgerView:
    intents = await store.ledger_orders(REALM, "main")
    return LedgerView(
        account="main",
        orders=tuple(
            LedgerOrder(
                client_order_id=intent.request.client_order_id,
                symbol=intent.request.symbol,
                status=intent.status,
                venue_order_id=intent.venue_order_id,
                sends=intent.sends,
                executed_quantity=intent.report.executed_quantity if intent.report else Decimal(0),
                executed_quote=intent.report.executed_quote if intent.report else Decimal(0),
            )
            for intent in intents
        ),
        fills=await store.ledger_fills(REALM, "main"),
        opening=await store.opening_balances(REALM, "main"),
        positions=await store.positions(REALM, "main"),
    )


def venue(orders: list[Traded]) -> VenueView:
    fills = tuple(fill for one in orders for fill in one.states[-1][1])
    held = balances({"USDT": D(10**6)}, fills)
    return VenueView(
        account="main",
        orders=tuple(one.states[-1][0] for one in orders),
        fills=fills,
        balances=tuple(Balance(asset=asset, free=amount, locked=D(0)) for asset, amount in held.items()),
    )
