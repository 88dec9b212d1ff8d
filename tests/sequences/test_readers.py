"""Whoever looks at a desk while it works must not spoil its history: it replays, and goes on, after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from fakes.people import hand
from fakes.sequence_house import SequenceHouse
from fakes.told_market import OPENS_AT, Told
from temporalio.service import RPCError, RPCStatusCode

from workflows.account_desk import AccountDesk
from workflows.names import Signal
from workflows.protocol import Defend, HandDone

pytestmark = pytest.mark.temporal

OpenHouse = Callable[..., Awaitable[SequenceHouse]]
ASKERS = 8
"""With a person at once, as many updates as the server lets one workflow have in flight are ten."""
WISHES = 25
"""Of each asker: with local activities in these handlers every run of this test left a history that no replay took."""


async def test_a_desk_that_is_asked_watched_paused_and_defended_at_once_stays_replayable(
    open_house: OpenHouse,
) -> None:
    """Two hundred wishes under queries; the house replays each history at its end."""
    house = await open_house(Told(coordinated=False))
    over = asyncio.Event()
    looks = 0

    async def reader() -> None:
        nonlocal looks
        while not over.is_set():
            try:
                await house.desk().query(AccountDesk.state)
            except RPCError as busy:
                if busy.status is not RPCStatusCode.RESOURCE_EXHAUSTED:
                    raise
                await asyncio.sleep(0.05)  # the server holds so many questions and no more
            else:
                looks += 1

    async def asker(number: int) -> None:
        for step in range(WISHES):
            await house.reserve(house.wish(f"w{number}-{step}", notional="600"))

    async def people() -> None:
        step = 0
        while not over.is_set():
            step += 1
            await house.desk().signal(Signal.DEFEND, Defend(operation_id=f"b{step}", reason="crash", as_of=OPENS_AT))
            for verb in ("pause", "resume"):
                await house.desk().execute_update(verb, hand(f"op-{step}-{verb}"), result_type=HandDone)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(reader())
        tasks.create_task(people())
        await asyncio.gather(*(asker(number) for number in range(ASKERS)))
        over.set()
    assert looks > 50
    assert await house.replay_all() >= 1
    state = await house.desk().query(AccountDesk.state)
    assert state is not None
    assert len(state.answers) == ASKERS * WISHES
