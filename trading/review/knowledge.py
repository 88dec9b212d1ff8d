"""Whether a model may have read the period that it decided in (venue.md, the simulated exchange and history)."""

from __future__ import annotations

from collections.abc import Iterable

from trading.contract import Contract
from trading.review.period import Period
from trading.review.review import ModelUse

HAPPENS_NOW = frozenset({"live", "testnet", "demo", "paper"})
"""Realms whose market time is the world's: what a model has read lies before it, unless its cut-off says otherwise."""


class PeriodKnowledge(Contract):
    """`sentence` says why; it is empty where no model knows the period."""

    knows: bool
    sentence: str = ""


def model_knows_period(models: Iterable[ModelUse], period: Period, *, realm: str) -> PeriodKnowledge:
    """A rule-based model has read nothing. A language model knows what began before its stated cut-off; without one,
    it is taken to know all of history.
    """
    knowing = []
    for model in sorted(models, key=lambda each: each.name):
        if model.is_rule_based:
            continue
        if model.knowledge_until is not None:
            if period.start < model.knowledge_until:
                knowing.append(f"{model.name} (its knowledge ends {model.knowledge_until:%Y-%m-%d})")
        elif realm not in HAPPENS_NOW:
            knowing.append(f"{model.name} (no cut-off is stated)")
    if not knowing:
        return PeriodKnowledge(knows=False)
    return PeriodKnowledge(
        knows=True,
        sentence="model_knows_period: "
        + ", ".join(knowing)
        + " may have read this period. The results prove nothing and feed no promotion and no trust weight.",
    )
