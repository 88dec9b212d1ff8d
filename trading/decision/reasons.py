"""Every reason that a fusion can give, once: the code that is stored and the sentence that a person reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class FusionReason:
    code: str
    capability: str
    sentence: str


_ROWS: Final = (
    FusionReason("both_abstain", "C05", "Neither model gave an answer that stands."),
    FusionReason("primary_abstains", "C05", "The primary model gave no answer that stands."),
    FusionReason("secondary_abstains", "C05", "The secondary model gave no answer that stands."),
    FusionReason("one_alone_never_opens", "C02", "Only one model would open; one model alone never opens a position."),
    FusionReason("one_alone_reduces", "C02", "Only one model speaks and it would reduce, which it may."),
    FusionReason("one_reduces_other_holds", "C02", "One model would reduce and the other hold: a part is reduced."),
    FusionReason("opposite_directions", "C02", "One model would buy and the other sell: no trade."),
    FusionReason(
        "agree_to_buy", "C05", "Both models would buy: the smaller size, the tighter stop, the nearer target."
    ),
    FusionReason("agree_to_sell", "C05", "Both models would sell: the smaller share of the position."),
    FusionReason("agree_to_hold", "C05", "Both models would hold."),
    FusionReason("holds_alone", "C05", "Only one model speaks and it would hold."),
    FusionReason("nothing_to_sell", "C03", "There is no position to reduce."),
    FusionReason("size_disagreement", "C05", "The sizes are far apart: the smaller one is cut further."),
    FusionReason("levels_disagreement", "C05", "The stops are far apart: the smaller size is cut further."),
    FusionReason("levels_missing", "C03", "A buy without a stop or a target cannot be joined with another."),
    FusionReason("levels_incompatible", "C05", "The two views leave no room between stop, entry and target."),
    FusionReason("reward_risk_too_low", "C03", "What both allow pays too little for its risk."),
    FusionReason("expected_value_negative", "C04", "At the lower win probability the joined trade loses on average."),
    FusionReason("poor_record", "C05", "The models' record in this regime lowers the confidence."),
    FusionReason("low_certainty", "C04", "The confidence is under the mark of low certainty."),
    FusionReason(
        "low_certainty_cap", "C04", "The size is cut because the confidence is under the mark of low certainty."
    ),
    FusionReason("bootstrap_confidence", "C04", "In the first trades the confidence is under its floor."),
    FusionReason("bootstrap_win_probability", "C04", "In the first trades the win probability is under its floor."),
    FusionReason("size_zero", "C05", "Nothing is left of the size."),
)

REASONS: Final[Mapping[str, FusionReason]] = MappingProxyType({row.code: row for row in _ROWS})
