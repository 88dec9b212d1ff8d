"""What hits a running trial, and when: parts of its own stack are killed with SIGKILL, or frozen and woken again."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from workers.stack.kept import PartError
from workers.stack.stack import Stack
from workers.trials.venue_records import Outage

WORKER, EXCHANGE, TEMPORAL, DATABASE = "worker", "exchange", "temporal", "database"
"""Targets, named as their parts are; of workers a stack may have several."""

SPREAD_S = 1.0
"""A strike falls somewhere within this time after its share of the run was seen to be done."""

ALONE_SHARE = 0.5
AMBUSH_POLL_S = 0.03
"""A review of a quiet day runs for a tenth of a second: whoever looks less often misses it."""

RECOVERY_S = 2.0
"""After a strike the next one waits until the workers work again: else they are killed while they start."""

RESUME_POLL_S = 0.2

LAST_AT = 0.85
"""No strike is planned after this fraction of the run: one that comes after its end hits nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """At `at`, a fraction of the run, and `wait_s` later, `target` is killed, or frozen for `freeze_s`.

    One that is `alone` is followed by another only when the run has moved on: the others hit a run that recovers.
    `pick`, a fraction, says which of several workers is meant, or whether all are.
    """

    at: Decimal
    wait_s: float
    target: str
    freeze_s: float | None = None
    alone: bool = True
    pick: float = 0.0


def plan(
    *,
    kills: int,
    exchange_kills: int = 0,
    temporal_kills: int = 0,
    database_kills: int = 0,
    freezes: int = 0,
    freeze_s: float = 6.0,
    freeze_targets: Sequence[str] = (WORKER,),
    seed: int,
) -> tuple[Strike, ...]:
    """Strikes spread over the run and moved about by the seed, the kinds in an order of the seed's choice.

    `kills` hit one worker process or all of them; the freezes go round the `freeze_targets`.
    """
    dice = random.Random(seed)
    blows: list[tuple[str, float | None]] = [
        *[(WORKER, None)] * kills,
        *[(EXCHANGE, None)] * exchange_kills,
        *[(TEMPORAL, None)] * temporal_kills,
        *[(DATABASE, None)] * database_kills,
        *[(freeze_targets[turn % len(freeze_targets)], freeze_s) for turn in range(freezes)],
    ]
    share = LAST_AT / len(blows) if blows else 0.0
    times = [share * (place + dice.uniform(0.3, 1)) for place in range(len(blows))]
    dice.shuffle(blows)
    return tuple(
        Strike(
            at=Decimal(str(round(at, 4))),
            wait_s=dice.uniform(0, SPREAD_S),
            target=target,
            freeze_s=frozen,
            alone=dice.random() < ALONE_SHARE,
            pick=dice.random(),
        )
        for at, (target, frozen) in zip(times, blows, strict=True)
    )


class Ambush:
    """Kills the workers in the middle of each of some workflow types, as soon as one of the type is seen to run.

    `running` names the types of which a workflow runs now. Workers that are just being started are not killed again.
    """

    def __init__(
        self,
        stack: Stack,
        types: Sequence[str],
        *,
        workers: Sequence[str],
        running: Callable[[], Awaitable[frozenset[str]]],
    ) -> None:
        self._stack = stack
        self._workers = tuple(workers)
        self._running = running
        self.waiting = list(types)
        self.struck: list[str] = []

    async def wait(self) -> None:
        """Strike once a type, in the order in which they come up; ends when each was struck."""
        while self.waiting:
            met = await self._running()
            found = next((kind for kind in self.waiting if kind in met), None)
            are_up = self._stack.pids.keys() >= set(self._workers)
            if found is None or not are_up or not _hit(self._stack, self._workers):
                await asyncio.sleep(AMBUSH_POLL_S)
                continue
            self.waiting.remove(found)
            self.struck.append(found)
            await asyncio.sleep(RECOVERY_S)


