"""The comparison of two verified answers before they are fused: opposite directions earn one correction round (C02)."""

from __future__ import annotations

from trading.decision.codes import finding
from trading.decision.models import Action, Finding, Stance


def are_opposed(primary: Stance, secondary: Stance) -> bool:
    """Whether both speak and one would buy what the other would sell."""
    return primary.speaks and secondary.speaks and {primary.action, secondary.action} == {Action.BUY, Action.SELL}


def opposition(stance: Stance, other: Stance) -> tuple[Finding, ...]:
    """The finding that `stance` is corrected with when `other` is opposed to it; nothing when it is not (X44)."""
    if not are_opposed(stance, other):
        return ()
    return (finding("opposes_other_model", path="action", expected=other.action, found=stance.action),)
