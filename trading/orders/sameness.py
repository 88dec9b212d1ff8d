"""Is an order found at the venue the one we meant? Only then is it ours (venue.md, identity of an order)."""

from __future__ import annotations

from decimal import Decimal

from trading.orders.models import OrderRequest, VenueOrder


def differences(
    request: OrderRequest,
    found: VenueOrder,
    *,
    quantity: Decimal | None = None,
    price: Decimal | None = None,
    stop_price: Decimal | None = None,
) -> tuple[str, ...]:
    """What `found` has otherwise than `request`, in words; empty where it is ours.

    `quantity`, `price` and `stop_price` are the numbers as sent, on the symbol's grid; without them the request's own
    numbers count.
    """
    pairs: tuple[tuple[str, object, object], ...] = (
        ("symbol", request.symbol, found.symbol),
        ("side", request.side, found.side),
        ("type", request.type, found.type),
        ("quantity", quantity if quantity is not None else request.quantity, found.quantity),
        ("price", price if price is not None else request.price, found.price),
        ("stop price", stop_price if stop_price is not None else request.stop_price, found.stop_price),
    )
    return tuple(
        f"{name} is {theirs} at the venue, {ours} in the intent" for name, ours, theirs in pairs if ours != theirs
    )
