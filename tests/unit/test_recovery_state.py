"""What a guard gets back from the database, for every place in which its exit may have been when all else was lost."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from store_rows import NOON, REALM, a_prepared, a_request

from activities.store.open_trades import Levels, OpenEntry, OpenTrade
from activities.store.ports.journal import Intent
from trading.orders.models import Leg, OrderReport, OrderRequest, OrderStatus, OrderType, OutcomeClass, Side
from trading.policy.execution import ExecutionPolicy
from trading.risk.models import GateAnswer, Permit
from workers.runtime.recovered_state import execution_request, guard_state

HELD = Decimal("0.0999")
"""0.1 bought, a thousandth of it paid as commission."""

LEVELS = Levels(stop_price=Decimal(4900), target_price=Decimal(5300), horizon_hours=24)
LATER = NOON + timedelta(minutes=5)


def reported(request: OrderRequest, status: OrderStatus, **changes: Any) -> Intent:
    """The order's row in this status; `INTENDED` was never answered."""
    facts: dict[str, Any] = {
        "client_order_id": request.client_order_id,
        "status": status,
        "outcome": OutcomeClass.UNKNOWN if status is OrderStatus.INTENDED else OutcomeClass.ACCEPTED,
        "side": request.side,
        "leg": request.leg,
        "observed_at": request.as_of,
    }
    return Intent(
        request=request,
        prepared=a_prepared(request),
        status=status,
        sends=1,
        report=OrderReport(**(facts | changes)),
    )


def entry(**changes: Any) -> OpenEntry:
    bought = {"executed_quantity": Decimal("0.1"), "executed_quote": Decimal(500), "commission_base": Decimal("0.0001")}
    told = {"status": OrderStatus.FILLED, "observed_at": NOON + timedelta(seconds=1)} | bought | changes
    return OpenEntry(intent=reported(a_request(), told.pop("status"), **told), levels=LEVELS)


def an_exit(leg: Leg, status: OrderStatus, *, revision: int = 0, decision: str = "d1", **changes: Any) -> Intent:
    request = a_request(
        decision_id=decision,
        leg=leg,
        side=Side.SELL,
        type=OrderType.STOP_LOSS if leg is Leg.STOP else OrderType.MARKET,
        quantity=Decimal("0.099"),
        stop_price=LEVELS.stop_price if leg is Leg.STOP else None,
        as_of=NOON + timedelta(seconds=2 + revision),
        revision=revision,
        permit_id=None,
    )
    return reported(request, status, **changes)


def trade(*exits: Intent, bought: OpenEntry | None = None, quantity: Decimal = HELD) -> OpenTrade:
    return OpenTrade(account="main", symbol="BTC/USDT", quantity=quantity, entries=(bought or entry(),), exits=exits)


def test_a_resting_stop_is_taken_over_and_not_placed_again() -> None:
    stop = an_exit(Leg.STOP, OrderStatus.NEW)
    state = guard_state(trade(stop), realm=REALM)
    assert state.stop == stop.request
    assert state.exits == {stop.request.client_order_id: stop.report}
    assert state.revision == 1
    assert (state.leaving, state.frozen, state.exit_reason) == (None, None, None)
    (expected,) = state.expected
    assert (expected.stop_price, expected.target_price) == (Decimal(4900), Decimal(5300))
    assert expected.exit_at == NOON + timedelta(hours=24)
    assert state.as_of == NOON + timedelta(seconds=2)


def test_dust_of_an_earlier_trade_is_what_the_position_began_with() -> None:
    state = guard_state(trade(quantity=HELD + Decimal("0.00003")), realm=REALM)
    assert state.opening == Decimal("0.00003")
    assert state.stop is None, "an unprotected position is protected by the guard's first look"


def test_an_intended_stop_is_wanted_again_under_its_own_id() -> None:
    """The guard places it with the same revision, so that the venue is asked for this id before anything is sent."""
    earlier = an_exit(Leg.STOP, OrderStatus.CANCELED)
    state = guard_state(trade(earlier, an_exit(Leg.STOP, OrderStatus.INTENDED, revision=1)), realm=REALM)
    assert state.stop is None
    assert state.revision == 1


def test_an_intended_stop_of_an_older_quantity_is_cancelled_first() -> None:
    stop = an_exit(Leg.STOP, OrderStatus.INTENDED)
    state = guard_state(trade(stop, bought=entry(observed_at=LATER)), realm=REALM)
    assert state.stop == stop.request
    assert state.revision == 1


