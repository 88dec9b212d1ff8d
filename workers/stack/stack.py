"""A stack of parts: starts them, waits until they are ready, restarts what died, and stops them in reverse order."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from workers.stack.environment import trial_environment
from workers.stack.found import Announce, quiet
from workers.stack.home import Home, StackState
from workers.stack.kept import Command, Kept, PartError
from workers.stack.readiness import Facts, Ready, at_once
from workers.stack.temporal_server import (
    STATE_FILE,
    TemporalOptions,
    TemporalServer,
    provide_temporal,
    server_argv,
    temporal_ready,
)

POLL_S = 0.03
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
STEADY_S = 20.0
"""A part that ran this long starts its next row of restarts with the shortest pause again."""
GIVE_UP_AFTER = 8
"""Deaths in a row, each sooner than `STEADY_S`, after which a part is given up: about 20 s of trying."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A process of the stack."""

    name: str
    argv: tuple[str, ...]
    ready: Ready = at_once
    ready_timeout_s: float = 30.0
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to the stack's environment, over it."""
    restarts: bool = True
    """Whether the stack starts it again when it dies. It keeps its arguments, so its ports must be named in them."""
    grace_s: float = 10.0
    is_foreign: bool = False
    """Not our code: it gets no setting, address or key of ours, whatever the stack's environment holds."""
    stop_signal: int = signal.SIGTERM
    user: str = ""
    """Another user to run as; only root may ask. It may not enter the home: `cwd` is then a place where it may."""
    cwd: Path | None = None


@dataclass(slots=True)
class Running:
    """A part that was started: its process now, what it said when it got ready, and how often it died."""

    part: Part
    kept: Kept
    facts: Facts = field(default_factory=dict)
    exit_codes: list[int] = field(default_factory=list)
    """Of every process of this part that ended without being asked to; its length is the number of deaths."""
    failure: str = ""
    """Why the stack gave it up; empty while it has not."""
    wave: int = 0
    kills: int = 0
    """How often `Stack.kill` ended it: such deaths are restarted at once and never count against the part."""
    is_ready: asyncio.Event = field(default_factory=asyncio.Event)
    _supervisor: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """The part's present process id."""
        return self.kept.pid

    def note_end_of_supervision(self, supervisor: asyncio.Task[None]) -> None:
        """An error in the supervision itself gives the part up, visibly."""
        if not supervisor.cancelled() and (error := supervisor.exception()) is not None:
            self.failure = f"{self.part.name} is no longer watched: {error!r}"


