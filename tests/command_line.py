"""The command line as people and scripts use it: a process, its exit code, and its two streams."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.stack.environment import trial_environment

FOUND_SERVERS = ("PERENNIAL_CACHE", "PERENNIAL_TEMPORAL_BIN")
PERENNIAL = (sys.executable, "-P", "-m", "workers.cli.main")


@dataclass(frozen=True)
class Said:
    """How a verb ended and what it said."""

    code: int
    out: str
    err: str
    home: Path

    @property
    def answer(self) -> dict[str, Any]:
        """The JSON object on the last line of standard output."""
        found: dict[str, Any] = json.loads(self.out.strip().splitlines()[-1])
        return found

    @property
    def is_one_sentence(self) -> bool:
        """What the user got wrong: code 2, nothing but one sentence on standard error."""
        lines = self.err.strip().splitlines()
        return self.code == 2 and self.out == "" and len(lines) == 1 and lines[0].startswith("perennial: ")


@dataclass(frozen=True)
class Lasting:
    """A home in which `perennial up` runs, and the addresses that it told."""

    home: Path
    addresses: dict[str, Any]


def environment(home: Path, **settings: str) -> dict[str, str]:
    """This process's environment without addresses and keys, and where the servers were found."""
    found = {name: os.environ[name] for name in FOUND_SERVERS if name in os.environ}
    return {**trial_environment(os.environ).env, **found, "PERENNIAL_HOME": str(home), **settings}


def perennial(
    home: Path,
    *words: str,
    timeout_s: float = 90,
    env: Mapping[str, str] | None = None,
    argv: tuple[str, ...] = PERENNIAL,
    **settings: str,
) -> Said:
    """Run one verb to its end; `env` replaces the whole environment, `settings` are added to the usual one."""
    home.mkdir(parents=True, exist_ok=True)
    ran = subprocess.run(
        [*argv, *words],
        env=dict(env) if env is not None else environment(home, **settings),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    return Said(ran.returncode, ran.stdout, ran.stderr, home)


@contextmanager
def up(home: Path, *words: str, **settings: str) -> Iterator[dict[str, Any]]:
    """A house that `perennial up` keeps running; yields the addresses it told. It must end well."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "up.err").open("w+") as log:
        running = subprocess.Popen(
            [*PERENNIAL, "up", "--json", *words],
            env=environment(home, **settings),
            cwd=home,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            assert running.stdout is not None
            line = running.stdout.readline()
            assert line, f"`perennial up` ended: {(home / 'up.err').read_text()}"
            yield json.loads(line)
        finally:
            running.send_signal(signal.SIGTERM)
            code = running.wait(timeout=30)
    assert code == 0
