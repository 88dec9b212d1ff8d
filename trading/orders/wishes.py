"""What a guard is told: entries to expect with the terms of their exits, and wishes to sell or to leave."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from trading.contract import Contract, Utc
from trading.money import ZERO
from trading.orders.models import Leg, OrderReport, OrderRequest, OrderStatus, OutcomeClass, Side
from trading.orders.symbols import Lot
from trading.risk.models import Permit


class Guarded(Contract):
    """Whose position it is, and where."""

    realm: str
    venue: str
    ledger: str
    account: str
    symbol: str


class ExitPlan(Contract):
    """How the playbook leaves a position. A risk is the distance from the entry's average price to its first stop.

    From a profit of `trail_after_risks` on, the stop follows the price at that distance in steps of `trail_step_risks`;
    zero leaves it where it is. At a profit of `first_target_risks` the share `first_target_share` is sold, once.
    `slippage_fraction` bounds the price of an entry that brings its exits along, and of a stop that needs a limit.
    """

    slippage_fraction: Decimal = ZERO
    trail_after_risks: Decimal = ZERO
    trail_step_risks: Decimal = ZERO
    first_target_risks: Decimal = ZERO
    first_target_share: Decimal = ZERO


class ExitTerms(Contract):
    """What an exit can be made of: the symbol's lot, whether stop and target may rest together, the playbook's plan.

    `oco_allowed` is `None` where the venue has to be asked: the ledger keeps orders, not the symbol's filters.
    """

    lot: Lot | None = None
    oco_allowed: bool | None = False
    plan: ExitPlan = ExitPlan()


class Expect(Contract):
    """An entry is about to be sent: from now on the guard owns what it fills. `exits` go to the venue with it."""

    execution: str
    decision_id: str
    client_order_id: str
    stop_price: Decimal
    target_price: Decimal | None = None
    exit_at: Utc | None = None
    terms: ExitTerms = ExitTerms()
    exits: tuple[OrderRequest, ...] = ()


class ReduceRequest(Contract):
    """A person or a decision wants less of the position: the guard owns the exit."""

    request_id: str
    decision_id: str
    permit: Permit | None = None
    quantity: Decimal
    owner: str | None = None
    reason: str


class LeaveRequest(Contract):
    """A person wants out: entries are withdrawn, all that is held is sold, and a rest is sold again."""

    operation_id: str
    who: str
    reason: str


class Verdict(StrEnum):
    """What a person found at the venue under a frozen order's client id."""

    FILLED = "filled"
    ABSENT = "absent"


class Resolution(Contract):
    """A person's word on a frozen order: it is there and ours, or it never came to be. The venue must agree."""

    operation_id: str = ""
    client_order_id: str
    verdict: Verdict
    who: str
    reason: str


def not_reduced(wish: ReduceRequest, *, because: str, now: datetime) -> OrderReport:
    """The answer to a wish for less where no order was made of it."""
    return OrderReport(
        client_order_id=wish.request_id,
        status=OrderStatus.REFUSED,
        outcome=OutcomeClass.REFUSED,
        side=Side.SELL,
        leg=Leg.EXIT,
        reason=because,
        observed_at=now,
    )
