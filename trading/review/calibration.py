"""Do stated probabilities come true: Brier score, reliability bins, calibration error (C12, C57)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from trading.contract import Contract, Fraction
from trading.money import ONE, ZERO
from trading.review.models import ClosedTrade

BINS = 10


class Forecast(Contract):
    """A stated probability and what became of it."""

    probability: Fraction
    came_true: bool


class ReliabilityBin(Contract):
    """Forecasts from `low` up to `high` (the last bin includes 1): what they said on average and how often it came."""

    low: Decimal
    high: Decimal
    forecasts: int
    mean_probability: Decimal
    observed_rate: Decimal


class Calibration(Contract):
    """`brier` is 0 for a prophet and 0.25 for whoever always says one half; `error` is the mean gap over the bins,
    weighted by their forecasts; `bias` is stated less observed: positive is overconfidence. `None` without forecasts.
    """

    forecasts: int = 0
    brier: Decimal | None = None
    error: Decimal | None = None
    bias: Decimal | None = None
    accuracy: Decimal | None = None
    bins: tuple[ReliabilityBin, ...] = ()


def calibration(forecasts: Iterable[Forecast]) -> Calibration:
    """How well `forecasts` came true; accuracy takes one half and above as a forecast of success."""
    every = tuple(forecasts)
    if not every:
        return Calibration()
    count = len(every)
    bins = tuple(_bin(place, inside) for place in range(BINS) if (inside := [f for f in every if _place(f) == place]))
    gaps = sum((abs(b.mean_probability - b.observed_rate) * b.forecasts for b in bins), ZERO)
    stated = sum((f.probability for f in every), ZERO) / count
    observed = Decimal(sum(f.came_true for f in every)) / count
    return Calibration(
        forecasts=count,
        brier=sum(((f.probability - int(f.came_true)) ** 2 for f in every), ZERO) / count,
        error=gaps / count,
        bias=stated - observed,
        accuracy=Decimal(sum((f.probability >= Decimal("0.5")) == f.came_true for f in every)) / count,
        bins=bins,
    )


def _place(forecast: Forecast) -> int:
    return min(int(forecast.probability * BINS), BINS - 1)


def _bin(place: int, inside: list[Forecast]) -> ReliabilityBin:
    count = len(inside)
    return ReliabilityBin(
        low=Decimal(place) / BINS,
        high=ONE if place == BINS - 1 else Decimal(place + 1) / BINS,
        forecasts=count,
        mean_probability=sum((f.probability for f in inside), ZERO) / count,
        observed_rate=Decimal(sum(f.came_true for f in inside)) / count,
    )


def forecasts_of(trades: Iterable[ClosedTrade]) -> tuple[Forecast, ...]:
    """The win probability of each entry and whether its trade gained; trades without one are no forecast."""
    return tuple(
        Forecast(probability=trade.plan.win_probability, came_true=trade.won)
        for trade in trades
        if trade.plan.win_probability is not None
    )
