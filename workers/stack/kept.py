"""The owner's side of a keeper: start a part, signal it, stop it, and reap what a killed keeper left."""

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workers.stack import processes

LOG_LIMIT_BYTES = 20_000_000
"""A part that starts with a longer log than this starts a new one; one older log is kept."""


class PartError(RuntimeError):
    """A part could not be started or ended too early. Handled by whoever started the stack: shown, exit code 2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run, and how it is asked to stop."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    """The whole environment of the part; nothing is added but the keeper's token."""
    cwd: Path
    grace_s: float = 10.0
    stop_signal: int = signal.SIGTERM
    user: str = ""
    """Another user to run as; only root may ask."""
    remove: Path | None = None
    """A throw-away folder that goes with the part, whatever ended it."""


@dataclass(frozen=True, slots=True)
class Record:
    """What a keeper wrote down about its part before the part ran."""

    keeper_pid: int
    keeper_mark: str
    pid: int
    mark: str
    token: str
    command: tuple[str, ...]


@dataclass(slots=True)
class Kept:
    """A running part under its keeper. Belongs to no event loop; `stop` may be called from anywhere, twice too."""

    name: str
    command: Command
    home: Path
    _keeper: subprocess.Popen[bytes] = field(init=False)
    _token: str = field(init=False)
    _record: Record | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        for folder in (self.home / "run", self.home / "logs"):
            folder.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT_BYTES:
            os.replace(self.log, self.log.with_suffix(".log.1"))
        self._token = f"{self.name}:{secrets.token_hex(16)}"
        with self.output.open("wb") as out, self.log.open("ab") as log:
            self._keeper = subprocess.Popen(
                self._keeper_argv(),
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=log,
                cwd=self.command.cwd,
                env=dict(self.command.env),
                start_new_session=True,
            )

    @property
    def output(self) -> Path:
        """The part's standard output since its last start."""
        return self.home / "logs" / f"{self.name}.out"

    @property
    def log(self) -> Path:
        """The part's standard error, through all its starts."""
        return self.home / "logs" / f"{self.name}.log"

    @property
    def keeper_pid(self) -> int:
        """The keeper's process id."""
        return self._keeper.pid

    @property
    def pid_now(self) -> int | None:
        """The part's own process id when it runs and is known already, without waiting."""
        found = self._record or read_record(self._record_path)
        return found.pid if found is not None and found.token == self._token and self.exit_code is None else None

    @property
    def pid(self) -> int:
        """The part's own process id; waits a moment for the keeper to write it down.

        Raises `PartError` when the keeper ended before it had started the part.
        """
        return self._known().pid

    @property
    def exit_code(self) -> int | None:
        """The part's exit code (128 + signal), None while it runs."""
        return self._keeper.poll()

    def kill(self, number: int = signal.SIGKILL) -> bool:
        """Sends a signal to the part's whole process group, as a machine would that loses it. False when it is gone."""
        known = self._known()
        if not processes.is_same(known.pid, known.mark):
            return False
        os.killpg(known.pid, number)
        return True

    def stop(self, timeout_s: float | None = None) -> int:
        """Asks the part to stop and waits; after its grace the keeper kills it. Returns the exit code. Idempotent."""
        if self._keeper.stdin is not None:
            self._keeper.stdin.close()
        try:
            code = self._keeper.wait(self.command.grace_s + 5.0 if timeout_s is None else timeout_s)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            code = self._keeper.wait()
        reap_record(self._record_path, grace_s=0.0)  # only a killed keeper leaves its record behind
        return code

    async def wait(self) -> int:
        """Waits until the part has ended, and returns its exit code."""
        while (code := self.exit_code) is None:  # noqa: ASYNC110  the part belongs to no event loop that could set an event
            await asyncio.sleep(processes.POLL_S)
        return code

    def last_words(self, lines: int = 12) -> str:
        """The end of the part's log, for an error message."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    @property
    def _record_path(self) -> Path:
        return self.home / "run" / f"{self.name}.json"

    def _known(self) -> Record:
        deadline = time.monotonic() + 10.0
        while self._record is None:
            found = read_record(self._record_path)
            if found is not None and found.token == self._token:
                self._record = found
            elif self.exit_code is not None:
                raise PartError(f"{self.name} did not start (exit code {self.exit_code}): {self.last_words()}")
            elif time.monotonic() > deadline:
                raise PartError(f"{self.name} did not start within 10 s; its log is {self.log}")
            else:
                time.sleep(0.005)
        return self._record

    def _keeper_argv(self) -> list[str]:
        options = {
            "--record": str(self._record_path.absolute()),
            "--token": self._token,
            "--grace": str(self.command.grace_s),
            "--stop-signal": str(int(self.command.stop_signal)),
            "--user": self.command.user,
            "--remove": str(self.command.remove.absolute()) if self.command.remove else "",
        }
        words = [word for option in options.items() for word in option]
        return [sys.executable, "-P", "-m", "workers.stack.keeper", *words, "--", *self.command.argv]


def python_part(*words: str) -> tuple[str, ...]:
    """The command line of one of our own verbs as a part: `python_part("exchange-sim", "--port", "0")`."""
    return (sys.executable, "-P", "-m", "workers.cli.main", *words)


def read_record(path: Path) -> Record | None:
    """A keeper's record; None when there is none, or none that can be read."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Record(
            keeper_pid=found["keeper"]["pid"],
            keeper_mark=found["keeper"]["mark"] or "",
            pid=found["part"]["pid"],
            mark=found["part"]["mark"],
            token=found["token"],
            command=tuple(found["command"]),
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def reap_record(path: Path, *, grace_s: float) -> list[int]:
    """Ends what the keeper of this record left running, and removes the record. Returns the process ids ended.

    A living keeper is asked first: it ends its part itself. A process is ended only when its start mark or its token
    says that it is the recorded one; a stranger with a recycled id is left alone.
    """
    record = read_record(path)
    if record is None:
        path.unlink(missing_ok=True)
        return []
    keeper = (record.keeper_pid, record.keeper_mark)
    ended = processes.end_all([keeper], grace_s=grace_s + 5.0)
    left = {(record.pid, record.mark), *processes.marked(lambda token: token == record.token)}
    ended += processes.end_all(left, grace_s=grace_s)
    path.unlink(missing_ok=True)
    return ended


def reap(home: Path, *, grace_s: float = 5.0) -> dict[str, list[int]]:
    """Reaps every record in a home whose owner is gone: part name to ids ended. Call it under the home's lock."""
    found = {path.stem: reap_record(path, grace_s=grace_s) for path in sorted((home / "run").glob("*.json"))}
    return {name: pids for name, pids in found.items() if pids}


def left_behind(home: Path) -> Sequence[Record]:
    """The records in a home whose part still runs though its keeper is gone; changes nothing."""
    records = (read_record(path) for path in sorted((home / "run").glob("*.json")))
    return [
        record
        for record in records
        if record is not None
        and processes.is_same(record.pid, record.mark)
        and not processes.is_same(record.keeper_pid, record.keeper_mark)
    ]
