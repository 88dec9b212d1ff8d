"""Whether a run over history says anything of new days: not where a model that answered may have read about these."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, time

from config.providers import stated_knowledge
from trading.review.knowledge import may_have_read
from trading.review.review import ModelUse


def knows_period(models: Iterable[ModelUse], start: datetime, *, realm: str) -> bool:
    """Whether a model may have read what follows `start`. A trial has no settings, so only providers state cut-offs."""
    until = {name: datetime.combine(day, time(0), tzinfo=UTC) for name, day in stated_knowledge().items()}
    return any(
        may_have_read(start, is_rule_based=each.is_rule_based, knowledge_until=until.get(each.name), realm=realm)
        for each in models
    )
