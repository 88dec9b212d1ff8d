"""Human hands on the agent: each by update, by signal, and by the `temporal` program (C14)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from eventually import eventually
from fakes.scripted_models import buys
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, FLAT, OPENS_AT, SYMBOL, VENUE, Told
from store_rows import a_prepared
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError

from activities.store.port import IntentRefused
from trading.decision.approval import PersonAnswer, ProposedTrade
from trading.orders.models import OrderStatus, OrderType
from trading.playbook import Playbook, first_playbook, revised
from trading.policy.model import Policy
from trading.policy.table import changed
from trading.risk.models import Mode
from workers.operator import HandRefused, Place, answer_proposal, lay_hand
from workers.stack.temporal_server import find_temporal
from workflows.account_desk import AccountDesk
from workflows.names import TASK_TIMEOUT, QueueRole, Signal, Update, decision_workflow
from workflows.protocol import DecisionRequest, DecisionResult, DeskState, GuardState, Hand, HandDone
from workflows.trade_decision import TradeDecision

pytestmark = pytest.mark.temporal

OpenHouse = Callable[..., Awaitable[SequenceHouse]]
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
BUSY_DAY = 1000
"""As many entries as the policy lets one day have."""


def asking(**policy: Any) -> Playbook:
    """A playbook under which every entry waits for a person."""
    values = {"approval_above_fraction": "0", **policy}
    return revised(first_playbook(), policy=changed(Policy(), **values))


async def decision_that_asks(open_house: OpenHouse, **told: Any) -> tuple[SequenceHouse, WorkflowHandle[Any, Any]]:
    """A house in real time, with a decision to buy that has begun."""
    house = await open_house(Told(**{"coordinated": False, "playbook": asking(), **told}))
    return house, await begin(house)


async def begin(house: SequenceHouse, **changed_head: Any) -> WorkflowHandle[Any, Any]:
    house.primary.say(buys())
    house.secondary.say(buys())
    head = house.head(**changed_head)
    return await house.client.start_workflow(
        TradeDecision.run,
        DecisionRequest(head=head, playbook_hash=house.playbook_hash),
        id=decision_workflow(house.realm, head.decision_id),
        task_queue=house.queue(QueueRole.DECISIONS),
        task_timeout=TASK_TIMEOUT,
    )


async def proposal_of(decision: WorkflowHandle[Any, Any]) -> ProposedTrade:
    """The one proposal that waits."""

    async def waiting() -> list[ProposedTrade]:
        return await decision.query(TradeDecision.proposals)

    await eventually(waiting, what="the proposal")
    (trade,) = await waiting()
    return trade


def word(trade: ProposedTrade, **fields: Any) -> PersonAnswer:
    return PersonAnswer.model_validate({"proposal": trade.id, "who": "ada", "reason": "I looked", **fields})


async def told(decision: WorkflowHandle[Any, Any], verb: Update, answer: PersonAnswer) -> HandDone:
    return await decision.execute_update(verb, answer, result_type=HandDone)


async def ended(decision: WorkflowHandle[Any, Any]) -> tuple[str, tuple[str, ...]]:
    async with asyncio.timeout(30):
        result = DecisionResult.model_validate(await decision.result())
    (outcome,) = result.summary.outcomes
    return outcome.outcome, outcome.reasons


async def audited(house: SequenceHouse, subject: str) -> list[tuple[str, str, str]]:
    entries = await house.store.audit(house.realm, subject=subject)
    return [(one.what, one.who, one.reason) for one in reversed(entries) if not one.what.startswith("gate")]


async def temporal(house: SequenceHouse, *words: str) -> None:
    """What a person types who has nothing but the `temporal` program."""
    program = find_temporal({})
    if program is None:
        pytest.skip("no temporal program")
    where = ("--address", house.client.service_client.config.target_host, "--namespace", house.client.namespace)
    process = await asyncio.create_subprocess_exec(
        str(program), "workflow", *words, *where, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


def place(house: SequenceHouse) -> Place:
    """The house as an operator's verb sees it."""
    return Place(realm=house.realm, venue=VENUE, venue_url="", client=house.client, store=house.store)


async def state_of(house: SequenceHouse) -> DeskState:
    state = await house.desk().query(AccountDesk.state)
    assert state is not None
    return state


async def has_mode(house: SequenceHouse, mode: Mode) -> bool:
    return (await state_of(house)).exposure.mode is mode


def hand(name: str = "op-1", **fields: Any) -> Hand:
    return Hand.model_validate({"operation_id": name, "who": "ada", "reason": "storm", **fields})


async def venue_count(house: SequenceHouse) -> int:
    return len(await house.exchange.orders(ACCOUNT, SYMBOL))


# -- answers to a proposal ---------------------------------------------------------------------------------------------


