"""What is filled is protected at the venue, leaving it, or tried again within the bound: the guard against any venue.

The guard is the one of `PositionGuard`, outside of Temporal. Entries rest and fill in parts, or come as one list with
their exits; what rests for them is a stop, or a list of stop and target. The ledger counts the venue's fills by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from fakes.model_venue import FEE, LOT, NOON, PRICE, QUOTE, STEP, LonelyGuard, ModelVenue
from hypothesis import event, given, settings
from hypothesis import strategies as st

from trading.ids import client_order_id
from trading.ledger.positions import position_of
from trading.money import floor_to_step
from trading.orders.exits import with_exits
from trading.orders.guarding import LONGEST_REST, GuardState
from trading.orders.models import Leg, OrderReport, OrderRequest, OrderType, Side, TimeInForce
from trading.orders.wishes import ExitPlan, ExitTerms, Expect, LeaveRequest, ReduceRequest
from workflows.protocol import GuardRequest

WHOSE = {"realm": "test-covers", "venue": "simulated", "ledger": "l", "account": "a", "symbol": "BTC/USDT"}
STOP_PRICE = Decimal(90)
TARGET_PRICE = Decimal(130)
FOLLOWS = ExitPlan(
    trail_after_risks=Decimal(1),
    trail_step_risks=Decimal("0.5"),
    first_target_risks=Decimal(1),
    first_target_share=Decimal("0.3"),
)
CALLS_AT_ONCE = 40
"""A guard that asks the venue more often before it waits goes round in circles."""


def expected(name: str, *, lists: bool, exits: tuple[OrderRequest, ...] = ()) -> Expect:
    """What a guard is told of an entry before it is sent."""
    return Expect(
        execution=f"x/{name}",
        decision_id=f"d-{name}",
        client_order_id=name,
        stop_price=STOP_PRICE,
        target_price=TARGET_PRICE if lists else None,
        exit_at=NOON + 12 * timedelta(hours=1),
        terms=ExitTerms(lot=LOT, oco_allowed=lists, plan=FOLLOWS if lists else ExitPlan()),
        exits=exits,
    )


def list_entry(number: int, quantity: Decimal) -> OrderRequest:
    """A purchase that takes at once, as the head of a list with its stop and target."""
    decision = f"d-list-{number}"
    order = OrderRequest.model_validate(
        {
            **WHOSE,
            "decision_id": decision,
            "leg": Leg.ENTRY,
            "client_order_id": client_order_id(ledger="l", account="a", decision=decision, leg="entry"),
            "side": Side.BUY,
            "type": OrderType.LIMIT,
            "time_in_force": TimeInForce.IOC,
            "quantity": quantity,
            "price": PRICE,
            "as_of": NOON,
        }
    )
    led = with_exits(order, QUOTE, stop_price=STOP_PRICE, target_price=TARGET_PRICE, plan=FOLLOWS)
    assert [one.leg for one in led.beside] == [Leg.STOP, Leg.TARGET]
    return led


class Scene:
    """A guard at a venue, from before its first entry fills. With `lists` the venue takes order lists."""

    def __init__(
        self,
        answers: Iterable[str],
        *,
        lists: bool = False,
        races: Iterable[Decimal] = (),
        closes: Iterable[bool] = (),
    ) -> None:
        self.lists = lists
        state = GuardState(opening=Decimal(0), lot=LOT, as_of=NOON).expecting(expected("e1", lists=lists))
        self.guard = self._guard(state)
        self.venue = ModelVenue(answers=list(answers), races=list(races), closes=list(closes))
        self.guard.of_venue(self.venue)
        self.is_filled = False
        self.entries = 0

    @staticmethod
    def _guard(state: GuardState) -> LonelyGuard:
        return LonelyGuard(GuardRequest.model_validate({**WHOSE, "state": state}))

    def play(self, act: str, share: Decimal) -> GuardState:
        """One thing happens in the world; the guard hears of it and acts."""
        venue, state = self.venue, self.guard.state()
        venue.calls = 0
        part = max(floor_to_step(share, STEP), STEP)
        match act:
            case "fills" | "fills last" if not self.is_filled:
                self.is_filled = act == "fills last"
                return self._takes(venue.buy(part, is_last=self.is_filled))
            case "list fills" | "list fills, exits refused" if self.lists and not state.is_finished:
                return self._list_fills(part, refuses=act != "list fills")
            case "list fills and its stop sells" if self.lists and not state.is_finished:
                return self._list_fills(part, refuses=False, sells=max(part, LOT.min_notional_usd / PRICE) / 3)
            case "stop sells" | "target sells" if (resting := self._resting(act)) is not None:
                venue.sell(resting, min(part, venue.rest_of(venue.orders[resting])))
                return self._hears(lambda known: known, changed=frozenset({resting}))
            case "leave":
                wish = LeaveRequest(operation_id="op", who="ada", reason="storm")
                return self._hears(lambda known: known.asked_to_leave(wish))
            case "reduce":
                less = ReduceRequest(request_id="r", decision_id="d-r", quantity=part, reason="decision")
                return self._hears(lambda known: known.model_copy(update={"reduces": (*known.reduces, less)}))
            case "price rises":
                steps = [f"trail-{state.next_trail[1].steps}"] if state.next_trail else []
                return self._hears(lambda known: known, crossed=frozenset({*steps, "first"}))
            case "target is met" if not self.lists:
                return self._hears(lambda known: known, crossed=frozenset({""}))
            case "starts again":
                self.guard = self._guard(GuardState.model_validate_json(state.model_dump_json()))
                self.guard.of_venue(venue)
                return self._hears(lambda known: known)
            case "an hour":
                venue.now += timedelta(hours=1)
                return self._hears(lambda known: known)
            case "speaks" if state.frozen_order is not None:
                return self._speaks(state)
        return self._hears(lambda known: known)

    def _resting(self, act: str) -> str | None:
        """An exit that really rests, whatever the guard has heard of it."""
        leg = Leg.STOP if act == "stop sells" else Leg.TARGET
        return next((name for name, order in self.venue.orders.items() if order.leg is leg), None)

    def _list_fills(self, quantity: Decimal, *, refuses: bool, sells: Decimal = Decimal(0)) -> GuardState:
        """An entry comes as a list: the guard expects it, the venue fills it whole and places its exits or none.

        It is no smaller than the venue allows; exits that would be are refused when it has filled.
        """
        self.entries += 1
        quantity = max(quantity, LOT.min_notional_usd / PRICE)
        refuses = refuses or LOT.tradable(quantity * (1 - FEE), STOP_PRICE) == 0
        order = list_entry(self.entries, quantity)
        announced = expected(order.client_order_id, lists=True, exits=order.beside)
        self._hears(lambda known: known.expecting(announced))
        news = self.venue.buy(quantity, name=order.client_order_id, is_last=True, exits=order.beside, refuses=refuses)
        if sells:
            stop = order.beside[0]
            self.venue.sell(stop.client_order_id, floor_to_step(sells, STEP))
            (first, *rest) = self.venue.family(self.venue.known[stop.client_order_id])
            told = (self.venue.report(first, legs=False), *(self.venue.report(one, legs=False) for one in rest))
            news = news.model_copy(update={"legs": told})
        return self._takes(news)

    def _speaks(self, state: GuardState) -> GuardState:
        """The venue tells at last what became of the frozen order."""
        (order,) = [one for one in state.at_the_venue if one.client_order_id == state.frozen_order]
        if order.leg not in {Leg.STOP, Leg.TARGET} or order.type is OrderType.MARKET:
            self.venue.sell(order.client_order_id, order.quantity)
        return self._hears(lambda known: known, changed=frozenset({order.client_order_id}))

    def _takes(self, news: OrderReport) -> GuardState:
        return self._hears(lambda known: known.hearing(news))

    def _hears(self, change: Callable[[GuardState], GuardState], **seen: frozenset[str]) -> GuardState:
        return _now(self.guard.hear(change, at=self.venue.now, **seen))

    def check(self, state: GuardState) -> None:
        """The invariant, after everything that happened."""
        venue = self.venue
        assert venue.calls <= CALLS_AT_ONCE
        assert state.position == venue.held, "the guard counts what the venue holds"
        assert state.position == position_of("a", "BTC/USDT", venue.fills).quantity, "and so does the ledger"
        assert venue.locked <= venue.held
        waits_for_a_person = state.frozen is not None
        tries = [at for at in (state.retry_at, state.closed_until) if at is not None]
        is_tried_again = min(tries, default=datetime.max.replace(tzinfo=UTC)) <= venue.now + LONGEST_REST
        assert self.is_covered or waits_for_a_person or is_tried_again, state
        if state.is_finished:
            assert not venue.orders, "a guard that ends leaves nothing at the venue"

    @property
    def is_covered(self) -> bool:
        """Whether all but dust is under stops that rest at the venue."""
        return LOT.tradable(self.venue.held - self.venue.under_stops, STOP_PRICE) == 0


def _now(work: Coroutine[Any, Any, GuardState]) -> GuardState:
    return asyncio.run(work)


RESTS = ["fills", "fills", "fills last", "stop sells", "leave", "reduce", "an hour", "speaks", "starts again"]
LISTS = ["list fills", "list fills", "list fills, exits refused", "list fills and its stop sells", "target sells"]
ACTS = st.sampled_from([*RESTS, "target is met"])
LIST_ACTS = st.sampled_from([*RESTS, *LISTS, "price rises"])
SHARES = st.decimals(min_value="0.001", max_value="2", places=3)
ANSWERS = st.lists(st.sampled_from(["takes", "takes half", "refuses", "is silent"]), max_size=12) | st.integers(
    1, 12
).map(lambda times: ["refuses"] * times)
RACES = st.lists(st.sampled_from([Decimal(0), Decimal("0.3"), Decimal(1)]), max_size=6)
CLOSES = st.lists(st.booleans(), max_size=6)
LIVES = st.one_of(
    st.tuples(st.just(False), st.lists(st.tuples(ACTS, SHARES), min_size=1, max_size=12)),
    st.tuples(st.just(True), st.lists(st.tuples(LIST_ACTS, SHARES), min_size=1, max_size=12)),
)


@settings(max_examples=200, deadline=None)
@given(life=LIVES, answers=ANSWERS, races=RACES, closes=CLOSES)
def test_what_is_filled_is_protected_or_leaving_or_tried_again(
    life: tuple[bool, list[tuple[str, Decimal]]], answers: list[str], races: list[Decimal], closes: list[bool]
) -> None:
    lists, acts = life
    scene = Scene(answers, lists=lists, races=races, closes=closes)
    for act, share in acts:
        state = scene.play(act, share)
        event(f"lists {lists}, superseded {bool(state.superseded)}, target {state.target is not None}")
        scene.check(state)


@settings(max_examples=100, deadline=None)
@given(life=LIVES, answers=ANSWERS, races=RACES, closes=CLOSES)
def test_once_the_venue_is_calm_nothing_stays_uncovered_longer_than_the_longest_rest(
    life: tuple[bool, list[tuple[str, Decimal]]], answers: list[str], races: list[Decimal], closes: list[bool]
) -> None:
    lists, acts = life
    scene = Scene(answers, lists=lists, races=races, closes=closes)
    for act, share in acts:
        scene.play(act, share)
    scene.venue.answers.clear()
    scene.venue.races.clear()
    scene.venue.closes.clear()
    for _ in range(2):
        scene.play("speaks", Decimal(1))
        state = scene.play("an hour", Decimal(1))
    assert state.frozen is None
    assert scene.is_covered, "all of it is under a stop, or nothing is left"


@pytest.mark.parametrize("act", LISTS)
def test_each_way_of_a_list_is_met(act: str) -> None:
    scene = Scene([], lists=True)
    scene.check(scene.play("list fills", Decimal(1)))
    assert {order.leg for order in scene.venue.orders.values()} == {Leg.STOP, Leg.TARGET}
    scene.check(scene.play(act, Decimal("0.5")))
    assert scene.venue.held > 0
    assert scene.is_covered
