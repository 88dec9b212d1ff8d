"""Which facts of a snapshot speak against buying: what confirmation bias would leave out (C49)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from trading.facts.models import Fact

_AGAINST_LABELS: dict[str, frozenset[str]] = {
    "ema_trend": frozenset({"down"}),
    "rsi_signal": frozenset({"overbought"}),
    "macd_cross": frozenset({"bearish"}),
    "market_structure": frozenset({"lower_highs_lower_lows"}),
    "structure_break": frozenset({"bearish"}),
    "liquidity_sweep": frozenset({"swept_highs"}),
    "trend_regime": frozenset({"bear_market"}),
    "risk_regime": frozenset({"crash"}),
}
"""Labels that speak against a purchase."""

_AGAINST_BELOW_ZERO = frozenset({"macd_histogram", "change_24h"})

JUDGED = frozenset(_AGAINST_LABELS) | _AGAINST_BELOW_ZERO
"""The names of all facts that can speak against a purchase: of a snapshot nothing else need be read."""


def opposing_ids(facts: Iterable[Fact]) -> frozenset[str]:
    """The ids of the facts that speak against buying."""
    return frozenset(fact.id for fact in facts if _is_against(fact))


def _is_against(fact: Fact) -> bool:
    if isinstance(fact.value, Decimal):
        return fact.name in _AGAINST_BELOW_ZERO and fact.value < 0
    return fact.value in _AGAINST_LABELS.get(fact.name, frozenset())
