"""The database: its revision, its journal where it is SQLite, and whom people let trade real money. Read only."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from trading.money import plain
from trading.risk.arming import must_be_armed
from workers.doctor.checks import Check, State, failed, passed, skipped

if TYPE_CHECKING:
    from config.settings import Settings

_WAL_MARK = 2
"""Bytes 18 and 19 of an SQLite file: the versions of its write and read format, 2 with a write-ahead log."""


async def database_checks(settings: Settings) -> AsyncIterator[Check]:
    """All of this family. A database that is not there yet is no failure by itself: the first verb creates it."""
    revision, journal = await _revision(settings), _journal(settings)
    yield revision
    yield journal
    if must_be_armed(settings.realm):
        is_there = revision.state is journal.state is State.OK
        yield await _arming(settings) if is_there else skipped("live.arming", "the database has to be right first")


async def _arming(settings: Settings) -> Check:
    """Whose leave to trade real money stands, and up to which capital; none is no fault: then nothing is opened."""
    from activities.store.open import open_store
    from activities.store.ports.faults import StoreUnavailable

    store = await open_store(settings.database)
    try:
        kept = [one for one in await store.armings(settings.realm) if one.ended_by is None]
    except StoreUnavailable as silent:
        return skipped("live.arming", f"the database does not answer: {silent}")
    finally:
        await store.aclose()
    armed = [
        f"{one.account} with {plain(one.arming.capital_usd)} USD since {one.arming.since:%Y-%m-%d %H:%M} UTC "
        f"({one.arming.who}: {one.arming.reason})"
        for one in kept
    ]
    return passed("live.arming", f"armed: {', '.join(armed)}" if armed else "no account is armed: nothing is opened")


async def _revision(settings: Settings) -> Check:
    from sqlalchemy.exc import SQLAlchemyError

    from activities.store.migrate import current_revision, head_revision
    from activities.store.ports.faults import StoreUnavailable

    head, path = head_revision(), _sqlite_file(settings)
    try:
        current = await current_revision(settings.database) if path is None else _revision_in(path)
    except (StoreUnavailable, SQLAlchemyError, sqlite3.Error, OSError, ValueError) as error:
        first = str(error).splitlines()[0]
        return failed("database.revision", f"the database does not answer: {first}", fix="perennial config show")
    if current is None:
        return skipped(
            "database.revision", "no tables yet: the first verb that needs them makes them", fix="perennial db migrate"
        )
    if current != head:
        return failed("database.revision", f"revision {current}, this version needs {head}", fix="perennial db migrate")
    return passed("database.revision", f"revision {current}, the newest")


def _revision_in(path: Path) -> str | None:
    """The revision of an SQLite file, read without the store's own connection: that one would switch its journal on."""
    if not path.exists():
        return None
    in_use = path.with_name(f"{path.name}-wal").exists()
    how = "mode=ro" if in_use else "immutable=1"  # a reader of an idle file must not leave files beside it
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True)) as reading:
        if reading.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone() is None:
            return None
        found = reading.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if found is None else str(found[0])


def _journal(settings: Settings) -> Check:
    path = _sqlite_file(settings)
    if path is None:
        return passed("database.journal", "PostgreSQL keeps its own")
    if not path.exists():
        return skipped("database.journal", f"no database yet at {path}")
    with path.open("rb") as file:
        head = file.read(20)
    if len(head) < 20 or head[18] != _WAL_MARK:
        return failed(
            "database.journal",
            f"{path} has no write-ahead log: readers and the writer would wait for each other",
            fix=f"sqlite3 {path} 'PRAGMA journal_mode=wal'",
        )
    return passed("database.journal", f"write-ahead log, {path.stat().st_size / 1e6:.1f} MB at {path}")


def _sqlite_file(settings: Settings) -> Path | None:
    scheme, _, path = settings.database.partition(":///")
    return Path(path) if scheme.startswith("sqlite") else None