class Striking:
    """Carries a plan out on a stack; counts what was done. Only ever hits parts that this stack started.

    `alive` tells how far the run is, or `None` while nobody answers: after each kill, `resume_s` gets the seconds until
    the run has moved on. `outages_ms` are the wall-clock milliseconds, first and last, in which a part other than a
    worker was down or frozen: of a kill until the run has moved on.
    """

    def __init__(
        self,
        stack: Stack,
        strikes: Sequence[Strike],
        *,
        workers: Sequence[str],
        alive: Callable[[], Awaitable[object | None]],
    ) -> None:
        self._stack = stack
        self._left = list(strikes)
        self._workers = tuple(workers)
        self._alive = alive
        self._watching: set[asyncio.Task[None]] = set()
        self._recovery: asyncio.Task[None] | None = None
        self.kills = 0
        self.freezes = 0
        self.resume_s: list[float] = []
        self.outages_ms: list[Outage] = []

    async def up_to(self, fraction: Decimal) -> list[str]:
        """Do what is due by `fraction` and say what it was; a part that is just being started is hit the next time."""
        done: list[str] = []
        while self._left and fraction >= self._left[0].at and not self._recovering:
            strike = self._left[0]
            await asyncio.sleep(strike.wait_s)
            names = self._hit_by(strike)
            if not self._stack.pids.keys() >= set(names):
                break
            if strike.freeze_s is None:
                hit = await self._kill(names, alone=strike.alone)
                what = "killed with SIGKILL"
            else:
                hit = await self._freeze(names, strike.freeze_s)
                what = f"frozen for {strike.freeze_s:g} s"
            if not hit:
                break
            self._left.pop(0)
            done.append(f"{' and '.join(hit)} {what}")
        return done

    def _hit_by(self, strike: Strike) -> tuple[str, ...]:
        """The parts that a strike hits: one worker of several or all at once, for each dies its own way."""
        if strike.target != WORKER:
            return (strike.target,)
        choices = list(dict.fromkeys([*((name,) for name in self._workers), self._workers]))
        return choices[int(strike.pick * len(choices))]

    async def end(self) -> None:
        """The run has ended: nothing moves on any more."""
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)

    @property
    def _recovering(self) -> bool:
        return self._recovery is not None and not self._recovery.done()

    async def _kill(self, names: Sequence[str], *, alone: bool) -> tuple[str, ...]:
        before = await self._alive()
        hit = _hit(self._stack, names)
        if not hit:
            return hit
        self.kills += 1
        task = asyncio.create_task(self._measure(before, hit))
        self._recovery = task if alone else None
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)
        return hit

    async def _measure(self, before: object | None, hit: Sequence[str]) -> None:
        killed_at = time.monotonic()
        with self._noted(hit):
            while (now := await self._alive()) is None or now == before:  # noqa: ASYNC110  the run sets no event
                await asyncio.sleep(RESUME_POLL_S)
        self.resume_s.append(time.monotonic() - killed_at)

    @contextlib.contextmanager
    def _noted(self, hit: Sequence[str]) -> Iterator[None]:
        """What lasts as long as the block is an outage, unless only workers were hit."""
        began = time.time()
        try:
            yield
        finally:
            if not set(hit) <= set(self._workers):
                self.outages_ms.append((int(began * 1000), int(time.time() * 1000)))

    async def _freeze(self, names: Sequence[str], for_s: float) -> tuple[str, ...]:
        hit = _hit(self._stack, names, signal.SIGSTOP)
        if not hit:
            return hit
        self.freezes += 1
        with self._noted(hit):
            try:
                await asyncio.sleep(for_s)
            finally:
                _hit(self._stack, hit, signal.SIGCONT)
        return hit


def _hit(stack: Stack, names: Sequence[str], number: int = signal.SIGKILL) -> tuple[str, ...]:
    """Send the signal to these parts; those that it reached. One that was killed before may be dead and not noticed."""
    reached = []
    for name in names:
        try:
            stack.kill(name, number)
        except PartError:
            continue
        reached.append(name)
    return tuple(reached)
