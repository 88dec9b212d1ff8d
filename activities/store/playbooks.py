"""Playbooks among the blobs: kept under their content hash, found by their version."""

from __future__ import annotations

import json

from sqlalchemy import select

from activities.store.open import Store
from activities.store.playbook_registry import PLAYBOOK_TYPE
from activities.store.tables import BlobRow
from trading.playbook import Playbook, to_json


async def keep_playbook(store: Store, playbook: Playbook) -> str:
    """Store the playbook's text once; the hash under which workflows name it."""
    return await store.put(to_json(playbook), media_type=PLAYBOOK_TYPE)


async def find_playbook(store: Store, version: str) -> str | None:
    """The hash of the playbook of this version, or `None` where it was never kept."""
    query = select(BlobRow.content_hash, BlobRow.text).where(BlobRow.media_type == PLAYBOOK_TYPE)
    async with store.database.read() as connection:
        rows = (await connection.execute(query)).all()
    return next((name for name, text in rows if json.loads(text)["version"] == version), None)
