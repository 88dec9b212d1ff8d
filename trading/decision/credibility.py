"""How much a model's word weighs: its grounding and its calibration in this regime (C05)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal

from trading.decision.models import Role, TrackRecord
from trading.money import ONE, ZERO

NEUTRAL = Decimal("0.5")
"""The credibility of a model without a record, and of one that is as calibrated as a coin (Brier 0.25)."""
PRIOR_DECISIONS = 10
"""Decisions without a failure that every record starts from, so that one early failure does not condemn."""
_QUANTUM = Decimal("0.0001")


def credibility(record: TrackRecord, *, floor: Decimal) -> Decimal:
    """Between `floor` and 1: the share of grounded answers times `1 - 2 x Brier`; 0.5 without a record."""
    grounded = ONE - Decimal(record.grounding_failures) / (record.decisions + PRIOR_DECISIONS)
    skill = NEUTRAL if record.brier is None else ONE - 2 * record.brier
    return min(max(grounded * skill, floor, ZERO), ONE)


def weights_of(
    credibilities: Mapping[Role, Decimal], *, floor: Decimal, priors: Mapping[Role, Decimal] | None = None
) -> dict[Role, Decimal]:
    """The credibilities times the playbook's role weights, summing to exactly 1; of two, none is under `floor`."""
    if len(credibilities) < 2:
        return dict.fromkeys(credibilities, ONE)
    (first, a), (second, b) = ((role, c * (priors or {}).get(role, ONE)) for role, c in credibilities.items())
    share = NEUTRAL if a + b == 0 else a / (a + b)
    share = min(max(share, floor), ONE - floor).quantize(_QUANTUM, rounding=ROUND_HALF_EVEN)
    return {first: share, second: ONE - share}


def trust(credibilities: Mapping[Role, Decimal], weights: Mapping[Role, Decimal]) -> Decimal:
    """The factor on a fused confidence: 1 for a neutral or better record, less for a worse one, never above 1."""
    weighted = sum((weights[role] * credibilities[role] for role in weights), ZERO)
    return min(ONE, weighted / NEUTRAL)
