"""A guarded position: what fills and reports make of it, and what its owner has to do next. Pure transitions."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Self

from pydantic import Field

from trading.contract import Contract, Utc
from trading.ledger.outcome import position_quantity
from trading.money import ZERO
from trading.orders.exits import ExitLevels, Trail, first_target, next_trail, protection, sale
from trading.orders.models import Leg, Lot, OrderReport, OrderRequest, OrderStatus, OrderType, OutcomeClass, Quote
from trading.orders.wishes import Expect, Guarded, LeaveRequest, ReduceRequest, Resolution

TARGET = "target"
TIME_EXIT = "time_exit"
STOP_REFUSED = "stop_refused"
STOP_UNFILLED = "stop_unfilled"
FIRST_TARGET = "first_target"

STOP_FILLS_WITHIN = timedelta(seconds=2)
"""A stop with a limit that was triggered and is not done after this is cancelled and sold at market (venue.md)."""

REFUSED_SALES = 3
"""So often a sale is tried anew after the venue refused it; then the stop goes back and a person is told."""

FIRST_REST = timedelta(minutes=1)
LONGEST_REST = timedelta(hours=1)
"""After refusals the venue is left alone for a minute, then for twice as long each time: a firewall's minute ends."""


class GuardState(Contract):
    """All that a guard carries through continue-as-new.

    `entries` and `exits` hold the newest report of each order by client id; `stop` and `leaving` are the orders at the
    venue now. The position is what was left before (dust, mostly) and what the reports add up to, net of commission
    charged in the base asset. `withdrawn` are the entries whose executions were asked to cancel them. `frozen` says why
    `frozen_order` waits for a person: its fate is unknown. While `retry_at` lies ahead nothing that the venue refused
    is tried again. `target` rests in one list with the stop where the venue takes both. `trail` is how far the stop
    has followed the price, `first_target_of` the entry whose first target was sold, `stop_due` the time at which a
    triggered stop with a limit must be done.
    """

    opening: Decimal | None = None
    expected: tuple[Expect, ...] = ()
    entries: dict[str, OrderReport] = Field(default_factory=dict)
    exits: dict[str, OrderReport] = Field(default_factory=dict)
    stop: OrderRequest | None = None
    target: OrderRequest | None = None
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
        return tuple(order for order in (self.stop, self.target, self.leaving) if order is not None)

    @property
    def is_finished(self) -> bool:
        """Nothing is expected, nothing is at the venue, nothing above dust is held, nobody waits for an answer."""
        if not self.expected or self.open_entries or self.at_the_venue or self.reduces or self.frozen:
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
        if self.stop_due is not None and now is not None and now >= self.stop_due:
            return STOP_UNFILLED, Leg.EXIT
        if plan.exit_at is not None and now is not None and now >= plan.exit_at:
            return TIME_EXIT, Leg.EXIT
        return None

    @property
    def stop_price(self) -> Decimal | None:
        """Where the stop belongs: at the plan's price, or as far up as it has followed."""
        plan, trail = self.plan, self.trail
        if plan is None:
            return None
        followed = trail is not None and trail.client_order_id == plan.client_order_id
        return max(plan.stop_price, trail.stop_price) if followed and trail is not None else plan.stop_price

    @property
    def levels(self) -> ExitLevels:
        """What rests at the venue for all that is held."""
        plan, stop_price = self.plan, self.stop_price
        assert plan is not None
        assert stop_price is not None
        return ExitLevels(stop_price=stop_price, target_price=plan.target_price if plan.terms.oco_allowed else None)

    @property
    def is_protected(self) -> bool:
        """Whether stop and target at the venue are for what is held, at the prices where they belong.

        A stop may leave dust out: the venue sizes one that came with its entry by what that brought, no order could
        carry the rest, and the next exit takes it along.
        """
        if self.stop is None or self.plan is None or self._is_in_doubt(self.stop):
            return False
        left = self.tradable - self.stop.quantity
        if left < 0 or (left > 0 and (self.lot is None or self.lot.tradable(left, self.plan.stop_price) > 0)):
            return False
        at_target = self.target.price if self.target is not None else None
        return self.tradable > 0 and (self.stop.stop_price, at_target) == (
            self.levels.stop_price,
            self.levels.target_price,
        )

    def _is_in_doubt(self, order: OrderRequest) -> bool:
        """Whether the venue has said nothing of the order yet: what protects is what it has confirmed."""
        report = self.exits.get(order.client_order_id)
        return report is not None and report.status is OrderStatus.INTENDED

    @property
    def wants_the_filters(self) -> bool:
        """Whether the venue has to be asked what an exit of this symbol may be made of."""
        return self.lot is None or (self.plan is not None and self.plan.terms.oco_allowed is None)

    def knowing(self, quote: Quote) -> Self:
        """The symbol's filters, also for entries that came back from the ledger without them."""
        expected = tuple(
            entry
            if entry.terms.oco_allowed is not None
            else entry.model_copy(
                update={"terms": entry.terms.model_copy(update={"lot": quote.lot, "oco_allowed": quote.oco_allowed})}
            )
            for entry in self.expected
        )
        return self._with(lot=self.lot or quote.lot, expected=expected)

    @property
    def _bought_at(self) -> Decimal | None:
        plan = self.plan
        return self.entries[plan.client_order_id].average_price if plan is not None else None

    @property
    def next_trail(self) -> tuple[Decimal, Trail] | None:
        """The price that raises the stop next, and the trail from then on."""
        plan, price = self.plan, self._bought_at
        if plan is None or price is None:
            return None
        mine = self.trail if self.trail is not None and self.trail.client_order_id == plan.client_order_id else None
        found = next_trail(plan, average_price=price, trail=mine)
        ended = found is None or (plan.target_price is not None and found[0] >= plan.target_price)
        return None if ended else found

    @property
    def first_target(self) -> Decimal | None:
        """The price at which a share is sold, until it was."""
        plan, price = self.plan, self._bought_at
        if plan is None or price is None or self.first_target_of == plan.client_order_id:
            return None
        return first_target(plan, average_price=price)

    def followed(self, trail: Trail) -> Self:
        """The price has come far enough: the stop belongs higher."""
        return self._with(trail=trail)

    def taking_a_share(self) -> Self:
        """The first target was reached: its share is to be sold, once. A share or a rest that is dust is not."""
        plan = self.plan
        assert plan is not None
        share = self.tradable * plan.terms.plan.first_target_share
        taken = self._with(first_target_of=plan.client_order_id)
        if self.tradable_of(share) == 0 or self.tradable_of(self.position - share) == 0:
            return taken
        wish = ReduceRequest(
            request_id=f"{plan.client_order_id}:{FIRST_TARGET}",
            decision_id=plan.decision_id,
            quantity=share,
            reason=FIRST_TARGET,
        )
        return taken._with(reduces=(*self.reduces, wish))

    @property
    def limits_its_stop(self) -> bool:
        """Whether the stop, once triggered, may stay unfilled."""
        return self.stop is not None and self.stop.type is OrderType.STOP_LOSS_LIMIT

    def triggered(self, now: datetime) -> Self:
        """The price has reached a stop with a limit: it has two seconds to be done."""
        return self if self.stop_due is not None else self._with(stop_due=now + STOP_FILLS_WITHIN)

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
        used = max((order.revision + 1 for order in entry.exits), default=0)
        return self._with(
            expected=(*self.expected, entry),
            revision=max(self.revision, used),
            lot=self.lot or entry.terms.lot,
        )

    def hearing(self, report: OrderReport) -> Self:
        """The newest numbers of an entry, and of the exits that went to the venue with it: they become the guard's.

        A sale that a person adopted is heard of in the same way: what it sold is gone.
        """
        if report.leg is not Leg.ENTRY:
            return self._with(exits={**self.exits, report.client_order_id: _alone(report)})
        state = self._with(entries={**self.entries, report.client_order_id: _alone(report)})
        exits = {
            order.client_order_id: order
            for entry in self.expected
            if entry.client_order_id == report.client_order_id
            for order in entry.exits
        }
        for leg in report.legs:
            if leg.client_order_id in exits:
                state = state._adopting(exits[leg.client_order_id], leg)
        return state

    def _adopting(self, order: OrderRequest, leg: OrderReport) -> Self:
        """An exit that the venue placed: told once, it is in its place; what is later asked of it is newer."""
        known = self.exits.get(order.client_order_id)
        if leg.status is OrderStatus.PENDING_NEW or (known is not None and known.observed_at >= leg.observed_at):
            return self
        if known is None and leg.is_terminal and leg.executed_quantity == 0:
            return self  # the venue placed none: the guard protects by itself
        state = self
        if known is None:
            sized = order.model_copy(update={"quantity": leg.quantity or order.quantity})
            state = self._with(**{order.leg.value: sized})
        return state.taken(order, leg)

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
        changes: dict[str, object] = {"exits": {**self.exits, order.client_order_id: _alone(report)}}
        if report.status is OrderStatus.FROZEN:
            changes["frozen"] = report.reason or f"{order.leg.value} order unknown at the venue"
            changes["frozen_order"] = order.client_order_id
        elif self.frozen_order == order.client_order_id:
            changes |= {"frozen": None, "frozen_order": None}
        if report.is_terminal:
            for place in ("stop", "target", "leaving"):
                held: OrderRequest | None = getattr(self, place)
                if held is not None and held.client_order_id == order.client_order_id:
                    changes[place] = None
                    if place == "stop":
                        changes["stop_due"] = None
        if order.leg is not Leg.STOP and order.type is OrderType.MARKET:
            if report.outcome is OutcomeClass.REFUSED:
                changes["refused_sales"] = self.refused_sales + 1
                if self.refused_sales + 1 >= REFUSED_SALES:
                    changes |= self._resting_from(report.observed_at)
            elif report.executed_quantity > 0:
                changes |= {"refused_sales": 0, "retry_at": None, "rests": 0}
        state = self._with(**changes)
        for leg in report.legs:
            beside = next((one for one in (self.stop, self.target) if _is(one, leg)), None)
            if beside is not None:
                state = state.taken(beside, leg)
        return state

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
            trail=None,
            first_target_of=None,
        )

    def protecting(self, whose: Guarded, *, now: datetime) -> tuple[Self, OrderRequest]:
        """The stop for what is held, leading a list with the target where the venue takes both; never used before."""
        plan = self.plan
        assert plan is not None  # nothing is protected before an entry has filled
        entry = plan if plan.terms.lot is not None or self.lot is None else _with_lot(plan, self.lot)
        order = protection(whose, entry, quantity=self.tradable, levels=self.levels, revision=self.revision, now=now)
        return self._with(revision=self.revision + 1), order

    def selling(
        self, whose: Guarded, *, leg: Leg, decision: str, quantity: Decimal, now: datetime
    ) -> tuple[Self, OrderRequest]:
        """A sale at market under a client id that was never used before: the revision grows with each exit."""
        order = sale(whose, leg=leg, decision=decision, quantity=quantity, revision=self.revision, now=now)
        return self._with(revision=self.revision + 1), order

    def _with(self, **changes: object) -> Self:
        return self.model_copy(update=changes)


def _alone(report: OrderReport) -> OrderReport:
    """The report without its list: as the ledger keeps it."""
    return report.model_copy(update={"quantity": None, "legs": ()})


def _is(order: OrderRequest | None, report: OrderReport) -> bool:
    return order is not None and order.client_order_id == report.client_order_id


def _with_lot(entry: Expect, lot: Lot) -> Expect:
    return entry.model_copy(update={"terms": entry.terms.model_copy(update={"lot": lot})})
