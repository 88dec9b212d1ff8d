"""Human hands on an account: what they do, once each, however busy it is (C14). From where: test_every_seat.py."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from eventually import eventually
from fakes.people import (
    audited,
    hand,
    has_mode,
    place,
    state_of,
    temporal,
)
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, OPENS_AT, SYMBOL, VENUE, Told
from store_rows import a_prepared
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError

from activities.store.ports.journal import IntentRefused
from trading.orders.models import OrderStatus, OrderType
from trading.playbook import first_playbook, revised
from trading.policy.model import Policy
from trading.policy.table import changed
from trading.risk.models import Mode
from workers.operator import hands
from workers.operator.hands import lay_hand
from workers.operator.place import HandRefused
from workflows.account_desk import AccountDesk
from workflows.names import Signal, Update, desk_workflow
from workflows.protocol import Defend, DeskRequest, GuardState, Hand, HandDone

pytestmark = pytest.mark.temporal

OpenHouse = Callable[..., Awaitable[SequenceHouse]]
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
BUSY_DAY = 1000
"""As many entries as the policy lets one day have."""


async def test_an_unknown_account_or_symbol_names_the_known_ones(open_house: OpenHouse) -> None:
    house = await open_house(Told(coordinated=False))
    with pytest.raises(HandRefused, match=f"known are {ACCOUNT}"):
        await lay_hand(place(house), "halt", "somebody", hand())
    with pytest.raises(HandRefused, match="was never ordered"):
        await lay_hand(place(house), "flatten", ACCOUNT, hand(symbol="XRP/USDT"))
    assert await audited(house, ACCOUNT) == []


async def test_where_no_worker_answers_a_halt_waits_and_a_resume_is_refused(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stops the agent is never lost: it is done, once, by the first worker that runs."""
    monkeypatch.setattr(hands, "ANSWERS_WITHIN_S", 1.0)
    house = await open_house(Told(coordinated=False, desks=False))
    desk = await house.client.start_workflow(
        AccountDesk.run,
        DeskRequest(realm=house.realm, venue=VENUE, account=ACCOUNT, playbook_hash=house.playbook_hash),
        id=desk_workflow(house.realm, ACCOUNT),
        task_queue=f"{house.realm}/nobody",
    )
    done = await lay_hand(place(house), "halt", ACCOUNT, hand())
    assert done.state == "signalled"
    assert done.accepted
    told = [
        event.workflow_execution_signaled_event_attributes.signal_name async for event in desk.fetch_history_events()
    ]
    assert [name for name in told if name] == ["halt"]
    with pytest.raises(HandRefused, match="no worker answered within 1 s"):
        await lay_hand(place(house), "resume", ACCOUNT, hand("again"))
    await desk.terminate("the test is over")


# -- modes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "mode"),
    [("pause", Mode.MANUAL), ("manual", Mode.MANUAL), ("halt", Mode.HALTED)],
)
async def test_a_mode_is_changed_once_for_its_operation_by_update_and_by_signal(
    open_house: OpenHouse, verb: str, mode: Mode
) -> None:
    house = await open_house(Told(coordinated=False))
    done = await house.desk().execute_update(verb, hand("op-1"), result_type=HandDone)
    assert done == HandDone(operation_id="op-1", target=ACCOUNT, accepted=True, reason="storm", state=mode.value)
    again = await house.desk().execute_update(verb, hand("op-1"), result_type=HandDone)
    assert again == done
    await house.desk().execute_update("resume", hand("op-2"), result_type=HandDone)
    await house.desk().signal(verb, hand("op-3"))
    await eventually(lambda: has_mode(house, mode), what="the signal")
    await house.desk().signal(verb, hand("op-3"))
    await house.desk().signal("resume", hand("op-4"))
    await eventually(lambda: has_mode(house, Mode.AUTO), what="the resumption")
    await eventually(lambda: _audited_times(house, 4), what="the audit")
    assert [what for what, _, _ in await audited(house, ACCOUNT)] == [verb, "resume", verb, "resume"]


async def _audited_times(house: SequenceHouse, count: int) -> bool:
    return len(await audited(house, ACCOUNT)) == count


async def test_what_stops_the_agent_is_taken_from_everybody_and_a_resumption_is_not(open_house: OpenHouse) -> None:
    house = await open_house(Told(coordinated=False))
    await temporal(house, "signal", "-w", house.desk().id, "--name", "halt", "--input", "{}")
    await eventually(lambda: has_mode(house, Mode.HALTED), what="the halt")
    await house.desk().signal(Signal.RESUME, Hand())
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await house.desk().execute_update(Update.RESUME, Hand(who="ada"), result_type=HandDone)
    assert "both must be given" in str(failed.value.cause)
    assert await has_mode(house, Mode.HALTED)
    assert await audited(house, ACCOUNT) == [("halt", "unnamed", "not given")]


async def test_a_halt_cancels_what_rests_and_keeps_the_stop(open_house: OpenHouse) -> None:
    house = await open_house()
    await house.bought(name="held", stop="6800")
    permit = await house.permit(name="resting", notional="2000")
    resting = await house.execute(permit, house.entry(permit, price=Decimal(6900)), stop="6800")
    await house.placed(2)
    await house.settle(resting.id)
    await house.desk().execute_update(Update.HALT, hand(), result_type=HandDone)
    report = await _ended_order(resting)
    assert report.status is OrderStatus.CANCELED
    (stop,) = await house.exchange.open_orders(ACCOUNT, SYMBOL)
    assert (stop.type, stop.stop_price) == (OrderType.STOP_LOSS, Decimal(6800))


async def _ended_order(handle: WorkflowHandle[Any, Any]) -> Any:
    async with asyncio.timeout(20):
        return await handle.result()


