"""A proposal that waits for a person: what is asked, what may be answered, and what an answer makes of it (C14).

An answer is bound to the proposal's id, which holds a digest of account, price, size and levels: whoever answers has
seen exactly these. A changed proposal is checked by the same code as a model's, and the limits of the gate bind people
as they bind models.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

from pydantic import Field

from trading.contract import Contract
from trading.decision.codes import sentence
from trading.decision.geometry import check_geometry
from trading.decision.ground import Ground
from trading.decision.models import (
    Action,
    DecisionHead,
    Fusion,
    FusionOutcome,
    Proposal,
    ReasoningStep,
    Severity,
)
from trading.ids import canonical_json, content_hash
from trading.money import plain
from trading.policy.decision import DecisionPolicy

MANUAL_MODE = "manual_mode"
WAITING = "waiting_for_approval"
_DIGEST = 8


class AnswerVerb(StrEnum):
    """What became of a proposal. `EXPIRE` is nobody's word, and a rejection."""

    APPROVE = "approve"
    REJECT = "reject"
    MODIFY = "modify"
    EXPIRE = "expire"


class ProposedTrade(Contract):
    """One account's trade as a person is asked about it; prices in quote units, the size a fraction of equity."""

    id: str
    decision_id: str
    account: str
    symbol: str
    price: Decimal = Field(description="what it would be bought at when the question was asked")
    size_fraction: Decimal
    entry_price: Decimal | None = None
    stop_price: Decimal | None = None
    target_price: Decimal | None = None
    horizon_hours: int
    confidence: Decimal
    because: tuple[str, ...] = ()
    expires_s: int


class PersonAnswer(Contract):
    """A person's word on a proposal: its id, who, and why; `modify` states what is to be different."""

    proposal: str = ""
    who: str = ""
    reason: str = ""
    operation_id: str = ""
    size_fraction: Decimal | None = Field(default=None, gt=0, le=1)
    entry_price: Decimal | None = Field(default=None, gt=0)
    stop_price: Decimal | None = Field(default=None, gt=0)
    target_price: Decimal | None = Field(default=None, gt=0)

    @property
    def changes(self) -> dict[str, Decimal]:
        """The values that the person set, by the name of the proposal's field."""
        named = {
            "size_fraction": self.size_fraction,
            "entry_price": self.entry_price,
            "stop_price": self.stop_price,
            "target_price": self.target_price,
        }
        return {name: value for name, value in named.items() if value is not None}


class Ruling(Contract):
    """The one answer that counts: the first. `fusion` is the view as it goes on from here."""

    proposal: str
    verb: AnswerVerb
    who: str
    reason: str
    operation_id: str
    fusion: Fusion

    @property
    def goes_on(self) -> bool:
        return self.verb in {AnswerVerb.APPROVE, AnswerVerb.MODIFY}


def approval_reasons(fusion: Fusion, policy: DecisionPolicy) -> tuple[str, ...]:
    """Why a person is asked before this view is traded; empty where nobody is. Only what raises exposure asks."""
    if fusion.outcome is not FusionOutcome.OPEN:
        return ()
    above = fusion.size_fraction > policy.approval_above_fraction
    uncertain = fusion.low_certainty and policy.approval_when_low_certainty > 0
    return (*(["size_above_approval"] if above else []), *(["low_certainty"] if uncertain else []))


def proposed_trade(
    head: DecisionHead, fusion: Fusion, *, account: str, price: Decimal, because: tuple[str, ...], expires_s: int
) -> ProposedTrade:
    """The question that a person is asked; the same facts give the same id."""
    facts = {
        "account": account,
        "price": plain(price),
        "size": plain(fusion.size_fraction),
        "entry": fusion.entry_price and plain(fusion.entry_price),
        "stop": fusion.stop_price and plain(fusion.stop_price),
        "target": fusion.target_price and plain(fusion.target_price),
    }
    return ProposedTrade(
        id=f"{head.decision_id}-{content_hash(canonical_json(facts))[:_DIGEST]}",
        decision_id=head.decision_id,
        account=account,
        symbol=head.symbol,
        price=price,
        size_fraction=fusion.size_fraction,
        entry_price=fusion.entry_price,
        stop_price=fusion.stop_price,
        target_price=fusion.target_price,
        horizon_hours=fusion.horizon_hours,
        confidence=fusion.confidence,
        because=because,
        expires_s=expires_s,
    )


