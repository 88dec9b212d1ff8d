"""A plan of strikes on a stack whose parts may be dead already when a blow falls."""

from __future__ import annotations

import asyncio
import signal
import time
from decimal import Decimal
from typing import cast

import pytest

from workers.stack.kept import PartError
from workers.stack.stack import Stack
from workers.trials.striking import Strike, Striking

WORKERS = ("worker-1", "worker-2")


class FakeStack:
    """Parts that look alive; `dead` are those whose end nobody has noticed yet."""

    def __init__(self, *dead: str) -> None:
        self.dead = set(dead)
        self.heard: list[tuple[str, int]] = []

    @property
    def pids(self) -> dict[str, int]:
        return dict.fromkeys((*WORKERS, "exchange"), 1)

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        if name in self.dead:
            raise PartError(f"part {name} is not running")
        self.heard.append((name, number))
        return 1


def striking(stack: FakeStack, *, freeze_s: float | None = None, pick: float = 0.0, target: str = "worker") -> Striking:
    strike = Strike(at=Decimal(0), wait_s=0, target=target, freeze_s=freeze_s, alone=False, pick=pick)

    async def alive() -> None:
        return None

    return Striking(cast(Stack, stack), [strike], workers=WORKERS, alive=alive)


async def test_a_blow_at_a_part_that_is_dead_already_falls_when_it_lives_again() -> None:
    stack = FakeStack("worker-1")
    blows = striking(stack)
    assert await blows.up_to(Decimal(1)) == []
    assert (blows.kills, stack.heard) == (0, [])
    stack.dead.clear()
    assert await blows.up_to(Decimal(1)) == ["worker-1 killed with SIGKILL"]
    assert (blows.kills, stack.heard) == (1, [("worker-1", signal.SIGKILL)])
    await blows.end()


async def test_of_both_workers_the_one_that_lives_is_hit() -> None:
    stack = FakeStack("worker-1")
    blows = striking(stack, pick=0.99)
    assert await blows.up_to(Decimal(1)) == ["worker-2 killed with SIGKILL"]
    assert blows.kills == 1
    await blows.end()


async def test_what_was_frozen_is_woken() -> None:
    stack = FakeStack()
    blows = striking(stack, freeze_s=0, pick=0.99)
    assert await blows.up_to(Decimal(1)) == ["worker-1 and worker-2 frozen for 0 s"]
    asked = [(name, number) for number in (signal.SIGSTOP, signal.SIGCONT) for name in WORKERS]
    assert (blows.freezes, stack.heard) == (1, asked)


@pytest.mark.parametrize("freeze_s", [None, 0], ids=["killed", "frozen"])
@pytest.mark.parametrize(("target", "count"), [("exchange", 1), ("worker", 0)])
async def test_an_outage_is_of_a_part_other_than_a_worker(target: str, count: int, freeze_s: float | None) -> None:
    blows = striking(FakeStack(), freeze_s=freeze_s, target=target)
    before = int(time.time() * 1000)
    await blows.up_to(Decimal(1))
    await asyncio.sleep(0)  # lets the watch over the run begin
    await blows.end()
    assert len(blows.outages_ms) == count, "one that lasts at the end ends with the run"
    assert all(before <= began <= over for began, over in blows.outages_ms)
