"""A guarded position: what fills and reports make of it, and what its owner has to do next. Pure transitions."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Self

from trading.ledger.outcome import position_quantity
from trading.orders.exits import protection, sale
from trading.orders.models import Leg, OrderReport, OrderRequest, OrderStatus, OrderType, OutcomeClass
from trading.orders.price_following import PriceFollowing
from trading.orders.quantise import UnsendableCode
from trading.orders.symbols import Lot, Quote
from trading.orders.wishes import Expect, Guarded, LeaveRequest

TARGET = "target"
TIME_EXIT = "time_exit"
STOP_REFUSED = "stop_refused"
STOP_UNFILLED = "stop_unfilled"
STOP_PASSED = "stop_passed"

REFUSED_SALES = 3
"""So often a sale is tried anew after the venue refused it; then the stop goes back and a person is told."""

FIRST_REST = timedelta(minutes=1)
LONGEST_REST = timedelta(hours=1)
"""After refusals the venue is left alone for a minute, then for twice as long each time: a firewall's minute ends."""


class GuardState(PriceFollowing):
    """All that a guard carries through continue-as-new, and what its owner has to do next."""

    @property
    def is_finished(self) -> bool:
        """Nothing is expected, nothing is at the venue, nothing above dust is held, nobody waits for an answer."""
        if not self.expected or self.open_entries or self.at_the_venue or self.reduces or self.frozen:
            return False
        return self.plan is None or self.tradable == 0

    @property
    def is_watched_in_time(self) -> bool:
        """Whether target and time can end the position: it is held, and no sale is on its way, refused or waiting."""
        is_free = self.leaving is None and not self._rests_from_selling
        return self.plan is not None and is_free and self.tradable > 0

    @property
    def _rests_from_selling(self) -> bool:
        return self.refused_sales >= REFUSED_SALES or self.closed_until is not None

    def reason_to_leave(self, *, now: datetime | None, target_crossed: bool) -> tuple[str, Leg] | None:
        """Why the whole position should be sold now, and as which leg; `None` where it should not, or cannot be."""
        plan = self.plan
        if plan is None or self.frozen is not None or self._rests_from_selling:
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
    def is_protected(self) -> bool:
        """Whether stop and target at the venue are for what is held, at the prices where they belong.

        A stop may leave dust out: the venue sizes one that came with its entry by what that brought, no order could
        carry the rest, and the next exit takes it along.
        """
        if self.plan is None or self.superseded:
            return False
        if self.stop is None:
            return bool(self.covering) and self.uncovered == 0
        if self._is_in_doubt(self.stop):
            return False
        left = self.uncovered - self.stop.quantity
        if left < 0 or (left > 0 and (self.lot is None or self.lot.tradable(left, self.plan.stop_price) > 0)):
            return False
        at_target = self.target.price if self.target is not None else None
        return self.uncovered > 0 and (self.stop.stop_price, at_target) == (
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
    def to_withdraw(self) -> tuple[Expect, ...]:
        """Entries whose execution must be asked to cancel, and was not yet."""
        if self.leave is None and self.withdraw_because is None:
            return ()
        return tuple(entry for entry in self.open_entries if entry.client_order_id not in self.withdrawn)

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

    def hearing(self, report: OrderReport, *, adopted: OrderRequest | None = None) -> Self:
        """The newest numbers of an entry, and of the exits that went to the venue with it: they become the guard's.

        A sale that a person had adopted is heard of in the same way: what it sold is gone, and while it rests the rest
        of it is spoken for.
        """
        if adopted is not None:
            return self._covered_by(adopted, report)
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

    def _covered_by(self, order: OrderRequest, report: OrderReport) -> Self:
        known = self.exits.get(order.client_order_id)
        if known is not None and known.observed_at >= report.observed_at:
            return self
        others = tuple(one for one in self.covering if one.client_order_id != order.client_order_id)
        return self._with(covering=(*others, order)).taken(order, report)

    def passed_its_stop(self) -> Self:
        """The price is where the stop belongs, and a person's sale still rests: all of it is sold instead."""
        return self if self.exit_reason is not None else self._with(exit_reason=STOP_PASSED)

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
            earlier: OrderRequest | None = getattr(self, order.leg.value)
            superseded = self.superseded if earlier is None else (*self.superseded, earlier)
            state = self._with(**{order.leg.value: sized}, superseded=superseded)
        return state.taken(order, leg)

    def asked_to_leave(self, wish: LeaveRequest) -> Self:
        """A person wants out: sales that the venue refused before are tried again."""
        return self._with(leave=wish, refused_sales=0, retry_at=None, refuses_stops=False, closed_until=None)

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
            changes["superseded"] = tuple(one for one in self.superseded if not _is(one, report))
            changes["covering"] = tuple(one for one in self.covering if not _is(one, report))
        if order.leg is Leg.STOP and report.executed_quantity > 0 and self.covering:
            changes["exit_reason"] = self.exit_reason or STOP_PASSED
        if order.leg is not Leg.STOP and order.type is OrderType.MARKET:
            if report.outcome is OutcomeClass.REFUSED:
                changes["refused_sales"] = self.refused_sales + 1
                if self.refused_sales + 1 >= REFUSED_SALES:
                    changes |= self._resting_from(report)
            elif report.executed_quantity > 0:
                changes |= {"refused_sales": 0, "retry_at": None, "rests": 0, "refuses_stops": False}
        state = self._with(**changes)
        for leg in report.legs:
            beside = next((one for one in (self.stop, self.target, *self.superseded) if _is(one, leg)), None)
            if beside is not None:
                state = state.taken(beside, leg)
        return state

    def _resting_from(self, refused: OrderReport) -> dict[str, object]:
        """A closed market opens at its own time: it is tried each minute, and no venue minds that."""
        rests = 0 if refused.reason.startswith(UnsendableCode.NOT_TRADING) else self.rests
        pause = min(FIRST_REST * 2**rests, LONGEST_REST)
        return {"retry_at": refused.observed_at + pause, "rests": rests + 1}

    def without_a_stop(self) -> Self:
        """The venue took neither a sale nor the stop: nothing more is tried before `retry_at`."""
        return self._with(refuses_stops=True)

    def waiting_for_the_market(self, now: datetime) -> Self:
        """What was to take the place of an exit waits until the symbol trades; the exit protects meanwhile."""
        return self._with(closed_until=now + FIRST_REST)

    def woken(self, now: datetime | None) -> Self:
        """What the venue refused is tried again once its rest is over: the stop first, and by the filters of then."""
        changes: dict[str, object] = {}
        if _is_past(self.closed_until, now):
            changes["closed_until"] = None
        if _is_past(self.retry_at, now):
            reason = None if self.exit_reason == STOP_REFUSED else self.exit_reason
            changes |= {
                "retry_at": None,
                "refused_sales": 0,
                "refuses_stops": False,
                "exit_reason": reason,
                "lot": None,
            }
        return self._with(**changes) if changes else self

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
        order = protection(whose, entry, quantity=self.uncovered, levels=self.levels, revision=self.revision, now=now)
        return self._with(revision=self.revision + 1), order

    def selling(
        self, whose: Guarded, *, leg: Leg, decision: str, quantity: Decimal, now: datetime
    ) -> tuple[Self, OrderRequest]:
        """A sale at market under a client id that was never used before: the revision grows with each exit."""
        order = sale(whose, leg=leg, decision=decision, quantity=quantity, revision=self.revision, now=now)
        return self._with(revision=self.revision + 1), order


def _is_past(due: datetime | None, now: datetime | None) -> bool:
    return due is not None and now is not None and now >= due


def _alone(report: OrderReport) -> OrderReport:
    """The report without its list: as the ledger keeps it."""
    return report.model_copy(update={"quantity": None, "legs": ()})


def _is(order: OrderRequest | None, report: OrderReport) -> bool:
    return order is not None and order.client_order_id == report.client_order_id


def _with_lot(entry: Expect, lot: Lot) -> Expect:
    return entry.model_copy(update={"terms": entry.terms.model_copy(update={"lot": lot})})
