"""An entry in slices: each at its time under an id of its own, each protected as it fills, and none after a reason."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from eventually import eventually
from fakes.scripted_models import buys
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, FLAT, OPENS_AT, SYMBOL, VENUE, Told
from temporalio.client import WorkflowHandle

from trading.orders.models import Leg, OrderReport, OrderStatus, OrderType, TimeInForce
from trading.orders.slicing import Slice
from trading.playbook import Playbook, first_playbook, revised
from trading.policy.model import Policy
from trading.policy.table import changed
from trading.risk.models import Mode
from workers.runtime.recovery import recover
from workflows.account_desk import AccountDesk
from workflows.names import QueueRole, Update, execution_workflow
from workflows.order_execution import OrderExecution
from workflows.protocol import ExecutionRequest, GatePassage, ModeChange

pytestmark = pytest.mark.temporal
OpenHouse = Callable[..., Awaitable[SequenceHouse]]
QUARTER = timedelta(minutes=15)


FINE = {"slice_volume_fraction": "0.0001", "slice_most": 3, "slice_window_s": 1800}
"""Seven million trade in an hour here: what is above 700 USD is cut, so that a small account has slices."""


def playbook_with(**terms: Any) -> Playbook:
    return revised(first_playbook(), policy=changed(Policy(), **terms))


async def decided(house: SequenceHouse, **speech: Any) -> None:
    """A decision to buy, with all that lives on after it settled."""
    house.primary.say(buys(**speech))
    house.secondary.say(buys(**speech))
    result = await house.decide()
    assert [outcome.outcome for outcome in result.summary.outcomes] == ["opened"]
    for watched in result.watched:
        house.watched[watched.entity] = watched
    for entity in result.also:
        await house.settle(entity)


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


async def test_a_decision_of_a_large_account_is_sent_in_slices_bounded_at_the_venue(open_house: OpenHouse) -> None:
    house = await open_house(Told(hours=[FLAT] * 4, playbook=playbook_with(**FINE)))
    await decided(house)
    await house.play(OPENS_AT + timedelta(minutes=35))
    sent = [order.request for order in await entries(house)]
    assert [order.slice_number for order in sent] == [0, 1, 2]
    assert {(order.type, order.time_in_force, order.beside) for order in sent} == {
        (OrderType.LIMIT, TimeInForce.IOC, ())
    }
    assert all(order.price == order.worst_price for order in sent)
    state = await house.guard_state()
    assert state.stop is not None
    assert state.position - state.stop.quantity < Decimal("0.00001"), "one stop for what all of them brought"
    await eventually(lambda: nothing_promised(house), what="the release")


async def test_a_large_entry_that_rests_shows_a_part(open_house: OpenHouse) -> None:
    dip = (7000, 7010, 6900, 7000)
    house = await open_house(Told(hours=[FLAT, dip, dip, dip, dip, FLAT], playbook=playbook_with(**FINE)))
    await decided(house, entry="6950")
    (order,) = await entries(house)
    shown = order.request.iceberg_quantity
    assert shown is not None
    assert (order.request.type, order.status) == (OrderType.LIMIT, OrderStatus.NEW), "the venue takes it"
    assert shown * 3 >= order.request.quantity > shown
    await house.play(OPENS_AT + timedelta(minutes=119))
    (order,) = await entries(house)
    assert order.report is not None
    assert order.report.executed_quantity == shown, "one part a candle, each at the end of the queue"
    stop = (await house.guard_state()).stop
    assert stop is not None
    assert stop.quantity <= shown, "what has filled is protected while the rest waits"
    await house.play(OPENS_AT + timedelta(hours=5))
    (order,) = await entries(house)
    assert order.status is OrderStatus.FILLED


async def test_post_only_rests_and_is_refused_where_it_would_take(open_house: OpenHouse) -> None:
    house = await open_house(Told(hours=[FLAT] * 4, playbook=playbook_with(post_only=1)))
    await decided(house, entry="6950")
    (order,) = await entries(house)
    assert (order.request.type, order.status) == (OrderType.LIMIT_MAKER, OrderStatus.NEW)
    permit = await house.permit(name="taker")
    taking = house.entry(permit, type=OrderType.LIMIT_MAKER, price=Decimal(7005), time_in_force=None)
    handle = await house.execute(permit, taking)
    await house.placed()
    await house.play(OPENS_AT + timedelta(minutes=1))
    report = await handle.result()
    assert report.status in {OrderStatus.REFUSED, OrderStatus.EXPIRED, OrderStatus.REJECTED}
    assert report.executed_quantity == 0


async def test_a_sliced_campaign_is_one_history_whether_its_workers_remember_or_not(open_house: OpenHouse) -> None:
    """Without a cache every workflow task begins at the first event, as after a kill."""
    digests = []
    for options in ({}, {"max_cached_workflows": 0}):
        house = await open_house(
            Told(
                hours=[FLAT] * 30,
                playbook=playbook_with(**FINE),
                ledger="sliced",
                accounts_open=False,
                desks=False,
                coordinated=False,
            ),
            **options,
        )
        house.primary.say(buys())
        house.secondary.say(buys())
        result = await (await house.start_campaign(hours=1, decide_every_h=3)).result()
        assert result.reconciliation.differences == ()
        assert [order.request.slice_number for order in await entries(house)][:3] == [0, 1, 2]
        digests.append(await house.store.digest(house.realm))
    assert digests[0] == digests[1]


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


async def is_protected_whole(house: SequenceHouse) -> bool:
    held = sum(one.quantity for one in await house.store.positions(house.realm, ACCOUNT))
    resting = await house.exchange.open_orders(ACCOUNT, SYMBOL)
    stops = [order.quantity for order in resting if order.type is OrderType.STOP_LOSS]
    return held > 0 and len(stops) == 1 and held - stops[0] < Decimal("0.00001")


async def lost_between_slices(house: SequenceHouse) -> str:
    """Bought the first of three slices by a decision; then Temporal's state is lost. The execution's id."""
    house.primary.say(buys())
    house.secondary.say(buys())
    result = await house.decide()
    (outcome,) = result.summary.outcomes
    (execution,) = outcome.execution_ids
    await house.advance(OPENS_AT + timedelta(minutes=1))

    await eventually(lambda: is_protected_whole(house), what="the first slice is protected")
    for name in (execution, house.guard().id, house.desk().id):
        await house.client.get_workflow_handle(name).terminate("lost")
    return execution


async def test_a_lost_sliced_entry_follows_its_plan_to_the_end(open_house: OpenHouse) -> None:
    house = await open_house(Told(hours=[FLAT] * 6, playbook=playbook_with(**FINE), coordinated=False))
    execution = await lost_between_slices(house)
    found = await recover(house.client, house.store, realm=house.realm, venue=VENUE)
    assert (found.executions, found.helpless) == ((execution,), ())
    assert not await nothing_promised(house), "the rest is still promised"
    again = await recover(house.client, house.store, realm=house.realm, venue=VENUE)
    assert again.executions == (), "it runs"

    async def has_bought(count: int) -> bool:
        await house.advance(await house.market_now() + timedelta(seconds=1))
        return len([one for one in await entries(house) if one.report and one.report.executed_quantity]) == count

    for count in (2, 3):
        await house.advance(await house.market_now() + timedelta(minutes=11))
        await eventually(lambda count=count: has_bought(count), what=f"slice {count}")  # type: ignore[misc]
    await eventually(lambda: nothing_promised(house), what="the release")
    sent = [order.request for order in await entries(house)]
    assert [order.slice_number for order in sent] == [0, 1, 2]
    assert len({order.client_order_id for order in sent}) == 3
    because = await house.store.end_of_entry_plan(house.realm, ACCOUNT, sent[0].client_order_id)
    assert because == "all of it was sent"
    assert await house.store.open_entry_plans(house.realm) == ()
    await eventually(lambda: is_protected_whole(house), what="one stop for what all of them brought")


async def test_a_lost_sliced_entry_of_which_something_was_sold_is_ended_with_its_reason(open_house: OpenHouse) -> None:
    fall = (7000, 7010, 6500, 6510)
    house = await open_house(Told(hours=[fall, *[FLAT] * 5], playbook=playbook_with(**FINE), coordinated=False))
    execution = await lost_between_slices(house)
    while await house.market_now() < OPENS_AT + timedelta(minutes=59):  # the stop is hit while nobody looks
        await house.advance(OPENS_AT + timedelta(minutes=59))
    await recover(house.client, house.store, realm=house.realm, venue=VENUE)
    await house.client.get_workflow_handle(execution).result()
    assert len(await entries(house)) == 1
    first = (await entries(house))[0].request.client_order_id
    because = await house.store.end_of_entry_plan(house.realm, ACCOUNT, first)
    assert because is not None
    assert because.startswith("before slice 1: ")
    await eventually(lambda: nothing_promised(house), what="the release")


async def nothing_promised(house: SequenceHouse) -> bool:
    state = await house.desk().query(AccountDesk.state)
    return state is not None and not state.exposure.reservations
