"""However reports come in (shuffled, twice, late, not at all), one pass makes ledger and venue equal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_rows import NOON, REALM, D, a_fill, a_prepared, a_request, a_venue_order

from activities.exchange.port import PreparedLeg
from activities.store.migrate import migrate
from activities.store.open import Store, open_store
from trading.ids import client_order_id
from trading.ledger.balances import balances
from trading.ledger.differences import LedgerOrder, LedgerView, VenueView, compare
from trading.orders.models import Fill, Leg, OrderRequest, OrderStatus, OrderType, Side, VenueOrder
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


def _told(request: OrderRequest, fills: list[Fill], number: int, status: OrderStatus, **changes: Any) -> VenueOrder:
    facts: dict[str, Any] = {
        "venue_order_id": f"{number}",
        "status": status,
        "executed_quantity": sum((fill.quantity for fill in fills), D(0)),
        "executed_quote": sum((fill.quantity * fill.price for fill in fills), D(0)),
        "created_at": request.as_of,
        "updated_at": fills[-1].filled_at if fills else request.as_of,
    }
    return a_venue_order(request, *fills, **(facts | changes))


def listed(number: int, parts: list[int], ends: str, sold: int) -> list[Traded]:
    """A purchase that leads a list with its stop and target: filled whole, or not at all; one exit then sells.

    The exits are sized by what the purchase brings; `sold` hundredths of that are filled. The other one ends with it.
    """
    lead = traded(number, Side.BUY, parts, ends=OrderStatus.FILLED)
    lead = replace(lead, request=lead.request.model_copy(update={"quantity": STEP * sum(parts)}))
    if ends == "nothing filled":
        expired = _told(lead.request, [], number, OrderStatus.EXPIRED)
        lead = replace(lead, states=((expired, ()),))
    brought = sum((fill.quantity - fill.commission for fill in lead.states[-1][1]), D(0))
    quantity = brought.quantize(STEP, rounding="ROUND_DOWN")
    legs: list[Traded] = []
    for place, (leg, kind) in enumerate(((Leg.STOP, OrderType.STOP_LOSS), (Leg.TARGET, OrderType.LIMIT_MAKER)), 1):
        request = a_request(
            decision_id=f"d{number}",
            leg=leg,
            side=Side.SELL,
            type=kind,
            quantity=lead.request.quantity,
            as_of=lead.request.as_of,
            led_by=lead.request.client_order_id,
        )
        venue_id = number * 10 + place
        waiting = _told(request, [], venue_id, OrderStatus.PENDING_NEW)
        if quantity == 0:
            legs.append(Traded(request, ((waiting, ()), (_told(request, [], venue_id, OrderStatus.EXPIRED), ()))))
            continue
        rests = _told(request, [], venue_id, OrderStatus.NEW, quantity=quantity, updated_at=_after(request, 10))
        states: list[tuple[VenueOrder, tuple[Fill, ...]]] = [(waiting, ()), (rests, ())]
        share = (quantity * sold / 100).quantize(STEP, rounding="ROUND_DOWN")
        if ends == leg.value and share > 0:
            fill = a_fill(
                request,
                trade_id=f"{number * 100 + 50 + place}",
                venue_order_id=f"{venue_id}",
                quantity=share,
                price=D(7100),
                filled_at=_after(request, 20),
            )
            last = OrderStatus.FILLED if share == quantity else OrderStatus.PARTIALLY_FILLED
            states.append((_told(request, [fill], venue_id, last, quantity=quantity), (fill,)))
        elif ends in {Leg.STOP.value, Leg.TARGET.value} and share > 0:
            over = _told(request, [], venue_id, OrderStatus.EXPIRED, quantity=quantity, updated_at=_after(request, 20))
            states.append((over, ()))
        legs.append(Traded(request, tuple(states)))
    beside = tuple(leg.request for leg in legs)
    return [replace(lead, request=lead.request.model_copy(update={"beside": beside})), *legs]


def _after(request: OrderRequest, seconds: int) -> datetime:
    return request.as_of + timedelta(seconds=seconds)


sizes = st.lists(st.integers(1, 50), min_size=1, max_size=4)
singles = st.tuples(
    st.sampled_from([Side.BUY, Side.BUY, Side.SELL]),
    sizes,
    st.sampled_from([OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED]),
)
lists = st.tuples(sizes, st.sampled_from(["stop", "target", "nothing sold", "nothing filled"]), st.integers(1, 100))
books = st.lists(singles | lists, min_size=1, max_size=4)


def orders_of(book: list[Any]) -> list[Traded]:
    orders: list[Traded] = []
    for number, drawn in enumerate(book, 1):
        if isinstance(drawn[0], Side):
            side, parts, ends = drawn
            orders.append(traded(number, side, parts, ends=ends))
        else:
            parts, ends, sold = drawn
            orders += listed(number, parts, ends, sold)
    return orders


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("converge")


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(book=books, data=st.data())
async def test_any_order_of_reports_converges_in_one_pass(empty: Path, book: list[Any], data: st.DataObject) -> None:
    orders = orders_of(book)
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
            if one.request.led_by is None:  # the intent of a list is its lead's
                beside = tuple(PreparedLeg(client_order_id=leg.client_order_id) for leg in one.request.beside)
                await store.record_intent(one.request, a_prepared(one.request, beside=beside))
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
