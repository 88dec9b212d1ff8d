"""Whether there is ground to stand on at all, and whether the answer stepped out of its role (C01, C03)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from trading.decision.codes import CODES, finding
from trading.decision.ground import Ground
from trading.decision.markers import instructions_in, markers_in
from trading.decision.models import Action, Finding, Proposal
from trading.facts.models import REMEMBERED
from trading.money import plain

PRICE_FACT = "last_price"


def check_footing(ground: Ground) -> Iterator[Finding]:
    """Fatal findings that no correction can repair: too little history, a stale price, a fact from the future."""
    snapshot = ground.snapshot
    because = snapshot.insufficient
    if because is not None:
        code = "stale_data" if because == REMEMBERED else because if because in CODES else "insufficient_history"
        yield finding(code, path="snapshot", expected="a complete, current snapshot", found=because)
    price = ground.facts.get(PRICE_FACT)
    newest = price.as_of if price is not None else max((fact.as_of for fact in snapshot.facts), default=None)
    allowed = ground.step * ground.policy.freshness_steps
    if because is None and newest is not None and snapshot.as_of - newest > allowed:
        hours = [plain(Decimal(round(span.total_seconds())) / 3600) for span in (snapshot.as_of - newest, allowed)]
        yield finding("stale_data", path="snapshot", expected=f"at most {hours[1]} h", found=f"{hours[0]} h")
    for fact in snapshot.facts:
        if fact.as_of > snapshot.as_of:
            yield finding(
                "fact_from_future", path=fact.id, expected=snapshot.as_of.isoformat(), found=fact.as_of.isoformat()
            )


def check_injection(text: str, proposal: Proposal | None) -> Iterator[Finding]:
    """Fatal findings on an answer that repeats the prompt's markers, or speaks like an instruction out of the data."""
    for marker in list(markers_in(text))[:1]:
        yield finding("echoes_markers", path="", expected="an answer of its own", found=marker)
    if proposal is None:
        return
    sentences = [(f"steps.{at}", f"{step.question} {step.conclusion}") for at, step in enumerate(proposal.steps)]
    sentences += [
        (f"claims.{at}", f"{claim.statement} {claim.value or ''}") for at, claim in enumerate(proposal.claims)
    ]
    for path, sentence in sentences:
        for words in list(instructions_in(sentence))[:1]:
            yield finding("echoes_instruction", path=path, expected="a statement on the market", found=words)


def check_history(proposal: Proposal, ground: Ground) -> Iterator[Finding]:
    """A buy that stays silent on similar failures that it was shown (C03 history, X31)."""
    failures = [item.id for item in ground.memories.values() if item.kind == "failure"]
    if proposal.action is not Action.BUY or not failures:
        return
    said = {cited for claim in proposal.claims for cited in claim.cites}
    prose = " ".join(step.conclusion for step in proposal.steps)
    if not any(item_id in said or item_id in prose for item_id in failures):
        yield finding("failures_not_addressed", path="claims", expected=", ".join(failures), found="nothing")
