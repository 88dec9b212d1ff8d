"""One candidate examined over history: back-test, windows, random baseline, perturbed copies, one look at a holdout."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from trading.backtest.baseline import random_baseline
from trading.backtest.models import BacktestPlan, BacktestResult
from trading.backtest.run import backtest
from trading.evolution.models import record_of
from trading.evolution.promotion import Evidence, before_the_holdout, evidence_of, shown_holdout
from trading.evolution.vary import nudged
from trading.evolution.windows import WalkForward, walk_forward
from trading.matching.book import HALF_SPREAD
from trading.matching.fills import FillModel
from trading.policy.model import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """How a candidate is examined. `trials` is the pool's recorded number; `copies` are slightly changed copies."""

    plan: BacktestPlan
    train: timedelta
    test: timedelta
    holdout: timedelta
    trials: int
    seed: int
    copies: int = 5
    model_knows_period: bool = False


@dataclass(frozen=True, slots=True)
class Examined:
    """The evidence without its holdout, the windows it was cut by, and the back-test behind it."""

    evidence: Evidence
    windows: WalkForward
    result: BacktestResult

    def with_holdout(self) -> Evidence:
        """The evidence with the one look at the holdout; the pool must have recorded that look before."""
        return shown_holdout(self.evidence, record_of(self.result), self.windows)


def examine(wanted: Examination, *, policy: Policy) -> Examined:
    """All evidence on one candidate. Pure: the same examination gives the same evidence.

    The windows are purged by the longest time that the strategy may hold. The baseline and the perturbed copies see the
    history before the holdout only. Raises `ValueError` where the history is too short for one window.
    """
    purge = timedelta(hours=wanted.plan.strategy.time_exit_hours)
    result = backtest(wanted.plan)
    windows = walk_forward(
        first_decision(wanted.plan, result),
        result.closes[-1],
        train=wanted.train,
        test=wanted.test,
        holdout=wanted.holdout,
        purge=purge,
    )
    before = replace(wanted.plan, end=windows.holdout_from)
    seen = backtest(before)
    baseline = random_baseline(
        seen,
        wanted.plan.series,
        cost_fraction=round_trip_cost(wanted.plan.model),
        runs=policy.baseline_runs,
        seed=wanted.seed,
    )
    evidence = evidence_of(
        record_of(result),
        windows,
        trials=wanted.trials,
        baseline_percentile=None if baseline is None else baseline.percentile,
        model_knows_period=wanted.model_knows_period,
    )
    if wanted.copies and not before_the_holdout(evidence, policy):
        share = perturbed_share(before, copies=wanted.copies, seed=wanted.seed)
        evidence = evidence.model_copy(update={"perturbed_share": share})
    return Examined(evidence, windows, result)


def round_trip_cost(model: FillModel) -> Decimal:
    """What a market round trip costs in this venue's model, as a fraction: fees, slippage and the spread once."""
    return 2 * (model.taker_fee + model.slippage + HALF_SPREAD)


def perturbed_share(plan: BacktestPlan, *, copies: int, seed: int) -> Decimal:
    """The share of slightly changed copies of the strategy whose mean trade earns (S2-188, S2-197)."""
    earned = 0
    for number in range(copies):
        copy = nudged(plan.strategy, seed=f"{seed}|{number}")
        expectancy = backtest(replace(plan, strategy=copy)).metrics.expectancy
        earned += expectancy is not None and expectancy > 0
    return Decimal(earned) / copies


def first_decision(plan: BacktestPlan, result: BacktestResult) -> datetime:
    """The first close at which the strategy could act: the one with the policy's least history behind it."""
    candles, least = plan.series.candles, plan.policy.min_history_bars
    if len(candles) < least:
        raise ValueError(f"{plan.series.symbol}: {len(candles)} candles; allowed are {least} or more")
    return max(result.closes[0], candles[least - 1].open_time + plan.series.step)
