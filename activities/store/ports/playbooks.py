"""The port to the playbook's versions."""

from __future__ import annotations

from typing import Protocol

from pydantic import Field

from trading.contract import Contract
from trading.playbook import Playbook
from trading.strategies.models import Strategy


class PlaybookRefused(ValueError):
    """A playbook that cannot be made active; the message says why and what is allowed.

    `code` is `unknown_version`, `loosens`, `nothing_earlier`, `no_reason` or `not_allowed`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class RegisteredPlaybook(Contract):
    """One row of the registry. `status` is `candidate`, `active` or `retired`; a realm has one active version.

    `created_from` says what made it (`first use`, a reflection's id, a person); `replaced` is the version that it took
    over from when it was last activated, and the one that a rollback goes to.
    """

    version: str
    parent: str | None
    status: str
    created_from: str
    who: str
    why: str
    content_hash: str
    replaced: str | None = None


class ReviseRequest(Contract):
    """A next version of the realm's active playbook, made once for its operation id.

    `policy_changes` are (field, new value); `principles` and `strategies` come into the playbook: sentences that it has
    already are not repeated, strategies take the place of all. With `activate` the version becomes the active one,
    unless it loosens a limit, or promotes strategies in the live realm, and nobody has approved that.
    """

    realm: str
    operation_id: str
    created_from: str
    why: str
    who: str
    policy_changes: tuple[tuple[str, str], ...] = ()
    principles: tuple[str, ...] = ()
    strategies: tuple[Strategy, ...] | None = None
    activate: bool = True
    approved_by: str | None = Field(default=None, description="the person who approved what loosens")
    author: str | None = Field(default=None, description="the person whose words the principles are")
    refuses_loosening: bool = Field(default=False, description="raise instead of leaving a candidate that waits")


class Revised(Contract):
    """What came of a revision. `waits_for` names what a person must approve before the version may be active.

    `changed` is false where the playbook held all of it already; `is_active` speaks of now: where a later version has
    taken over, nobody is to be told of this one any more.
    """

    operation_id: str
    version_before: str
    version: str
    playbook_hash: str
    is_active: bool
    changed: bool = True
    waits_for: tuple[str, ...] = ()


class PlaybookRegistry(Protocol):
    """The playbook's versions of a realm. A version is never changed, only its status is."""

    async def active_playbook(self, realm: str, *, first: Playbook | None = None) -> RegisteredPlaybook:
        """The active version; where the realm has none yet, `first` or the house's own is registered and active."""
        ...

    async def revise_playbook(self, request: ReviseRequest) -> Revised:
        """Make the next version and register it; the same operation id again makes none.

        Raises `PlaybookRefused` for a change that the policy does not allow, and for an empty reason or name.
        """
        ...

    async def register_playbook(
        self, realm: str, playbook: Playbook, *, created_from: str, who: str, why: str
    ) -> RegisteredPlaybook:
        """Keep a candidate; a version that is there already is returned as it is."""
        ...

    async def playbooks(self, realm: str) -> tuple[RegisteredPlaybook, ...]:
        """All versions of the realm in the order in which they were registered."""
        ...

    async def activate_playbook(
        self, realm: str, version: str, *, reason: str, who: str, approve_loosening: bool = False
    ) -> RegisteredPlaybook:
        """Make `version` the active one and audit it; activating the active one changes nothing.

        Raises `PlaybookRefused` for an unknown version, for an empty reason or name, and for one that loosens a limit
        of the active one without `approve_loosening` (X52).
        """
        ...

    async def rollback_playbook(
        self, realm: str, *, reason: str, who: str, approve_loosening: bool = False
    ) -> RegisteredPlaybook:
        """Make the version active that the active one replaced; refused as an activation is."""
        ...
