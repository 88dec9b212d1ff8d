"""A run over history: the same rows, however slow the models are and however often the campaign begins a new run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from fakes.scripted_models import buys
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, FLAT, OPENS_AT, Told
from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle

from trading.risk.models import GateRequest
from workers.runtime.plugin import data_converter
from workflows.names import Signal
from workflows.protocol import CampaignResult, Tick

pytestmark = pytest.mark.temporal

OpenHouse = Callable[..., Awaitable[SequenceHouse]]

FALL = (7000, 7010, 6600, 6650)
RISE = (6650, 7050, 6640, 7000)
SYMBOLS = ("ETH/USDT", "BTC/USDT")
"""Not in the alphabet's order: the stated order is the campaign's."""


def told() -> Told:
    """Two symbols that fall together in the tenth hour: both stops go at the same instant."""
    return Told(
        hours=[*[FLAT] * 9, FALL, RISE, *[FLAT] * 60],
        symbols=SYMBOLS,
        ledger="one-history",
        accounts_open=False,
        desks=False,
        coordinated=False,
    )


async def run(house: SequenceHouse) -> tuple[CampaignResult, str]:
    """The campaign's result and the digest of all that it left in the database."""
    house.primary.say(buys())
    house.secondary.say(buys())
    result = await (await house.start_campaign(hours=24, decide_every_h=8)).result()
    return result, await house.store.digest(house.realm)


async def test_latencies_and_new_runs_change_no_row(monkeypatch: pytest.MonkeyPatch, open_house: OpenHouse) -> None:
    quick = await open_house(told())
    result, digest = await run(quick)
    assert result.progress.done
    assert result.progress.decisions == 6
    assert result.reconciliation.differences == ()
    assert result.reconciliation.orders_checked > 3

    slow = await open_house(told())
    slow.primary.thinks_s = {"ETH/USDT": 0.3}
    slow.secondary.thinks_s = {"BTC/USDT": 0.1}
    assert (await run(slow))[1] == digest
    assert await symbols_at_the_gate(slow) == ["ETH/USDT", "BTC/USDT"] * 3, "the slower symbol still goes first"

    begins_anew = await open_house(told())
    monkeypatch.setattr(workflow.Info, "is_continue_as_new_suggested", _after(100, begins_anew.realm))
    result, again = await run(begins_anew)
    assert result.progress.decisions == 6
    assert again == digest
    found = begins_anew.client.list_workflows(f"WorkflowId = '{begins_anew.realm}/campaign'")
    assert len([one async for one in found]) > 1, "the campaign went on in a new run"


async def test_events_of_one_instant_go_to_their_owners_in_a_stated_order(open_house: OpenHouse) -> None:
    house = await open_house(told())
    house.primary.say(buys())
    house.secondary.say(buys())
    handle = await house.start_campaign(hours=12)
    await handle.result()
    ticks = [(entity, tick) async for entity, tick in _ticks(house, handle)]
    assert [tick.number for _, tick in ticks] == sorted(tick.number for _, tick in ticks)
    fell = [entity for entity, tick in ticks if tick.events and OPENS_AT + timedelta(hours=9) < tick.as_of]
    assert fell[:2] == [house.guard(symbol=symbol).id for symbol in sorted(SYMBOLS)]
    for entity, tick in ticks:
        for event in tick.events:
            assert event.account in (None, ACCOUNT)
            is_its_level = (event.level_id or "").startswith(f"{entity}#")
            assert is_its_level or entity.endswith(event.symbol) or "/order/" in entity, "no event goes to a stranger"


async def symbols_at_the_gate(house: SequenceHouse) -> list[str]:
    """The symbols in the order in which the desk was asked."""
    asked = []
    async for event in house.desk().fetch_history_events():
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
            request = event.workflow_execution_update_accepted_event_attributes.accepted_request
            (wish,) = await data_converter().decode(list(request.input.args.payloads), [GateRequest])
            asked.append(wish.symbol)
    return asked


async def _ticks(house: SequenceHouse, handle: WorkflowHandle[Any, Any]) -> Any:
    async for event in handle.fetch_history_events():
        if event.event_type != EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED:
            continue
        sent = event.signal_external_workflow_execution_initiated_event_attributes
        if sent.signal_name == Signal.TICK:
            (tick,) = await data_converter().decode(list(sent.input.payloads), [Tick])
            yield sent.workflow_execution.workflow_id, tick


def _after(events: int, realm: str) -> Callable[[workflow.Info], bool]:
    """What the server suggests after thousands of events, suggested to one house after a few."""
    return lambda info: info.workflow_id.startswith(f"{realm}/") and info.get_current_history_length() > events
