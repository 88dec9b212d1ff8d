"""The playbook as activities: the realm's first version, and the one way to a next one (C12, C13, C14)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.beating import beating
from activities.store.calls import BLOB_MISSING, STORE_REFUSED, STORE_UNAVAILABLE
from activities.store.ports.blobs import Blobs
from activities.store.ports.faults import StoreRefused, StoreUnavailable
from activities.store.ports.playbooks import (
    PlaybookRefused,
    PlaybookRegistry,
    RegisteredPlaybook,
    Revised,
    ReviseRequest,
)
from trading.contract import Contract
from trading.playbook import from_json

PLAYBOOK_REFUSED = "PlaybookRefused"


class PlaybookRecords(PlaybookRegistry, Blobs, Protocol):
    """What these activities need of the one store."""

    async def accounts(self, realm: str) -> tuple[str, ...]:
        """The realm's accounts, in alphabetical order."""


class BeginRequest(Contract):
    """The playbook that a realm starts from; its text is stored already."""

    realm: str
    playbook_hash: str


class TaughtPlaybook(Contract):
    """What came of a person's lesson: a revision, or why not; `accounts` are the realm's."""

    revised: Revised | None = None
    fault: str = ""
    code: str = ""
    accounts: tuple[str, ...] = ()


class RevisingCalls:
    """Each may be repeated: it changes nothing more. Called locally, with `STORE_CALL`.

    Errors: `StoreUnavailable` is retried; `PlaybookRefused`, `StoreRefused` and `BlobMissing` are final.
    """

    def __init__(self, records: PlaybookRecords) -> None:
        self._records = records

    @activity.defn
    async def begin_playbook(self, request: BeginRequest) -> RegisteredPlaybook:
        """Register the realm's first version as its active one; a realm that has one keeps it."""
        with playbook_errors():
            first = from_json(await self._records.get(request.playbook_hash))
            return await self._records.active_playbook(request.realm, first=first)

    @activity.defn
    async def revise_playbook(self, request: ReviseRequest) -> Revised:
        """Make and register the next version, active where it may be; once for its operation id.

        What tightens may become active by itself; what loosens, or promotes in the live realm, never without
        `approved_by`: it stays a candidate, and `waits_for` says why (X52).
        """
        with playbook_errors():
            return await self._records.revise_playbook(request)

    @activity.defn
    async def revise_by_hand(self, request: ReviseRequest) -> TaughtPlaybook:
        """As `revise_playbook`, for a workflow with updates; what is refused is an answer, not an error."""
        async with beating():
            with playbook_errors():
                try:
                    revised = await self._records.revise_playbook(request)
                except PlaybookRefused as refused:
                    return TaughtPlaybook(fault=str(refused), code=refused.code)
                return TaughtPlaybook(revised=revised, accounts=await self._records.accounts(request.realm))


@contextmanager
def playbook_errors() -> Iterator[None]:
    """Give the port's errors their stable types, and say which can never succeed."""
    try:
        yield
    except StoreUnavailable as silent:
        raise ApplicationError(str(silent), type=STORE_UNAVAILABLE) from silent
    except StoreRefused as refused:
        raise ApplicationError(str(refused), type=STORE_REFUSED, non_retryable=True) from refused
    except PlaybookRefused as refused:
        raise ApplicationError(str(refused), type=PLAYBOOK_REFUSED, non_retryable=True) from refused
    except KeyError as missing:
        raise ApplicationError(str(missing), type=BLOB_MISSING, non_retryable=True) from missing