@pytest.mark.parametrize("status", [OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED])
def test_a_sale_at_the_venue_is_waited_for(status: OrderStatus) -> None:
    sale = an_exit(Leg.EXIT, status, revision=1)
    state = guard_state(trade(an_exit(Leg.STOP, OrderStatus.CANCELED), sale), realm=REALM)
    assert (state.stop, state.leaving) == (None, sale.request)


def test_an_intended_target_is_sold_again_under_its_own_id() -> None:
    sale = an_exit(Leg.TARGET, OrderStatus.INTENDED, revision=1)
    state = guard_state(trade(an_exit(Leg.STOP, OrderStatus.CANCELED), sale), realm=REALM)
    assert (state.exit_reason, state.revision, state.leaving) == ("target", 1, None)


def test_an_intended_reduction_is_wished_again_for_its_own_decision_and_quantity() -> None:
    sale = an_exit(Leg.EXIT, OrderStatus.INTENDED, revision=1, decision="d2")
    state = guard_state(trade(an_exit(Leg.STOP, OrderStatus.CANCELED), sale), realm=REALM)
    (wish,) = state.reduces
    assert (wish.decision_id, wish.quantity, wish.owner) == ("d2", Decimal("0.099"), None)
    assert (state.revision, state.leaving) == (1, None)


def test_a_stop_that_a_silent_venue_left_open_is_placed_again_under_its_id() -> None:
    order = an_exit(Leg.STOP, OrderStatus.FROZEN, revision=1, reason="no_answer: the venue does not answer")
    state = guard_state(trade(order), realm=REALM)
    assert (state.frozen, state.stop, state.revision) == (None, None, 1)


@pytest.mark.parametrize(("leg", "place"), [(Leg.STOP, "stop"), (Leg.EXIT, "leaving")])
def test_what_was_frozen_stays_frozen(leg: Leg, place: str) -> None:
    """Waits for a person, before and after."""
    order = an_exit(leg, OrderStatus.FROZEN, reason="unknown after 90 s")
    state = guard_state(trade(order), realm=REALM)
    assert state.frozen == "unknown after 90 s"
    assert getattr(state, place) == order.request


def test_an_entry_without_its_permit_has_no_execution() -> None:
    assert execution_request(entry(status=OrderStatus.NEW), realm=REALM, coordinator=None) is None


# -- lists ---------------------------------------------------------------------------------------------------------


def with_its_exits(status: OrderStatus, *, quantity: str = "0.0999") -> tuple[OpenEntry, tuple[Intent, Intent]]:
    """A filled entry that took stop and target along, and what the ledger knows of these."""
    bought = entry()
    lead = bought.intent.request
    stop = an_exit(Leg.STOP, status)
    target = an_exit(Leg.TARGET, status)
    legs = (stop, target)
    known = tuple(
        one.model_copy(
            update={
                "request": one.request.model_copy(
                    update={
                        "led_by": lead.client_order_id,
                        "quantity": Decimal(quantity),
                        "type": OrderType.STOP_LOSS if one is stop else OrderType.LIMIT_MAKER,
                        "price": None if one is stop else LEVELS.target_price,
                    }
                ),
                "report": None if status is OrderStatus.INTENDED else one.report,
            }
        )
        for one in legs
    )
    whole = lead.model_copy(update={"beside": tuple(one.request for one in known)})
    return bought.model_copy(update={"intent": bought.intent.model_copy(update={"request": whole})}), (
        known[0],
        known[1],
    )


def a_list(status: OrderStatus, *, revision: int = 1, stop_price: Decimal = LEVELS.stop_price) -> tuple[Intent, Intent]:
    """A stop and its target as the guard placed them together."""
    stop, target = an_exit(Leg.STOP, status, revision=revision), an_exit(Leg.TARGET, status, revision=revision)
    second = target.request.model_copy(
        update={
            "led_by": stop.request.client_order_id,
            "type": OrderType.LIMIT_MAKER,
            "price": LEVELS.target_price,
            "as_of": stop.request.as_of,
        }
    )
    first = stop.request.model_copy(update={"beside": (second,), "stop_price": stop_price})
    unsent = {"report": None} if status is OrderStatus.INTENDED else {}
    return (
        stop.model_copy(update={"request": first} | unsent),
        target.model_copy(update={"request": second} | unsent),
    )


