"""SQLite without a thread: the interface of an aiosqlite connection, each statement run where it is awaited.

aiosqlite hands every statement to a thread of its own, four times to and fro; a local statement takes less than one of
these hand-overs. Waiting for another process's write transaction is asleep, never a blocked event loop.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

FIRST_PAUSE_S = 0.0005
LONGEST_PAUSE_S = 0.02


class InlineCursor:
    """The part of an aiosqlite cursor that SQLAlchemy uses."""

    def __init__(self, cursor: sqlite3.Cursor, *, patience_s: float) -> None:
        self._cursor = cursor
        self._patience_s = patience_s
        self.arraysize = cursor.arraysize

    @property
    def description(self) -> Any:
        return self._cursor.description

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    @property
    def lastrowid(self) -> int | None:
        return self._cursor.lastrowid

    async def __aenter__(self) -> InlineCursor:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cursor.close()

    async def execute(self, statement: str, parameters: Any = ()) -> InlineCursor:
        """Run one statement; where another process holds the lock, try again until the patience ends."""
        give_up_at, pause_s = time.monotonic() + self._patience_s, FIRST_PAUSE_S
        while True:
            try:
                self._cursor.execute(statement, parameters or ())
            except sqlite3.OperationalError as busy:
                if busy.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                    raise
            else:
                return self
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def executemany(self, statement: str, parameters: Sequence[Any]) -> InlineCursor:
        self._cursor.executemany(statement, parameters)
        return self

    async def fetchone(self) -> Any:
        return self._cursor.fetchone()

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        return self._cursor.fetchmany(self.arraysize if size is None else size)

    async def fetchall(self) -> list[Any]:
        return self._cursor.fetchall()

    async def close(self) -> None:
        self._cursor.close()


class InlineConnection:
    """The part of an aiosqlite connection that SQLAlchemy uses. Transactions are begun by whoever writes `BEGIN`."""

    def __init__(self, path: str, *, patience_s: float) -> None:
        self._conn = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
        self._patience_s = patience_s
        self._open = True

    @classmethod
    async def connect(cls, path: str, *, patience_s: float) -> InlineConnection:
        """Open the file in WAL mode with foreign keys; a killed process loses nothing that was committed."""
        connection = cls(path, patience_s=patience_s)
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            await (await connection.cursor().execute(f"PRAGMA {pragma}")).close()
        return connection

    @property
    def _connection(self) -> sqlite3.Connection | None:
        """What SQLAlchemy looks at before it commits or rolls back: `None` once closed."""
        return self._conn if self._open else None

    @property
    def isolation_level(self) -> str | None:
        return self._conn.isolation_level

    def cursor(self) -> InlineCursor:
        return InlineCursor(self._conn.cursor(), patience_s=self._patience_s)

    async def commit(self) -> None:
        self._conn.commit()

    async def rollback(self) -> None:
        self._conn.rollback()

    async def create_function(self, *arguments: Any, **options: Any) -> None:
        self._conn.create_function(*arguments, **options)

    async def close(self) -> None:
        self.stop()

    def stop(self) -> None:
        self._open = False
        self._conn.close()
