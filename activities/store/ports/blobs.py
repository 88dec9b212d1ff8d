"""The port to big texts."""

from __future__ import annotations

from typing import Protocol


class Blobs(Protocol):
    """Big texts under their content hash; the same text is stored once."""

    async def put(self, text: str, *, media_type: str) -> str: ...

    async def get(self, content_hash: str) -> str:
        """Raises `KeyError` where nothing is stored under the hash."""
        ...
