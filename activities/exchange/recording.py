"""The venue's word on an order, taken into the ledger whole: its status with the fills that make it up."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from decimal import Decimal

from activities.exchange.port import Exchange, PreparedOrder, VenueUnavailable
from activities.store.port import OrderJournal
from trading.orders.models import Fill, OrderKey, OrderReport, OrderRequest, OrderStatus, VenueOrder
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
) -> OrderReport:
    """Take the venue's order and its fills into the ledger, or freeze where it is not the order we meant."""
    other = differences(
        request, found, quantity=prepared.quantity, price=prepared.price, stop_price=prepared.stop_price
    )
    if other:
        return await journal.record_status(request.key, OrderStatus.FROZEN, reason="; ".join(other))
    order, fills = await with_fills(exchange, request.account, found, pause=pause)
    return await journal.record_order(request.key, order, fills)


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
