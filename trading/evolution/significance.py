"""How much of a result may be luck: bounds, and the Sharpe ratio deflated by the number of trials (C59).

Floating point inside, `Decimal` at the border. The deflated Sharpe ratio is that of Bailey and López de Prado (2014),
with the variance of worthless trials (one over the periods) in place of the variance among our own, which are alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from statistics import NormalDist

from trading.portfolio import stated

_NORMAL = NormalDist()
EULER = 0.5772156649015329


def upper_bound_of_mean(values: Sequence[Decimal], *, confidence: Decimal) -> Decimal | None:
    """The one-sided upper bound of the mean of independent values; `None` under two of them."""
    if len(values) < 2:
        return None
    mean, deviation = _moments(values)
    return stated(mean + _z(confidence) * deviation / math.sqrt(len(values)))


def upper_bound_of_rate(successes: int, count: int, *, confidence: Decimal) -> Decimal | None:
    """Wilson's one-sided upper bound of a share; `None` of nothing."""
    if not count:
        return None
    z, share = _z(confidence), successes / count
    middle = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return stated(min(1.0, (middle + spread) / (1 + z * z / count)))


def upper_bound_of_sharpe(returns: Sequence[Decimal], *, periods_per_year: int, confidence: Decimal) -> Decimal | None:
    """The one-sided upper bound of the Sharpe ratio a year, for skew and tails too; `None` without a ratio."""
    ratio = _ratio(returns)
    if ratio is None:
        return None
    return stated((ratio + _z(confidence) * _error(returns, ratio)) * math.sqrt(periods_per_year))


def expected_best_sharpe(*, trials: int, periods: int, periods_per_year: int) -> Decimal:
    """The Sharpe ratio a year that the best of `trials` worthless strategies shows over `periods` returns.

    The best of 166 over one year shows about 2.7.
    """
    return stated(_best_of(trials, periods) * math.sqrt(periods_per_year))


def deflated_sharpe(returns: Sequence[Decimal], *, trials: int) -> Decimal | None:
    """The probability that the Sharpe ratio of `returns` is above what the best of `trials` worthless ones shows.

    `None` where there is no ratio. `trials` counts every strategy that was ever tested, not only those still there.
    """
    ratio = _ratio(returns)
    if ratio is None:
        return None
    error = _error(returns, ratio)
    return stated(_NORMAL.cdf((ratio - _best_of(trials, len(returns))) / error))


def _best_of(trials: int, periods: int) -> float:
    if trials < 1:
        raise ValueError(f"trials {trials} must be at least 1: a strategy that was tested is one")
    if trials == 1:
        return 0.0
    first, second = _NORMAL.inv_cdf(1 - 1 / trials), _NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return ((1 - EULER) * first + EULER * second) / math.sqrt(max(periods - 1, 1))


def _ratio(returns: Sequence[Decimal]) -> float | None:
    if len(returns) < 3:
        return None
    mean, deviation = _moments(returns)
    return mean / deviation if deviation > 0 else None


def _error(returns: Sequence[Decimal], ratio: float) -> float:
    """The standard error of a Sharpe ratio a period, for returns that are skewed and have tails."""
    values = [float(value) for value in returns]
    mean = math.fsum(values) / len(values)
    second = math.fsum((value - mean) ** 2 for value in values) / len(values)
    skew = math.fsum((value - mean) ** 3 for value in values) / len(values) / second**1.5
    tails = math.fsum((value - mean) ** 4 for value in values) / len(values) / second**2
    variance = 1 - skew * ratio + (tails - 1) / 4 * ratio * ratio
    return math.sqrt(max(variance, 1e-6) / (len(values) - 1))


def _moments(values: Sequence[Decimal]) -> tuple[float, float]:
    """Mean and sample deviation; a deviation that is rounding only is 0."""
    numbers = [float(value) for value in values]
    mean = math.fsum(numbers) / len(numbers)
    deviation = math.sqrt(math.fsum((number - mean) ** 2 for number in numbers) / (len(numbers) - 1))
    return mean, deviation if deviation > 1e-12 * max(map(abs, numbers)) else 0.0


def _z(confidence: Decimal) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence} must lie between 0 and 1")
    return _NORMAL.inv_cdf(float(confidence))
