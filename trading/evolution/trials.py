"""Two things side by side: old against new (C55), live against a year ago, one period against another (C59)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from statistics import NormalDist

from trading.contract import Contract
from trading.evolution.models import Reason, Record, reason
from trading.money import ZERO
from trading.policy.model import Policy
from trading.portfolio import stated


class AbVerdict(Contract):
    """Deploy the new one, or keep the old one and say why."""

    deploy: bool
    probability: Decimal | None
    reasons: tuple[Reason, ...]


def ab_test(old: Record, new: Record, *, policy: Policy) -> AbVerdict:
    """Whether `new` earns more a trade than `old` over the same days, with the policy's confidence (S2-203 to S2-205).

    `probability` is one-sided, for means of independent trades with different spreads. Under the policy's least trades
    on either side nothing is deployed.
    """
    fewest = min(len(old.trades), len(new.trades))
    if fewest < policy.promotion_min_trades:
        short = reason("too_few_trades", "too few trades to compare", trades=fewest, least=policy.promotion_min_trades)
        return AbVerdict(deploy=False, probability=None, reasons=(short,))
    probability = _probability_of_more(new.returns, old.returns)
    numbers = {"old": old.expectancy, "new": new.expectancy, "probability": probability}
    if probability < policy.promotion_confidence:
        return AbVerdict(
            deploy=False,
            probability=probability,
            reasons=(reason("not_better", "the new one is not clearly better: rolled back", **numbers),),
        )
    return AbVerdict(
        deploy=True, probability=probability, reasons=(reason("better", "the new one earns more a trade", **numbers),)
    )


class DoubleValidation(Contract):
    """Live simulation and the back-test of the same dates a year ago: differences are back-test less live."""

    return_gap: Decimal
    win_rate_gap: Decimal | None
    drawdown_gap: Decimal
    overfitted: bool


def double_validation(
    *,
    live_return: Decimal,
    live_win_rate: Decimal | None,
    live_drawdown: Decimal,
    year_ago_return: Decimal,
    year_ago_win_rate: Decimal | None,
    year_ago_drawdown: Decimal,
    policy: Policy,
) -> DoubleValidation:
    """Flagged where the back-test earned more than the acceptable gap above live (S2-176, S2-177)."""
    rates = live_win_rate is not None and year_ago_win_rate is not None
    return DoubleValidation(
        return_gap=year_ago_return - live_return,
        win_rate_gap=(year_ago_win_rate or ZERO) - (live_win_rate or ZERO) if rates else None,
        drawdown_gap=year_ago_drawdown - live_drawdown,
        overfitted=year_ago_return - live_return > policy.double_validation_gap,
    )


def weak_periods(accuracy_by_period: Mapping[str, Decimal], *, policy: Policy) -> tuple[str, ...]:
    """The periods of the monthly cross-period test in which too few decisions were right (S2-196), worst first."""
    weak = (name for name, value in accuracy_by_period.items() if value < policy.cross_period_accuracy)
    return tuple(sorted(weak, key=lambda name: (accuracy_by_period[name], name)))


def _probability_of_more(one: Sequence[Decimal], other: Sequence[Decimal]) -> Decimal:
    (first, first_error), (second, second_error) = _mean_and_error(one), _mean_and_error(other)
    error = math.hypot(first_error, second_error)
    if not error:
        return Decimal(1) if first > second else Decimal(0)
    return stated(NormalDist().cdf((first - second) / error))


def _mean_and_error(values: Sequence[Decimal]) -> tuple[float, float]:
    numbers = [float(value) for value in values]
    mean = math.fsum(numbers) / len(numbers)
    variance = math.fsum((number - mean) ** 2 for number in numbers) / (len(numbers) - 1)
    return mean, math.sqrt(variance / len(numbers))
