"""Entries that bring their exits along, on the real exchange: the venue places stop and target after a full fill."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from eventually import eventually
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, FLAT, OPENS_AT, SYMBOL, Told

from activities.exchange.port import ClockEvent, VenueAnswer
from trading.orders.models import OrderStatus, OrderType, OutcomeClass, Side, VenueOrder
from trading.orders.wishes import ExitPlan, Resolution, Verdict
from workflows.names import Signal, Update
from workflows.protocol import GuardState, ReduceRequest

pytestmark = pytest.mark.temporal

OpenHouse = Callable[..., Awaitable[SequenceHouse]]
HOUR = timedelta(hours=1)
PLAN = ExitPlan(slippage_fraction=Decimal("0.002"))
RISE = (7000, 7500, 6990, 7450)
FALL = (7000, 7010, 6600, 6650)


async def venue_orders(house: SequenceHouse) -> list[VenueOrder]:
    return list(await house.exchange.orders(ACCOUNT, SYMBOL))


async def resting(house: SequenceHouse) -> dict[OrderType, VenueOrder]:
    found = await house.exchange.open_orders(ACCOUNT, SYMBOL)
    assert len({order.type for order in found}) == len(found), "one stop, one target"
    return {order.type: order for order in found}


async def held(house: SequenceHouse) -> Decimal:
    return (await house.exchange.account(ACCOUNT)).balance("BTC").total


async def outcome_of(house: SequenceHouse) -> list[str]:
    state = GuardState.model_validate(await house.guard().result())
    return [report.leg.value for report in state.exits.values() if report.executed_quantity > 0]


async def reconciled(house: SequenceHouse) -> None:
    """Ledger = exchange, legs of lists included."""
    from activities.exchange.reconcile import ReconcileCalls, ReconcileRequest

    found = await ReconcileCalls(house.exchange, house.store).reconcile(
        ReconcileRequest(realm=house.realm, venue="simulated", accounts=(ACCOUNT,), symbols=(SYMBOL,))
    )
    assert (found.differences, found.foreign_orders) == ((), ())


async def test_the_venue_places_stop_and_target_for_what_the_entry_brought(open_house: OpenHouse) -> None:
    house = await open_house()
    report = await house.bought(stop="6800", target="7400", plan=PLAN)
    assert report.status is OrderStatus.FILLED
    assert {leg.status for leg in report.legs} == {OrderStatus.NEW}
    (entry,) = [order for order in await venue_orders(house) if order.side is Side.BUY]
    assert (entry.type, entry.time_in_force) == (OrderType.LIMIT, "FOK")
    rests = await resting(house)
    assert set(rests) == {OrderType.STOP_LOSS, OrderType.LIMIT_MAKER}
    for order in rests.values():
        assert report.net_base - Decimal("0.00001") < order.quantity <= report.net_base
    state = await house.guard_state()
    assert state.stop is not None
    assert state.target is not None
    assert state.is_protected
    assert house.watched[house.guard().id].levels == (), "the target rests at the venue: no level wakes the guard"
    assert len(await venue_orders(house)) == 3, "the guard placed nothing of its own"
    await reconciled(house)


@pytest.mark.parametrize(
    ("hour", "sold", "gone"), [(RISE, "target", OrderType.STOP_LOSS), (FALL, "stop", OrderType.LIMIT_MAKER)]
)
async def test_the_side_that_fills_ends_the_trade_and_the_venue_cancels_the_other(
    open_house: OpenHouse, hour: tuple[int, ...], sold: str, gone: OrderType
) -> None:
    house = await open_house(Told(hours=[FLAT, hour]))
    await house.bought(stop="6800", target="7400", plan=PLAN)
    await house.play(OPENS_AT + 3 * HOUR)
    assert await outcome_of(house) == [sold]
    assert await resting(house) == {}
    other = next(order for order in await venue_orders(house) if order.type is gone)
    assert (other.status in {OrderStatus.EXPIRED, OrderStatus.CANCELED}, other.executed_quantity) == (True, 0)
    assert await held(house) < Decimal("0.00002")
    await reconciled(house)


async def test_a_second_entry_is_covered_by_one_list_for_all_that_is_held(open_house: OpenHouse) -> None:
    """Each entry brought exits of its own, which lock what one exit for all needs."""
    house = await open_house(Told(hours=[FLAT, FLAT, FALL]))
    first = await house.bought(name="first", notional="3000", stop="6800", target="7400", plan=PLAN)
    second = await house.bought(name="second", notional="2000", stop="6850", target="7450", plan=PLAN)
    rests = await resting(house)
    assert set(rests) == {OrderType.STOP_LOSS, OrderType.LIMIT_MAKER}
    for order in rests.values():
        assert first.net_base + second.net_base - Decimal("0.00001") < order.quantity
    assert rests[OrderType.STOP_LOSS].stop_price == 6850
    state = await house.guard_state()
    assert state.is_protected
    assert state.superseded == ()
    await reconciled(house)
    await house.play(OPENS_AT + 4 * HOUR)
    assert await outcome_of(house) == ["stop"]
    assert await held(house) < Decimal("0.00002")
    await reconciled(house)


async def test_an_entry_above_its_slippage_bound_expires_and_leaves_nothing(open_house: OpenHouse) -> None:
    house = await open_house()
    report = await house.bought(plan=ExitPlan(slippage_fraction=Decimal("-0.01")))
    assert (report.status, report.executed_quantity) == (OrderStatus.EXPIRED, 0)
    assert {leg.status for leg in report.legs} == {OrderStatus.EXPIRED}
    assert await house.guard().result() is not None
    assert await held(house) == 0
    await reconciled(house)


async def test_a_symbol_without_lists_takes_entry_and_stop_one_after_the_other(open_house: OpenHouse) -> None:
    house = await open_house(Told(takes_lists=False))
    await house.bought(stop="6800", target="7400", plan=PLAN)
    entry, stop = sorted(await venue_orders(house), key=lambda order: order.side)
    assert (entry.type, stop.type) == (OrderType.MARKET, OrderType.STOP_LOSS)
    assert stop.order_list_id is None
    assert [level.price for level in house.watched[house.guard().id].levels] == [Decimal(7400)]


async def test_a_partial_sale_cancels_the_list_as_a_list_and_both_sides_rest_for_the_rest(
    open_house: OpenHouse,
) -> None:
    house = await open_house()
    await house.bought(stop="6800", target="7400", plan=PLAN)
    first = await resting(house)
    part = Decimal("0.3")
    await house.guard().signal(
        Signal.REDUCE,
        ReduceRequest(
            request_id="less", decision_id="less", quantity=part, owner=house.coordinator_id, reason="decision"
        ),
    )
    await house.placed(2)
    await house.settle(house.guard().id)
    await house.play(OPENS_AT + timedelta(minutes=1))
    rests = await resting(house)
    assert {kind: order.quantity for kind, order in rests.items()} == {
        kind: order.quantity - part for kind, order in first.items()
    }
    assert {order.venue_order_id for order in rests.values()}.isdisjoint(o.venue_order_id for o in first.values())
    await reconciled(house)


async def test_the_stop_follows_the_price_and_sells_above_the_entry(open_house: OpenHouse) -> None:
    """A risk is 200: at +200 the stop goes to the entry, at +300 a hundred above it; then the market turns."""
    steps = [(7000, 7010, 6990, 7000), (7000, 7230, 6990, 7220), (7220, 7330, 7210, 7300), (7300, 7305, 6950, 6960)]
    house = await open_house(Told(hours=steps))
    plan = PLAN.model_copy(update={"trail_after_risks": Decimal(1), "trail_step_risks": Decimal("0.5")})
    report = await house.bought(stop="6800", target="7600", plan=plan)
    assert report.average_price is not None
    risk = report.average_price - 6800
    await house.play(OPENS_AT + 3 * HOUR)
    state = await house.guard_state()
    assert state.trail is not None
    assert state.trail.steps == 2
    assert abs(state.trail.stop_price - (report.average_price + risk / 2)) <= Decimal("0.01")
    rests = await resting(house)
    assert rests[OrderType.STOP_LOSS].stop_price == state.trail.stop_price
    assert rests[OrderType.LIMIT_MAKER].price == Decimal(7600), "the target stays beside it"
    await house.play(OPENS_AT + 5 * HOUR)
    assert await outcome_of(house) == ["stop"]
    await reconciled(house)


async def test_a_share_is_sold_at_the_first_target_and_the_rest_stays_protected(open_house: OpenHouse) -> None:
    house = await open_house(Told(hours=[FLAT, (7000, 7230, 6990, 7220)]))
    plan = PLAN.model_copy(update={"first_target_risks": Decimal(1), "first_target_share": Decimal("0.5")})
    report = await house.bought(stop="6800", target="7600", plan=plan)
    await house.play(OPENS_AT + 3 * HOUR)
    sold = [order for order in await venue_orders(house) if order.type is OrderType.MARKET]
    assert len(sold) == 1
    assert abs(sold[0].executed_quantity - report.net_base / 2) < Decimal("0.0001")
    rests = await resting(house)
    left = (await held(house)).quantize(Decimal("0.00001"), rounding="ROUND_FLOOR")
    assert {order.quantity for order in rests.values()} == {left}
    await reconciled(house)


async def test_a_stop_with_a_limit_that_is_passed_over_is_sold_at_market(open_house: OpenHouse) -> None:
    """The market opens far below: the limit is never reached, and after two seconds the guard sells what is held."""
    house = await open_house(Told(hours=[FLAT, (6500, 6510, 6400, 6450)], takes_stop_loss=False))
    await house.bought(stop="6800", target="7400", plan=PLAN)
    rests = await resting(house)
    assert OrderType.STOP_LOSS_LIMIT in rests
    await house.play(OPENS_AT + 2 * HOUR)
    assert await outcome_of(house) == ["exit"]
    assert await resting(house) == {}
    assert await held(house) < Decimal("0.00002")


async def test_a_frozen_entry_that_a_person_calls_filled_brings_its_exits_along(open_house: OpenHouse) -> None:
    """The guard takes over what the venue placed: nothing is sent beside it, nothing held is naked."""
    house = await open_house()
    find, send = house.exchange.find, house.exchange.send

    async def another_order(key: Any) -> Any:
        found = await find(key)
        return found and found.model_copy(update={"quantity": found.quantity * 2})

    async def reply_lost(prepared: Any, *, protective: bool) -> Any:
        await send(prepared, protective=protective)
        return VenueAnswer(outcome=OutcomeClass.UNKNOWN, message="reset")

    house.exchange.find, house.exchange.send = another_order, reply_lost  # type: ignore[method-assign]
    permit = await house.permit()
    handle = await house.execute(permit, house.entry(permit), stop="6800", target="7400", plan=PLAN)
    (placed,) = await house.placed()
    assert placed.report.status is OrderStatus.FROZEN
    name = placed.report.client_order_id
    await eventually(lambda: is_frozen(house, name), what="the guard hears of it")
    assert (await house.guard_state()).stop is None
    await house.play(OPENS_AT + timedelta(seconds=2))
    house.exchange.find, house.exchange.send = find, send  # type: ignore[method-assign]
    word = Resolution(client_order_id=name, verdict=Verdict.FILLED, who="me", reason="it is in the order history")
    await house.guard().execute_update(Update.RESOLVE, word)
    report = await handle.result()
    assert {leg.status for leg in report.legs} == {OrderStatus.NEW}
    await eventually(lambda: is_protected(house), what="the guard owns both exits")
    assert set(await resting(house)) == {OrderType.STOP_LOSS, OrderType.LIMIT_MAKER}
    assert len(await venue_orders(house)) == 3
    await reconciled(house)


async def is_frozen(house: SequenceHouse, client_order_id: str) -> bool:
    return (await house.guard_state()).is_frozen(client_order_id)


async def is_protected(house: SequenceHouse) -> bool:
    state: GuardState = await house.guard_state()
    return state.is_protected and state.target is not None


@pytest.mark.parametrize("killed_as", [OrderStatus.EXPIRED, OrderStatus.EXPIRED_IN_MATCH])
@pytest.mark.parametrize("takes_lists", [True, False])
async def test_a_protection_that_the_venue_killed_is_put_back_by_the_saga(
    open_house: OpenHouse, takes_lists: bool, killed_as: OrderStatus
) -> None:
    """The venue may expire a resting stop (self-trade prevention, maintenance): what it held is naked until it is."""
    house = await open_house(Told(takes_lists=takes_lists))
    await house.bought(stop="6800", target="7400", plan=PLAN)
    state = await house.guard_state()
    assert state.stop is not None
    killed, find = state.stop, house.exchange.find
    await house.exchange.cancel(killed.key, list_client_order_id=killed.list_client_order_id)

    async def expired(key: Any) -> Any:
        found = await find(key)
        return found and (found.model_copy(update={"status": killed_as}) if key == killed.key else found)

    house.exchange.find = expired  # type: ignore[method-assign]
    assert await resting(house) == {}
    told = ClockEvent(kind="order", symbol=SYMBOL, account=ACCOUNT, client_order_id=killed.client_order_id)
    await house.settle(house.guard().id, told)
    after = await house.guard_state()
    assert after.exits[killed.client_order_id].status is killed_as
    assert after.is_protected
    rests = await resting(house)
    assert set(rests) == {OrderType.STOP_LOSS, *((OrderType.LIMIT_MAKER,) if takes_lists else ())}
    stop = rests[OrderType.STOP_LOSS]
    assert (stop.client_order_id != killed.client_order_id, stop.stop_price) == (True, Decimal(6800))
    assert stop.quantity == killed.quantity
