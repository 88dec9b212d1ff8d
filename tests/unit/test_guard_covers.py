"""What is filled is protected at the venue, leaving it, or tried again within the bound: the guard against any venue.

The guard is the one of `PositionGuard`, outside of Temporal; the venue holds real balances, fills stops in parts,
refuses, sells in parts and falls silent. The ledger counts the venue's fills by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from trading.ledger.positions import position_of
from trading.money import floor_to_step
from trading.orders.guarding import LONGEST_REST, GuardState
from trading.orders.models import Fill, Leg, OrderKey, OrderReport, OrderRequest, OrderStatus, OutcomeClass, Side
from trading.orders.symbols import Lot
from trading.orders.wishes import Expect, LeaveRequest, ReduceRequest
from workflows.position_guard import PositionGuard
from workflows.protocol import GuardRequest

NOON = datetime(2024, 1, 31, 12, tzinfo=UTC)
STEP = Decimal("0.001")
PRICE = Decimal(100)
FEE = Decimal("0.001")
LOT = Lot(step_size=STEP, min_quantity=STEP, min_notional_usd=Decimal(5))
ENTRY = Expect(
    execution="x/e1",
    decision_id="d-e1",
    client_order_id="e1",
    stop_price=Decimal(90),
    target_price=None,
    exit_at=NOON + 12 * timedelta(hours=1),
)
CALLS_AT_ONCE = 40
"""A guard that asks the venue more often before it waits goes round in circles."""


@dataclass
class ModelVenue:
    """One symbol with one account. `answers` are what it does with new orders, one after the other; then it is calm."""

    answers: list[str] = field(default_factory=list)
    held: Decimal = Decimal(0)
    orders: dict[str, OrderRequest] = field(default_factory=dict)
    executed: dict[str, Decimal] = field(default_factory=dict)
    status: dict[str, OrderStatus] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    now: datetime = NOON
    calls: int = 0

    @property
    def locked(self) -> Decimal:
        """What resting exits may still sell."""
        return sum((order.quantity - self.executed[name] for name, order in self.orders.items()), Decimal(0))

    async def place(self, order: OrderRequest, _summary: str) -> OrderReport:
        self.calls += 1
        assert order.client_order_id not in self.status, "a client id is used once"
        assert order.quantity <= self.held - self.locked, "nothing is sold that is not there"
        answer = self.answers.pop(0) if self.answers else "takes"
        name = order.client_order_id
        self.executed[name] = Decimal(0)
        if answer == "refuses":
            self.status[name] = OrderStatus.REFUSED
            return self.report(order, outcome=OutcomeClass.REFUSED)
        if answer == "is silent":
            self.orders[name], self.status[name] = order, OrderStatus.NEW
            return self.report(order, status=OrderStatus.FROZEN, outcome=OutcomeClass.UNKNOWN)
        self.orders[name], self.status[name] = order, OrderStatus.NEW
        if order.leg is not Leg.STOP:
            part = order.quantity / 2 if answer == "takes half" else order.quantity
            self.sell(name, floor_to_step(part, STEP))
            if name in self.orders:
                del self.orders[name]
                self.status[name] = OrderStatus.EXPIRED
        return self.report(order)

    async def cancel(self, key: OrderKey, _summary: str) -> OrderReport:
        self.calls += 1
        order = self.orders.pop(key.client_order_id)
        self.status[key.client_order_id] = OrderStatus.CANCELED
        return self.report(order)

    def sell(self, name: str, quantity: Decimal) -> None:
        """Fill so much of a resting exit."""
        if quantity <= 0:
            return
        self._fill(name, Side.SELL, quantity)
        self.held -= quantity
        self.executed[name] += quantity
        self.status[name] = OrderStatus.PARTIALLY_FILLED
        if self.executed[name] == self.orders[name].quantity:
            del self.orders[name]
            self.status[name] = OrderStatus.FILLED

    def buy(self, quantity: Decimal, *, is_last: bool) -> OrderReport:
        """Fill so much more of the entry, with its commission in the base asset."""
        self._fill("e1", Side.BUY, quantity)
        self.held += quantity * (1 - FEE)
        self.executed["e1"] = total = self.executed.get("e1", Decimal(0)) + quantity
        return OrderReport(
            client_order_id="e1",
            status=OrderStatus.FILLED if is_last else OrderStatus.PARTIALLY_FILLED,
            outcome=OutcomeClass.ACCEPTED,
            side=Side.BUY,
            leg=Leg.ENTRY,
            executed_quantity=total,
            executed_quote=total * PRICE,
            commission_base=total * FEE,
            observed_at=self.now,
        )

    def report(
        self,
        order: OrderRequest,
        *,
        status: OrderStatus | None = None,
        outcome: OutcomeClass = OutcomeClass.ACCEPTED,
    ) -> OrderReport:
        """What the venue says of the order now."""
        executed = self.executed[order.client_order_id]
        return OrderReport(
            client_order_id=order.client_order_id,
            status=status or self.status[order.client_order_id],
            outcome=outcome,
            side=Side.SELL,
            leg=order.leg,
            executed_quantity=executed,
            executed_quote=executed * PRICE,
            observed_at=self.now,
        )

    def _fill(self, name: str, side: Side, quantity: Decimal) -> None:
        number = len(self.fills) + 1
        self.fills.append(
            Fill(
                trade_id=str(number),
                venue_order_id=name,
                client_order_id=name,
                symbol="BTC/USDT",
                side=side,
                price=PRICE,
                quantity=quantity,
                commission=quantity * FEE if side is Side.BUY else Decimal(0),
                commission_asset="BTC" if side is Side.BUY else "USDT",
                is_maker=False,
                filled_at=self.now,
            )
        )


class LonelyGuard(PositionGuard):
    """The guard with nobody to signal: its entry has nobody to cancel it, no level of its is crossed."""

    async def _withdraw_entries(self) -> None:
        return None

    def _is_crossed(self, what: str = "") -> bool:
        return False

    def of_venue(self, venue: Any) -> None:
        """Send everything to a model venue."""
        self._venue = venue

    async def hear(self, change: Callable[[GuardState], GuardState], *, at: datetime) -> GuardState:
        """Take a change in, and go round as `run` does, until nothing is new."""
        self._time.observe(at)
        self._take_state(change(self._state))
        self._news = True
        while self._news:
            self._news = False
            self._take_state(self._state.woken(self._time.known))
            await self._act()
        return self._state


class Scene:
    """A guard at a venue, from before its entry fills."""

    def __init__(self, answers: list[str]) -> None:
        whose = {"realm": "test-covers", "venue": "simulated", "ledger": "l", "account": "a", "symbol": "BTC/USDT"}
        state = GuardState(opening=Decimal(0), lot=LOT, as_of=NOON).expecting(
            ENTRY.model_copy(update={"terms": ENTRY.terms.model_copy(update={"lot": LOT, "oco_allowed": False})})
        )
        request = GuardRequest.model_validate({**whose, "state": state})
        self.guard = LonelyGuard(request)
        self.venue = ModelVenue(answers=answers)
        self.guard.of_venue(self.venue)
        self.is_filled = False

    def play(self, act: str, share: Decimal) -> GuardState:
        """One thing happens in the world; the guard hears of it and acts."""
        venue, state = self.venue, self.guard.state()
        venue.calls = 0
        part = max(floor_to_step(share, STEP), STEP)
        match act:
            case "fills" | "fills last" if not self.is_filled:
                self.is_filled = act == "fills last"
                news = venue.buy(part, is_last=self.is_filled)
                return self._hears(lambda known: known.hearing(news))
            case "stop sells" if state.stop is not None and state.stop.client_order_id in venue.orders:
                stop = state.stop
                left = stop.quantity - venue.executed[stop.client_order_id]
                venue.sell(stop.client_order_id, min(part, left))
                return self._hears(lambda known: known.taken(stop, venue.report(stop)))
            case "leave":
                wish = LeaveRequest(operation_id="op", who="ada", reason="storm")
                return self._hears(lambda known: known.asked_to_leave(wish))
            case "reduce":
                less = ReduceRequest(request_id="r", decision_id="d-r", quantity=part, reason="decision")
                return self._hears(lambda known: known.model_copy(update={"reduces": (*known.reduces, less)}))
            case "an hour":
                venue.now += timedelta(hours=1)
                return self._hears(lambda known: known)
            case "speaks" if state.frozen_order is not None:
                (order,) = [one for one in state.at_the_venue if one.client_order_id == state.frozen_order]
                if order.leg is not Leg.STOP:
                    venue.sell(order.client_order_id, order.quantity)
                return self._hears(lambda known: known.taken(order, venue.report(order)))
        return self._hears(lambda known: known)

    def _hears(self, change: Callable[[GuardState], GuardState]) -> GuardState:
        return _now(self.guard.hear(change, at=self.venue.now))

    def check(self, state: GuardState) -> None:
        """The invariant, after everything that happened."""
        assert self.venue.calls <= CALLS_AT_ONCE
        assert state.position == self.venue.held, "the guard counts what the venue holds"
        assert state.position == position_of("a", "BTC/USDT", self.venue.fills).quantity, "and so does the ledger"
        assert self.venue.locked <= self.venue.held
        covered = state.tradable == 0 or LOT.tradable(self.venue.held - self.venue.locked, ENTRY.stop_price) == 0
        waits_for_a_person = state.frozen is not None
        is_tried_again = state.retry_at is not None and state.retry_at <= self.venue.now + LONGEST_REST
        assert covered or waits_for_a_person or is_tried_again, state


def _now(work: Coroutine[Any, Any, GuardState]) -> GuardState:
    return asyncio.run(work)


ACTS = st.sampled_from(["fills", "fills", "fills last", "stop sells", "leave", "reduce", "an hour", "speaks"])
SHARES = st.decimals(min_value="0.001", max_value="2", places=3)
ANSWERS = st.lists(st.sampled_from(["takes", "takes half", "refuses", "is silent"]), max_size=12) | st.integers(
    1, 12
).map(lambda times: ["refuses"] * times)


@settings(max_examples=150, deadline=None)
@given(acts=st.lists(st.tuples(ACTS, SHARES), min_size=1, max_size=12), answers=ANSWERS)
def test_what_is_filled_is_protected_or_leaving_or_tried_again(
    acts: list[tuple[str, Decimal]], answers: list[str]
) -> None:
    scene = Scene(answers)
    for act, share in acts:
        scene.check(scene.play(act, share))


@settings(max_examples=80, deadline=None)
@given(acts=st.lists(st.tuples(ACTS, SHARES), min_size=1, max_size=10), answers=ANSWERS)
def test_once_the_venue_is_calm_nothing_stays_uncovered_longer_than_the_longest_rest(
    acts: list[tuple[str, Decimal]], answers: list[str]
) -> None:
    scene = Scene(answers)
    for act, share in acts:
        scene.play(act, share)
    scene.venue.answers.clear()
    for _ in range(2):
        scene.play("speaks", Decimal(1))
        state = scene.play("an hour", Decimal(1))
    held, locked = scene.venue.held, scene.venue.locked
    assert state.frozen is None
    assert LOT.tradable(held - locked, ENTRY.stop_price) == 0, "all of it is under a stop, or nothing is left"
