"""What a guarded position has to do next, as tables: entries, reports, wishes to leave, refusals of the venue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from trading.orders.guarding import (
    REFUSED_SALES,
    STOP_REFUSED,
    TARGET,
    TIME_EXIT,
    GuardState,
)
from trading.orders.models import Leg, OrderReport, OrderRequest, OrderStatus, OrderType, OutcomeClass, Side
from trading.orders.symbols import Lot
from trading.orders.wishes import Expect, Guarded, LeaveRequest

NOON = datetime(2024, 1, 31, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
WHOSE = Guarded(realm="test-guarding", venue="simulated", ledger="l", account="composite", symbol="BTC/USDT")
LOT = Lot(step_size=Decimal("0.001"), min_quantity=Decimal("0.001"), min_notional_usd=Decimal(5))
OUT = LeaveRequest(operation_id="op-1", who="a person", reason="storm")


def entry(name: str = "e1", *, stop: str = "90", exit_at: datetime | None = NOON + HOUR) -> Expect:
    return Expect(
        execution=f"x/{name}",
        decision_id=f"d-{name}",
        client_order_id=name,
        stop_price=Decimal(stop),
        target_price=Decimal(120),
        exit_at=exit_at,
    )


def report(
    name: str,
    status: OrderStatus,
    executed: str = "0",
    *,
    side: Side = Side.BUY,
    leg: Leg = Leg.ENTRY,
    commission: str = "0",
    reason: str = "",
) -> OrderReport:
    refused = status in {OrderStatus.REFUSED, OrderStatus.REJECTED}
    return OrderReport(
        client_order_id=name,
        status=status,
        outcome=OutcomeClass.REFUSED if refused else OutcomeClass.ACCEPTED,
        side=side,
        leg=leg,
        executed_quantity=Decimal(executed),
        executed_quote=Decimal(executed) * 100,
        commission_base=Decimal(commission),
        reason=reason,
        observed_at=NOON,
    )


def held(quantity: str = "1", **entry_values: object) -> GuardState:
    """One filled entry of `quantity` at 100, without commission, on a known grid."""
    plan = entry(**entry_values)  # type: ignore[arg-type]
    state = GuardState(opening=Decimal(0), lot=LOT).expecting(plan)
    return state.hearing(report("e1", OrderStatus.FILLED, quantity))


def sale(state: GuardState, *, leg: Leg = Leg.EXIT, stop: str | None = None) -> tuple[GuardState, OrderRequest]:
    """`state` with an exit order for all that is held in its place."""
    if stop is None:
        state, order = state.selling(WHOSE, leg=leg, decision="d-e1", quantity=state.tradable, now=NOON)
    else:
        state, order = state.protecting(WHOSE, now=NOON)
        assert order.stop_price == Decimal(stop)
    place = "leaving" if stop is None else "stop"
    return state.model_copy(update={place: order}), order


def test_an_entry_told_twice_is_expected_once() -> None:
    state = GuardState().expecting(entry()).expecting(entry())
    assert len(state.expected) == 1


@pytest.mark.parametrize(
    ("bought", "commission", "opening", "position", "tradable"),
    [
        ("1", "0", "0", "1", "1"),
        ("1", "0.001", "0", "0.999", "0.999"),  # commission in the base asset makes the position smaller
        ("1", "0.0005", "0", "0.9995", "0.999"),  # floored to the step
        ("0.04", "0", "0", "0.04", "0"),  # 0.04 at a stop of 90 is 3.60 USD: dust
        ("1", "0.001", "0.0005", "0.9995", "0.999"),  # what was left before is sold with this trade
    ],
)
def test_the_position_is_net_and_an_order_carries_whole_steps(
    bought: str, commission: str, opening: str, position: str, tradable: str
) -> None:
    state = GuardState(opening=Decimal(opening), lot=LOT).expecting(entry())
    state = state.hearing(report("e1", OrderStatus.FILLED, bought, commission=commission))
    assert (state.position, state.tradable) == (Decimal(position), Decimal(tradable))


def test_the_newest_entry_that_filled_is_the_plan() -> None:
    state = held().expecting(entry("e2", stop="95")).expecting(entry("e3", stop="97"))
    state = state.hearing(report("e2", OrderStatus.PARTIALLY_FILLED, "0.1"))
    state = state.hearing(report("e3", OrderStatus.NEW))
    assert state.plan is not None
    assert state.plan.client_order_id == "e2"
    assert [one.client_order_id for one in state.open_entries] == ["e2", "e3"]


@pytest.mark.parametrize(
    ("changes", "now", "crossed", "reason"),
    [
        ({}, NOON, False, None),
        ({}, NOON, True, (TARGET, Leg.TARGET)),
        ({}, NOON + HOUR, False, (TIME_EXIT, Leg.EXIT)),
        ({"exit_reason": STOP_REFUSED}, NOON, False, (STOP_REFUSED, Leg.EXIT)),
        ({"exit_reason": TARGET}, NOON, False, (TARGET, Leg.TARGET)),
        ({"leave": OUT}, NOON, False, ("storm", Leg.FLATTEN)),
        ({"leave": OUT}, NOON + HOUR, True, ("storm", Leg.FLATTEN)),  # a person comes first
        ({"leave": OUT, "frozen": "unknown stop"}, NOON, True, None),  # never beside a stop that is unknown
        ({"leave": OUT, "refused_sales": REFUSED_SALES}, NOON, True, None),  # the venue does not take it
    ],
)
def test_why_a_position_is_left(
    changes: dict[str, object], now: datetime, crossed: bool, reason: tuple[str, Leg] | None
) -> None:
    state = held().model_copy(update=changes)
    assert state.reason_to_leave(now=now, target_crossed=crossed) == reason


def test_a_wish_to_leave_stands_until_everything_is_sold() -> None:
    state = held().expecting(entry("e2")).asked_to_leave(OUT)
    assert [one.client_order_id for one in state.to_withdraw] == ["e2"]
    state, order = sale(state)
    part = report(order.client_order_id, OrderStatus.EXPIRED, "0.4", side=Side.SELL, leg=Leg.EXIT)
    state = state.taken(order, part).rested()
    assert (state.leaving, state.tradable, state.leave) == (None, Decimal("0.6"), OUT), "the rest is still wanted out"
    state, order = sale(state)
    whole = report(order.client_order_id, OrderStatus.FILLED, "0.6", side=Side.SELL, leg=Leg.EXIT)
    state = state.taken(order, whole).rested()
    assert state.leave == OUT, "the second entry may still fill"
    state = state.hearing(report("e2", OrderStatus.CANCELED)).rested()
    assert state.leave is None
    assert state.is_finished


def test_a_withdrawal_asks_each_entry_once_and_ends_with_them() -> None:
    state = held().expecting(entry("e2")).model_copy(update={"withdraw_because": "halt"})
    assert [one.client_order_id for one in state.to_withdraw] == ["e2"]
    state = state.model_copy(update={"withdrawn": ("e2",)})
    assert state.to_withdraw == ()
    assert state.rested().withdraw_because == "halt"
    assert state.hearing(report("e2", OrderStatus.CANCELED)).rested().withdraw_because is None


def test_a_sale_that_the_venue_refuses_three_times_is_given_up_and_a_person_may_try_again() -> None:
    state = held().asked_to_leave(OUT)
    for _ in range(REFUSED_SALES):
        assert state.reason_to_leave(now=NOON, target_crossed=False) is not None
        state, order = sale(state)
        refused = report(order.client_order_id, OrderStatus.REFUSED, side=Side.SELL, leg=Leg.EXIT, reason="-2010")
        state = state.taken(order, refused).rested()
    assert state.leave is None
    assert state.reason_to_leave(now=NOON + HOUR, target_crossed=True) is None
    assert state.asked_to_leave(OUT).reason_to_leave(now=NOON, target_crossed=False) == ("storm", Leg.FLATTEN)


def test_every_exit_order_has_a_client_id_of_its_own() -> None:
    state = held()
    ids = set()
    for _ in range(5):
        state, order = state.protecting(WHOSE, now=NOON)
        ids.add(order.client_order_id)
        assert (order.type, order.side) == (OrderType.STOP_LOSS, Side.SELL)
    assert len(ids) == 5


def test_a_stop_protects_only_what_is_held_at_the_plans_price() -> None:
    state, stop = sale(held(), leg=Leg.STOP, stop="90")
    assert state.is_protected
    assert not held().is_protected
    assert not state.hearing(report("e1", OrderStatus.FILLED, "2")).is_protected
    assert not state.hearing(report("e1", OrderStatus.FILLED, "0.9")).is_protected, "more than is held"
    assert state.hearing(report("e1", OrderStatus.FILLED, "1.002")).is_protected, "no order could carry the rest"
    lower = stop.model_copy(update={"stop_price": Decimal(89)})
    assert not state.model_copy(update={"stop": lower}).is_protected


@pytest.mark.parametrize(
    ("status", "place", "frozen"),
    [
        (OrderStatus.NEW, True, None),
        (OrderStatus.FILLED, False, None),
        (OrderStatus.CANCELED, False, None),
        (OrderStatus.FROZEN, True, "unknown"),
    ],
)
def test_a_final_order_leaves_its_place_and_a_frozen_one_keeps_it(
    status: OrderStatus, place: bool, frozen: str | None
) -> None:
    state, stop = sale(held(), leg=Leg.STOP, stop="90")
    told = report(stop.client_order_id, status, side=Side.SELL, leg=Leg.STOP, reason="unknown")
    state = state.taken(stop, told)
    assert (state.stop is not None, state.frozen) == (place, frozen)


def test_an_entry_that_never_filled_ends_its_guard_whatever_dust_was_there() -> None:
    state = GuardState(opening=Decimal("0.0004")).expecting(entry())
    assert not state.is_finished
    assert state.hearing(report("e1", OrderStatus.EXPIRED)).is_finished


def stop_order(state: GuardState) -> tuple[GuardState, OrderRequest]:
    """A stop for a filled entry, in the hands of `state`."""
    _, order = held().protecting(WHOSE, now=NOON)
    return state, order


def test_a_frozen_stop_freezes_until_a_report_of_the_same_order_resolves_it() -> None:
    state, order = stop_order(GuardState(opening=Decimal(0)))
    unknown = report(order.client_order_id, OrderStatus.FROZEN, side=Side.SELL, leg=Leg.STOP, reason="no answer")
    frozen = state.model_copy(update={"stop": order}).taken(order, unknown)
    assert (frozen.frozen, frozen.frozen_order) == ("no answer", order.client_order_id)
    other = order.model_copy(update={"client_order_id": "other"})
    still = frozen.taken(other, report("other", OrderStatus.NEW, side=Side.SELL, leg=Leg.EXIT))
    assert still.frozen == "no answer"
    found = frozen.taken(order, report(order.client_order_id, OrderStatus.NEW, side=Side.SELL, leg=Leg.STOP))
    assert (found.frozen, found.frozen_order, found.stop) == (None, None, order)


@pytest.mark.parametrize(
    ("rests", "minutes"),
    [(0, 1), (1, 2), (2, 4), (5, 32), (6, 60), (40, 60)],  # doubling, an hour at most
)
def test_after_refused_sales_the_venue_is_left_alone_longer_each_time(rests: int, minutes: int) -> None:
    state = GuardState(opening=Decimal(1), refused_sales=REFUSED_SALES - 1, rests=rests)
    sale = stop_order(state)[1].model_copy(update={"leg": Leg.EXIT, "type": OrderType.MARKET})
    refused = report(sale.client_order_id, OrderStatus.REFUSED, side=Side.SELL, leg=Leg.EXIT)
    resting = state.taken(sale, refused)
    assert resting.retry_at == NOON + timedelta(minutes=minutes)
    assert resting.woken(NOON) is resting
    woken = resting.without_a_stop().woken(NOON + timedelta(minutes=minutes))
    assert (woken.retry_at, woken.refused_sales, woken.refuses_stops) == (None, 0, False)


def test_a_guard_told_of_an_entry_while_it_closed_begins_anew_with_what_is_left() -> None:
    bought = report("e1", OrderStatus.FILLED, "1", commission="0.001")
    sold = report("s1", OrderStatus.FILLED, "0.998", side=Side.SELL, leg=Leg.STOP)
    ahead = report("e2", OrderStatus.PARTIALLY_FILLED, "0.4")
    state = GuardState(
        opening=Decimal("0.002"),
        expected=(entry("e1"), entry("e2")),
        entries={"e1": bought, "e2": ahead},
        exits={"s1": sold},
        revision=3,
        lot=LOT,
    )
    fresh = state.renewed()
    assert fresh.opening == Decimal("0.003")  # 0.002 + 1 - 0.001 - 0.998: dust of the closed trade
    assert fresh.position == state.position == Decimal("0.403")
    assert [one.client_order_id for one in fresh.expected] == ["e2"]
    assert (fresh.exits, fresh.revision, fresh.plan) == ({}, 3, entry("e2"))


@pytest.mark.parametrize(
    ("held", "most", "first"),
    [
        # held, the most that one order may sell, the first order
        ("3", None, "3"),
        ("3", "3", "3"),
        ("3", "2", "1.5"),
        ("7", "2", "1.75"),
        ("2.001", "2", "1"),  # two equal parts, not one of 2 and dust of 0.001
    ],
)
def test_a_sale_too_big_for_one_order_goes_in_equal_parts(held: str, most: str | None, first: str) -> None:
    lot = LOT.model_copy(update={"max_market_quantity": None if most is None else Decimal(most)})
    assert lot.portion(Decimal(held)) == Decimal(first)
