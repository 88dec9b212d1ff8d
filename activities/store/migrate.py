"""Brings a database to the newest revision; any number of processes may start this at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from activities.store.engine import Translated, checked_url, sqlite_engine
from activities.store.ports.faults import StoreRefused

MIGRATION_LOCK = 7_310_554_120_051
"""The advisory lock that one migration at a time holds on a PostgreSQL database: an arbitrary, fixed number."""


async def migrate(url: str) -> str:
    """Bring the database to `head_revision()` in one transaction and return that revision.

    A second process waits for the first and then finds nothing to do; a failed migration leaves no trace. Raises
    `StoreUnavailable` where the database does not answer, `StoreRefused` where a newer version has made it.
    """
    parsed = checked_url(url)
    if parsed.drivername == "sqlite+aiosqlite" and parsed.database is not None:
        await asyncio.to_thread(Path(parsed.database).parent.mkdir, parents=True, exist_ok=True)
    engine = _engine(url, begin="BEGIN IMMEDIATE")
    try:
        with Translated():
            async with engine.begin() as connection:
                if parsed.drivername == "postgresql+psycopg":
                    await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
                await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()
    return head_revision()


def head_revision() -> str:
    """The newest revision that this code knows."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None, "the package carries its migrations"
    return head


async def current_revision(url: str) -> str | None:
    """The revision the database is at, or `None` before its first migration. Creates nothing."""
    parsed = checked_url(url)
    if parsed.drivername == "sqlite+aiosqlite" and not await asyncio.to_thread(Path(parsed.database or "").exists):
        return None
    engine = _engine(url, begin="BEGIN")
    try:
        with Translated():
            async with engine.connect() as connection:
                return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())
    finally:
        await engine.dispose()


def _engine(url: str, *, begin: str) -> AsyncEngine:
    parsed = checked_url(url)
    if parsed.drivername == "sqlite+aiosqlite":
        return sqlite_engine(parsed, size=1, begin=begin)
    return create_async_engine(parsed, poolclass=NullPool)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _upgrade(connection: Connection) -> None:
    config = _config()
    found = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise StoreRefused(
            f"the database is at revision {found}, which this version of Perennial does not know: "
            "run the version that made it, or use another database"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