async def test_an_approved_proposal_passes_the_gate_and_is_audited_once(open_house: OpenHouse) -> None:
    house, decision = await decision_that_asks(open_house)
    trade = await proposal_of(decision)
    assert await venue_count(house) == 0, "nothing is sent while a person thinks"
    first = await told(decision, Update.APPROVE, word(trade, operation_id="op-1"))
    assert (first.accepted, first.state, first.target, first.operation_id) == (True, "approve", trade.id, "op-1")
    assert await ended(decision) == ("opened", ())
    assert await audited(house, trade.id) == [("approve", "ada", "I looked")]
    assert await venue_count(house) == 1


async def test_a_rejected_proposal_ends_without_an_order(open_house: OpenHouse) -> None:
    house, decision = await decision_that_asks(open_house)
    trade = await proposal_of(decision)
    await told(decision, Update.REJECT, word(trade))
    assert await ended(decision) == ("rejected_by_person", ("ada: I looked",))
    assert (await venue_count(house), (await state_of(house)).answers) == (0, {})
    assert await audited(house, trade.id) == [("reject", "ada", "I looked")]


async def test_a_proposal_that_nobody_answers_is_rejected(open_house: OpenHouse) -> None:
    house, decision = await decision_that_asks(open_house, playbook=asking(approval_expires_s=2))
    trade = await proposal_of(decision)
    assert await ended(decision) == ("expired", ("clock: nobody answered in time",))
    assert await venue_count(house) == 0
    assert await audited(house, trade.id) == [("expire", "clock", "nobody answered in time")]


async def test_a_changed_proposal_is_checked_and_then_traded_as_changed(open_house: OpenHouse) -> None:
    house, decision = await decision_that_asks(open_house)
    trade = await proposal_of(decision)
    refused = await told(decision, Update.MODIFY, word(trade, stop_price="7300"))
    assert not refused.accepted
    assert "must be below entry" in refused.reason
    too_big = await told(decision, Update.MODIFY, word(trade, size_fraction="0.5"))
    assert "the largest trade is" in too_big.reason
    done = await told(decision, Update.MODIFY, word(trade, size_fraction="0.02", stop_price="6850"))
    assert (done.accepted, done.state) == (True, "modify")
    result = DecisionResult.model_validate(await decision.result())
    (outcome,) = result.summary.outcomes
    assert outcome.outcome == "opened"
    assert outcome.notional_usd is not None
    assert outcome.notional_usd <= Decimal("0.02") * house.told.capital
    (expected,) = (await house.guard_state()).expected
    assert expected.stop_price == Decimal(6850), "the guard protects what the person chose"
    ((what, _, _),) = await audited(house, trade.id)
    assert what == "modify size_fraction=0.02 stop_price=6850"


async def test_an_approval_of_a_price_that_is_gone_is_stale(open_house: OpenHouse) -> None:
    house, decision = await decision_that_asks(open_house, hours=[(7000, 7200, 6990, 7190), (7190, 7210, 7180, 7200)])
    trade = await proposal_of(decision)
    await house.advance(OPENS_AT + HOUR)
    await told(decision, Update.APPROVE, word(trade))
    outcome, (reason,) = await ended(decision)
    assert outcome == "stale"
    assert reason.startswith(f"the ask moved from {trade.price}")
    assert await venue_count(house) == 0


async def test_an_approval_hours_later_at_the_same_price_rests_on_new_facts(open_house: OpenHouse) -> None:
    """The observation of the decision would be too old for the gate; the market is looked at again."""
    house, decision = await decision_that_asks(open_house, hours=[FLAT, FLAT, FLAT])
    trade = await proposal_of(decision)
    await house.advance(OPENS_AT + 2 * HOUR)
    await told(decision, Update.APPROVE, word(trade))
    assert await ended(decision) == ("opened", ())


async def test_two_people_answer_at_once_and_one_of_them_counts(open_house: OpenHouse) -> None:
    house, decision = await decision_that_asks(open_house)
    trade = await proposal_of(decision)
    answers = await asyncio.gather(
        answer_proposal(place(house), "reject", word(trade, who="ada", operation_id="op-a")),
        answer_proposal(place(house), "reject", word(trade, who="bob", operation_id="op-b")),
    )
    assert sorted(answer.accepted for answer in answers) == [False, True]
    (late,) = [answer for answer in answers if not answer.accepted]
    assert "answered before: reject by" in late.reason
    assert len(await audited(house, trade.id)) == 1


async def test_the_same_answer_sent_twice_is_one(open_house: OpenHouse) -> None:
    house, decision = await decision_that_asks(open_house)
    trade = await proposal_of(decision)
    answer = word(trade, operation_id="op-1")
    answers = await asyncio.gather(*(answer_proposal(place(house), "reject", answer) for _ in range(3)))
    assert [(one.accepted, one.state) for one in answers] == [(True, "reject")] * 3
    assert len(await audited(house, trade.id)) == 1


