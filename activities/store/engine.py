"""One database on SQLite or PostgreSQL: write transactions one at a time in a process, reads beside them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

from sqlalchemy import event, func, literal_column, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import (
    DatabaseError,
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    StatementError,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from activities.store.inline_sqlite import InlineConnection, InlineTransactions
from activities.store.ports.faults import StoreRefused, StoreUnavailable
from activities.store.tables import Row

BUSY_PATIENCE_S = 15
"""How long SQLite waits for another process's write transaction before the store counts as unavailable."""

READERS = 4
POSTGRES_CONNECTIONS = 8


def checked_url(text: str) -> URL:
    """The parsed address, or `ValueError` that names the two forms."""
    url = make_url(text)
    if url.drivername not in {"sqlite+aiosqlite", "postgresql+psycopg"}:
        raise ValueError(
            f"database driver {url.drivername!r} is unknown: allowed are sqlite+aiosqlite:///PATH and "
            "postgresql+psycopg://USER@HOST/NAME"
        )
    if url.drivername == "sqlite+aiosqlite" and url.database in {None, "", ":memory:"}:
        raise ValueError("an SQLite database needs a file: sqlite+aiosqlite:///PATH")
    return url


def sqlite_engine(url: URL, *, size: int, begin: str) -> AsyncEngine:
    """An engine of `size` connections whose transactions start with `begin` (the driver's own habits are off)."""
    path = url.database
    assert path is not None, "checked_url has seen to it"

    def connect() -> Any:
        return InlineConnection.opened(path, patience_s=BUSY_PATIENCE_S)

    engine = create_async_engine(url, pool_size=size, max_overflow=0, pool_timeout=60, creator=connect)

    @event.listens_for(engine.sync_engine, "begin")
    def start(connection: Connection) -> None:
        connection.connection.cursor().execute(begin)

    return engine


class Database:
    """The engines behind one store; belongs to one event loop.

    On SQLite a write is `BEGIN IMMEDIATE` on the process's one writing connection: it has the database to itself, and
    other processes wait for `BUSY_PATIENCE_S`. On PostgreSQL writers run side by side and lock what they read.
    """

    def __init__(self, url: str) -> None:
        parsed = checked_url(url)
        self.dialect: Literal["sqlite", "postgresql"]
        if parsed.drivername == "sqlite+aiosqlite":
            self.dialect = "sqlite"
            self._writer = sqlite_engine(parsed, size=1, begin="BEGIN IMMEDIATE")
            self._reader = sqlite_engine(parsed, size=READERS, begin="BEGIN")
        else:
            self.dialect = "postgresql"
            self._writer = create_async_engine(parsed, pool_size=POSTGRES_CONNECTIONS, max_overflow=0)
            self._reader = self._writer
        self._turn = asyncio.Lock()
        self._adds: dict[type[Row], Any] = {}
        self._upserts: dict[type[Row], Any] = {}

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: all of it or nothing. Raises `StoreUnavailable` (try again) or `StoreRefused` (never)."""
        with Translated():
            if self.dialect == "sqlite":
                async with self._turn, _inline(self._writer, begun=True) as connection:
                    yield connection
                    await connection.commit()
                await asyncio.sleep(0)  # nothing above waits: without this a task of many writes lets no other run
            else:
                async with self._writer.begin() as connection:
                    yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """One consistent view; errors as for `write`."""
        with Translated():
            if self.dialect == "sqlite":
                async with _inline(self._reader, begun=False) as connection:
                    yield connection
                await asyncio.sleep(0)
            else:
                async with self._reader.connect() as connection:
                    yield connection

    def insert(self, table: type[Row]) -> Any:
        """The dialect's own insert, which knows `on_conflict_do_nothing` and `on_conflict_do_update`."""
        return postgresql.insert(table) if self.dialect == "postgresql" else sqlite.insert(table)

    async def add(self, connection: AsyncConnection, table: type[Row], values: Mapping[str, Any]) -> bool:
        """Insert one row; `False`, and nothing done, where a row of the same key is there.

        Told by RETURNING: a row count is not dependable after such an insert.
        """
        statement = self._adds.get(table)
        if statement is None:
            statement = self.insert(table).on_conflict_do_nothing().returning(literal_column("1"))
            self._adds[table] = statement
        return (await connection.execute(statement, values)).scalar_one_or_none() is not None

    def upsert(self, table: type[Row], key: tuple[str, ...], *, unless_older_by: str | None = None) -> Any:
        """An insert of whole rows that replaces every column but `key` where the row is there.

        With `unless_older_by`, the name of a time, a row that is there stays where its own is later.
        """
        statement = self._upserts.get(table)
        if statement is None:
            new = self.insert(table)
            columns = table.__table__.c
            news = {column.name: new.excluded[column.name] for column in columns if column.name not in key}
            where = None if unless_older_by is None else columns[unless_older_by] <= new.excluded[unless_older_by]
            statement = new.on_conflict_do_update(index_elements=list(key), set_=news, where=where)
            self._upserts[table] = statement
        return statement

    async def serialise(self, connection: AsyncConnection, *names: str) -> None:
        """Hold others with the same `names` off until this transaction ends (SQLite has done so already)."""
        if self.dialect == "postgresql":
            key = func.hashtextextended("|".join(names), 0)
            await connection.execute(select(func.pg_advisory_xact_lock(key)))

    async def aclose(self) -> None:
        await self._writer.dispose()
        if self._reader is not self._writer:
            await self._reader.dispose()


@asynccontextmanager
async def _inline(engine: AsyncEngine, *, begun: bool) -> AsyncIterator[InlineTransactions]:
    connection = await InlineTransactions.opened(engine, begun=begun)
    try:
        yield connection
    finally:
        await connection.close()


class Translated:
    """Turns the driver's errors into the port's two."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, (IntegrityError, DataError)):
            raise StoreRefused(f"the database refused the row: {error.orig}") from error
        if isinstance(error, sqlite3.OperationalError):
            raise StoreUnavailable(f"the database did not begin a transaction: {error}") from error
        if isinstance(error, (OperationalError, InterfaceError)):
            raise StoreUnavailable(f"the database did not answer: {error.orig}") from error
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise StoreUnavailable(f"the connection to the database broke: {error.orig}") from error
        if type(error) is DatabaseError:  # a file that is no database, or a damaged one: a person may put it back
            raise StoreUnavailable(f"the database cannot be read: {error.orig}") from error
        if isinstance(error, StatementError) and isinstance(error.orig, ValueError):
            raise StoreRefused(str(error.orig)) from error
