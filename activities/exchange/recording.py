"""The venue's word on an order, taken into the ledger whole: its status with the fills that make it up."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal

from activities.exchange.port import Exchange, PreparedOrder, VenueUnavailable
from activities.store.ports.journal import Intent, OrderJournal
from trading.orders.models import OPEN, Fill, OrderKey, OrderReport, OrderRequest, OrderStatus, VenueOrder
from trading.orders.sameness import differences

ASK_EVERY_S = 0.5
FILLS_WITHIN_S = 10.0
"""Trades may lag behind their order by the venue's read lag of 5 s; twice that is not lag."""

Pause = Callable[[float], Awaitable[None]]


async def record_found(
    exchange: Exchange,
    journal: OrderJournal,
    request: OrderRequest,
    found: VenueOrder,
    prepared: PreparedOrder,
    *,
    pause: Pause,
    told: Sequence[VenueOrder] = (),
) -> OrderReport:
    """Take the venue's order and its fills into the ledger, or freeze where it is not the order we meant.

    With one of a list its exits are taken in too and come as the report's `legs`; `told` are those that the venue has
    just told, the others are asked for.
    """
    report = await _record_one(exchange, journal, request, found, prepared, pause=pause)
    if request.list_client_order_id is None or report.status is OrderStatus.FROZEN:
        return report
    if found.order_list_id is None:
        why = "it is in no order list at the venue, and leads or follows one in the intent"
        return await journal.record_status(request.key, OrderStatus.FROZEN, reason=why)
    known = {order.client_order_id: order for order in told}
    legs = []
    for leg in await _exits_beside(journal, request):
        leg_report = await _record_leg(exchange, journal, leg, found, known.get(leg.client_order_id), pause=pause)
        legs.append(leg_report)
    return report.model_copy(update={"quantity": found.quantity or None, "legs": tuple(legs)})


async def record_end(exchange: Exchange, journal: OrderJournal, intent: Intent, *, pause: Pause) -> OrderReport:
    """The report of an order that has ended. One that leads a list is asked about once more for its exits.

    Who took it in may have died between it and them; without their reports nobody owns what the venue placed.
    """
    report = intent.report
    assert report is not None  # it has ended
    if not intent.request.beside or intent.status is OrderStatus.REFUSED:
        return report
    found = await exchange.find(intent.request.key)
    if found is None:
        return report
    return await record_found(exchange, journal, intent.request, found, intent.prepared, pause=pause)


async def take_over(
    exchange: Exchange, journal: OrderJournal, request: OrderRequest, found: VenueOrder, *, pause: Pause
) -> OrderReport:
    """Take in what the venue has under our ids, whatever we meant it to be: a person says that it is ours.

    The exits of its list are taken over with it; one that the venue does not have ends `REFUSED`, so that its owner
    protects anew. Raises `VenueUnavailable` where it may only not be shown yet.
    """
    asked_at = await exchange.venue_time()
    legs = []
    for leg in await _exits_beside(journal, request):
        at_venue = await exchange.find(leg.key)
        if at_venue is None:
            intent = await journal.find_intent(leg.key)
            if intent is not None and asked_at < intent.prepared.horizon_at:
                raise VenueUnavailable(f"leg {leg.client_order_id} of {leg.symbol} may not be shown yet")
            why = f"absent at the venue, although {request.client_order_id} of its list is there"
            legs.append(await journal.record_status(leg.key, OrderStatus.REFUSED, reason=why))
            continue
        order, fills = await with_fills(exchange, leg.account, at_venue, pause=pause)
        leg_report = await journal.record_order(leg.key, order, fills)
        legs.append(leg_report.model_copy(update={"quantity": at_venue.quantity or None}))
    order, fills = await with_fills(exchange, request.account, found, pause=pause)
    report = await journal.record_order(request.key, order, fills)  # last: until then it is frozen, and asked about
    return report.model_copy(update={"quantity": found.quantity or None, "legs": tuple(legs)})


