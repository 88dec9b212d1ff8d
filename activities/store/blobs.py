"""Big texts under their content hash."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.engine import Database
from activities.store.tables import BlobRow
from trading.ids import content_hash


class BlobRows:
    """`Blobs` over the tables."""

    _database: Database

    async def put(self, text: str, *, media_type: str) -> str:
        async with self._database.write() as connection:
            return await keep_blob(self._database, connection, text, media_type=media_type)

    async def get(self, content_hash: str) -> str:
        async with self._database.read() as connection:
            text = await load_blob(connection, content_hash)
        if text is None:
            raise KeyError(f"nothing is stored under {content_hash}")
        return text


async def keep_blob(database: Database, connection: AsyncConnection, text: str, *, media_type: str) -> str:
    """Store `text` in the caller's transaction; its hash."""
    name = content_hash(text)
    await database.add(connection, BlobRow, {"content_hash": name, "media_type": media_type, "text": text})
    return name


async def load_blob(connection: AsyncConnection, content_hash: str) -> str | None:
    query = select(BlobRow.text).where(BlobRow.content_hash == content_hash)
    return (await connection.execute(query)).scalar_one_or_none()
