"""From a permitted view to the entry order: type, price, and how long the idea lives."""

from __future__ import annotations

from datetime import datetime, timedelta

from trading.contract import Contract, Utc
from trading.decision.models import DecisionHead, Fusion
from trading.ids import client_order_id
from trading.orders.models import (
    Leg,
    OrderReport,
    OrderRequest,
    OrderStatus,
    OrderType,
    OutcomeClass,
    Quote,
    Side,
    TimeInForce,
)
from trading.risk.models import Permit

MARKET_ENTRY_VALID = timedelta(seconds=30)
RESTING_ENTRY_SHARE = 4
"""A resting entry waits for a quarter of its horizon, then its idea is old."""


class EntryTimes(Contract):
    """When an entry that still rests is cancelled, and when its position is sold whatever the price."""

    expires_at: Utc
    exit_at: Utc


def entry_times(order_type: OrderType, *, horizon_hours: int, since: datetime) -> EntryTimes:
    """The times of an entry whose facts are of `since`."""
    horizon = timedelta(hours=horizon_hours)
    rests = horizon / RESTING_ENTRY_SHARE if order_type is OrderType.LIMIT else MARKET_ENTRY_VALID
    return EntryTimes(expires_at=since + rests, exit_at=since + horizon)


def entry_order(
    head: DecisionHead, fusion: Fusion, permit: Permit, quote: Quote, *, as_of: datetime | None = None
) -> OrderRequest:
    """The entry: a limit that rests where its price is below the ask, else at market. `as_of`: of newer facts."""
    at_market = fusion.entry_price is None or fusion.entry_price >= quote.ask
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
        type=OrderType.MARKET if at_market else OrderType.LIMIT,
        time_in_force=None if at_market else TimeInForce.GTC,
        quantity=permit.quantity,
        price=None if at_market else fusion.entry_price,
        as_of=as_of or head.as_of,
        epoch=permit.epoch,
        permit_id=permit.id,
        expected_price=quote.ask,
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


def outcome_of_order(status: OrderStatus, *, done: str) -> str:
    """The decision's outcome after first news of its order; `done` where the venue took it."""
    if status is OrderStatus.FROZEN:
        return "order_frozen"
    if status in {OrderStatus.REFUSED, OrderStatus.REJECTED}:
        return "order_refused"
    return done
