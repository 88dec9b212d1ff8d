"""Each verb of a person from each seat: `perennial`, and `temporal` by update and by signal; audited, and on the card.

This is the table of docs/how-to/stop-it.md. Lessons and thresholds are in test_teaching.py and, from `perennial`, in
tests/e2e/test_temporal_program.py.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from command_line import perennial
from eventually import eventually
from fakes.people import attached, audited, decision_that_asks, ended, proposal_of, temporal
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, SYMBOL
from temporalio.api.sdk.v1 import WorkflowMetadata

pytestmark = pytest.mark.temporal

OpenHouse = Callable[..., Awaitable[SequenceHouse]]

SEATS = ("perennial", "update", "signal")

HANDS = [
    # verb of `perennial` with what it needs, name of the update and signal, mode on the card, row of the audit
    (("pause",), "pause", "manual", "pause"),
    (("manual",), "manual", "manual", "manual"),
    (("halt",), "halt", "halted", "halt"),
    (("resume",), "resume", "auto", "resume"),
    (("exit", SYMBOL), "flatten", "auto", f"flatten {SYMBOL}"),
    (("flatten", "--yes"), "flatten", "auto", "flatten"),
]

ANSWERS = [
    # verb, what is changed from each seat, outcome, row of the audit
    ("approve", (), {}, "opened", "approve"),
    ("reject", (), {}, "rejected_by_person", "reject"),
    ("modify", ("--size", "0.02"), {"size_fraction": "0.02"}, "opened", "modify size_fraction=0.02"),
]


async def typed(home: Path, *words: str) -> None:
    done = await asyncio.to_thread(perennial, home, *words, "--who", "ada", "--json")
    assert done.code == 0, done.err + done.out
    assert done.answer["accepted"] is True


async def card_of(house: SequenceHouse, workflow_id: str) -> str:
    """What the Web UI shows as the workflow's current details."""
    handle = house.client.get_workflow_handle(workflow_id)
    shown = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return str(shown.current_details)


async def sent(house: SequenceHouse, workflow_id: str, seat: str, name: str, given: dict[str, str]) -> None:
    words = ("update", "execute") if seat == "update" else ("signal",)
    await temporal(house, *words, "-w", workflow_id, "--name", name, "--input", json.dumps(given))


@pytest.mark.parametrize("seat", SEATS)
async def test_a_hand_on_an_account(open_house: OpenHouse, tmp_path: Path, seat: str) -> None:
    house = await open_house()
    await house.bought(stop="6800")
    home = attached(house, tmp_path / "house-1")
    desk = house.desk().id
    expected: list[tuple[str, str, str]] = []
    for (verb, *more), name, mode, row in HANDS:
        why = f"{verb} from {seat}"
        if seat == "perennial":
            await typed(home, verb, ACCOUNT, *more, "--reason", why)
        else:
            given = {"who": "ada", "reason": why} | ({"symbol": SYMBOL} if verb == "exit" else {})
            await sent(house, desk, seat, name, given)
        expected.append((row, "ada", why))

        for text in (f"{ACCOUNT}: {mode}", f"ada: {why}"):
            await eventually(lambda text=text: _says(house, desk, text), what=f"{text} on the card")
        await eventually(lambda: _rows(house, ACCOUNT, expected), what=f"the audit of {why}")
    await eventually(lambda: _is_leaving(house), what="the guard sells")
    await eventually(lambda: _says(house, house.guard().id, f"flatten from {seat}"), what="the guard's card")


async def _says(house: SequenceHouse, workflow_id: str, text: str) -> bool:
    return text in await card_of(house, workflow_id)


async def _rows(house: SequenceHouse, subject: str, expected: list[tuple[str, str, str]]) -> bool:
    return await audited(house, subject) == expected


async def _is_leaving(house: SequenceHouse) -> bool:
    state = await house.guard_state()
    return any(order.leg.value == "flatten" for order in (state.stop, state.leaving) if order is not None)


@pytest.mark.parametrize("seat", SEATS)
@pytest.mark.parametrize(("verb", "words", "changes", "outcome", "row"), ANSWERS, ids=lambda value: str(value))
async def test_an_answer_to_a_proposal(
    open_house: OpenHouse,
    tmp_path: Path,
    seat: str,
    verb: str,
    words: tuple[str, ...],
    changes: dict[str, str],
    outcome: str,
    row: str,
) -> None:
    house, decision = await decision_that_asks(open_house)
    trade = await proposal_of(decision)
    card = await card_of(house, decision.id)
    assert f"perennial approve {trade.id}" in card
    assert f"temporal workflow signal -w {decision.id}" in card
    why = f"{verb} from {seat}"
    if seat == "perennial":
        home = attached(house, tmp_path / "house-1")
        await typed(home, verb, trade.id, *words, "--reason", why)
    else:
        await sent(house, decision.id, seat, verb, {"proposal": trade.id, "who": "ada", "reason": why, **changes})
    assert (await ended(decision))[0] == outcome
    assert await audited(house, trade.id) == [(row, "ada", why)]
    card = await card_of(house, decision.id)
    assert (outcome in card, f"{verb} by ada: {why}" in card) == (True, True)
    assert trade.id not in card, "nothing waits any more"
