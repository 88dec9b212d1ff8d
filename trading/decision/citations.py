"""Claims against what was shown: ids exist, values are the facts' values, memories hold what is quoted (C03)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal

from trading.candles import TIMEFRAMES
from trading.decision.codes import finding
from trading.decision.ground import Ground
from trading.decision.models import Action, Claim, Finding, MemoryItem, Proposal
from trading.decision.quantities import Quantity, difference, is_near, only_quantity, quantities
from trading.facts.models import Fact
from trading.money import plain

NEAREST = 3
VALUE_CODES: Mapping[str, str] = {
    "sign": "value_wrong_sign",
    "percent": "value_unit_confused",
    "magnitude": "value_wrong_magnitude",
    "other": "value_mismatch",
}
_BOUND = re.compile(
    r"(?<!not )(?<!no longer )(?<!n't )\b(?P<word>above|over|exceeds|greater than|higher than|more than|"
    r"below|under|less than|lower than)\s+(?=[-+$€\d])",
    re.IGNORECASE,
)
_UPWARD = frozenset({"above", "over", "exceeds", "greater than", "higher than", "more than"})
_HEDGED = re.compile(
    r"\b(was|were|if|once|until|unless|until|target|stop|would|could|should|break|breaks|move|moves)\b", re.I
)


def check_citations(proposal: Proposal, ground: Ground) -> Iterator[Finding]:
    """Findings on every claim: unknown ids, wrong values, stale facts, memories that do not say it, repeats."""
    if not proposal.claims and proposal.action is not Action.HOLD:
        yield finding(
            "uncited_decision", path="claims", expected="at least one claim that cites a fact", found=proposal.action
        )
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for at, claim in enumerate(proposal.claims):
        path = f"claims.{at}"
        key = (claim.statement.casefold(), claim.cites)
        if key in seen:
            yield finding("repeated_claim", path=path, expected="a new claim", found=claim.statement)
        seen.add(key)
        yield from _unknown_ids(claim, path, ground)
        facts = [ground.facts[cited] for cited in claim.cites if cited in ground.facts]
        memories = [ground.memories[cited] for cited in claim.cites if cited in ground.memories]
        yield from _stale(facts, path, ground)
        if claim.value is not None and (facts or memories):
            yield from _value(claim.value, facts, memories, f"{path}.value", ground)
        yield from _bounds(claim, facts, path)


def _unknown_ids(claim: Claim, path: str, ground: Ground) -> Iterator[Finding]:
    for at, cited in enumerate(claim.cites):
        if not ground.is_known(cited):
            known = sorted({*ground.facts, *ground.memories})
            near = difflib.get_close_matches(cited, known, n=NEAREST, cutoff=0.5)
            yield finding(
                "unknown_citation", path=f"{path}.cites.{at}", expected=", ".join(near) or "no such id", found=cited
            )


def _stale(facts: list[Fact], path: str, ground: Ground) -> Iterator[Finding]:
    for fact in facts:
        step = TIMEFRAMES.get(fact.id.rpartition("@")[2], ground.step)
        age, allowed = ground.snapshot.as_of - fact.as_of, step * ground.policy.freshness_steps
        if age > allowed:
            yield finding(
                "stale_fact",
                path=path,
                expected=f"at most {_hours(allowed)} h",
                found=f"{fact.id}, {_hours(age)} h old",
            )


def _hours(span: timedelta) -> str:
    return plain(Decimal(round(span.total_seconds())) / 3600)


def _value(stated: str, facts: list[Fact], memories: list[MemoryItem], path: str, ground: Ground) -> Iterator[Finding]:
    """One match among the cited is enough; with none, the finding of the first cited fact speaks."""
    findings = [_against_fact(stated, fact, path, ground) for fact in facts]
    findings += [_against_memory(stated, item, path, ground) for item in memories]
    if all(found is not None for found in findings):
        yield from (found for found in findings[:1] if found is not None)


def _against_fact(stated: str, fact: Fact, path: str, ground: Ground) -> Finding | None:
    if isinstance(fact.value, str):
        if _same_label(stated, fact.value):
            return None
        code = "value_not_comparable" if only_quantity(stated) else "value_mismatch"
        return finding(code, path=path, expected=f"{fact.id} = {fact.value}", found=stated)
    quantity = only_quantity(stated)
    shown = f"{fact.id} = {plain(fact.value)} {fact.unit}"
    if quantity is None:
        return finding("value_not_comparable", path=path, expected=shown, found=stated)
    differs = difference(quantity, fact.value, tolerance=ground.policy.value_tolerance_fraction, unit=fact.unit)
    return None if differs == "equal" else finding(VALUE_CODES[differs], path=path, expected=shown, found=stated)


def _same_label(stated: str, label: str) -> bool:
    return re.sub(r"[\s_-]+", " ", stated).strip().casefold() == re.sub(r"[\s_-]+", " ", label).strip().casefold()


def _against_memory(stated: str, item: MemoryItem, path: str, ground: Ground) -> Finding | None:
    tolerance = ground.policy.value_tolerance_fraction
    wanted = only_quantity(stated)
    if wanted is not None:
        held = any(is_near(wanted, said.value, tolerance=tolerance) for said in quantities(item.text))
    else:
        held = " ".join(stated.casefold().split()) in " ".join(item.text.casefold().split())
    return None if held else finding("memory_lacks_value", path=path, expected=f"{item.id}: {item.text}", found=stated)


def _bounds(claim: Claim, facts: list[Fact], path: str) -> Iterator[Finding]:
    """`above 70` beside one cited number that is not above 70: the statement contradicts its own citation.

    Only bounds that follow a present-tense statement are read; two cited numbers leave open which one is meant.
    """
    numbers = [(fact, fact.value) for fact in facts if isinstance(fact.value, Decimal)]
    if len(numbers) != 1 or len(claim.cites) != 1 or _HEDGED.search(claim.statement):
        return
    fact, actual = numbers[0]
    for match in _BOUND.finditer(claim.statement):
        bound = next((q for q in quantities(claim.statement) if q.start >= match.end()), None)
        if bound is None or not _same_scale(bound, actual, fact.unit):
            continue
        upward = match["word"].lower() in _UPWARD
        if (actual < bound.value) if upward else (actual > bound.value):
            yield finding(
                "claim_contradicts_fact",
                path=f"{path}.statement",
                expected=f"{fact.id} = {plain(actual)}",
                found=f"{match['word']} {bound.text}",
            )


def _same_scale(bound: Quantity, actual: Decimal, unit: str) -> bool:
    """Whether comparing makes sense: a percent with a fraction, else a number of a like size."""
    if bound.is_percent:
        return unit == "fraction"
    if unit in {"fraction", "ratio"}:
        return abs(bound.value) <= 1
    return bound.value == 0 or actual == 0 or Decimal("0.05") < abs(bound.value / actual) < 20