async def _record_one(
    exchange: Exchange,
    journal: OrderJournal,
    request: OrderRequest,
    found: VenueOrder,
    prepared: PreparedOrder,
    *,
    pause: Pause,
) -> OrderReport:
    quantity = prepared.quantity
    if quantity is None and found.quantity <= request.quantity:
        quantity = found.quantity  # the venue's own: what the working order brought, net of commission
    other = differences(request, found, quantity=quantity, price=prepared.price, stop_price=prepared.stop_price)
    if other:
        return await journal.record_status(request.key, OrderStatus.FROZEN, reason="; ".join(other))
    order, fills = await with_fills(exchange, request.account, found, pause=pause)
    return await journal.record_order(request.key, order, fills)


async def _exits_beside(journal: OrderJournal, request: OrderRequest) -> tuple[OrderRequest, ...]:
    """The other orders of the request's list, without an entry: that one has an owner of its own."""
    if request.led_by is None:
        return request.beside
    lead = await journal.find_intent(request.key.model_copy(update={"client_order_id": request.led_by}))
    if lead is None:
        return ()
    family = (*(() if lead.request.raises_exposure else (lead.request,)), *lead.request.beside)
    return tuple(one for one in family if one.client_order_id != request.client_order_id)


async def _record_leg(
    exchange: Exchange,
    journal: OrderJournal,
    leg: OrderRequest,
    beside: VenueOrder,
    found: VenueOrder | None,
    *,
    pause: Pause,
) -> OrderReport:
    """A leg's report. An exit that the full entry has not released yet is waited for: filters are checked only then.

    A leg that stays absent beside an order that is there was never placed: `REFUSED`, so that its owner protects anew.
    """
    intent = await journal.find_intent(leg.key)
    if intent is None:
        raise VenueUnavailable(f"leg {leg.client_order_id} has no intent yet")
    if intent.report is not None and intent.report.is_terminal:
        return intent.report
    deadline_s = time.monotonic() + FILLS_WITHIN_S
    while found is None or (found.status is OrderStatus.PENDING_NEW and beside.status is OrderStatus.FILLED):
        asked_at = await exchange.venue_time()
        found = await exchange.find(leg.key)
        if found is None and asked_at >= intent.prepared.horizon_at:
            why = "absent at the venue, although its list is there"
            return await journal.record_status(leg.key, OrderStatus.REFUSED, reason=why)
        if found is not None and (found.status is not OrderStatus.PENDING_NEW or beside.status in OPEN):
            break
        if time.monotonic() > deadline_s:
            raise VenueUnavailable(f"leg {leg.client_order_id} of {leg.symbol} is not at the venue yet")
        await pause(ASK_EVERY_S)
    report = await _record_one(exchange, journal, leg, found, intent.prepared, pause=pause)
    return report.model_copy(update={"quantity": found.quantity or None})


async def with_fills(
    exchange: Exchange, account: str, order: VenueOrder, *, pause: Pause
) -> tuple[VenueOrder, tuple[Fill, ...]]:
    """The order and fills that add up to its executed quantity. Raises `VenueUnavailable` where they do not in time."""
    deadline_s = time.monotonic() + FILLS_WITHIN_S
    while True:
        if order.executed_quantity == 0:
            return order, ()
        fills = await exchange.fills(account, order.symbol, venue_order_id=order.venue_order_id)
        filled = sum((fill.quantity for fill in fills), Decimal(0))
        if filled == order.executed_quantity:
            return order, fills
        if time.monotonic() > deadline_s:
            raise VenueUnavailable(
                f"order {order.client_order_id}: fills of {filled} do not add up to {order.executed_quantity}"
            )
        await pause(ASK_EVERY_S)
        key = OrderKey(
            realm=exchange.realm,
            venue=exchange.venue,
            account=account,
            symbol=order.symbol,
            client_order_id=order.client_order_id,
        )
        order = await exchange.find(key) or order
