"""An entry in slices: each at its time under an id of its own, each protected as it fills, and none after a reason."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from eventually import eventually
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, FLAT, OPENS_AT, SYMBOL, Told
from temporalio.client import WorkflowHandle

from trading.orders.models import Leg, OrderReport
from trading.orders.slicing import Slice
from trading.risk.models import Mode
from workflows.account_desk import AccountDesk
from workflows.names import QueueRole, Update, execution_workflow
from workflows.order_execution import OrderExecution
from workflows.protocol import ExecutionRequest, GatePassage, ModeChange

pytestmark = pytest.mark.temporal
OpenHouse = Callable[..., Awaitable[SequenceHouse]]
QUARTER = timedelta(minutes=15)


async def started(
    house: SequenceHouse, *, parts: int = 3, every: timedelta = QUARTER
) -> WorkflowHandle[Any, OrderReport]:
    """An entry of 5000 USD in equal parts."""
    wish = house.wish("wish")
    answer = await house.reserve(wish)
    assert answer.permit is not None
    permit = answer.permit
    order = house.entry(permit, collar_low=permit.collar_low, collar_high=permit.collar_high)
    quantity = (order.quantity / parts).quantize(Decimal("0.00001"))
    slices = tuple(Slice(number=n, quantity=quantity, due_at=OPENS_AT + n * every) for n in range(parts))
    request = ExecutionRequest(
        order=order,
        permit=permit,
        stop_price=Decimal(6790),
        target_price=Decimal(7430),
        expires_at=OPENS_AT + timedelta(seconds=30),
        slices=slices,
        passage=GatePassage(head=house.head(decision_id="wish"), wish=wish),
        owner=house.coordinator_id,
        coordinator=house.coordinator_id if house.told.coordinated else None,
    )
    handle: WorkflowHandle[Any, OrderReport] = await house.client.start_workflow(
        OrderExecution.run,
        request,
        id=execution_workflow(house.realm, order.client_order_id),
        task_queue=house.queue(QueueRole.DECISIONS),
    )
    if house.told.coordinated:
        await house.placed()
        await house.settle(handle.id)
    return handle


async def entries(house: SequenceHouse) -> list[Any]:
    found = await house.store.ledger_orders(house.realm, ACCOUNT)
    return [order for order in found if order.request.leg is Leg.ENTRY]


async def test_each_slice_is_sent_at_its_time_and_protected_as_it_fills(open_house: OpenHouse) -> None:
    house = await open_house(Told(hours=[FLAT] * 4))
    handle = await started(house)
    await house.play(OPENS_AT + timedelta(minutes=1))
    assert len(await entries(house)) == 1
    first = await house.guard_state()
    assert first.stop is not None
    await house.play(OPENS_AT + timedelta(minutes=16))
    second = await house.guard_state()
    assert second.stop is not None
    assert len(await entries(house)) == 2
    assert second.stop.quantity > Decimal("1.9") * first.stop.quantity, "one stop, for all that is held"
    await house.play(OPENS_AT + timedelta(minutes=32))
    report = await handle.result()
    sent = [order.request for order in await entries(house)]
    assert [order.slice_number for order in sent] == [0, 1, 2]
    assert len({(order.client_order_id, order.permit_id) for order in sent}) == 3, "an id and a permit for each"
    bought = [order.report.executed_quantity for order in await entries(house) if order.report is not None]
    assert (report.executed_quantity, len(bought)) == (sum(bought), 3)
    assert len(await house.exchange.open_orders(ACCOUNT, SYMBOL)) == 1
    await eventually(lambda: nothing_promised(house), what="the release")


async def test_a_halt_ends_the_slices_and_keeps_the_stop(open_house: OpenHouse) -> None:
    house = await open_house(Told(hours=[FLAT] * 4))
    handle = await started(house)
    await house.play(OPENS_AT + timedelta(minutes=1))
    await house.desk().execute_update(
        Update.CHANGE_MODE, ModeChange(operation_id="op", mode=Mode.HALTED, reason="storm", who="a person")
    )
    await house.play(OPENS_AT + timedelta(minutes=16))
    report = await handle.result()
    assert len(await entries(house)) == 1
    assert report.executed_quantity > 0
    assert (await house.guard_state()).stop is not None
    await eventually(lambda: nothing_promised(house), what="the release")


async def test_a_halt_that_is_taken_back_has_ended_the_slices(open_house: OpenHouse) -> None:
    """What a halt cancelled does not come back with the resumption (venue.md)."""
    house = await open_house(Told(hours=[FLAT] * 4))
    handle = await started(house)
    await house.play(OPENS_AT + timedelta(minutes=1))
    for number, mode in enumerate((Mode.HALTED, Mode.AUTO)):
        change = ModeChange(operation_id=f"op-{number}", mode=mode, reason="storm", who="a person")
        await house.desk().execute_update(Update.CHANGE_MODE, change)
    await house.play(OPENS_AT + timedelta(minutes=16))
    await handle.result()
    assert len(await entries(house)) == 1
    await eventually(lambda: nothing_promised(house), what="the release")


async def test_a_price_outside_the_collar_ends_the_slices(open_house: OpenHouse) -> None:
    rising = (7000, 7200, 6990, 7150)
    house = await open_house(Told(hours=[rising, *[(7150, 7160, 7140, 7150)] * 4]))
    handle = await started(house, parts=2, every=timedelta(minutes=61))
    await house.play(OPENS_AT + timedelta(minutes=62))
    report = await handle.result()
    assert len(await house.exchange.fills(ACCOUNT, SYMBOL)) == 1
    assert report.executed_quantity > 0


async def test_a_wish_to_cancel_ends_the_slices(open_house: OpenHouse) -> None:
    house = await open_house(Told(hours=[FLAT] * 4))
    handle = await started(house)
    await house.play(OPENS_AT + timedelta(minutes=1))
    await handle.signal(OrderExecution.cancel, "a person changed their mind")
    await handle.result()
    assert len(await entries(house)) == 1


async def nothing_promised(house: SequenceHouse) -> bool:
    state = await house.desk().query(AccountDesk.state)
    return state is not None and not state.exposure.reservations
