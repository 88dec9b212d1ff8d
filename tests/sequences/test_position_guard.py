"""The owner of all exits: the stop at the venue follows what is held, whatever happens, and every trade ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from eventually import eventually
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, FLAT, OPENS_AT, SYMBOL, Told

from trading.orders.models import OrderStatus, OrderType, VenueOrder
from workflows.names import Signal
from workflows.protocol import GuardState, ReduceRequest

pytestmark = pytest.mark.temporal

OpenHouse = Callable[..., Awaitable[SequenceHouse]]
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

RISE = (7000, 7500, 6990, 7450)
FALL = (7000, 7010, 6600, 6650)


async def venue_orders(house: SequenceHouse) -> list[VenueOrder]:
    return list(await house.exchange.orders(ACCOUNT, SYMBOL))


async def stop_at_the_venue(house: SequenceHouse) -> VenueOrder | None:
    """The one stop that rests; more than one is a defect."""
    resting = [o for o in await house.exchange.open_orders(ACCOUNT, SYMBOL) if o.type is OrderType.STOP_LOSS]
    assert len(resting) <= 1
    return resting[0] if resting else None


async def held(house: SequenceHouse) -> Decimal:
    return (await house.exchange.account(ACCOUNT)).balance("BTC").total


async def outcome_of(house: SequenceHouse) -> GuardState:
    return GuardState.model_validate(await house.guard().result())


def sale(house: SequenceHouse, quantity: Decimal, name: str = "less") -> ReduceRequest:
    return ReduceRequest(
        request_id=name, decision_id=name, quantity=quantity, owner=house.coordinator_id, reason="decision"
    )


def filled_legs(state: GuardState) -> list[str]:
    return [report.leg.value for report in state.exits.values() if report.executed_quantity > 0]


async def test_a_filled_entry_has_a_stop_for_its_net_quantity(open_house: OpenHouse) -> None:
    house = await open_house()
    report = await house.bought(stop="6800")
    stop = await stop_at_the_venue(house)
    assert stop is not None
    assert stop.stop_price == Decimal(6800)
    assert report.net_base < report.executed_quantity, "the commission was taken in the base asset"
    assert report.net_base - Decimal("0.00001") < stop.quantity <= report.net_base


async def test_the_stop_ends_the_trade_when_the_market_falls(open_house: OpenHouse) -> None:
    house = await open_house(Told(hours=[FLAT, FALL]))
    await house.bought(stop="6800")
    await house.play(OPENS_AT + 3 * HOUR)
    state = await outcome_of(house)
    assert filled_legs(state) == ["stop"]
    assert await held(house) < Decimal("0.00002")
    assert await house.exchange.open_orders(ACCOUNT, SYMBOL) == ()


async def test_the_target_cancels_the_stop_and_sells(open_house: OpenHouse) -> None:
    house = await open_house(Told(hours=[FLAT, RISE]))
    await house.bought(target="7400")
    await house.play(OPENS_AT + 3 * HOUR)
    state = await outcome_of(house)
    assert filled_legs(state) == ["target"]
    entry, stop, target = await venue_orders(house)
    assert (stop.type, stop.status) == (OrderType.STOP_LOSS, OrderStatus.CANCELED)
    assert (target.status, target.executed_quantity) == (OrderStatus.FILLED, stop.quantity)
    assert entry.status is OrderStatus.FILLED


async def test_a_target_does_not_count_in_the_candle_of_its_own_entry(open_house: OpenHouse) -> None:
    house = await open_house(Told(hours=[RISE, (7000, 7010, 6990, 7000), RISE]))
    await house.bought(target="7400")
    await house.play(OPENS_AT + HOUR + MINUTE)
    assert await stop_at_the_venue(house) is not None, "the high of the entry's candle may have been before the entry"
    await house.play(OPENS_AT + 3 * HOUR)
    assert filled_legs(await outcome_of(house)) == ["target"]


async def test_time_ends_a_trade_that_goes_nowhere(open_house: OpenHouse) -> None:
    house = await open_house()
    await house.bought(exit_at=OPENS_AT + 5 * HOUR)
    assert house.watched[house.guard().id].wakes_at == OPENS_AT + 5 * HOUR
    await house.play(OPENS_AT + 6 * HOUR)
    state = await outcome_of(house)
    assert filled_legs(state) == ["exit"]
    assert (await venue_orders(house))[-1].created_at >= OPENS_AT + 5 * HOUR


async def test_a_stop_that_the_venue_refuses_becomes_a_sale(open_house: OpenHouse) -> None:
    """A stop above the market would trigger immediately (-2010): what cannot be protected is not held."""
    house = await open_house()
    await house.bought(stop="7100")
    await house.play(OPENS_AT + MINUTE)
    state = await outcome_of(house)
    assert filled_legs(state) == ["exit"]
    assert await held(house) < Decimal("0.00002")


async def test_a_partial_sale_leaves_a_stop_for_the_rest(open_house: OpenHouse) -> None:
    house = await open_house()
    report = await house.bought()
    part = Decimal("0.3")
    await house.guard().signal(Signal.REDUCE, sale(house, part))
    await house.placed(2)
    await house.settle(house.guard().id)
    await house.play(OPENS_AT + MINUTE)
    stop = await stop_at_the_venue(house)
    assert stop is not None
    assert stop.quantity == report.net_base.quantize(Decimal("0.00001"), rounding="ROUND_FLOOR") - part
    assert len({order.client_order_id for order in await venue_orders(house)}) == 4, "entry, stop, sale, new stop"


async def test_more_than_is_held_is_never_sold(open_house: OpenHouse) -> None:
    house = await open_house()
    await house.bought()
    await house.guard().signal(Signal.REDUCE, sale(house, Decimal(50)))
    await house.placed(2)
    await house.settle(house.guard().id)
    await house.play(OPENS_AT + MINUTE)
    assert filled_legs(await outcome_of(house)) == ["exit"]
    assert await held(house) < Decimal("0.00002")


async def test_dust_of_an_earlier_trade_leaves_with_the_next_one(open_house: OpenHouse) -> None:
    """The first trade leaves less than a step; the second guard begins with it and sells what has become whole."""
    house = await open_house()
    await house.bought(name="first", exit_at=OPENS_AT + HOUR)
    await house.play(OPENS_AT + 2 * HOUR)
    await outcome_of(house)
    dust = await held(house)
    assert 0 < dust < Decimal("0.00001")
    await house.bought(name="second", exit_at=OPENS_AT + 4 * HOUR)
    assert (await house.guard_state()).opening == dust
    stop = await stop_at_the_venue(house)
    assert stop is not None
    assert stop.quantity == (await held(house)).quantize(Decimal("0.00001"), rounding="ROUND_FLOOR")


async def test_a_second_entry_widens_the_stop_to_all_that_is_held(open_house: OpenHouse) -> None:
    house = await open_house()
    await house.bought(name="first", stop="6790")
    await house.bought(name="second", stop="6850")
    stop = await stop_at_the_venue(house)
    assert stop is not None
    assert stop.stop_price == Decimal(6850), "the newest filled plan is the position's"
    assert stop.quantity == (await held(house)).quantize(Decimal("0.00001"), rounding="ROUND_FLOOR")


async def test_a_closed_trade_is_recorded_once_and_the_next_has_a_guard_of_its_own(open_house: OpenHouse) -> None:
    house = await open_house()
    await house.bought(name="first", exit_at=OPENS_AT + HOUR)
    first = (await house.guard().describe()).run_id
    await house.play(OPENS_AT + 2 * HOUR)
    await outcome_of(house)
    exposure = await house.store.exposure(house.realm, ACCOUNT)
    assert exposure is not None
    assert exposure.closed_trades == 1
    await house.bought(name="second")
    described = await house.guard().describe()
    assert described.run_id != first
    assert described.close_time is None


async def test_a_tick_that_arrives_mid_work_is_answered_after_its_own_events(open_house: OpenHouse) -> None:
    house = await open_house(Told(hours=[FLAT, RISE]))
    await house.bought(target="7400")
    levels = house.watched[house.guard().id].levels
    stop = await house.advance(OPENS_AT + 3 * HOUR, *levels)
    first = await house.send_tick(house.guard())
    second = await house.send_tick(house.guard(), *stop.events)
    await house.answer_to(first)
    answer = await house.answer_to(second)
    sold = [order for order in await venue_orders(house) if order.type is OrderType.MARKET][-1]
    assert answer.watched.orders == (sold.client_order_id,), "the level's tick is answered once the sale is placed"
    assert answer.watched.levels == ()


async def test_without_a_coordinator_the_guard_watches_the_market_itself(open_house: OpenHouse) -> None:
    house = await open_house(Told(hours=[FLAT, FALL], coordinated=False))
    permit = await house.permit()
    handle = await house.execute(permit, house.entry(permit), stop="6800")
    await eventually(lambda: _is_at_the_venue(house, 1), what="the entry")
    await house.advance(OPENS_AT + MINUTE)
    await handle.result()
    await eventually(lambda: stop_at_the_venue(house), what="the stop")
    await house.advance(OPENS_AT + 3 * HOUR)
    assert filled_legs(await outcome_of(house)) == ["stop"]


async def _is_at_the_venue(house: SequenceHouse, count: int) -> bool:
    return len(await venue_orders(house)) >= count