class Stack:
    """Owns parts in a claimed home.

        with throw_away_home() as home:
            async with Stack(home, env=trial_environment(os.environ).env, realm="demo-1") as stack:
                temporal, exchange = await asyncio.gather(stack.start_temporal(), stack.start(exchange_part))
                await stack.start_all(workers)

    Whatever ends this process, the keepers end the parts. Leaving the block stops them, last started first.
    """

    def __init__(
        self,
        home: Home,
        *,
        env: Mapping[str, str],
        realm: str,
        profile: str = "simulated",
        announce: Announce = quiet,
        programs: Mapping[str, str] | None = None,
    ) -> None:
        """`env` is the whole environment of the parts; `programs`, default this process's environment, is where
        `PATH`, `PERENNIAL_CACHE` and `PERENNIAL_TEMPORAL_BIN` are read from to find servers.
        """
        self.home = home
        self._temporal: TemporalOptions | None = None
        self._env = env
        self._programs = os.environ if programs is None else programs
        self._announce = announce
        self._parts: dict[str, Running] = {}
        self._state = StackState(realm=realm, profile=profile, started_at=datetime.now(UTC).isoformat())

    async def __aenter__(self) -> Self:
        self.publish()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop_all()

    @property
    def temporal(self) -> TemporalServer:
        """The present Temporal server. Raises `PartError` before `start_temporal`."""
        if self._temporal is None:
            raise PartError("this stack has no Temporal server")
        return TemporalServer(self._temporal, self._known("temporal").kept)

    @property
    def state(self) -> StackState:
        """What a second verb would attach to."""
        return self._state

    @property
    def parts(self) -> Mapping[str, Running]:
        """Every part that was started, by name, in the order of starting."""
        return self._parts

    @property
    def pids(self) -> dict[str, int]:
        """The present process id of each part that runs; one that is just being started may be missing."""
        present = {name: running.kept.pid_now for name, running in self._parts.items()}
        return {name: pid for name, pid in present.items() if pid is not None}

    @property
    def restarts(self) -> dict[str, int]:
        """How often each part died and was started again or given up."""
        return {name: len(running.exit_codes) for name, running in self._parts.items()}

    def publish(self, **addresses: str) -> StackState:
        """Writes the state file: present pids, what `start_temporal` found, and these addresses (part name to URL)."""
        self._state = replace(self._state, pids=self.pids, addresses={**self._state.addresses, **addresses})
        self.home.publish(self._state)
        return self._state

    async def start_temporal(
        self, options: TemporalOptions | None = None, *, restarts: bool = True, namespace: str = "default"
    ) -> TemporalServer:
        """Starts the Temporal server with its state in this home and waits until its namespaces are ready.

        The program may have to be fetched or built first, which is announced. Raises `ServerUnavailableError` or
        `PartError`.
        """
        wanted = options or TemporalOptions()
        if namespace != "default" and namespace not in wanted.namespaces:
            wanted = replace(wanted, namespaces=(*wanted.namespaces, namespace))
        program = await asyncio.to_thread(provide_temporal, self._programs, self._announce)

        async def ready(kept: Kept) -> Facts | None:
            await temporal_ready(TemporalServer(wanted, kept))
            return {"address": wanted.address, "ui": wanted.ui_url}

        part = Part(
            name="temporal",
            argv=server_argv(program, wanted, self.home.path / STATE_FILE),
            ready=ready,
            ready_timeout_s=wanted.ready_timeout_s,
            restarts=restarts,
            grace_s=0.0 if self.home.throw_away else 5.0,
            is_foreign=True,
        )
        running = await self.start(part)
        self._temporal = wanted
        self._state = replace(
            self._state, temporal_address=wanted.address, temporal_ui=wanted.ui_url, namespace=namespace
        )
        self.publish()
        return TemporalServer(wanted, running.kept)

    async def start(self, part: Part, *, wave: int | None = None) -> Running:
        """Starts one part and waits until it is ready. Parts of one wave are stopped side by side.

        Raises `PartError` when it ends first or is too slow.
        """
        if part.name in self._parts:
            raise PartError(f"part {part.name} was started already; running are {', '.join(self._parts)}")
        running = Running(part, self._launch(part), wave=len(self._parts) if wave is None else wave)
        self._parts[part.name] = running
        await self._until_ready(running)
        running._supervisor = asyncio.create_task(self._supervise(running), name=f"supervise {part.name}")
        running._supervisor.add_done_callback(running.note_end_of_supervision)
        self.publish()
        return running

    async def start_all(self, parts: Sequence[Part]) -> list[Running]:
        """Starts parts side by side and waits until all are ready."""
        wave = len(self._parts)
        return list(await asyncio.gather(*(self.start(part, wave=wave) for part in parts)))

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Sends a signal to a part's process group and returns the process id it had. Only ever hits our own parts.

        Raises `PartError` for an unknown part or one that is not running.
        """
        running = self._known(name)
        pid = running.pid
        if not running.kept.kill(number):
            raise PartError(f"part {name} is not running (exit code {running.kept.exit_code})")
        running.kills += number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
        if number == signal.SIGKILL:
            running.is_ready.clear()  # before its end is noticed
        return pid

    async def ready_again(self, name: str, *, deaths: int, timeout_s: float = 60.0) -> Running:
        """Waits until a part has died at least `deaths` times in all and its restarted process is ready."""
        running = self._known(name)
        async with asyncio.timeout(timeout_s):
            await _until(
                lambda: bool(running.failure) or (len(running.exit_codes) >= deaths and running.is_ready.is_set())
            )
        if running.failure:
            raise PartError(running.failure)
        return running

    async def all_ready(self, *, timeout_s: float = 60.0) -> None:
        """Waits until every part is ready, also one that was killed a moment ago."""
        await asyncio.gather(*(self.ready_again(name, deaths=0, timeout_s=timeout_s) for name in self._parts))

    async def stop(self, name: str) -> int:
        """Stops one part for good and returns its exit code; within its grace and five seconds."""
        running = self._known(name)
        await self._end_supervision(running)
        code = await asyncio.to_thread(running.kept.stop)
        running.is_ready.clear()
        del self._parts[name]
        self.publish()
        return code

    async def stop_all(self) -> None:
        """Stops every part, last started first. Idempotent."""
        while self._parts:
            last = max(running.wave for running in self._parts.values())
            names = [name for name, running in self._parts.items() if running.wave == last]
            await asyncio.gather(*(self.stop(name) for name in names))

    def first_failure(self) -> str:
        """Why the stack gave up a part; empty while it keeps all of them running."""
        return next((running.failure for running in self._parts.values() if running.failure), "")

    def _known(self, name: str) -> Running:
        if name not in self._parts:
            raise PartError(f"no part {name}; running are {', '.join(self._parts) or 'none'}")
        return self._parts[name]

    def _launch(self, part: Part) -> Kept:
        env = trial_environment(self._env).env if part.is_foreign else self._env
        command = Command(
            argv=part.argv,
            env={**env, **part.env},
            cwd=part.cwd or self.home.path,
            grace_s=part.grace_s,
            stop_signal=part.stop_signal,
            user=part.user,
        )
        return Kept(part.name, command, self.home.path)

    async def _until_ready(self, running: Running) -> None:
        part, kept = running.part, running.kept
        deadline = time.monotonic() + part.ready_timeout_s
        await asyncio.to_thread(lambda: kept.pid)
        while (facts := await part.ready(kept)) is None:
            if kept.exit_code is not None:
                raise PartError(
                    f"{part.name} ended with code {kept.exit_code} before it was ready: {kept.last_words()}"
                )
            if time.monotonic() > deadline:
                raise PartError(f"{part.name} was not ready within {part.ready_timeout_s:.0f} s; its log is {kept.log}")
            await asyncio.sleep(POLL_S)
        running.facts = facts
        running.is_ready.set()

    async def _supervise(self, running: Running) -> None:
        quick_deaths = kills_seen = 0
        while True:
            began = time.monotonic()
            code = await running.kept.wait()
            running.is_ready.clear()
            await asyncio.to_thread(running.kept.stop)  # a killed keeper leaves its part behind
            running.exit_codes.append(code)
            if running.kills > kills_seen:
                quick_deaths, kills_seen = 0, running.kills
            else:
                quick_deaths = 1 if time.monotonic() - began > STEADY_S else quick_deaths + 1
            if not running.part.restarts or quick_deaths > GIVE_UP_AFTER:
                running.failure = f"{running.part.name} ended with code {code}: {running.kept.last_words()}"
                return
            await asyncio.sleep(min(FIRST_PAUSE_S * 2 ** max(quick_deaths - 1, 0), LONGEST_PAUSE_S))
            running.kept = self._launch(running.part)
            try:
                await self._until_ready(running)
            except PartError as error:
                if running.kills == kills_seen:
                    self._announce(str(error))
                await asyncio.to_thread(running.kept.stop)  # too slow is dead: the next turn counts it
                continue
            self.publish()

    async def _end_supervision(self, running: Running) -> None:
        if running._supervisor is not None:
            running._supervisor.cancel()
            with suppress(asyncio.CancelledError):
                await running._supervisor


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  a process's end sets no event
        await asyncio.sleep(POLL_S)
