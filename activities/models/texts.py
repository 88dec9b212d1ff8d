"""The texts behind the hashes that a decision carries, read back into what they are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from temporalio.exceptions import ApplicationError

from activities.store.port import Blobs
from trading.decision.models import Recall
from trading.facts.models import MarketSnapshot

if TYPE_CHECKING:
    from trading.playbook import Playbook

TEXT_MISSING = "TextMissing"
"""Error type: a hash that nothing is stored under. Never retried: what a hash names was stored before it was named."""

TEXT_UNREADABLE = "TextUnreadable"
"""Error type: a stored text that is not what it should be. Never retried; handled by a person."""


class StoredTexts:
    """Reads snapshots, recalls, playbooks and answers. A text that is missing or unreadable fails for good."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    async def snapshot(self, hash_: str) -> MarketSnapshot:
        text = await self._text("snapshot", hash_)
        with readable("snapshot", hash_):
            return MarketSnapshot.model_validate_json(text)

    async def recall(self, hash_: str | None) -> Recall | None:
        if hash_ is None:
            return None
        text = await self._text("recall", hash_)
        with readable("recall", hash_):
            return Recall.model_validate_json(text)

    async def playbook(self, hash_: str) -> Playbook:
        from trading.playbook import from_json

        text = await self._text("playbook", hash_)
        with readable("playbook", hash_):
            return from_json(text)

    async def answer(self, hash_: str) -> str:
        return await self._text("answer", hash_)

    async def _text(self, what: str, hash_: str) -> str:
        try:
            return await self._blobs.get(hash_)
        except KeyError as error:
            raise ApplicationError(
                f"no {what} is stored under {hash_}", type=TEXT_MISSING, non_retryable=True
            ) from error


@contextlib.contextmanager
def readable(what: str, hash_: str) -> Iterator[None]:
    """Turns what parsing raises (`ValueError`, pydantic's among them) into a failure that is not retried."""
    try:
        yield
    except ValueError as error:
        raise ApplicationError(
            f"the {what} stored under {hash_} cannot be read: {error}", type=TEXT_UNREADABLE, non_retryable=True
        ) from error
