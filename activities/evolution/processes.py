"""`Calculators` as processes beside the worker: started when needed, ended when nobody needed them for a while."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from activities.evolution.bench_process import LENGTH
from activities.evolution.port import ComputeFailed
from trading.candles import Candle

PROCESSES = 2
"""A back-test holds the interpreter's lock, so threads do not run beside each other; more than two cores are rare."""

IDLE_S = 60.0
"""Longer than the pause between two Sundays of a replayed year, so that the candles stay; 65 MB each until then."""


class BenchProcesses:
    """A few workbenches, each a process; a job goes to one that is free. Belongs to one event loop."""

    def __init__(self, *, processes: int = PROCESSES, idle_s: float = IDLE_S) -> None:
        self._benches = [_Bench() for _ in range(processes)]
        self._free: asyncio.Queue[_Bench] = asyncio.Queue()
        for bench in self._benches:
            self._free.put_nowait(bench)
        self._idle_s = idle_s
        self._sleep: asyncio.TimerHandle | None = None

    async def learn(self, symbol: str, timeframe: str, candles: Sequence[Candle], *, first: datetime) -> None:
        await asyncio.gather(*(bench.learn(symbol, timeframe, candles, first=first) for bench in self._benches))

    def known_until(self, symbol: str, *, first: datetime) -> datetime | None:
        known = [bench.newest.get(symbol) for bench in self._benches if bench.since.get(symbol, first) <= first]
        times = [at for at in known if at is not None]
        return min(times) if len(times) == len(self._benches) else None

    async def run(self, job: str, *arguments: Any, **keywords: Any) -> Any:
        bench = await self._free.get()
        try:
            return await bench.ask(job, arguments, keywords)
        finally:
            self._free.put_nowait(bench)
            self._stay_awake()

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that run now."""
        return tuple(bench.process.pid for bench in self._benches if bench.process is not None)

    async def aclose(self) -> None:
        if self._sleep is not None:
            self._sleep.cancel()
        for bench in self._benches:
            await bench.end()

    def _stay_awake(self) -> None:
        if self._sleep is not None:
            self._sleep.cancel()
        self._sleep = asyncio.get_running_loop().call_later(self._idle_s, self._rest)

    def _rest(self) -> None:
        if self._free.qsize() < len(self._benches):
            self._stay_awake()
            return
        for bench in self._benches:
            bench.dismiss()


class _Bench:
    """One process, or none yet. A question that is broken off ends it: the next one starts another."""

    def __init__(self) -> None:
        self.process: asyncio.subprocess.Process | None = None
        self.newest: dict[str, datetime] = {}
        self.since: dict[str, datetime] = {}
        self._turn = asyncio.Lock()

    async def learn(self, symbol: str, timeframe: str, candles: Sequence[Candle], *, first: datetime) -> None:
        await self.ask("learn", (symbol, timeframe, tuple(candles)), {"first": first})
        self.since[symbol] = first
        if candles:
            self.newest[symbol] = max(candles[-1].open_time, self.newest.get(symbol, candles[-1].open_time))

    async def ask(self, job: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        async with self._turn:
            process = await self._started()
            answered = False
            try:
                done, answer = await _exchange(process, (job, arguments, keywords))
                answered = True
            except (EOFError, ConnectionError) as gone:
                raise ComputeFailed(f"the process that computed {job} ended: {gone}") from gone
            finally:
                if not answered:
                    await self.end()
        if not done:
            raise ValueError(f"{job}: {answer}")
        return answer

    async def end(self) -> None:
        process = self.process
        self.dismiss()
        if process is not None:
            await process.wait()

    def dismiss(self) -> None:
        """Kill the process: it holds nothing that is not known elsewhere."""
        process, self.process = self.process, None
        self.newest.clear()
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    async def _started(self) -> asyncio.subprocess.Process:
        if self.process is None or self.process.returncode is not None:
            self.newest.clear()
            kept = {name: value for name, value in os.environ.items() if name == "PATH" or name.startswith("PYTHON")}
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "activities.evolution.bench_process",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=kept,
            )
        return self.process


async def _exchange(process: asyncio.subprocess.Process, message: tuple[Any, ...]) -> tuple[bool, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    packed = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    process.stdin.write(LENGTH.pack(len(packed)) + packed)
    await process.stdin.drain()
    (size,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
    answer: tuple[bool, Any] = pickle.loads(await process.stdout.readexactly(size))
    return answer
