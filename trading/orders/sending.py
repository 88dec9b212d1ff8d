"""May an entry still leave? Its permit, bounds and observation, looked at right before the request (C16, C25)."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from trading.money import plain
from trading.orders.models import OrderReport, OrderRequest, OrderStatus
from trading.policy.execution import ExecutionPolicy

_DEFAULT = ExecutionPolicy()

PERMIT_LAPSED, COLLAR, SLIPPAGE, STALE_AS_OF, GATE_AGAIN = (
    "permit_lapsed",
    "collar",
    "slippage",
    "stale_as_of",
    "gate_again",
)
"""Why an entry expired before it was sent: the first word of its report's reason."""


def lapse(order: OrderRequest, *, now: datetime, ask: Decimal) -> str | None:
    """Why the entry must not be sent at this market time and price; `None` where it may.

    One that takes at once meets the ask, one that may rest the better of ask and price. What reduces always passes.
    """
    if not order.raises_exposure:
        return None
    if order.valid_until is not None and now > order.valid_until:
        return f"{PERMIT_LAPSED}: the permit was valid until {order.valid_until.isoformat()}, it is {now.isoformat()}"
    meets = ask if order.price is None or order.takes_at_once else min(ask, order.price)
    if order.collar_low is not None and meets < order.collar_low:
        return f"{COLLAR}: {plain(meets)} is below the permitted {plain(order.collar_low)}"
    if order.collar_high is not None and meets > order.collar_high:
        return f"{COLLAR}: {plain(meets)} is above the permitted {plain(order.collar_high)}"
    if order.worst_price is not None and meets > order.worst_price:
        return f"{SLIPPAGE}: {plain(meets)} is worse than {plain(order.worst_price)}, the most that is tolerated"
    return None


def gate_holds_s(order: OrderRequest) -> int:
    """How long the order may wait on its gate answer: its policy's, or the default of an order that carries none."""
    return order.gate_holds_s if order.gate_holds_s is not None else _DEFAULT.gate_holds_s


def stale(order: OrderRequest, *, now: datetime) -> str | None:
    """Why the entry's observation is too far from the venue's clock to raise exposure (architecture §3)."""
    age = now - order.as_of
    valid_s = order.stale_observation_s if order.stale_observation_s is not None else _DEFAULT.stale_observation_s
    if not order.raises_exposure or abs(age) <= timedelta(seconds=valid_s):
        return None
    return f"{STALE_AS_OF}: observed {age.total_seconds():.0f} s before the market's time, {valid_s} s are allowed"


def wants_the_gate_again(report: OrderReport) -> bool:
    """Whether the order ended unsent only because it waited too long for its gate answer to hold."""
    return report.status is OrderStatus.EXPIRED and report.reason.startswith(GATE_AGAIN)


def outcome_of_order(report: OrderReport, *, done: str) -> str:
    """The decision's outcome after first news of its order; `done` where the venue took it."""
    if report.status is OrderStatus.FROZEN:
        return "order_frozen"
    if report.status in {OrderStatus.REFUSED, OrderStatus.REJECTED}:
        return "order_refused"
    if report.status is OrderStatus.EXPIRED and not report.executed_quantity:
        why = report.reason.partition(":")[0]
        if why == STALE_AS_OF:
            return STALE_AS_OF
        return "stale" if why in {PERMIT_LAPSED, COLLAR, SLIPPAGE, GATE_AGAIN} else "order_expired"
    return done
