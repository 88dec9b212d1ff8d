"""From a permitted view to the entry order: type, price, and how long the idea lives."""

from __future__ import annotations

from datetime import datetime, timedelta

from trading.contract import Contract, Utc
from trading.decision.models import DecisionHead, Fusion
from trading.ids import client_order_id
from trading.money import ZERO
from trading.orders.models import (
    Leg,
    OrderReport,
    OrderRequest,
    OrderStatus,
    OrderType,
    OutcomeClass,
    Side,
    TimeInForce,
)
from trading.orders.symbols import Quote
from trading.policy.execution import ExecutionPolicy
from trading.risk.models import Permit


def rests_for(order: OrderRequest, terms: ExecutionPolicy, *, horizon: timedelta) -> timedelta:
    """How long an entry may be open at the venue, in market time.

    One that takes at once has the order's time-out (C24). One below the market waits for its price within the
    opportunity window, a share of its idea's horizon, and never less than the time-out (C25).
    """
    timeout = timedelta(seconds=terms.order_timeout_s)
    if order.takes_at_once:
        return timeout
    return max(timeout, horizon * float(terms.opportunity_window_fraction))


class EntryTimes(Contract):
    """When an entry that still rests is cancelled, and when its position is sold whatever the price."""

    expires_at: Utc
    exit_at: Utc


def entry_times(order: OrderRequest, terms: ExecutionPolicy, *, horizon_hours: int) -> EntryTimes:
    """The times of an entry, counted from its facts."""
    horizon = timedelta(hours=horizon_hours)
    return EntryTimes(expires_at=order.as_of + rests_for(order, terms, horizon=horizon), exit_at=order.as_of + horizon)


def entry_order(
    head: DecisionHead, fusion: Fusion, permit: Permit, quote: Quote, *, as_of: datetime | None = None
) -> OrderRequest:
    """The entry: taken at once up to its slippage bound, or resting where its price is below the ask (C24, C25).

    At the market it is a limit that fills what it can at once (IOC), so that the bound holds at the venue, whatever
    the price does after the last look. One that rests is post-only if the playbook says so.
    `as_of` is of newer facts than the decision's, where there are any.
    """
    at_market = fusion.entry_price is None or fusion.entry_price >= quote.ask
    terms = permit.terms
    worst_price = quote.ask * (1 + terms.slippage_tolerance_fraction)
    kind = OrderType.LIMIT_MAKER if terms.post_only and not at_market else OrderType.LIMIT
    resting_for = TimeInForce.GTC if kind is OrderType.LIMIT else None
    return OrderRequest(
        realm=head.realm,
        venue=head.venue,
        ledger=head.ledger,
        account=permit.account,
        symbol=head.symbol,
        decision_id=head.decision_id,
        leg=Leg.ENTRY,
        client_order_id=client_order_id(
            ledger=head.ledger, account=permit.account, decision=head.decision_id, leg=Leg.ENTRY.value
        ),
        side=Side.BUY,
        type=kind,
        time_in_force=TimeInForce.IOC if at_market else resting_for,
        quantity=permit.quantity,
        price=worst_price if at_market else fusion.entry_price,
        as_of=as_of or head.as_of,
        epoch=permit.epoch,
        permit_id=permit.id,
        expected_price=quote.ask,
        valid_until=permit.valid_until,
        collar_low=permit.collar_low,
        collar_high=permit.collar_high,
        worst_price=worst_price,
        stale_observation_s=terms.stale_observation_s,
        gate_holds_s=terms.gate_holds_s,
    )


def unguarded(order: OrderRequest) -> OrderReport:
    """The report of an entry that was not sent, because no guard could be reached to protect it."""
    return OrderReport(
        client_order_id=order.client_order_id,
        status=OrderStatus.REFUSED,
        outcome=OutcomeClass.REFUSED,
        side=order.side,
        leg=order.leg,
        reason="guard_missing: no guard could be reached, so nothing was sent",
        observed_at=order.as_of,
    )


def summed(client_id: str, reports: tuple[OrderReport, ...]) -> OrderReport:
    """All orders of one entry as one report: the newest one's status over the sum of what they came to."""
    newest = reports[-1]
    if len(reports) == 1:
        return newest
    names = ("executed_quantity", "executed_quote", "commission_base", "commission_quote", "missing_quantity")
    sums = {name: sum((getattr(report, name) for report in reports), ZERO) for name in names}
    return newest.model_copy(update={"client_order_id": client_id, **sums})