# -- leaving -----------------------------------------------------------------------------------------------------------


async def flat(house: SequenceHouse) -> GuardState:
    """Run the market on until the guard has ended."""
    await house.settle(house.guard().id)
    await house.play(await house.market_now() + MINUTE)
    async with asyncio.timeout(20):
        return GuardState.model_validate(await house.guard().result())


@pytest.mark.parametrize("how", ["update", "signal"])
@pytest.mark.parametrize("symbol", [None, SYMBOL])
async def test_flatten_cancels_the_stop_and_sells_what_is_held(
    open_house: OpenHouse, how: str, symbol: str | None
) -> None:
    house = await open_house()
    await house.bought(stop="6800")
    if how == "update":
        done = await house.desk().execute_update(Update.FLATTEN, hand(symbol=symbol), result_type=HandDone)
        assert (done.accepted, done.state) == (True, "auto")
    else:
        await house.desk().signal(Signal.FLATTEN, hand(symbol=symbol))
    await eventually(lambda: _is_leaving(house), what="the guard hears it")
    state = await flat(house)
    assert [r.leg.value for r in state.exits.values() if r.executed_quantity > 0] == ["flatten"]
    assert (await house.exchange.account(ACCOUNT)).balance("BTC").total < Decimal("0.00002")
    assert await house.exchange.open_orders(ACCOUNT, SYMBOL) == ()
    await eventually(lambda: _audited_times(house, 1), what="the audit")
    ((what, who, why),) = await audited(house, ACCOUNT)
    assert (what, who, why) == ("flatten" if symbol is None else f"flatten {SYMBOL}", "ada", "storm")


async def _is_leaving(house: SequenceHouse) -> bool:
    state = await house.guard_state()
    return any(order.leg.value == "flatten" for order in (state.stop, state.leaving) if order is not None)


async def test_flatten_withdraws_the_entry_that_rests_beside_the_position(open_house: OpenHouse) -> None:
    house = await open_house()
    await house.bought(name="held", stop="6800")
    permit = await house.permit(name="resting", notional="2000")
    resting = await house.execute(permit, house.entry(permit, price=Decimal(6900)), stop="6800")
    await house.placed(2)
    await house.settle(resting.id)
    await house.desk().execute_update(Update.FLATTEN, hand(), result_type=HandDone)
    assert (await _ended_order(resting)).status is OrderStatus.CANCELED
    await flat(house)
    assert await house.exchange.open_orders(ACCOUNT, SYMBOL) == ()


async def test_flatten_where_nothing_is_held_is_done_and_audited(open_house: OpenHouse) -> None:
    house = await open_house(Told(coordinated=False))
    done = await house.desk().execute_update(Update.FLATTEN, hand(), result_type=HandDone)
    again = await house.desk().execute_update(Update.FLATTEN, hand(), result_type=HandDone)
    assert done == again
    await eventually(lambda: _has_no_errands(house), what="the errand")
    assert await audited(house, ACCOUNT) == [("flatten", "ada", "storm")]


async def _has_no_errands(house: SequenceHouse) -> bool:
    return (await state_of(house)).errands == ()


# -- a busy desk -------------------------------------------------------------------------------------------------------


@pytest.mark.alone
@pytest.mark.parametrize(("signal", "mode"), [(Signal.HALT, Mode.HALTED), (Signal.DEFEND, Mode.DEFENSIVE)])
async def test_after_a_halt_or_a_breaker_no_entry_is_accepted_however_busy_the_desk_is(
    open_house: OpenHouse, record_property: Callable[[str, object], None], signal: Signal, mode: Mode
) -> None:
    """Ten askers without end, each permit followed by its intent; a halt or a breaker by signal in the middle (C20)."""
    limits = changed(Policy(), max_entries_per_day=BUSY_DAY, order_rate_entries=BUSY_DAY)
    busy = revised(first_playbook(), policy=limits)
    crash = Defend(operation_id="b1", reason="flash_crash: all fell", as_of=OPENS_AT)
    house = await open_house(Told(capital=Decimal(10_000_000), coordinated=False, playbook=busy))
    over = asyncio.Event()
    accepted: list[float] = []
    refused: list[str] = []

    async def asker(number: int) -> None:
        step = 0
        while not over.is_set():
            step += 1
            answer = await house.reserve(house.wish(f"w{number}-{step}", notional="600"))
            if answer.permit is None:
                continue
            order = house.entry(answer.permit)
            try:
                await house.store.record_intent(order, a_prepared(order))
                accepted.append(time.monotonic())
            except IntentRefused as closed:
                refused.append(closed.code)

    async with asyncio.TaskGroup() as tasks:
        for number in range(10):
            tasks.create_task(asker(number))
        await eventually(lambda: len(accepted) > 100, what="a busy desk")
        signalled = time.monotonic()
        await house.desk().signal(signal, hand() if signal is Signal.HALT else crash)
        await eventually(lambda: _row_says(house, mode), what="the gate row")
        acknowledged = time.monotonic()
        await eventually(lambda: time.monotonic() > acknowledged + 1.0, what="askers that go on")
        over.set()
    record_property("entries_before_the_signal", len([at for at in accepted if at < signalled]))
    record_property("signal_to_gate_row_s", round(acknowledged - signalled, 3))
    record_property("signal_to_last_accepted_entry_s", round(max(accepted) - signalled, 3))
    assert max(accepted) <= acknowledged, "the row was read before the intent was written"
    assert max(accepted) - signalled <= 0.5
    assert set(refused) <= {"halted", "epoch_older"}


async def _row_says(house: SequenceHouse, mode: Mode) -> bool:
    exposure = await house.store.exposure(house.realm, ACCOUNT)
    return exposure is not None and exposure.mode is mode
