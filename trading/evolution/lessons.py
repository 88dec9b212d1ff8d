"""Principles that the pool's records support: only what many trades say, at the policy's confidence (C11)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from trading.evolution.models import Record
from trading.evolution.pool import Pool
from trading.evolution.significance import upper_bound_of_mean
from trading.policy.model import Policy


def principles_of(pool: Pool, ever: Mapping[str, Record], *, policy: Policy) -> tuple[str, ...]:
    """A sentence for each kind of strategy that clearly earns or clearly loses after costs, in the order of kinds.

    All that strategies of the kind ever did counts, culled ones included; a kind with fewer trades than the policy's
    least for a cull says nothing. The sentences name no numbers, so one that still holds is not a new one.
    """
    kinds: dict[str, list[Decimal]] = {}
    for row in pool.entries:
        record = ever.get(row.strategy.name)
        if record is not None:
            kinds.setdefault(row.strategy.kind, []).extend(record.returns)
    said = []
    for kind, returns in sorted(kinds.items()):
        if len(returns) < policy.cull_min_trades:
            continue
        most = upper_bound_of_mean(returns, confidence=policy.cull_confidence)
        least = upper_bound_of_mean([-value for value in returns], confidence=policy.cull_confidence)
        if most is not None and most < 0:
            said.append(f"Setups of the kind {kind} have lost after costs: ask more of one before entering.")
        elif least is not None and least < 0:
            said.append(f"Setups of the kind {kind} have earned after costs: prefer one where others are equal.")
    return tuple(said)
