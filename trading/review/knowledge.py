"""Whether a model may have read the period that it decided in (venue.md, the simulated exchange and history)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from trading.contract import Contract
from trading.review.period import Period
from trading.review.review import ModelUse

HAPPENS_NOW = frozenset({"live", "testnet", "demo", "paper"})
"""Realms whose market time is the world's: what a model has read lies before it, unless its cut-off says otherwise."""


class PeriodKnowledge(Contract):
    """`sentence` says why; it is empty where no model knows the period."""

    knows: bool
    sentence: str = ""


def may_have_read(at: datetime, *, is_rule_based: bool, knowledge_until: datetime | None, realm: str) -> bool:
    """Whether a model may have read about what happened from `at` on."""
    if is_rule_based:
        return False
    return realm not in HAPPENS_NOW if knowledge_until is None else at < knowledge_until


def model_knows_period(models: Iterable[ModelUse], period: Period, *, realm: str) -> PeriodKnowledge:
    """A rule-based model has read nothing. A language model knows what began before its stated cut-off; without one,
    it is taken to know all of history.
    """
    knowing = []
    for model in sorted(models, key=lambda each: each.name):
        until = model.knowledge_until
        if may_have_read(period.start, is_rule_based=model.is_rule_based, knowledge_until=until, realm=realm):
            said = "no cut-off is stated" if until is None else f"its knowledge ends {until:%Y-%m-%d}"
            knowing.append(f"{model.name} ({said})")
    if not knowing:
        return PeriodKnowledge(knows=False)
    return PeriodKnowledge(
        knows=True,
        sentence="model_knows_period: "
        + ", ".join(knowing)
        + " may have read this period. The results prove nothing and feed no promotion and no trust weight.",
    )
