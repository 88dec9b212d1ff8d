"""Verification is code, not a prompt: a model's text becomes a stance and findings with stable codes (C03)."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from trading.decision.citations import check_citations
from trading.decision.codes import CODES, CONFIDENCE_KEPT_AT_LEAST
from trading.decision.footing import check_footing, check_history, check_injection
from trading.decision.geometry import check_geometry
from trading.decision.ground import Ground
from trading.decision.models import Finding, PositionView, Proposal, Recall, Role, Severity, Stance, Verdict
from trading.decision.prose import check_prose
from trading.decision.reading import read_proposal
from trading.facts.models import MarketSnapshot
from trading.money import ONE, ZERO
from trading.policy.model import Policy

NOT_REPAIRED = "not_repaired"
CONFIDENCE_QUANTUM = Decimal("0.0001")


def verify_answer(
    text: str,
    *,
    role: Role,
    model: str,
    is_rule_based: bool,
    answer_hash: str | None,
    snapshot: MarketSnapshot,
    recall: Recall | None,
    policy: Policy,
    position: PositionView | None,
    principle_ids: frozenset[str] | None = None,
) -> tuple[Stance, tuple[Finding, ...]]:
    """The stance of one answer and every finding, in the order of the checks. Never raises on any `text`.

    A fatal finding ends the answer (`ABSTAINS`); else a repairable one asks for the one correction round
    (`REPAIRABLE`); else the answer is `ACCEPTED` and each note lowers its confidence by the share that the table of
    codes states, together at most by half. `principle_ids` are the playbook's; without them any `P01` counts as shown.
    Deterministic.
    """
    ground = Ground(snapshot=snapshot, recall=recall, policy=policy, position=position, principle_ids=principle_ids)
    proposal, findings = findings_of(text, ground)
    verdict = verdict_of(findings)
    codes = tuple(dict.fromkeys(found.code for found in findings))
    stance = Stance(
        role=role,
        model=model,
        is_rule_based=is_rule_based,
        verdict=verdict,
        answer_hash=answer_hash,
        finding_codes=codes,
        abstains_because=_first_fatal(findings),
    )
    if proposal is not None:
        stance = stance.model_copy(update=_numbers(proposal, findings))
    return stance, findings


def findings_of(text: str, ground: Ground) -> tuple[Proposal | None, tuple[Finding, ...]]:
    """The proposal that `text` holds, where it is valid after the schema, and all findings on it."""
    findings = list(check_footing(ground))
    proposal, read = read_proposal(text)
    findings.extend(read)
    findings.extend(check_injection(text, proposal))
    if proposal is not None:
        findings.extend(check_citations(proposal, ground))
        findings.extend(check_prose(proposal, ground))
        findings.extend(check_geometry(proposal, ground))
        findings.extend(check_history(proposal, ground))
    return proposal, tuple(findings)


def verdict_of(findings: tuple[Finding, ...]) -> Verdict:
    """Fatal before repairable before accepted."""
    severities = {found.severity for found in findings}
    if Severity.FATAL in severities:
        return Verdict.ABSTAINS
    return Verdict.REPAIRABLE if Severity.REPAIRABLE in severities else Verdict.ACCEPTED


def kept_confidence(stated: Decimal, findings: tuple[Finding, ...]) -> Decimal:
    """`stated` less the share that each note takes, never under half of it (C04)."""
    taken = sum((CODES[found.code].lowers_confidence for found in findings if found.code in CODES), ZERO)
    return (stated * max(ONE - taken, CONFIDENCE_KEPT_AT_LEAST)).quantize(CONFIDENCE_QUANTUM, rounding=ROUND_HALF_EVEN)


def after_correction(stance: Stance) -> Stance:
    """The stance once the correction round is used up: what still needs repair abstains."""
    if stance.verdict is not Verdict.REPAIRABLE:
        return stance
    return stance.model_copy(update={"verdict": Verdict.ABSTAINS, "abstains_because": NOT_REPAIRED})


def absent(*, role: Role, model: str, is_rule_based: bool, because: str) -> Stance:
    """The stance of a model that gave no answer (an outage, a refusal, no key): it abstains and says why."""
    return Stance(
        role=role, model=model, is_rule_based=is_rule_based, verdict=Verdict.ABSTAINS, abstains_because=because
    )


def _first_fatal(findings: tuple[Finding, ...]) -> str | None:
    return next((found.code for found in findings if found.severity is Severity.FATAL), None)


def _numbers(proposal: Proposal, findings: tuple[Finding, ...]) -> dict[str, object]:
    return {
        "action": proposal.action,
        "size_fraction": proposal.size_fraction,
        "entry_price": proposal.entry_price,
        "stop_price": proposal.stop_price,
        "target_price": proposal.target_price,
        "horizon_hours": proposal.horizon_hours,
        "confidence": kept_confidence(proposal.confidence, findings),
        "win_probability": proposal.win_probability,
    }
