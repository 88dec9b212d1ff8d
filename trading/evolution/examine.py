"""One candidate examined over history: back-test, windows, random baseline, perturbed copies, one look at a holdout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from trading.backtest.baseline import random_baseline_of_all
from trading.backtest.models import BacktestPlan, BacktestResult
from trading.backtest.run import backtest
from trading.evolution.models import Record
from trading.evolution.promotion import Evidence, before_the_holdout, evidence_of, shown_holdout
from trading.evolution.running import cut, first_decision
from trading.evolution.trail import side_by_side
from trading.evolution.vary import nudged
from trading.evolution.windows import HistoryTooShort, WalkForward, walk_forward
from trading.facts.bars import bars_of
from trading.matching.book import HALF_SPREAD
from trading.matching.fills import FillModel
from trading.money import ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """How a candidate is examined: one plan a symbol, all of one strategy and policy, whose times are ignored.

    `trials` is the pool's recorded number; `copies` are slightly changed copies.
    `model_knows_period` is for a strategy that a language model wrote; what the weekly evolution breeds by code is not.
    """

    plans: tuple[BacktestPlan, ...]
    train: timedelta
    test: timedelta
    holdout: timedelta
    trials: int
    seed: int
    copies: int = 5
    model_knows_period: bool = False


@dataclass(frozen=True, slots=True)
class Examined:
    """The evidence without its holdout, and the windows it was cut by."""

    evidence: Evidence
    windows: WalkForward


def examine(wanted: Examination) -> Examined:
    """All evidence on one candidate but its holdout, which is not computed. Pure: equal examinations, equal evidence.

    The windows are purged by the longest time that the strategy may hold. A symbol whose history is too short to decide
    on is left out. Raises `HistoryTooShort` where the history is too short for one window.
    """
    plans = _decidable(wanted.plans)
    windows = _windows(wanted, plans)
    policy, strategy = plans[0].policy, plans[0].strategy
    before = [replace(plan, start=None, end=windows.holdout_from) for plan in plans if _begins(plan, windows)]
    results = [backtest(plan) for plan in before]
    baseline = random_baseline_of_all(
        results,
        [bars_of(plan.series) if plan.facts is None else plan.facts.bars for plan in before],
        cost_fraction=round_trip_cost(plans[0].model),
        runs=policy.baseline_runs,
        seed=wanted.seed,
    )
    evidence = evidence_of(
        _together(results, windows.windows[0].train_from, windows.holdout_from),
        windows,
        trials=wanted.trials,
        baseline_percentile=None if baseline is None else baseline.percentile,
        model_knows_period=wanted.model_knows_period,
    )
    if wanted.copies and not before_the_holdout(evidence, policy):
        copies = (nudged(strategy, seed=f"{wanted.seed}|{number}") for number in range(wanted.copies))
        earning = sum(_earns([replace(plan, strategy=copy) for plan in before]) for copy in copies)
        evidence = evidence.model_copy(update={"perturbed_share": Decimal(earning) / wanted.copies})
    return Examined(evidence, windows)


def with_holdout(examined: Examined, wanted: Examination) -> Evidence:
    """The evidence with the one look at the holdout; the pool must have recorded that look before."""
    windows = examined.windows
    after = windows.holdout_to + timedelta(microseconds=1)
    results = [backtest(replace(plan, start=None, end=after)) for plan in _decidable(wanted.plans)]
    record = _together(results, windows.windows[0].train_from, after)
    return shown_holdout(examined.evidence, record, windows)


def round_trip_cost(model: FillModel) -> Decimal:
    """What a market round trip costs in this venue's model, as a fraction: fees, slippage and the spread once."""
    return 2 * (model.taker_fee + model.slippage + HALF_SPREAD)


def _decidable(plans: Sequence[BacktestPlan]) -> list[BacktestPlan]:
    found = [plan for plan in plans if len(plan.series.candles) >= plan.policy.min_history_bars]
    if not found:
        known = ", ".join(f"{plan.series.symbol} {len(plan.series.candles)}" for plan in plans)
        least = min((plan.policy.min_history_bars for plan in plans), default=0)
        raise HistoryTooShort(f"no symbol has the candles to decide on ({known}); allowed are {least} or more")
    return found


def _windows(wanted: Examination, plans: Sequence[BacktestPlan]) -> WalkForward:
    return walk_forward(
        min(first_decision(plan) for plan in plans),
        max(plan.series.candles[-1].open_time + plan.series.step for plan in plans),
        train=wanted.train,
        test=wanted.test,
        holdout=wanted.holdout,
        purge=timedelta(hours=plans[0].strategy.time_exit_hours),
    )


def _begins(plan: BacktestPlan, windows: WalkForward) -> bool:
    return first_decision(plan) < windows.holdout_from


def _together(results: Sequence[BacktestResult], start: datetime, end: datetime) -> Record:
    parts = [cut(result, start=start, end=end) for result in results]
    return side_by_side(parts[0].strategy, parts, start=start, end=end)


def _earns(plans: Sequence[BacktestPlan]) -> bool:
    trades = [trade.return_fraction for plan in plans for trade in backtest(plan).trades]
    return bool(trades) and sum(trades, ZERO) > 0
