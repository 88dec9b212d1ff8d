"""Decisions: every way from the observation to the end."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from eventually import eventually
from fakes.scripted_models import buys, holds, misquotes, sells
from fakes.sequence_house import SequenceHouse
from fakes.told_market import Told
from recordings.desks import halt
from recordings.path import Play, RecordedPath

from trading.decision.approval import PersonAnswer
from trading.playbook import first_playbook, revised
from trading.policy.model import Policy
from trading.policy.table import changed
from workflows.names import TASK_TIMEOUT, QueueRole, Update, decision_workflow
from workflows.protocol import DecisionRequest
from workflows.trade_decision import TradeDecision


def _decision(*speeches: Any) -> Play:
    async def play(house: SequenceHouse) -> str:
        house.primary.say(*speeches)
        house.secondary.say(*speeches)
        await house.decide()
        return decision_workflow(house.realm, house.head().decision_id)

    return play


async def _refused_by_gate(house: SequenceHouse) -> str:
    await halt(house)
    return await _decision(buys())(house)


async def _reduced(house: SequenceHouse) -> str:
    await house.bought()
    return await _decision(sells(size="0.5"))(house)


async def _approved(house: SequenceHouse) -> str:
    """In real time: the decision waits, a person makes it smaller."""
    house.primary.say(buys())
    house.secondary.say(buys())
    head = house.head()
    decision = await house.client.start_workflow(
        TradeDecision.run,
        DecisionRequest(head=head, playbook_hash=house.playbook_hash),
        id=decision_workflow(house.realm, head.decision_id),
        task_queue=house.queue(QueueRole.DECISIONS),
        task_timeout=TASK_TIMEOUT,
    )
    waiting = await eventually(lambda: decision.query(TradeDecision.proposals), what="the proposal")
    answer = PersonAnswer(proposal=waiting[0].id, who="a person", reason="half", size_fraction=Decimal("0.02"))
    await decision.execute_update(Update.MODIFY, answer)
    await decision.result()
    return decision.id


ASKING = revised(first_playbook(), policy=changed(Policy(), approval_above_fraction="0"))


PATHS = (
    RecordedPath("decision-held", _decision(holds()), Told()),
    RecordedPath("decision-opened", _decision(buys()), Told()),
    RecordedPath("decision-reduced", _reduced, Told()),
    RecordedPath("decision-abstained", _decision(misquotes(buys())), Told()),
    RecordedPath("decision-refused", _refused_by_gate, Told()),
    RecordedPath("decision-corrected", _decision(misquotes(buys()), buys()), Told()),
    RecordedPath("decision-modified", _approved, Told(coordinated=False, playbook=ASKING)),
)
