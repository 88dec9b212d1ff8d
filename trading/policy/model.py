"""Every threshold and limit of the agent, declared once; the values live in the playbook version, never in settings."""

from __future__ import annotations

from itertools import pairwise
from typing import Self

from pydantic import model_validator

from trading.policy.adaptive import AdaptivePolicy
from trading.policy.decision import DecisionPolicy
from trading.policy.evolution import EvolutionPolicy
from trading.policy.execution import ExecutionPolicy
from trading.policy.gate import GatePolicy
from trading.policy.regimes import BY_DANGER, RegimePolicy
from trading.policy.review import ReviewPolicy
from trading.policy.watching import WatchPolicy


class Policy(
    WatchPolicy,
    ReviewPolicy,
    AdaptivePolicy,
    GatePolicy,
    RegimePolicy,
    DecisionPolicy,
    EvolutionPolicy,
    ExecutionPolicy,
):
    """All thresholds of one playbook version.

    Every field carries its default, bounds, unit, capability, code and looser direction; `trading.policy.table` reads
    them. Ratios are fractions. A value out of bounds, or limits that contradict each other, raise `ValidationError`.
    """

    @model_validator(mode="after")
    def _limits_agree(self) -> Self:
        for low, high in (
            ("max_trade_fraction", "max_position_fraction"),
            ("max_position_fraction", "max_symbol_fraction"),
            ("event_day_fraction", "max_position_fraction"),
            ("drawdown_defence_fraction", "drawdown_halt_fraction"),
            ("stop_min_fraction", "stop_max_fraction"),
            ("low_volatility_fraction", "high_volatility_fraction"),
            ("var_limit_fraction", "cvar_limit_fraction"),
            ("stop_min_fraction", "stop_calm_fraction"),
            ("index_calm_fraction", "index_wild_fraction"),
        ):
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"{low} {getattr(self, low)} must not be above {high} {getattr(self, high)}")
        for family in ("total_fraction", "size_factor", "leverage", "max_positions"):
            for calm, danger in pairwise(BY_DANGER):
                least, most = f"{family}_{danger.value}", f"{family}_{calm.value}"
                if getattr(self, least) > getattr(self, most):
                    raise ValueError(
                        f"{least} {getattr(self, least)} must not be above {most} {getattr(self, most)}: "
                        "a worse regime never gives more"
                    )
        return self
