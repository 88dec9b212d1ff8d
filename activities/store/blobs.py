"""Big texts under their content hash."""

from __future__ import annotations

from collections import OrderedDict

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.engine import Database
from activities.store.tables import BlobRow
from trading.ids import content_hash

RECENT_TEXTS = 64
"""About a megabyte: what the last ten decisions stored."""

_TEXT = select(BlobRow.text).where(BlobRow.content_hash == bindparam("content_hash"))
"""Built once: putting a statement together costs more than running it."""


class RecentTexts:
    """The texts that this process stored or read last. No blob is ever changed or deleted, so they stay true."""

    def __init__(self) -> None:
        self._texts: OrderedDict[str, str] = OrderedDict()

    def get(self, name: str) -> str | None:
        text = self._texts.get(name)
        if text is not None:
            self._texts.move_to_end(name)
        return text

    def learn(self, name: str, text: str) -> None:
        """To be told once `text` is in the database for good, never before."""
        self._texts[name] = text
        if len(self._texts) > RECENT_TEXTS:
            self._texts.popitem(last=False)


class BlobRows:
    """`Blobs` over the tables."""

    _database: Database
    _recent: RecentTexts

    async def put(self, text: str, *, media_type: str) -> str:
        name = content_hash(text)
        if self._recent.get(name) is None:
            async with self._database.write() as connection:
                await keep_blob(self._database, connection, name, text, media_type=media_type)
            self._recent.learn(name, text)
        return name

    async def get(self, content_hash: str) -> str:
        text = self._recent.get(content_hash)
        if text is not None:
            return text
        async with self._database.read() as connection:
            text = await load_blob(connection, content_hash)
        if text is None:
            raise KeyError(f"nothing is stored under {content_hash}")
        self._recent.learn(content_hash, text)
        return text


async def keep_blob(database: Database, connection: AsyncConnection, name: str, text: str, *, media_type: str) -> None:
    """Store `text` under `name`, its hash, in the caller's transaction."""
    await database.add(connection, BlobRow, {"content_hash": name, "media_type": media_type, "text": text})


async def load_blob(connection: AsyncConnection, content_hash: str) -> str | None:
    text: str | None = (await connection.execute(_TEXT, {"content_hash": content_hash})).scalar_one_or_none()
    return text
