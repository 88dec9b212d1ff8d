"""A proposal waits for a person; the first answer counts. From where it may come: test_every_seat.py."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from fakes.people import (
    asking,
    audited,
    begin,
    decision_that_asks,
    ended,
    hand,
    place,
    proposal_of,
    state_of,
    told,
    venue_count,
    word,
)
from fakes.scripted_models import buys
from fakes.sequence_house import SequenceHouse
from fakes.told_market import FLAT, OPENS_AT, SYMBOL, Told
from temporalio.client import WorkflowUpdateFailedError

from trading.orders.models import Side
from workers.operator.hands import answer_proposal
from workers.operator.place import HandRefused
from workflows.names import TASK_TIMEOUT, QueueRole, Signal, Update, decision_workflow
from workflows.protocol import DecisionRequest, DecisionResult, HandDone
from workflows.trade_decision import TradeDecision

pytestmark = pytest.mark.temporal

OpenHouse = Callable[..., Awaitable[SequenceHouse]]
HOUR = timedelta(hours=1)


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
    placed = await house.exchange.orders("aggressive", SYMBOL)
    assert len([order for order in placed if order.side is Side.BUY]) == 1
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