async def test_an_answer_after_the_end_is_told_the_earlier_one(open_house: OpenHouse) -> None:
    house, decision = await decision_that_asks(open_house)
    trade = await proposal_of(decision)
    await told(decision, Update.REJECT, word(trade))
    await ended(decision)
    late = await answer_proposal(place(house), "approve", word(trade, who="bob"))
    assert (late.accepted, late.state) == (False, "reject")
    assert late.reason == "answered before: reject by ada: I looked"


async def test_an_unknown_proposal_names_those_that_wait(open_house: OpenHouse) -> None:
    house, decision = await decision_that_asks(open_house)
    trade = await proposal_of(decision)
    for unknown in ("d1-0", f"{trade.decision_id}-00000000", "nonsense"):
        with pytest.raises(HandRefused) as refused:
            await answer_proposal(place(house), "approve", word(trade, proposal=unknown))
        assert unknown in str(refused.value)
    assert trade.id in str(refused.value) or "none" in str(refused.value), "visibility may lag"


async def test_an_unknown_account_or_symbol_names_the_known_ones(open_house: OpenHouse) -> None:
    house = await open_house(Told(coordinated=False))
    with pytest.raises(HandRefused, match=f"known are {ACCOUNT}"):
        await lay_hand(place(house), "halt", "somebody", hand())
    with pytest.raises(HandRefused, match="was never ordered"):
        await lay_hand(place(house), "flatten", ACCOUNT, hand(symbol="XRP/USDT"))
    assert await audited(house, ACCOUNT) == []


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"proposal": "d1-0"}, "waiting are"),
        ({"who": ""}, "both must be given"),
        ({"reason": " "}, "both must be given"),
        ({"size_fraction": "0.01"}, "need `modify`"),
    ],
)
async def test_an_answer_that_cannot_be_taken_is_no_history(
    open_house: OpenHouse, fields: dict[str, str], sentence: str
) -> None:
    house, decision = await decision_that_asks(open_house)
    trade = await proposal_of(decision)
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await told(decision, Update.APPROVE, word(trade, **fields))
    assert sentence in str(failed.value.cause)
    await decision.signal(Signal.APPROVE, word(trade, **fields))
    assert (await proposal_of(decision)).id == trade.id, "a signal that cannot be taken changes nothing either"
    await decision.signal(Signal.REJECT, word(trade))
    assert (await ended(decision))[0] == "rejected_by_person"
    assert len(await audited(house, trade.id)) == 1


@pytest.mark.parametrize(
    ("verb", "more", "outcome"),
    [("approve", {}, "opened"), ("reject", {}, "rejected_by_person"), ("modify", {"size_fraction": "0.02"}, "opened")],
)
async def test_the_temporal_program_answers_a_proposal(
    open_house: OpenHouse, verb: str, more: dict[str, str], outcome: str
) -> None:
    house, decision = await decision_that_asks(open_house)
    trade = await proposal_of(decision)
    given = json.dumps({"proposal": trade.id, "who": "ada", "reason": "from the shell", **more})
    await temporal(house, "signal", "-w", decision.id, "--name", verb, "--input", given)
    assert (await ended(decision))[0] == outcome
    ((what, who, reason),) = await audited(house, trade.id)
    assert (what.split(" ")[0], who, reason) == (verb, "ada", "from the shell")


async def test_the_temporal_program_answers_by_update_too(open_house: OpenHouse) -> None:
    house, decision = await decision_that_asks(open_house)
    trade = await proposal_of(decision)
    given = json.dumps({"proposal": trade.id, "who": "ada", "reason": "from the shell"})
    await temporal(house, "update", "execute", "-w", decision.id, "--name", "reject", "--input", given)
    assert (await ended(decision))[0] == "rejected_by_person"


async def test_a_manual_account_asks_and_an_approval_lets_it_through(open_house: OpenHouse) -> None:
    house = await open_house(Told(coordinated=False))
    await house.desk().execute_update(Update.MANUAL, hand(), result_type=HandDone)
    decision = await begin(house)
    trade = await proposal_of(decision)
    assert trade.because == ("manual_mode",)
    await told(decision, Update.APPROVE, word(trade))
    assert await ended(decision) == ("opened", ())


async def test_limits_bind_people_too(open_house: OpenHouse) -> None:
    """Halted while the person thinks: the approval is taken, and the gate refuses."""
    house, decision = await decision_that_asks(open_house)
    trade = await proposal_of(decision)
    await house.desk().execute_update(Update.HALT, hand(), result_type=HandDone)
    await told(decision, Update.APPROVE, word(trade))
    outcome, reasons = await ended(decision)
    assert (outcome, reasons) == ("refused_by_gate", ("halted",))
    assert await venue_count(house) == 0


