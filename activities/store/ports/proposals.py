"""The port to what reflections ask of people, and to the answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from activities.store.ports.playbooks import Revised
from trading.contract import Contract, Utc
from trading.review.proposals import ProposalStatus, ReflectionAnswer, ReflectionProposal, ReflectionVerb


class KeptProposal(Contract):
    """A reflection's proposal as the database has it. `version` is the playbook that an approval made."""

    proposal: ReflectionProposal
    job: str
    period: str
    as_of: Utc
    status: ProposalStatus
    who: str | None = None
    reason: str | None = None
    operation_id: str | None = None
    answered_with: str | None = None
    version: str | None = None


class Ruled(Contract):
    """What an answer came to. Only the first one counts; `is_this` says whether it was this one.

    `revised` is there where the answer made a playbook.
    """

    kept: KeptProposal
    is_this: bool
    revised: Revised | None = None


class Proposals(Protocol):
    """What reflections ask of people."""

    async def keep_proposals(
        self, realm: str, proposals: Sequence[ReflectionProposal], *, job: str, period: str, as_of: datetime
    ) -> tuple[KeptProposal, ...]:
        """Put the questions once; the rows of all of them, as they are now."""
        ...

    async def answer_proposal(self, realm: str, answer: ReflectionAnswer, verb: ReflectionVerb) -> Ruled:
        """Take the first answer, apply what it approves and audit it, in one transaction; a later one changes nothing.

        Raises `KeyError` for an unknown proposal, `PlaybookRefused` where the policy forbids what would be applied: the
        proposal stays open then.
        """
        ...

    async def proposals(self, realm: str, *, status: ProposalStatus | None = None) -> tuple[KeptProposal, ...]:
        """All of the realm, oldest first."""
        ...
