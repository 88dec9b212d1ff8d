"""What a reflection asks of people: it changes nothing until somebody says so, and expires unapplied (C12)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from pydantic import Field

from trading.contract import Contract
from trading.ids import content_hash

ProposalKind = Literal["threshold", "principle", "version", "architecture"]
"""A looser limit, an encouraging sentence, a candidate of the registry, or a change that people must make."""


class ProposalStatus(StrEnum):
    """`EXPIRED` is nobody's word; nothing is applied."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"
    MODIFIED = "modified"
    EXPIRED = "expired"


class ReflectionVerb(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"
    MODIFY = "modify"
    EXPIRE = "expire"


STATUS_OF = {
    ReflectionVerb.APPROVE: ProposalStatus.APPROVED,
    ReflectionVerb.REJECT: ProposalStatus.REJECTED,
    ReflectionVerb.MODIFY: ProposalStatus.MODIFIED,
    ReflectionVerb.EXPIRE: ProposalStatus.EXPIRED,
}


class ReflectionProposal(Contract):
    """One question. `subject` is the threshold, the version or the topic; `old` and `new` are as people read them."""

    id: str
    kind: ProposalKind
    subject: str
    old: str | None = None
    new: str
    reason: str
    evidence: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What is proposed, in one line."""
        if self.kind == "threshold":
            return f"{self.subject}: {self.old} -> {self.new}"
        return f"activate playbook {self.new}" if self.kind == "version" else self.new


class ReflectionAnswer(Contract):
    """A person's word on a proposal: its id, who, and why; `modify` states another `value` of a threshold or `text`."""

    proposal: str = ""
    who: str = ""
    reason: str = ""
    operation_id: str = ""
    value: str | None = Field(default=None, max_length=40)
    text: str | None = Field(default=None, max_length=400)

    @property
    def changed(self) -> str | None:
        """What is to stand in the place of `new`."""
        return self.value if self.value is not None else self.text


def proposal_id(*, job: str, period: str, kind: ProposalKind, subject: str, new: str) -> str:
    """The same question of the same period has the same id; the next period asks anew."""
    return "p" + content_hash("|".join((job, period, kind, subject, new)))[:15]


def faults_of_answer(
    answer: ReflectionAnswer, *, verb: ReflectionVerb, known: Mapping[str, ReflectionProposal]
) -> str | None:
    """Why an answer cannot be taken, as a sentence that names what is allowed; `None` where it can."""
    proposal = known.get(answer.proposal)
    if proposal is None:
        return f"proposal {answer.proposal!r} does not wait here: waiting are {', '.join(known) or 'none'}"
    if not answer.who.strip() or not answer.reason.strip():
        return "an answer names who and why: both must be given"
    if verb is not ReflectionVerb.MODIFY:
        return None if answer.changed is None else f"to {verb.value} takes the proposal as it is: a change needs modify"
    wanted = {"threshold": "value", "principle": "text", "architecture": "text"}.get(proposal.kind)
    if wanted is None:
        return f"a {proposal.kind} is approved or rejected as it is: modify takes thresholds, principles, architecture"
    if getattr(answer, wanted) is None or (answer.value is not None and answer.text is not None):
        return f"a modification of a {proposal.kind} states {wanted}, and nothing else"
    return None


def reflection_card(proposal: ReflectionProposal, *, workflow_id: str) -> str:
    """Markdown for the Web UI: the proposal, and how to answer it."""
    given = '{"proposal":"' + proposal.id + '","who":"YOU","reason":"WHY"}'
    return "\n\n".join(
        (
            f"### Waits for a person: {proposal.kind} {proposal.subject}",
            proposal.sentence,
            f"because: {proposal.reason}" + (f" ({', '.join(proposal.evidence[:5])})" if proposal.evidence else ""),
            f"`perennial approve {proposal.id} --reason WHY`, or `reject`, or `modify` with `--value` or `--text`",
            f"`temporal workflow signal -w {workflow_id} --name approve --input '{given}'`",
        )
    )
