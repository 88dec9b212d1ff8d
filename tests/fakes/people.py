"""People beside a house of a test: what they say, what they type, and what is written down of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually
from fakes.scripted_models import buys
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, SYMBOL, VENUE, Told
from temporalio.client import WorkflowHandle

from trading.decision.approval import PersonAnswer, ProposedTrade
from trading.playbook import Playbook, first_playbook, revised
from trading.policy.model import Policy
from trading.policy.table import changed
from trading.risk.models import Mode
from workers.operator.place import Place
from workers.stack.home import Home, StackState
from workers.stack.temporal_server import find_temporal
from workflows.account_desk import AccountDesk
from workflows.names import TASK_TIMEOUT, QueueRole, Update, decision_workflow
from workflows.protocol import DecisionRequest, DecisionResult, DeskState, Hand, HandDone
from workflows.trade_decision import TradeDecision

OpenHouse = Callable[..., Awaitable[SequenceHouse]]


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
    """What the desk knows; one that has just begun has not read its account yet."""
    return await eventually(lambda: house.desk().query(AccountDesk.state), what="the desk's first look")


async def has_mode(house: SequenceHouse, mode: Mode) -> bool:
    return (await state_of(house)).exposure.mode is mode


def hand(name: str = "op-1", **fields: Any) -> Hand:
    return Hand.model_validate({"operation_id": name, "who": "ada", "reason": "storm", **fields})


async def venue_count(house: SequenceHouse) -> int:
    """What was sent to the venue: a list of entry and exits is one request."""
    return len({one.order_list_id or one.venue_order_id for one in await house.exchange.orders(ACCOUNT, SYMBOL)})


def attached(house: SequenceHouse, home: Path) -> Path:
    """The folder of a test's house as the home of a stack that runs, for `perennial` in a process of its own."""
    target = house.client.service_client.config.target_host
    Home(home).publish(
        StackState(realm=house.realm, profile="simulated", namespace=house.client.namespace, temporal_address=target)
    )
    return home
