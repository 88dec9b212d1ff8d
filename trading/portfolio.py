"""What a portfolio earned and what it could lose: measures over equity and returns, and over weights (C28).

Series and answers are `Decimal`, ratios are fractions, losses are positive. Means and roots are taken in floating
point inside and stated with twelve significant digits. A measure that its data cannot give is `None`, never zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise

from trading.contract import Contract
from trading.ledger.marks import max_drawdown
from trading.money import ONE, ZERO

DIGITS = 12


def returns_of(equity: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """The change from each value to the next, as fractions; one fewer than values. Equity must stay above 0."""
    for value in equity:
        if value <= 0:
            raise ValueError(f"equity {value} must be above 0 for a return")
    return tuple(later / earlier - ONE for earlier, later in pairwise(equity))


def sharpe(returns: Sequence[Decimal], *, periods_per_year: int) -> Decimal | None:
    """Mean over sample deviation of `returns`, a year (S3-24); `None` under two returns or where none differs.

    The riskless rate is taken as zero: an account in quote currency earns none.
    """
    values = _floats(returns)
    deviation = _deviation(values)
    return None if deviation is None else stated(_mean(values) / deviation * math.sqrt(periods_per_year))


def sortino(returns: Sequence[Decimal], *, periods_per_year: int) -> Decimal | None:
    """Mean over the root mean square of the losses, a year; `None` under two returns or without a loss."""
    values = _floats(returns)
    losses = [min(value, 0.0) ** 2 for value in values]
    if len(values) < 2 or not any(losses):
        return None
    return stated(_mean(values) / math.sqrt(_mean(losses)) * math.sqrt(periods_per_year))


def value_at_risk(returns: Sequence[Decimal], *, confidence: Decimal = Decimal("0.95")) -> Decimal | None:
    """The loss of a period that all but the worst (1 - `confidence`) of them stayed within (S3-21), never below 0.

    Historical, not modelled: the smallest loss among the worst periods, of which there is at least one.
    """
    worst = _worst(returns, confidence)
    return max(-worst[-1], ZERO) if worst else None


def conditional_value_at_risk(returns: Sequence[Decimal], *, confidence: Decimal = Decimal("0.95")) -> Decimal | None:
    """The mean loss of the worst (1 - `confidence`) of the periods (S3-22): at least the value at risk."""
    worst = _worst(returns, confidence)
    return max(-sum(worst, ZERO) / len(worst), ZERO) if worst else None


def beta(returns: Sequence[Decimal], market: Sequence[Decimal]) -> Decimal | None:
    """How far `returns` move with those of the `market`; `None` where the market did not move. Lengths must agree."""
    ours, theirs = _pair(returns, market)
    variance = _covariance(theirs, theirs)
    return None if not variance else stated(_covariance(ours, theirs) / variance)


def correlation(one: Sequence[Decimal], other: Sequence[Decimal]) -> Decimal | None:
    """Between -1 and 1; `None` where either did not move. Lengths must agree."""
    ours, theirs = _pair(one, other)
    product = math.sqrt(_covariance(ours, ours)) * math.sqrt(_covariance(theirs, theirs))
    return None if not product else stated(max(-1.0, min(1.0, _covariance(ours, theirs) / product)))


class Concentration(Contract):
    """How much lies in few places: shares of the whole, absolute notionals over their sum."""

    largest: str
    largest_share: Decimal
    herfindahl: Decimal
    effective_positions: Decimal


def concentration(notionals_usd: Mapping[str, Decimal]) -> Concentration | None:
    """Of positions by name (C28): the largest, the sum of squared shares, and its inverse; `None` with nothing held."""
    total = sum((abs(value) for value in notionals_usd.values()), ZERO)
    if not total:
        return None
    shares = {name: abs(value) / total for name, value in notionals_usd.items()}
    largest = min(shares, key=lambda name: (-shares[name], name))
    herfindahl = sum((share * share for share in shares.values()), ZERO)
    return Concentration(
        largest=largest,
        largest_share=shares[largest],
        herfindahl=herfindahl,
        effective_positions=ONE / herfindahl,
    )


def diversification_ratio(weights: Mapping[str, Decimal], returns: Mapping[str, Sequence[Decimal]]) -> Decimal | None:
    """The weighted deviation of the parts over the deviation of the whole (S3-15): 1 is none, above 1 they differ.

    `weights` are at least 0; each needs its series of returns, all of one length. `None` where the whole did not move.
    """
    negative = sorted(name for name, weight in weights.items() if weight < 0)
    if negative:
        raise ValueError(f"weight of {', '.join(negative)} is below 0: a diversification ratio is of long positions")
    missing = sorted(set(weights) - set(returns))
    if missing:
        raise ValueError(f"returns of {', '.join(missing)} are missing: every weight needs its series")
    series = {name: _floats(returns[name]) for name in weights}
    if len({len(values) for values in series.values()}) > 1:
        raise ValueError("returns must all have one length")
    parts = {name: _deviation(values) or 0.0 for name, values in series.items()}
    whole = [
        sum(float(weights[name]) * value for name, value in zip(series, row, strict=True))
        for row in zip(*series.values(), strict=True)
    ]
    deviation = _deviation(whole)
    if deviation is None:
        return None
    return stated(sum(float(weights[name]) * part for name, part in parts.items()) / deviation)


class RiskReport(Contract):
    """The risk of one equity series; what its data cannot give is `None`."""

    periods: int
    value_at_risk: Decimal | None
    conditional_value_at_risk: Decimal | None
    max_drawdown: Decimal
    sharpe: Decimal | None
    sortino: Decimal | None
    beta: Decimal | None


def risk_report(
    equity: Sequence[Decimal],
    *,
    periods_per_year: int,
    market: Sequence[Decimal] | None = None,
    confidence: Decimal = Decimal("0.95"),
) -> RiskReport:
    """Every measure of `equity` at once; `market` is the benchmark's value at the same times."""
    returns = returns_of(equity)
    return RiskReport(
        periods=len(returns),
        value_at_risk=value_at_risk(returns, confidence=confidence),
        conditional_value_at_risk=conditional_value_at_risk(returns, confidence=confidence),
        max_drawdown=max_drawdown(equity),
        sharpe=sharpe(returns, periods_per_year=periods_per_year),
        sortino=sortino(returns, periods_per_year=periods_per_year),
        beta=None if market is None else beta(returns, returns_of(market)),
    )


def stated(value: float) -> Decimal:
    """A finite float to twelve significant digits."""
    return Decimal(f"{value:.{DIGITS}g}")


def _worst(returns: Sequence[Decimal], confidence: Decimal) -> list[Decimal]:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence} must lie between 0 and 1")
    count = math.ceil((ONE - confidence) * len(returns))
    return sorted(returns)[:count]


def _floats(values: Sequence[Decimal]) -> list[float]:
    return [float(value) for value in values]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _deviation(values: Sequence[float]) -> float | None:
    if len(values) < 2:
        return None
    mean = _mean(values)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return deviation if deviation > 1e-12 * max(map(abs, values)) else None


def _pair(one: Sequence[Decimal], other: Sequence[Decimal]) -> tuple[list[float], list[float]]:
    if len(one) != len(other):
        raise ValueError(f"{len(one)} and {len(other)} returns cannot be compared: lengths must agree")
    return _floats(one), _floats(other)


def _covariance(one: Sequence[float], other: Sequence[float]) -> float:
    if len(one) < 2:
        return 0.0
    first, second = _mean(one), _mean(other)
    return math.fsum((a - first) * (b - second) for a, b in zip(one, other, strict=True)) / (len(one) - 1)
