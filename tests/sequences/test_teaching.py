"""What people teach through a desk, by update and by signal: audited, told to all desks, shown on the card (C14)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from eventually import eventually
from fakes.people import audited, state_of, temporal
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, Told
from temporalio.client import WorkflowUpdateFailedError

from trading.playbook import Playbook, from_json
from workflows.names import PLAYBOOK, Signal, Update
from workflows.protocol import HandDone, Lesson, Threshold

pytestmark = pytest.mark.temporal

OpenHouse = Callable[..., Awaitable[SequenceHouse]]
OTHER = "aggressive"


async def playbook_of(house: SequenceHouse) -> Playbook:
    active = await house.store.active_playbook(house.realm)
    return from_json(await house.store.get(active.content_hash))


async def knows(house: SequenceHouse, account: str, version: str) -> bool:
    described = await house.desk(account).describe()
    return described.typed_search_attributes.get(PLAYBOOK) == version


async def set_by_hand(house: SequenceHouse, **fields: Any) -> HandDone:
    threshold = Threshold.model_validate({"name": "max_trade_fraction", "who": "ada", "reason": "storm", **fields})
    return await house.desk().execute_update(Update.SET_THRESHOLD, threshold, result_type=HandDone)


async def test_a_lesson_is_kept_with_its_author_once_and_every_desk_hears_of_it(open_house: OpenHouse) -> None:
    house = await open_house(Told(coordinated=False, accounts=(ACCOUNT, OTHER)))
    lesson = Lesson(operation_id="op-1", text="Trade less on holidays.", who="ada", reason="thin books")
    done = await house.desk().execute_update(Update.TEACH, lesson, result_type=HandDone)
    assert (done.accepted, done.target, done.operation_id) == (True, "playbook", "op-1")
    assert await house.desk().execute_update(Update.TEACH, lesson, result_type=HandDone) == done
    learnt = [(each.text, each.author) for each in (await playbook_of(house)).principles]
    assert learnt.count(("Trade less on holidays.", "ada")) == 1
    for account in (ACCOUNT, OTHER):
        await eventually(lambda who=account: knows(house, who, done.state), what=f"the desk of {account}")
    assert (f"activate {done.state} after {(await playbook_of(house)).parent}", "ada", "thin books") in await audited(
        house, "playbook"
    )
    assert "knowledge by ada: thin books" in (await state_of(house)).taught


async def test_a_tighter_threshold_by_the_temporal_program_binds_the_next_wish(open_house: OpenHouse) -> None:
    house = await open_house(Told(coordinated=False))
    said = '{"name":"max_trade_fraction","value":"0.01","who":"ada","reason":"storm"}'
    await temporal(house, "signal", "-w", house.desk().id, "--name", "set_threshold", "--input", said)
    await eventually(lambda: _taught(house), what="the threshold")
    answer = await house.reserve(house.wish("w1", notional="50000"))
    assert answer.permit is not None
    assert answer.permit.notional_usd <= house.told.capital / 100


async def _taught(house: SequenceHouse) -> str:
    return (await state_of(house)).taught


async def test_what_loosens_needs_a_persons_explicit_word(open_house: OpenHouse) -> None:
    house = await open_house(Told(coordinated=False))
    before = await playbook_of(house)
    refused = await set_by_hand(house, value="0.06")
    assert (refused.accepted, refused.state) == (False, "refused")
    assert "approve_loosening: true" in refused.reason
    assert await playbook_of(house) == before
    assert "was not taken" in (await state_of(house)).taught
    accepted = await set_by_hand(house, value="0.06", approve_loosening=True)
    assert accepted.accepted
    assert str((await playbook_of(house)).policy.max_trade_fraction) == "0.06"


@pytest.mark.parametrize(
    ("name", "value"), [("luck", "7"), ("max_trade_fraction", "many"), ("max_trade_fraction", "7")]
)
async def test_what_is_no_threshold_or_out_of_bounds_is_told_and_the_desk_lives_on(
    open_house: OpenHouse, name: str, value: str
) -> None:
    house = await open_house(Told(coordinated=False))
    refused = await set_by_hand(house, name=name, value=value, approve_loosening=True)
    assert (refused.accepted, refused.state) == (False, "refused")
    assert (await house.reserve(house.wish("w1"))).permit is not None


async def test_a_lesson_without_who_or_why_is_not_taken(open_house: OpenHouse) -> None:
    house = await open_house(Told(coordinated=False))
    with pytest.raises(WorkflowUpdateFailedError):
        await house.desk().execute_update(Update.TEACH, Lesson(text="Trade more."), result_type=HandDone)
    await house.desk().signal(Signal.TEACH, Lesson(text="Trade more."))
    assert (await house.reserve(house.wish("w1"))).permit is not None
    assert (await state_of(house)).taught == ""