def decision_of(proposal: str) -> str:
    """The decision that a proposal belongs to."""
    return proposal.rpartition("-")[0]


def modified(fusion: Fusion, changes: Mapping[str, Decimal]) -> Fusion:
    """The view with a person's values in it."""
    return fusion.model_copy(update=dict(changes))


def objections(fusion: Fusion, ground: Ground) -> tuple[str, ...]:
    """What the code that checks models finds wrong with size, levels and odds: sentences, none where they stand."""
    word = ReasoningStep(question="Who says so?", conclusion="A person changed this proposal.")
    proposal = Proposal(
        action=Action.BUY,
        size_fraction=fusion.size_fraction,
        entry_price=fusion.entry_price,
        stop_price=fusion.stop_price,
        target_price=fusion.target_price,
        horizon_hours=fusion.horizon_hours,
        confidence=fusion.confidence,
        win_probability=fusion.win_probability,
        steps=(word, word, word, word),
        claims=(),
    )
    found = check_geometry(proposal, ground)
    return tuple(sentence(one) for one in found if one.severity is not Severity.NOTE)


def is_within_collar(price: Decimal, approved: Decimal, fraction: Decimal) -> bool:
    """Whether `price` is still what was approved, give or take the collar."""
    return abs(price - approved) <= approved * fraction


def faults_of_answer(answer: PersonAnswer, *, verb: AnswerVerb, waiting: Mapping[str, ProposedTrade]) -> str | None:
    """Why an answer cannot be taken, as a sentence that names what is allowed; `None` where it can."""
    if answer.proposal not in waiting:
        known = ", ".join(waiting) or "none"
        return f"proposal {answer.proposal!r} does not wait here: waiting are {known}"
    if not answer.who.strip() or not answer.reason.strip():
        return "an answer names who and why: both must be given"
    if verb is AnswerVerb.MODIFY and not answer.changes:
        return "a modification states at least one of size_fraction, entry_price, stop_price, target_price"
    if verb is not AnswerVerb.MODIFY and answer.changes:
        return f"to {verb.value} takes the proposal as it is: {', '.join(answer.changes)} need `modify`"
    return None


def proposal_card(trade: ProposedTrade, *, workflow_id: str) -> str:
    """Markdown for the Web UI: the proposal, and how to answer it."""
    entry = "at market" if trade.entry_price is None else f"at {plain(trade.entry_price)}"
    levels = [f"{name} {plain(price)}" for name, price in _levels(trade)]
    given = '{"proposal":"' + trade.id + '","who":"YOU","reason":"WHY"}'
    return "\n\n".join(
        (
            f"### Waits for a person: {trade.account}, {trade.symbol}",
            f"buy {plain(trade.size_fraction * 100)} % of equity {entry} (ask {plain(trade.price)}), "
            f"{', '.join(levels)}",
            f"asked because: {', '.join(trade.because)}; without an answer in {trade.expires_s} s it is rejected",
            f"`perennial approve {trade.id} --reason WHY`, or `reject`, or `modify` with "
            "`--size`, `--entry`, `--stop`, `--target`",
            f"`temporal workflow signal -w {workflow_id} --name approve --input '{given}'`",
        )
    )


def _levels(trade: ProposedTrade) -> tuple[tuple[str, Decimal], ...]:
    named = (("stop", trade.stop_price), ("target", trade.target_price))
    return tuple((name, price) for name, price in named if price is not None)
