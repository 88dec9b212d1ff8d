"""One entry from its intent to its last fill, on the real exchange: guard first, and the reservation released once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from eventually import eventually
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, FLAT, OPENS_AT, SYMBOL, Told
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle

from trading.orders.models import OrderReport, OrderStatus, OutcomeClass
from trading.risk.models import Mode
from workflows.account_desk import AccountDesk
from workflows.names import Update
from workflows.order_execution import OrderExecution
from workflows.position_guard import PositionGuard
from workflows.protocol import GuardState, ModeChange

pytestmark = pytest.mark.temporal

OpenHouse = Callable[..., Awaitable[SequenceHouse]]
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


async def reservations(house: SequenceHouse) -> list[str]:
    state = await house.desk().query(AccountDesk.state)
    assert state is not None
    return [reservation.permit_id for reservation in state.exposure.reservations]


async def steps(handle: WorkflowHandle[Any, Any]) -> list[str]:
    """What the workflow did to others, in order: activities by name, children by type, signals by name."""
    done = []
    async for event in handle.fetch_history_events():
        match event.event_type:
            case EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                done.append(event.activity_task_scheduled_event_attributes.activity_type.name)
            case EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
                done.append(event.start_child_workflow_execution_initiated_event_attributes.workflow_type.name)
            case EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED:
                done.append(event.signal_external_workflow_execution_initiated_event_attributes.signal_name)
    return done


async def test_the_guard_expects_the_entry_before_it_is_sent(open_house: OpenHouse) -> None:
    house = await open_house()
    permit = await house.permit()
    handle = await house.execute(permit, house.entry(permit), stop="6800", target="7400")
    await house.placed()
    assert (await steps(handle))[:4] == ["PositionGuard", "expect", "place_order", "filled"]
    (expected,) = (await house.guard_state()).expected
    assert (expected.stop_price, expected.target_price) == (Decimal(6800), Decimal(7400))
    assert await reservations(house) == [permit.id], "reserved until it settles"
    await house.settle(handle.id)
    await house.play(OPENS_AT + MINUTE)
    report = await handle.result()
    assert report.status is OrderStatus.FILLED
    await eventually(lambda: _released(house), what="the release")
    assert (await steps(handle)).count("settle") == 1


async def test_a_refused_entry_releases_its_reservation_and_leaves_no_guard(open_house: OpenHouse) -> None:
    house = await open_house(Told(venue_capital=Decimal(100)))
    permit = await house.permit()
    handle = await house.execute(permit, house.entry(permit))
    report = await handle.result()
    assert (report.status, report.outcome, report.code) == (OrderStatus.REFUSED, OutcomeClass.REFUSED, -2010)
    (placed,) = await house.placed()
    assert placed.report == report
    await eventually(lambda: _released(house), what="the release")
    state: GuardState = GuardState.model_validate(await house.guard().result())
    assert (state.stop, state.exits) == (None, {}), "nothing was held, so nothing was protected"


async def test_an_entry_of_an_older_epoch_is_refused_at_the_gate_row(open_house: OpenHouse) -> None:
    house = await open_house()
    permit = await house.permit()
    await house.desk().execute_update(
        Update.CHANGE_MODE, ModeChange(operation_id="op-1", mode=Mode.HALTED, reason="storm", who="a person")
    )
    report = await (await house.execute(permit, house.entry(permit))).result()
    assert report.status is OrderStatus.REFUSED
    assert report.reason.startswith("halted:")
    assert await house.exchange.orders(ACCOUNT, SYMBOL) == ()
    await eventually(lambda: _released(house), what="the release")


async def test_a_resting_limit_expires_is_cancelled_and_settles(open_house: OpenHouse) -> None:
    house = await open_house(Told(hours=[FLAT] * 8))
    permit = await house.permit()
    order = house.entry(permit, price=Decimal(6900))
    handle = await house.execute(permit, order, expires_at=OPENS_AT + 3 * HOUR)
    await house.placed()
    await house.settle(handle.id)
    assert house.watched[handle.id].wakes_at == OPENS_AT + 3 * HOUR
    assert house.watched[handle.id].orders == (order.client_order_id,)
    await house.play(OPENS_AT + 4 * HOUR)
    report = await handle.result()
    assert (report.status, report.executed_quantity) == (OrderStatus.CANCELED, 0)
    (at_the_venue,) = await house.exchange.orders(ACCOUNT, SYMBOL)
    assert at_the_venue.status is OrderStatus.CANCELED
    await eventually(lambda: _released(house), what="the release")
    assert (await house.guard().describe()).close_time is not None, "an entry that never filled leaves no guard"


async def test_a_partial_fill_is_protected_and_the_rest_cancelled_at_expiry(open_house: OpenHouse) -> None:
    thin = (7000, 7010, 6880, 6990, "0.5")
    house = await open_house(Told(hours=[thin, *[(6990, 7010, 6950, 7000)] * 5]))
    permit = await house.permit()
    order = house.entry(permit, price=Decimal(6900))
    handle = await house.execute(permit, order, expires_at=OPENS_AT + 3 * HOUR)
    await house.placed()
    await house.settle(handle.id)
    await house.play(OPENS_AT + HOUR)
    seen = await handle.query(OrderExecution.report)
    assert seen is not None
    assert seen.status is OrderStatus.PARTIALLY_FILLED
    state = await house.guard_state()
    assert state.stop is not None
    assert state.stop.quantity <= seen.net_base, "the part that filled is protected at once"
    assert seen.net_base - state.stop.quantity < Decimal("0.00001")
    await house.play(OPENS_AT + 4 * HOUR)
    report = await handle.result()
    assert report.status is OrderStatus.CANCELED
    assert report.executed_quantity == seen.executed_quantity
    assert (await house.guard_state()).stop == state.stop, "the stop for what is held stays"
    await eventually(lambda: _released(house), what="the release")


async def test_a_wish_to_cancel_ends_a_resting_entry(open_house: OpenHouse) -> None:
    house = await open_house()
    permit = await house.permit()
    handle = await house.execute(permit, house.entry(permit, price=Decimal(6900)))
    await house.placed()
    await handle.signal(OrderExecution.cancel, "a person changed their mind")
    report = await handle.result()
    assert (report.status, report.executed_quantity) == (OrderStatus.CANCELED, 0)
    await eventually(lambda: _released(house), what="the release")


async def test_a_second_entry_tells_the_running_guard(open_house: OpenHouse) -> None:
    house = await open_house()
    await house.bought(name="first")
    await house.bought(name="second", stop="6850")
    state = await house.guard().query(PositionGuard.state)
    assert [entry.decision_id for entry in state.expected] == ["first", "second"]
    guards = [found.id async for found in house.client.list_workflows(f"WorkflowId = '{house.guard().id}'")]
    assert len(guards) == 1


async def test_without_a_coordinator_the_order_is_followed_at_the_venue(open_house: OpenHouse) -> None:
    house = await open_house(Told(coordinated=False))
    permit = await house.permit()
    order = house.entry(permit, price=Decimal(6995))
    handle = await house.execute(permit, order, expires_at=OPENS_AT + 3 * HOUR)
    await eventually(lambda: _report(handle), what="the first report")
    await house.advance(OPENS_AT + HOUR)
    assert (await handle.result()).status is OrderStatus.FILLED


async def test_without_a_coordinator_a_wish_to_cancel_interrupts_the_waiting(open_house: OpenHouse) -> None:
    house = await open_house(Told(coordinated=False))
    permit = await house.permit()
    handle = await house.execute(permit, house.entry(permit, price=Decimal(6900)), expires_at=OPENS_AT + 3 * HOUR)
    await eventually(lambda: _report(handle), what="the first report")
    await handle.signal(OrderExecution.cancel, "halt")
    async with asyncio.timeout(15):  # the wait at the venue by itself lasts for ten minutes
        report = await handle.result()
    assert (report.status, report.executed_quantity) == (OrderStatus.CANCELED, 0)


async def _report(handle: WorkflowHandle[Any, OrderReport]) -> OrderReport | None:
    return await handle.query(OrderExecution.report)


async def _released(house: SequenceHouse) -> bool:
    return await reservations(house) == []