async def test_accounts_that_need_nobody_do_not_wait_for_one_that_does(open_house: OpenHouse) -> None:
    house = await open_house(Told(coordinated=False, accounts=("aggressive", "conservative")))
    await house.desk("conservative").execute_update(Update.MANUAL, hand(), result_type=HandDone)
    decision = await begin(house)
    trade = await proposal_of(decision)
    assert trade.account == "conservative"
    assert len(await house.exchange.orders("aggressive", SYMBOL)) == 1
    await told(decision, Update.REJECT, word(trade))
    result = DecisionResult.model_validate(await decision.result())
    assert [one.outcome for one in result.summary.outcomes] == ["opened", "rejected_by_person"]


@pytest.mark.parametrize(("approvals", "outcome"), [("expire", "expired"), ("grant", "opened")])
async def test_in_a_campaign_the_policy_answers_at_once(open_house: OpenHouse, approvals: str, outcome: str) -> None:
    house = await open_house(Told(playbook=asking()))
    house.primary.say(buys())
    house.secondary.say(buys())
    head = house.head()
    result = await house.client.execute_workflow(
        TradeDecision.run,
        DecisionRequest.model_validate(
            {
                "head": head,
                "playbook_hash": house.playbook_hash,
                "coordinator": house.coordinator_id,
                "approvals": approvals,
            }
        ),
        id=decision_workflow(house.realm, head.decision_id),
        task_queue=house.queue(QueueRole.DECISIONS),
        task_timeout=TASK_TIMEOUT,
    )
    assert [one.outcome for one in result.summary.outcomes] == [outcome]


# -- modes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "mode"),
    [("pause", Mode.MANUAL), ("manual", Mode.MANUAL), ("halt", Mode.HALTED)],
)
async def test_a_mode_by_update_by_signal_and_by_the_temporal_program(
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
    await house.desk().signal("resume", hand("op-4"))
    await eventually(lambda: has_mode(house, Mode.AUTO), what="the resumption")
    await temporal(house, "signal", "-w", house.desk().id, "--name", verb, "--input", '{"who":"ada","reason":"shell"}')
    await eventually(lambda: has_mode(house, mode), what="the shell's signal")
    await eventually(lambda: _audited_times(house, 5), what="the audit")
    what = [(one, why) for one, _, why in await audited(house, ACCOUNT)]
    assert what == [(verb, "storm"), ("resume", "storm"), (verb, "storm"), ("resume", "storm"), (verb, "shell")]


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


@pytest.mark.parametrize("how", ["update", "signal", "temporal"])
@pytest.mark.parametrize("symbol", [None, SYMBOL])
async def test_flatten_cancels_the_stop_and_sells_what_is_held(
    open_house: OpenHouse, how: str, symbol: str | None
) -> None:
    house = await open_house()
    await house.bought(stop="6800")
    if how == "update":
        done = await house.desk().execute_update(Update.FLATTEN, hand(symbol=symbol), result_type=HandDone)
        assert (done.accepted, done.state) == (True, "auto")
    elif how == "signal":
        await house.desk().signal(Signal.FLATTEN, hand(symbol=symbol))
    else:
        given = hand(symbol=symbol).model_dump_json()
        await temporal(house, "signal", "-w", house.desk().id, "--name", "flatten", "--input", given)
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


async def test_after_a_halt_no_entry_is_accepted_however_busy_the_desk_is(
    open_house: OpenHouse, record_property: Callable[[str, object], None]
) -> None:
    """Ten askers without end, each permit followed by its intent; a halt by signal in the middle (C20)."""
    busy = revised(first_playbook(), policy=changed(Policy(), max_entries_per_day=BUSY_DAY))
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
        await house.desk().signal(Signal.HALT, hand())
        await eventually(lambda: _row_says_halted(house), what="the gate row")
        acknowledged = time.monotonic()
        await eventually(lambda: time.monotonic() > acknowledged + 1.0, what="askers that go on")
        over.set()
    record_property("entries_before_the_signal", len([at for at in accepted if at < signalled]))
    record_property("signal_to_gate_row_s", round(acknowledged - signalled, 3))
    record_property("signal_to_last_accepted_entry_s", round(max(accepted) - signalled, 3))
    assert max(accepted) <= acknowledged, "the row was read before the intent was written"
    assert max(accepted) - signalled <= 0.5
    assert set(refused) <= {"halted", "epoch_older"}


async def _row_says_halted(house: SequenceHouse) -> bool:
    exposure = await house.store.exposure(house.realm, ACCOUNT)
    return exposure is not None and exposure.mode is Mode.HALTED
