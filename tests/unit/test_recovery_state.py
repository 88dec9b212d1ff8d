"""What a guard gets back from the database, for every place in which its exit may have been when all else was lost."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from store_rows import NOON, REALM, a_prepared, a_request

from activities.store.open_trades import Levels, OpenEntry, OpenTrade
from activities.store.port import Intent
from trading.orders.models import Leg, OrderReport, OrderRequest, OrderStatus, OrderType, OutcomeClass, Side
from workers.runtime.recovery import execution_request, guard_state

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


@pytest.mark.parametrize(("leg", "place"), [(Leg.STOP, "stop"), (Leg.EXIT, "leaving")])
def test_what_was_frozen_stays_frozen(leg: Leg, place: str) -> None:
    """Waits for a person, before and after."""
    order = an_exit(leg, OrderStatus.FROZEN, reason="unknown after 90 s")
    state = guard_state(trade(order), realm=REALM)
    assert state.frozen == "unknown after 90 s"
    assert getattr(state, place) == order.request


def test_an_entry_without_its_permit_has_no_execution() -> None:
    assert execution_request(entry(status=OrderStatus.NEW), realm=REALM, coordinator=None) is None
