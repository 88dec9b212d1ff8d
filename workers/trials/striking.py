"""What hits a running trial, and when: parts of its own stack are killed with SIGKILL, or frozen and woken again."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from workers.stack.stack import Stack

WORKER, EXCHANGE, TEMPORAL = "worker", "exchange", "temporal"
SPREAD_S = 1.0
"""A strike falls somewhere within this time after its share of the run was seen to be done."""

LAST_AT = 0.85
"""No strike is planned after this fraction of the run: one that comes after its end hits nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """At `at`, a fraction of the run, and `wait_s` later, `target` is killed, or frozen for `freeze_s`."""

    at: Decimal
    wait_s: float
    target: str
    freeze_s: float | None = None


def plan(
    *, kills: int, exchange_kills: int = 0, temporal_kills: int = 0, freezes: int = 0, freeze_s: float = 6.0, seed: int
) -> tuple[Strike, ...]:
    """Strikes spread over the run and moved about by the seed, the kinds in an order of the seed's choice."""
    dice = random.Random(seed)
    blows: list[tuple[str, float | None]] = [
        *[(WORKER, None)] * kills,
        *[(EXCHANGE, None)] * exchange_kills,
        *[(TEMPORAL, None)] * temporal_kills,
        *[(WORKER, freeze_s)] * freezes,
    ]
    share = LAST_AT / len(blows) if blows else 0.0
    times = [share * (place + dice.uniform(0.3, 1)) for place in range(len(blows))]
    dice.shuffle(blows)
    return tuple(
        Strike(at=Decimal(str(round(at, 4))), wait_s=dice.uniform(0, SPREAD_S), target=target, freeze_s=frozen)
        for at, (target, frozen) in zip(times, blows, strict=True)
    )


class Striking:
    """Carries a plan out on a stack; counts what was done. Only ever hits parts that this stack started."""

    def __init__(self, stack: Stack, strikes: Sequence[Strike], *, worker: str) -> None:
        self._stack = stack
        self._left = list(strikes)
        self._names = {WORKER: worker, EXCHANGE: "exchange", TEMPORAL: "temporal"}
        self.kills = 0
        self.freezes = 0

    async def up_to(self, fraction: Decimal) -> list[str]:
        """Do what is due by `fraction` and say what it was; a part that is just being started is hit the next time."""
        done: list[str] = []
        while self._left and fraction >= self._left[0].at:
            strike = self._left[0]
            await asyncio.sleep(strike.wait_s)
            name = self._names[strike.target]
            if name not in self._stack.pids:
                break
            self._left.pop(0)
            if strike.freeze_s is None:
                self._stack.kill(name)
                self.kills += 1
                done.append(f"{strike.target} killed with SIGKILL")
            else:
                await self._freeze(name, strike.freeze_s)
                done.append(f"{strike.target} frozen for {strike.freeze_s:g} s")
        return done

    async def _freeze(self, name: str, for_s: float) -> None:
        self._stack.kill(name, signal.SIGSTOP)
        self.freezes += 1
        try:
            await asyncio.sleep(for_s)
        finally:
            self._stack.kill(name, signal.SIGCONT)
