"""The machine: Python, the compiled wheels, disk, ports, and what killed stacks left running."""

from __future__ import annotations

import importlib
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from workers.doctor.checks import Check, failed, passed
from workers.stack.home import abandoned_trials, attach, is_owned
from workers.stack.kept import left_behind
from workers.stack.ports import answers, free_port

if TYPE_CHECKING:
    from config.settings import Settings

PYTHON_AT_LEAST = (3, 11)
DISK_AT_LEAST_BYTES = 1_000_000_000
"""A home of some months and the log files beside it; the Temporal server's file is the greater part."""

COMPILED = ("temporalio.bridge", "numpy", "talib", "cryptography", "pydantic_core", "psycopg", "sqlalchemy")
"""Loaded for real: a wheel of another platform is found by the loader only."""

PLAIN = (
    "aiohttp",
    "aiosqlite",
    "alembic",
    "dashscope",
    "httpx",
    "jinja2",
    "openai",
    "opentelemetry",
    "pydantic_settings",
    "rich",
    "starlette",
    "typer",
    "tzdata",
    "uvicorn",
    "weaviate",
)
"""Found, not loaded: that would cost a second and 100 MB."""


def machine_checks(home: Path, settings: Settings | None) -> Iterator[Check]:
    """All of this family; `settings` is `None` where they could not be read."""
    yield _python()
    yield _wheels()
    yield _disk(home)
    yield _ports(settings)
    yield _orphans(home)


def _python() -> Check:
    found = platform.python_version()
    if sys.version_info < PYTHON_AT_LEAST:
        return failed("machine.python", f"Python {found}; 3.11 or newer is needed", fix="uv python install 3.11")
    return passed("machine.python", f"Python {found} on {platform.system()} {platform.machine()}")


def _wheels() -> Check:
    missing = [name for name in PLAIN if find_spec(name) is None]
    for name in COMPILED:
        try:
            importlib.import_module(name)
        except ImportError as error:
            missing.append(f"{name} ({error})")
    if missing:
        return failed("machine.wheels", f"cannot be imported: {', '.join(missing)}", fix="make install")
    shown = ", ".join(f"{name} {_version(name)}" for name in ("temporalio", "numpy", "TA-Lib", "SQLAlchemy"))
    return passed("machine.wheels", f"{len(COMPILED) + len(PLAIN)} packages are importable: {shown}, ...")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(unknown version)"


def _disk(home: Path) -> Check:
    there = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(there).free
    told = f"{free / 1e9:.1f} GB free for {home}"
    if free < DISK_AT_LEAST_BYTES:
        return failed("machine.disk", f"{told}; 1 GB is needed", fix=f"du -sh {home}")
    return passed("machine.disk", told)


def _ports(settings: Settings | None) -> Check:
    port = settings.health_port if settings is not None else 0
    if port == 0:
        return passed("machine.ports", f"free ones are taken when needed, for example {free_port()}")
    if answers(port, settings.health_host if settings is not None else "127.0.0.1"):
        return failed(
            "machine.ports",
            f"something answers at PERENNIAL_HEALTH_PORT {port}: fine if that is your worker, else it cannot start",
            fix=f"lsof -i :{port}",
        )
    return passed("machine.ports", f"PERENNIAL_HEALTH_PORT {port} is free")


def _orphans(home: Path) -> Check:
    """A trial that another process is just creating has no lock yet; only one with running parts is told."""
    found = [] if is_owned(home) else [f"{record.command[-1]} ({record.pid})" for record in left_behind(home)]
    trials = abandoned_trials()
    found += [f"{record.pid} of {trial.name}" for trial in trials for record in left_behind(trial)]
    if found:
        return failed(
            "machine.orphans",
            f"parts of killed stacks still run: {', '.join(found)}; the next start ends them",
            fix="perennial up" if attach(home) is None else "perennial demo",
        )
    rest = f"; {len(trials)} abandoned trial folders go with the next trial" if trials else ""
    return passed("machine.orphans", f"no part of a killed stack runs{rest}")
