"""SQLite without a thread: the driver's own connection, each statement run where it is awaited.

aiosqlite hands every statement to a thread of its own, four times to and fro; a local statement takes less than one of
these hand-overs. Only what has to wait for another process's lock is awaited, asleep, never a blocked event loop.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import deque
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.util import await_only, greenlet_spawn

FIRST_PAUSE_S = 0.0005
LONGEST_PAUSE_S = 0.02


class InlineTransactions(AsyncConnection):
    """SQLAlchemy's asynchronous connection without its hand-overs: nothing is awaited but a lock."""

    @classmethod
    async def opened(cls, engine: AsyncEngine, *, begun: bool) -> InlineTransactions:
        """A connection of the engine's pool, its transaction begun now or else with its first statement."""

        def take() -> Connection:
            connection = engine.sync_engine.connect()
            try:
                if begun:
                    connection.begin()
            except BaseException:
                connection.close()
                raise
            return connection

        return cls(engine, await greenlet_spawn(take))

    async def execute(self, statement: Any, parameters: Any = None, **_options: Any) -> Any:
        """As `AsyncConnection.execute`; the rows are all there when it returns."""
        return await greenlet_spawn(self._inner.execute, statement, parameters)

    async def commit(self) -> None:
        await greenlet_spawn(self._inner.commit)

    async def close(self) -> None:
        """Give the connection back; what was not committed is undone."""
        await greenlet_spawn(self._inner.close)

    @property
    def _inner(self) -> Connection:
        assert self.sync_connection is not None, "a connection of this class is made around an open one"
        return self.sync_connection


class PatientCursor(sqlite3.Cursor):
    """A cursor that outwaits another process's lock, where SQLAlchemy's asyncio extension runs it."""

    patience_s: float

    def execute(self, statement: str, parameters: Any = (), /) -> PatientCursor:
        """Run one statement; where another process holds the lock, try again until the patience ends."""
        # awaited even where nothing waits: SQLAlchemy takes a call without any wait for a blocking driver's
        await_only(self._run(statement, parameters))
        return self

    async def _async_soft_close(self) -> None:
        """What SQLAlchemy awaits before it hands rows out: they were all fetched, and the statement is over."""

    async def _run(self, statement: str, parameters: Any) -> None:
        give_up_at, pause_s = time.monotonic() + self.patience_s, FIRST_PAUSE_S
        while True:
            try:
                super().execute(statement, parameters)
            except sqlite3.OperationalError as busy:
                if busy.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                    raise
            else:
                return
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)


class WholeCursor(PatientCursor):
    """A cursor that has fetched every row when its statement has run: a statement left open would hold a commit up."""

    _rows: deque[Any]

    def execute(self, statement: str, parameters: Any = (), /) -> WholeCursor:
        super().execute(statement, parameters)
        self._rows = deque(super().fetchall() if self.description else ())
        return self

    def fetchone(self) -> Any:
        return self._rows.popleft() if self._rows else None

    def fetchmany(self, size: int | None = None) -> list[Any]:
        wanted = self.arraysize if size is None else size
        return [self._rows.popleft() for _ in range(min(wanted, len(self._rows)))]

    def fetchall(self) -> list[Any]:
        rows = list(self._rows)
        self._rows.clear()
        return rows


class InlineConnection(sqlite3.Connection):
    """The driver's connection as SQLAlchemy's asyncio dialect wants it. Whoever uses it writes `BEGIN`."""

    patience_s: float

    @classmethod
    def opened(cls, path: str, *, patience_s: float) -> InlineConnection:
        """Open the file in WAL mode with foreign keys; a killed process loses nothing that was committed."""
        connection = cls(path, isolation_level=None, check_same_thread=False, timeout=0)
        connection.patience_s = patience_s
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            connection.cursor().execute(f"PRAGMA {pragma}").close()
        return connection

    def cursor(self, server_side: bool = False) -> PatientCursor:  # type: ignore[override]
        """A cursor with all its rows, or for a stream (`server_side`) one that reads them as they are wanted."""
        cursor: PatientCursor = super().cursor(PatientCursor if server_side else WholeCursor)
        cursor.patience_s = self.patience_s
        return cursor

    def terminate(self) -> None:
        """What SQLAlchemy calls to drop a connection without waiting for anything."""
        self.close()
