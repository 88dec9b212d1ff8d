"""What a month or a quarter comes to for the playbook of all accounts: what applies, what is asked (C12, C13)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from trading.contract import Contract
from trading.playbook import Playbook
from trading.policy.model import Policy
from trading.policy.table import BY_FIELD
from trading.review.changes import PolicyChange, WantedChange, split_changes
from trading.review.proposals import ProposalKind, ReflectionProposal, proposal_id, reflection_card
from trading.review.review import PeriodReview

MOST_CANDIDATES = 3
LATE = "the next period was over when this was made: nothing of it changes the playbook, nothing is asked"
READ_BEFORE = "a model had read about this period: it feeds no proposal that loosens or encourages"


class Candidate(Contract):
    """A version that somebody made and nobody activated."""

    version: str
    created_from: str
    why: str


class Reflection(Contract):
    """`applied` and `principles` tighten and come into the playbook by themselves; `proposals` wait for a person.

    A late one, made when the next period is over already, changes and asks nothing. A period that a model had read
    about tightens as any other, and asks for nothing that loosens or encourages. `left_out` says what was not done.
    """

    job: str
    period: str
    applied: tuple[PolicyChange, ...] = ()
    principles: tuple[str, ...] = ()
    proposals: tuple[ReflectionProposal, ...] = ()
    left_out: tuple[str, ...] = ()
    is_late: bool = False
    model_knows_period: bool = False
    reports: tuple[tuple[str, str], ...] = ()
    """(account, content hash) of the reports of the period."""


def reflect_on(
    reviews: Sequence[PeriodReview],
    playbook: Playbook,
    *,
    job: str,
    period: str,
    candidates: Sequence[Candidate] = (),
    with_architecture: bool = False,
    is_late: bool = False,
    model_knows_period: bool = False,
) -> Reflection:
    """Join what the reviews of all accounts ask for; the same reviews and playbook give the same reflection."""
    if is_late:
        return Reflection(job=job, period=period, is_late=True, left_out=(LATE,))
    policy = playbook.policy
    changes = split_changes(policy, joined(policy, reviews))
    known = {each.text for each in playbook.principles}
    questions = [f"Before an entry ask: {c.question}" for review in reviews for c in review.changes.checkpoints]
    cautions = [p.text for review in reviews for p in review.principles if p.cautions]
    encouraging = {p.text: p for review in reviews for p in review.principles if not p.cautions}
    loosening = changes.proposals
    left_out = changes.left_out
    if model_knows_period:
        left_out = (*left_out, *((READ_BEFORE,) if loosening or encouraging else ()))
        loosening, encouraging = (), {}

    def proposal(kind: ProposalKind, subject: str, new: str, reason: str, **more: object) -> ReflectionProposal:
        name = proposal_id(job=job, period=period, kind=kind, subject=subject, new=new)
        return ReflectionProposal.model_validate(
            {"id": name, "kind": kind, "subject": subject, "new": new, "reason": reason, **more}
        )

    return Reflection(
        job=job,
        period=period,
        applied=changes.applied,
        principles=tuple(text for text in dict.fromkeys((*cautions, *questions)) if text not in known),
        proposals=(
            *(
                proposal("threshold", c.field, c.new, c.reason, old=c.old, evidence=c.evidence)
                for c in (each.change for each in loosening)
            ),
            *(
                proposal("principle", each.id, text, f"{each.samples} trades", evidence=each.evidence)
                for text, each in encouraging.items()
            ),
            *(proposal("version", each.created_from, each.version, each.why) for each in candidates[-MOST_CANDIDATES:]),
            *(
                proposal("architecture", topic, text, reason, evidence=evidence)
                for topic, text, reason, evidence in (architecture(reviews, policy) if with_architecture else ())
            ),
        ),
        left_out=left_out,
        model_knows_period=model_knows_period,
    )


def joined(policy: Policy, reviews: Iterable[PeriodReview]) -> tuple[WantedChange, ...]:
    """One wish a threshold: the strictest where any account's review tightens it, else the least of what loosens."""
    wishes: dict[str, list[PolicyChange]] = {}
    for review in reviews:
        for change in (*review.changes.applied, *(each.change for each in review.changes.proposals)):
            wishes.setdefault(change.field, []).append(change)
    return tuple(_strictest(field, asked) for field, asked in wishes.items())


def _strictest(field: str, asked: Sequence[PolicyChange]) -> WantedChange:
    strictest = min(asked, key=lambda each: Decimal(each.new) * (-1 if BY_FIELD[field].looser == "down" else 1))
    value = Decimal(strictest.new)
    whole = BY_FIELD[field].type == "integer"
    return WantedChange(
        field=field,
        value=int(value) if whole else value,
        reason=strictest.reason,
        evidence=tuple(dict.fromkeys(name for each in asked for name in each.evidence)),
    )


def architecture(reviews: Sequence[PeriodReview], policy: Policy) -> tuple[tuple[str, str, str, tuple[str, ...]], ...]:
    """(topic, proposal, reason, evidence): where thresholds will not help, because every account shows it (S2-93)."""
    traded = [review for review in reviews if review.trades]
    if not traded:
        return ()
    found: list[tuple[str, str, str, tuple[str, ...]]] = []
    for name in [check.name for check in traded[0].biases]:
        checks = [check for review in traded for check in review.biases if check.name == name]
        if all(check.found for check in checks):
            text = f"Rebuild the rule behind {name.replace('_', ' ')}: moving its threshold has not ended the habit."
            found.append((name, text, checks[0].sentence, checks[0].evidence[:5]))
    errors = [review.calibration.error for review in traded if _has_forecasts(review, policy)]
    if errors and all(error is not None and error > policy.calibration_error_limit for error in errors):
        text = "Ask the models for their odds in another way: what they state does not come true."
        found.append(("calibration", text, f"calibration errors {', '.join(f'{e:.3f}' for e in errors if e)}", ()))
    slopes = [review.learning_slope for review in traded if review.learning_slope is not None]
    if slopes and all(slope < 0 for slope in slopes):
        text = "Question what memory recalls: the agent learns, and wins less."
        found.append(("memory", text, f"win rate a week changes by {', '.join(f'{s:.4f}' for s in slopes)}", ()))
    excess = [review.standing.excess_return for review in traded if review.standing is not None]
    known = [value for value in excess if value is not None]
    if known and all(value < 0 for value in known):
        text = "Question the framework: holding the same symbols would have earned more, in every account."
        found.append(("framework", text, f"excess returns {', '.join(f'{value:.2%}' for value in known)}", ()))
    return tuple(found)


def _has_forecasts(review: PeriodReview, policy: Policy) -> bool:
    return review.calibration.forecasts >= policy.calibration_min_trades


def reflection_story(reflection: Reflection) -> str:
    """Markdown for the Web UI: what changed by itself, and what is asked."""
    lines = [f"### {reflection.job} {reflection.period}"]
    lines += [f"tightened {c.field}: {c.old} -> {c.new} ({c.reason})" for c in reflection.applied]
    lines += [f"principle: {text}" for text in reflection.principles]
    lines += [f"asked ({p.id}): {p.sentence}" for p in reflection.proposals]
    lines += [f"left out: {each}" for each in reflection.left_out]
    if len(lines) == 1:
        lines.append("nothing asks for a change")
    return "\n\n".join(lines)


def waiting_story(proposals: Iterable[ReflectionProposal], remarks: Iterable[str], *, workflow_id: str) -> str:
    """Markdown of everything that still waits, and of what was said meanwhile."""
    return "\n\n".join((*(reflection_card(each, workflow_id=workflow_id) for each in proposals), *remarks))
