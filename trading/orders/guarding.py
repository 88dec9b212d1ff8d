"""A guarded position: what fills and reports make of it, and what its owner has to do next. Pure transitions."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Self

from pydantic import Field

from trading.contract import Contract, Utc
from trading.ids import client_order_id
from trading.ledger.outcome import position_quantity
from trading.money import ZERO
from trading.orders.models import (
    Leg,
    Lot,
    OrderReport,
    OrderRequest,
    OrderStatus,
    OrderType,
    OutcomeClass,
    Side,
)
from trading.risk.models import Permit

TARGET = "target"
TIME_EXIT = "time_exit"
STOP_REFUSED = "stop_refused"

REFUSED_SALES = 3
"""So often a sale is tried anew after the venue refused it; then the stop goes back and a person is told."""

FIRST_REST = timedelta(minutes=1)
LONGEST_REST = timedelta(hours=1)
"""After refusals the venue is left alone for a minute, then for twice as long each time: a firewall's minute ends."""


class Guarded(Contract):
    """Whose position it is, and where."""

    realm: str
    venue: str
    ledger: str
    account: str
    symbol: str


class Expect(Contract):
    """An entry is about to be sent: from now on the guard owns what it fills."""

    execution: str
    decision_id: str
    client_order_id: str
    stop_price: Decimal
    target_price: Decimal | None = None
    exit_at: Utc | None = None


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


