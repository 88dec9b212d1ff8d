"""How well orders were executed: slippage, fill rate, latency, fees (C18)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from trading.contract import Contract
from trading.money import ZERO
from trading.orders.models import Leg, OrderStatus, Side
from trading.policy.model import Policy
from trading.review.models import ReviewedOrder

FAILED = frozenset({OrderStatus.REFUSED, OrderStatus.REJECTED, OrderStatus.FROZEN})


class ExecutionQuality(Contract):
    """The quality of a set of orders. Slippage is positive where it cost money; `None` where nothing was measured.

    `fill_rate` is over entries and sales that ended, by quantity: a stop that was withdrawn unfilled did its work.
    `success_rate` is the share of orders that the venue took. Latency is market time from the intention to the first
    fill, of orders that do not wait for a price.
    """

    orders: int = 0
    filled_orders: int = 0
    measured_orders: int = 0
    slippage_fraction: Decimal | None = None
    worst_slippage_fraction: Decimal | None = None
    worst_order_id: str | None = None
    fill_rate: Decimal | None = None
    success_rate: Decimal | None = None
    mean_latency_s: Decimal | None = None
    max_latency_s: Decimal | None = None
    turnover_usd: Decimal = ZERO
    fees_usd: Decimal = ZERO
    fee_fraction: Decimal | None = None
    is_poor: bool = False
    reasons: tuple[str, ...] = ()


def slippage(order: ReviewedOrder) -> Decimal | None:
    """How much worse than its reference price an order filled, as a fraction of it; negative where it filled better."""
    price, expected = order.average_price, order.reference_price
    if price is None or expected is None or expected <= 0:
        return None
    moved = price / expected - 1
    return moved if order.side is Side.BUY else -moved


def execution_quality(orders: Iterable[ReviewedOrder], policy: Policy) -> ExecutionQuality:
    """The quality of `orders`; slippage is weighted by what changed hands. Poor is: slipped beyond the tolerance."""
    every = sorted(orders, key=lambda order: (order.as_of, order.client_order_id))
    measured = [(order, cost) for order in every if (cost := slippage(order)) is not None]
    turnover = sum((order.executed_quote for order in every), ZERO)
    fees = sum((order.commission_usd for order in every), ZERO)
    waits = [wait for order in every if (wait := _latency_s(order)) is not None]
    worst = max(measured, key=lambda pair: (pair[1], pair[0].client_order_id), default=None)
    mean = _weighted(measured)
    reasons = []
    if mean is not None and mean > policy.slippage_tolerance_fraction:
        reasons.append("slippage")
    if any(order.status in FAILED for order in every):
        reasons.append("orders_failed")
    return ExecutionQuality(
        orders=len(every),
        filled_orders=sum(1 for order in every if order.executed_quantity > 0),
        measured_orders=len(measured),
        slippage_fraction=mean,
        worst_slippage_fraction=None if worst is None else worst[1],
        worst_order_id=None if worst is None else worst[0].client_order_id,
        fill_rate=_fill_rate(every),
        success_rate=_share(sum(1 for order in every if order.status not in FAILED), len(every)),
        mean_latency_s=sum(waits, ZERO) / len(waits) if waits else None,
        max_latency_s=max(waits, default=None),
        turnover_usd=turnover,
        fees_usd=fees,
        fee_fraction=fees / turnover if turnover else None,
        is_poor=bool(reasons),
        reasons=tuple(reasons),
    )


def _weighted(measured: list[tuple[ReviewedOrder, Decimal]]) -> Decimal | None:
    weight = sum((order.executed_quote for order, _ in measured), ZERO)
    return sum((cost * order.executed_quote for order, cost in measured), ZERO) / weight if weight else None


def _fill_rate(orders: list[ReviewedOrder]) -> Decimal | None:
    asked = [order for order in orders if order.is_done and order.leg in {Leg.ENTRY, Leg.EXIT, Leg.FLATTEN}]
    parts = [_filled_part(order) for order in asked if order.quantity > 0]
    return sum(parts, ZERO) / len(parts) if parts else None


def _filled_part(order: ReviewedOrder) -> Decimal:
    """Of a filled order all: the venue's grid, not the market, kept the rest of the intended quantity."""
    if order.status is OrderStatus.FILLED:
        return Decimal(1)
    return min(order.executed_quantity / order.quantity, Decimal(1))


def _latency_s(order: ReviewedOrder) -> Decimal | None:
    if order.first_fill_at is None or order.leg in {Leg.STOP, Leg.TARGET}:
        return None
    seconds = (order.first_fill_at - order.as_of).total_seconds()
    return max(Decimal(str(seconds)), ZERO)


def _share(part: int, whole: int) -> Decimal | None:
    return Decimal(part) / whole if whole else None
