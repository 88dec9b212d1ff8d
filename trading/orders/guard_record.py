"""What a guard knows of its position: entries, exits, what is at the venue. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Self

from pydantic import Field

from trading.contract import Contract, Utc
from trading.ledger.outcome import position_quantity
from trading.money import ZERO
from trading.orders.exits import Trail
from trading.orders.models import OrderReport, OrderRequest, OrderStatus
from trading.orders.symbols import Lot
from trading.orders.wishes import Expect, LeaveRequest, ReduceRequest, Resolution


class GuardRecord(Contract):
    """All that a guard carries through continue-as-new.

    `entries` and `exits` hold the newest report of each order by client id; `stop` and `leaving` are the orders at the
    venue now. The position is what was left before (dust, mostly) and what the reports add up to, net of commission
    charged in the base asset. `withdrawn` are the entries whose executions were asked to cancel them. `frozen` says why
    `frozen_order` waits for a person: its fate is unknown. While `retry_at` lies ahead nothing that the venue refused
    is tried again. `target` rests in one list with the stop where the venue takes both. `trail` is how far the stop
    has followed the price, `first_target_of` the entry whose first target was sold, `stop_due` the time at which a
    triggered stop with a limit must be done. `superseded` are exits that came to the venue with an earlier entry: they
    lock what the one exit for all that is held needs, and are withdrawn for it. `covering` are sales that a person
    placed at the venue and had adopted: while they rest the stop is for what they leave. Until `closed_until` the exits
    at the venue stay as they are: its market was closed when they were to make room for others.
    """

    opening: Decimal | None = None
    expected: tuple[Expect, ...] = ()
    entries: dict[str, OrderReport] = Field(default_factory=dict)
    exits: dict[str, OrderReport] = Field(default_factory=dict)
    stop: OrderRequest | None = None
    target: OrderRequest | None = None
    superseded: tuple[OrderRequest, ...] = ()
    covering: tuple[OrderRequest, ...] = ()
    trail: Trail | None = None
    first_target_of: str | None = None
    stop_due: Utc | None = None
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
    closed_until: Utc | None = None

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
        mine = (self.stop, self.target, self.leaving, *self.superseded, *self.covering)
        return tuple(order for order in mine if order is not None)

    @property
    def uncovered(self) -> Decimal:
        """What of the position no resting sale of a person stands for, as an order can carry it."""
        if not self.covering:
            return self.tradable
        sold = (self.exits[one.client_order_id].executed_quantity for one in self.covering)
        covered = sum((one.quantity for one in self.covering), ZERO) - sum(sold, ZERO)
        return self.tradable_of(max(self.position - covered, ZERO))

    @property
    def locking(self) -> OrderRequest | None:
        """An exit at the venue that has to be withdrawn before what is held can be sold or protected anew."""
        return self.stop or self.target or next(iter(self.superseded), None)

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

    @property
    def closing_leg(self) -> str:
        """The leg that sold last; `none` where nothing was sold."""
        filled = [report.leg.value for report in self.exits.values() if report.executed_quantity > 0]
        return filled[-1] if filled else "none"

    @property
    def last_exit_price(self) -> Decimal | None:
        return next((r.average_price for r in reversed(self.exits.values()) if r.average_price is not None), None)

    def _with(self, **changes: object) -> Self:
        return self.model_copy(update=changes)