class GuardState(Contract):
    """All that a guard carries through continue-as-new.

    `entries` and `exits` hold the newest report of each order by client id; `stop` and `leaving` are the orders at the
    venue now. The position is what was left before (dust, mostly) and what the reports add up to, net of commission
    charged in the base asset. `withdrawn` are the entries whose executions were asked to cancel them. `frozen` says why
    `frozen_order` waits for a person: its fate is unknown. While `retry_at` lies ahead nothing that the venue refused
    is tried again.
    """

    opening: Decimal | None = None
    expected: tuple[Expect, ...] = ()
    entries: dict[str, OrderReport] = Field(default_factory=dict)
    exits: dict[str, OrderReport] = Field(default_factory=dict)
    stop: OrderRequest | None = None
    leaving: OrderRequest | None = None
    revision: int = 0
    reduces: tuple[ReduceRequest, ...] = ()
    resolutions: tuple[Resolution, ...] = ()
    lot: Lot | None = None
    exit_reason: str | None = None
    frozen: str | None = None
    as_of: Utc | None = None
    leave: LeaveRequest | None = None
    withdraw_because: str | None = None
    withdrawn: tuple[str, ...] = ()
    refused_sales: int = 0
    frozen_order: str | None = None
    retry_at: Utc | None = None
    rests: int = 0
    refuses_stops: bool = False

    @property
    def position(self) -> Decimal:
        """Base units held."""
        return position_quantity(self.entries.values(), self.exits.values()) + (self.opening or ZERO)

    @property
    def plan(self) -> Expect | None:
        """The newest entry that filled: its stop, target and time are the position's."""
        filled = [
            entry
            for entry in self.expected
            if (report := self.entries.get(entry.client_order_id)) and report.executed_quantity > 0
        ]
        return filled[-1] if filled else None

    @property
    def open_entries(self) -> tuple[Expect, ...]:
        """Entries that may still fill."""
        return tuple(
            entry
            for entry in self.expected
            if (report := self.entries.get(entry.client_order_id)) is None or not report.is_terminal
        )

    @property
    def tradable(self) -> Decimal:
        """The position as an order can carry it: net of commission, floored to the step, zero where it is dust."""
        return self.tradable_of(self.position)

    def tradable_of(self, quantity: Decimal) -> Decimal:
        """What of `quantity`, and of no more than is held, an order can carry."""
        amount = min(quantity, self.position)
        if self.plan is None or self.lot is None:
            return amount
        return self.lot.tradable(amount, self.plan.stop_price)

    @property
    def at_the_venue(self) -> tuple[OrderRequest, ...]:
        """Our exit orders that are not final."""
        return tuple(order for order in (self.stop, self.leaving) if order is not None)

    @property
    def is_finished(self) -> bool:
        """Nothing is expected, nothing is at the venue, nothing above dust is held, nobody waits for an answer."""
        if not self.expected or self.open_entries or self.stop or self.leaving or self.reduces or self.frozen:
            return False
        return self.plan is None or self.tradable == 0

    @property
    def is_watched_in_time(self) -> bool:
        """Whether target and time can end the position: it is held, and no sale is on its way."""
        return self.plan is not None and self.leaving is None and self.tradable > 0

    @property
    def closing_leg(self) -> str:
        """The leg that sold last; `none` where nothing was sold."""
        filled = [report.leg.value for report in self.exits.values() if report.executed_quantity > 0]
        return filled[-1] if filled else "none"

    @property
    def last_exit_price(self) -> Decimal | None:
        return next((r.average_price for r in reversed(self.exits.values()) if r.average_price is not None), None)

    def reason_to_leave(self, *, now: datetime | None, target_crossed: bool) -> tuple[str, Leg] | None:
        """Why the whole position should be sold now, and as which leg; `None` where it should not, or cannot be."""
        plan = self.plan
        if plan is None or self.frozen is not None or self.refused_sales >= REFUSED_SALES:
            return None
        if self.leave is not None:
            return self.leave.reason, Leg.FLATTEN
        if self.exit_reason is not None:
            return self.exit_reason, Leg.TARGET if self.exit_reason == TARGET else Leg.EXIT
        if target_crossed:
            return TARGET, Leg.TARGET
        if plan.exit_at is not None and now is not None and now >= plan.exit_at:
            return TIME_EXIT, Leg.EXIT
        return None

    def is_protected_by(self, stop: OrderRequest | None) -> bool:
        """Whether `stop` is for exactly what is held, at the plan's price."""
        plan = self.plan
        return (
            stop is not None
            and plan is not None
            and (stop.quantity, stop.stop_price)
            == (
                self.tradable,
                plan.stop_price,
            )
        )

    @property
    def to_withdraw(self) -> tuple[Expect, ...]:
        """Entries whose execution must be asked to cancel, and was not yet."""
        if self.leave is None and self.withdraw_because is None:
            return ()
        return tuple(entry for entry in self.open_entries if entry.client_order_id not in self.withdrawn)

    @property
    def frozen_ids(self) -> tuple[str, ...]:
        """The orders that wait for a person's word."""
        reports = (*self.entries.values(), *self.exits.values())
        return tuple(report.client_order_id for report in reports if report.status is OrderStatus.FROZEN)

    def is_frozen(self, client_order_id: str) -> bool:
        return client_order_id in self.frozen_ids

    def execution_of(self, client_order_id: str) -> str | None:
        """The workflow that follows the entry of this id, where it is one of ours."""
        return next((one.execution for one in self.expected if one.client_order_id == client_order_id), None)

    def expecting(self, entry: Expect) -> Self:
        """An entry is about to be sent; told twice, it is one."""
        if any(known.client_order_id == entry.client_order_id for known in self.expected):
            return self
        return self._with(expected=(*self.expected, entry))

    def hearing(self, report: OrderReport) -> Self:
        """The newest numbers of an entry."""
        return self._with(entries={**self.entries, report.client_order_id: report})

    def asked_to_leave(self, wish: LeaveRequest) -> Self:
        """A person wants out: sales that the venue refused before are tried again."""
        return self._with(leave=wish, refused_sales=0, retry_at=None, refuses_stops=False)

    def rested(self) -> Self:
        """Drop a wish that is fulfilled or that the venue will not fulfil, and a withdrawal whose entries ended."""
        changes: dict[str, object] = {}
        given_up = self.refused_sales >= REFUSED_SALES
        if self.leave is not None and (given_up or self._is_left):
            changes["leave"] = None
        if self.withdraw_because is not None and not self.open_entries:
            changes["withdraw_because"] = None
        return self._with(**changes) if changes else self

    @property
    def _is_left(self) -> bool:
        return not self.open_entries and self.leaving is None and self.tradable == 0

    def taken(self, order: OrderRequest, report: OrderReport) -> Self:
        """An exit order's report: fills count at once, a terminal order leaves its place, a refused sale is counted.

        A frozen order freezes the guard until a later report of the same order resolves it.
        """
        changes: dict[str, object] = {"exits": {**self.exits, order.client_order_id: report}}
        if report.status is OrderStatus.FROZEN:
            changes["frozen"] = report.reason or f"{order.leg.value} order unknown at the venue"
            changes["frozen_order"] = order.client_order_id
        elif self.frozen_order == order.client_order_id:
            changes |= {"frozen": None, "frozen_order": None}
        if report.is_terminal:
            for place in ("stop", "leaving"):
                held: OrderRequest | None = getattr(self, place)
                if held is not None and held.client_order_id == order.client_order_id:
                    changes[place] = None
        if order.leg is not Leg.STOP:
            if report.outcome is OutcomeClass.REFUSED:
                changes["refused_sales"] = self.refused_sales + 1
                if self.refused_sales + 1 >= REFUSED_SALES:
                    changes |= self._resting_from(report.observed_at)
            elif report.executed_quantity > 0:
                changes |= {"refused_sales": 0, "retry_at": None, "rests": 0}
        return self._with(**changes)

    def _resting_from(self, at: datetime) -> dict[str, object]:
        pause = min(FIRST_REST * 2**self.rests, LONGEST_REST)
        return {"retry_at": at + pause, "rests": self.rests + 1}

    def without_a_stop(self) -> Self:
        """The venue took neither a sale nor the stop: nothing more is tried before `retry_at`."""
        return self._with(refuses_stops=True)

    def woken(self, now: datetime | None) -> Self:
        """What the venue refused is tried again once its rest is over: the stop first, for refusals have ended."""
        if self.retry_at is None or now is None or now < self.retry_at:
            return self
        reason = None if self.exit_reason == STOP_REFUSED else self.exit_reason
        return self._with(retry_at=None, refused_sales=0, refuses_stops=False, exit_reason=reason)

    def renewed(self) -> Self:
        """The guard of a closed trade that was told of another entry meanwhile: what is left over is its opening."""
        waiting = {entry.client_order_id for entry in self.open_entries}
        ahead = {key: report for key, report in self.entries.items() if key in waiting}
        return self._with(
            opening=self.position - position_quantity(ahead.values(), ()),
            expected=self.open_entries,
            entries=ahead,
            exits={},
            withdrawn=(),
            exit_reason=None,
        )

    def ordering(
        self, whose: Guarded, *, leg: Leg, decision: str, quantity: Decimal, stop_price: Decimal | None, now: datetime
    ) -> tuple[Self, OrderRequest]:
        """An exit order under a client id that was never used before: the revision grows with each one."""
        order = OrderRequest(
            realm=whose.realm,
            venue=whose.venue,
            ledger=whose.ledger,
            account=whose.account,
            symbol=whose.symbol,
            decision_id=decision,
            leg=leg,
            revision=self.revision,
            client_order_id=client_order_id(
                ledger=whose.ledger,
                account=whose.account,
                decision=decision,
                leg=leg.value,
                revision=self.revision,
            ),
            side=Side.SELL,
            type=OrderType.STOP_LOSS if stop_price is not None else OrderType.MARKET,
            quantity=quantity,
            stop_price=stop_price,
            as_of=now,
            expected_price=stop_price,
        )
        return self._with(revision=self.revision + 1), order

    def _with(self, **changes: object) -> Self:
        return self.model_copy(update=changes)


def nothing_to_reduce(wish: ReduceRequest, *, now: datetime) -> OrderReport:
    """The answer to a wish for less where there was nothing to sell."""
    return OrderReport(
        client_order_id=wish.request_id,
        status=OrderStatus.REFUSED,
        outcome=OutcomeClass.REFUSED,
        side=Side.SELL,
        leg=Leg.EXIT,
        reason="nothing_to_reduce",
        observed_at=now,
    )
