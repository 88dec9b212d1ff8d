"""How evolution itself does: metrics with their targets, and the slope of the learning curve (C57).

Targets are reported, never asserted: what was promised of the future is compared with what came.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal

from trading.contract import Contract
from trading.evolution.models import Record
from trading.evolution.pool import Pool
from trading.money import ZERO
from trading.portfolio import sharpe, stated

TARGET_POOL, TARGET_SHARE, TARGET_SHARPE, TARGET_ACCURACY = 50, Decimal("0.30"), Decimal("2.0"), Decimal("0.75")
STAGNATION_WEEKS = 4


class GrowthMetric(Contract):
    """One metric; `met` is `None` where there is nothing to measure or no target."""

    name: str
    value: Decimal | None
    target: Decimal | None
    unit: str

    @property
    def met(self) -> bool | None:
        return None if self.value is None or self.target is None else self.value >= self.target


def growth(pool: Pool, records: Mapping[str, Record], *, days_per_year: int = 365) -> tuple[GrowthMetric, ...]:
    """The metrics of the pool with `records`, all that each strategy did, by name."""
    ratios = [
        ratio
        for row in pool.trading
        if row.strategy.name in records
        and (ratio := sharpe(records[row.strategy.name].daily, periods_per_year=days_per_year)) is not None
    ]
    trades = [value for record in records.values() for value in record.returns]
    wins = sum(value > 0 for value in trades)
    return (
        GrowthMetric(name="pool_size", value=Decimal(len(pool.entries)), target=Decimal(TARGET_POOL), unit="count"),
        GrowthMetric(name="trading", value=Decimal(len(pool.trading)), target=None, unit="count"),
        GrowthMetric(
            name="culled",
            value=Decimal(sum(event.kind == "cull" for event in pool.history)),
            target=None,
            unit="count",
        ),
        GrowthMetric(name="trials", value=Decimal(pool.trials), target=None, unit="count"),
        GrowthMetric(name="new_strategies_share", value=new_share(pool, records), target=TARGET_SHARE, unit="fraction"),
        GrowthMetric(
            name="mean_sharpe",
            value=sum(ratios, ZERO) / len(ratios) if ratios else None,
            target=TARGET_SHARPE,
            unit="ratio",
        ),
        GrowthMetric(
            name="win_rate",
            value=Decimal(wins) / len(trades) if trades else None,
            target=TARGET_ACCURACY,
            unit="fraction",
        ),
    )


def new_share(pool: Pool, records: Mapping[str, Record]) -> Decimal | None:
    """The share of all gains that came from strategies bred here; `None` where nothing was gained."""
    gains = {name: sum((value for value in record.returns if value > 0), ZERO) for name, record in records.items()}
    total = sum(gains.values(), ZERO)
    if not total:
        return None
    bred = {row.strategy.name for row in pool.entries if row.lineage.origin != "preset"}
    return sum((gain for name, gain in gains.items() if name in bred), ZERO) / total


class LearningCurve(Contract):
    """The straight line through a weekly series. `slope` is a week; `stagnates` where it is not clearly above zero."""

    weeks: int
    slope: Decimal | None
    slope_error: Decimal | None
    stagnates: bool


def learning_curve(weekly: Sequence[Decimal]) -> LearningCurve:
    """The slope of weekly scores or win rates (S2-78) with its standard error; under five weeks there is no verdict."""
    count = len(weekly)
    if count < 3:
        return LearningCurve(weeks=count, slope=None, slope_error=None, stagnates=False)
    values = [float(value) for value in weekly]
    middle, mean = (count - 1) / 2, math.fsum(values) / count
    spread = math.fsum((week - middle) ** 2 for week in range(count))
    slope = math.fsum((week - middle) * (value - mean) for week, value in enumerate(values)) / spread
    left = math.fsum((value - mean - slope * (week - middle)) ** 2 for week, value in enumerate(values))
    error = math.sqrt(left / (count - 2) / spread)
    return LearningCurve(
        weeks=count,
        slope=stated(slope),
        slope_error=stated(error),
        stagnates=count > STAGNATION_WEEKS and slope <= error,
    )