def test_both_exits_of_a_list_are_taken_over() -> None:
    bought, legs = with_its_exits(OrderStatus.NEW)
    state = guard_state(trade(*legs, bought=bought), realm=REALM)
    assert (state.stop, state.target, state.leaving) == (legs[0].request, legs[1].request, None)
    (expected,) = state.expected
    assert expected.exits == bought.intent.request.beside
    assert state.wants_the_filters, "the ledger has no filters: the venue is asked whether both may rest together"


@pytest.mark.parametrize("status", [OrderStatus.INTENDED, OrderStatus.PENDING_NEW])
def test_nothing_is_sent_beside_exits_that_were_not_told_yet(status: OrderStatus) -> None:
    """The worker died between the entry's report and theirs: the venue has placed them, so the guard waits for news."""
    bought, legs = with_its_exits(status)
    state = guard_state(trade(*legs, bought=bought), realm=REALM)
    assert (state.plan, state.stop, state.target, state.opening) == (None, None, None, Decimal(0))
    assert not state.is_finished


@pytest.mark.parametrize("hidden_first", [False, True])
def test_an_intended_list_is_wanted_again_as_a_list(hidden_first: bool) -> None:
    """Its target is no sale of its own: sold at market under the same id, it would end the guard."""
    stop, target = a_list(OrderStatus.INTENDED)
    exits = (target, stop) if hidden_first else (stop, target)
    state = guard_state(trade(an_exit(Leg.STOP, OrderStatus.CANCELED), *exits), realm=REALM)
    assert (state.stop, state.target, state.exit_reason, state.revision) == (None, None, None, 1)


def test_an_intended_list_of_an_older_quantity_is_cancelled_whole_first() -> None:
    stop, target = a_list(OrderStatus.INTENDED, revision=0)
    state = guard_state(trade(stop, target, bought=entry(observed_at=LATER)), realm=REALM)
    assert (state.stop, state.target) == (stop.request, target.request)
    assert not state.is_protected, "it may never have arrived"


def test_a_frozen_list_is_freed_by_a_word_on_its_lead() -> None:
    stop, target = a_list(OrderStatus.INTENDED)
    assert target.report is None
    frozen = an_exit(Leg.STOP, OrderStatus.FROZEN, revision=1, reason="unknown after 90 s")
    frozen = frozen.model_copy(update={"request": stop.request})
    state = guard_state(trade(frozen, target), realm=REALM)
    assert (state.frozen, state.frozen_order) == ("unknown after 90 s", stop.request.client_order_id)
    assert (state.stop, state.target) == (stop.request, target.request)
    assert frozen.report is not None
    freed = state.taken(stop.request, frozen.report.model_copy(update={"status": OrderStatus.NEW}))
    assert freed.frozen is None


@pytest.mark.parametrize(
    ("stop_price", "steps"),
    [
        # bought at 5000, a risk is 100; from one risk on it follows in steps of half a risk
        ("4900", None),
        ("5000", 1),
        ("5049.99", 2),
        ("5050", 2),
        ("5200", 5),
    ],
)
def test_a_stop_that_has_followed_the_price_does_not_fall_back(stop_price: str, steps: int | None) -> None:
    terms = ExecutionPolicy(trail_after_risks=Decimal(1), trail_step_risks=Decimal("0.5"))
    bought = entry().model_copy(update={"answer": a_permit_for(terms)})
    resting = a_list(OrderStatus.NEW, stop_price=Decimal(stop_price))
    state = guard_state(trade(*resting, bought=bought), realm=REALM)
    assert (state.trail and state.trail.steps) == steps
    assert state.stop_price == Decimal(stop_price)


def test_a_first_target_is_sold_once() -> None:
    sold = an_exit(Leg.EXIT, OrderStatus.FILLED, revision=1, executed_quantity=Decimal("0.04"))
    for decision, is_sold in (("d1", True), ("d2", False)):
        mine = sold.model_copy(update={"request": sold.request.model_copy(update={"decision_id": decision})})
        state = guard_state(trade(an_exit(Leg.STOP, OrderStatus.NEW, revision=2), mine), realm=REALM)
        assert (state.first_target_of is not None) is is_sold


def a_permit_for(terms: ExecutionPolicy) -> GateAnswer:
    permit = Permit(
        id="p1",
        account="main",
        decision_id="d1",
        symbol="BTC/USDT",
        opens=True,
        notional_usd=Decimal(500),
        quantity=Decimal("0.1"),
        collar_low=Decimal(4950),
        collar_high=Decimal(5050),
        valid_until=LATER,
        epoch=0,
        terms=terms,
    )
    return GateAnswer(request_id="r1", permit=permit)
