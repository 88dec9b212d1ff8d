"""The texts behind the hashes that a decision carries, read back into what they are."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from temporalio.exceptions import ApplicationError

from activities.store.ports.blobs import Blobs
from trading.decision.models import Recall
from trading.facts.models import MarketSnapshot

if TYPE_CHECKING:
    from trading.playbook import Playbook

T = TypeVar("T")

TEXT_MISSING = "TextMissing"
"""Error type: a hash that nothing is stored under. Never retried: what a hash names was stored before it was named."""

TEXT_UNREADABLE = "TextUnreadable"
"""Error type: a stored text that is not what it should be. Never retried; handled by a person."""


KEPT = {"snapshot": 32, "recall": 64, "playbook": 8, "answer": 64}
"""How many of each are kept read: two models, both verifications and the fusion of a decision want the same ones. A
snapshot holds some hundred facts, and one worker decides on few symbols at once."""


class StoredTexts:
    """Reads snapshots, recalls, playbooks and answers. A text that is missing or unreadable fails for good.

    What a hash names never changes: what was read once is shared, unread again, by all readers of the same `blobs`.
    """

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._kept = _KEPT_OF.setdefault(blobs, {what: OrderedDict() for what in KEPT})

    async def snapshot(self, hash_: str) -> MarketSnapshot:
        return await self._read("snapshot", hash_, MarketSnapshot.model_validate_json)

    def learn_snapshot(self, hash_: str, snapshot: MarketSnapshot) -> None:
        """To be told once the snapshot's text is stored: who observed it here need not read it again."""
        self._keep("snapshot", hash_, snapshot)

    async def recall(self, hash_: str | None) -> Recall | None:
        return None if hash_ is None else await self._read("recall", hash_, Recall.model_validate_json)

    async def playbook(self, hash_: str) -> Playbook:
        from trading.playbook import from_json

        return await self._read("playbook", hash_, from_json)

    async def answer(self, hash_: str) -> str:
        return await self._read("answer", hash_, str)

    async def _read(self, what: str, hash_: str, parse: Callable[[str], T]) -> T:
        kept = self._kept[what]
        if hash_ not in kept:
            text = await self._text(what, hash_)
            with readable(what, hash_):
                self._keep(what, hash_, parse(text))
        found: T = kept[hash_]
        kept.move_to_end(hash_)
        return found

    def _keep(self, what: str, hash_: str, read: object) -> None:
        kept = self._kept[what]
        kept[hash_] = read
        if len(kept) > KEPT[what]:
            kept.popitem(last=False)

    async def _text(self, what: str, hash_: str) -> str:
        try:
            return await self._blobs.get(hash_)
        except KeyError as error:
            raise ApplicationError(
                f"no {what} is stored under {hash_}", type=TEXT_MISSING, non_retryable=True
            ) from error


_KEPT_OF: WeakKeyDictionary[Blobs, dict[str, OrderedDict[str, Any]]] = WeakKeyDictionary()


@contextlib.contextmanager
def readable(what: str, hash_: str) -> Iterator[None]:
    """Turns what parsing raises (`ValueError`, pydantic's among them) into a failure that is not retried."""
    try:
        yield
    except ValueError as error:
        raise ApplicationError(
            f"the {what} stored under {hash_} cannot be read: {error}", type=TEXT_UNREADABLE, non_retryable=True
        ) from error
