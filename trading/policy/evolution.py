"""The thresholds of evolution: how strategies are scored, culled, varied and promoted."""

from __future__ import annotations

from decimal import Decimal

from trading.contract import Contract
from trading.policy.thresholds import count, fraction


class EvolutionPolicy(Contract):
    """What a strategy must show, and over how much, before anything is done to it (C11, C50 to C55, C59)."""

    score_pass: int = count(
        60,
        ge=0,
        le=100,
        unit="points",
        capability="C54",
        code="low_score",
        looser="down",
        description="score under which a strategy is warned and gets the smaller budget, in two weeks running",
    )
    cull_min_trades: int = count(
        50,
        ge=50,
        le=1000,
        unit="trades",
        capability="C54",
        code="too_few_trades",
        looser="up",
        description="closed trades under which no strategy is culled",
    )
    cull_min_days: int = count(
        90,
        ge=90,
        le=1000,
        unit="days",
        capability="C54",
        code="too_few_days",
        looser="up",
        description="days on record under which no strategy is culled",
    )
    cull_win_rate: Decimal = fraction(
        "0.45",
        ge="0",
        le="1",
        capability="C54",
        code="low_win_rate",
        looser="down",
        description="win rate that a strategy's upper bound must reach, or its Sharpe ratio its own",
    )
    cull_sharpe: Decimal = fraction(
        "0.5",
        ge="-5",
        le="5",
        unit="ratio",
        capability="C54",
        code="low_sharpe",
        looser="down",
        description="Sharpe ratio a year that a strategy's upper bound must reach, or its win rate its own",
    )
    cull_confidence: Decimal = fraction(
        "0.90",
        ge="0.5",
        le="0.999",
        capability="C54",
        code="bound",
        looser="up",
        description="one-sided confidence of the upper bounds by which a strategy is culled",
    )
    warned_budget_factor: Decimal = fraction(
        "0.5",
        ge="0",
        le="1",
        capability="C54",
        code="warned",
        looser="up",
        description="share of its size that a warned strategy keeps",
    )
    trial_budget_factor: Decimal = fraction(
        "0.25",
        ge="0",
        le="1",
        capability="C51",
        code="on_trial",
        looser="up",
        description="share of its size that a strategy not yet promoted gets",
    )
    mutations_per_week: int = count(
        3,
        ge=0,
        le=20,
        unit="strategies",
        capability="C51",
        code="mutations",
        looser="none",
        description="variants bred a week",
    )
    wild_per_month: int = count(
        2,
        ge=0,
        le=10,
        unit="strategies",
        capability="C53",
        code="wild",
        looser="none",
        description="strategies a month that owe nothing to the pool",
    )
    crossings_per_month: int = count(
        1,
        ge=0,
        le=10,
        unit="strategies",
        capability="C52",
        code="crossings",
        looser="none",
        description="children of two good strategies of different kinds a month",
    )
    promotion_min_trades: int = count(
        30,
        ge=10,
        le=1000,
        unit="trades",
        capability="C55",
        code="too_few_trades",
        looser="down",
        description="trades in the walk-forward windows under which nothing is promoted",
    )
    promotion_min_holdout_trades: int = count(
        10,
        ge=1,
        le=1000,
        unit="trades",
        capability="C55",
        code="holdout_too_short",
        looser="down",
        description="trades in the holdout under which nothing is promoted",
    )
    promotion_confidence: Decimal = fraction(
        "0.95",
        ge="0.5",
        le="0.999",
        capability="C55",
        code="luck_of_many",
        looser="down",
        description="probability, given all recorded trials, that the Sharpe ratio is not luck",
    )
    promotion_windows_won: Decimal = fraction(
        "0.60",
        ge="0",
        le="1",
        capability="C59",
        code="unsteady",
        looser="down",
        description="share of the walk-forward windows with trades that must have earned",
    )
    baseline_runs: int = count(
        200,
        ge=50,
        le=5000,
        unit="runs",
        capability="C58",
        code="baseline",
        looser="none",
        description="random runs of equal turnover and costs that a strategy is compared with",
    )
    baseline_percentile: Decimal = fraction(
        "0.95",
        ge="0.5",
        le="1",
        capability="C55",
        code="no_better_than_random",
        looser="down",
        description="share of the random runs that a strategy must beat",
    )
    overfit_gap_fraction: Decimal = fraction(
        "0.5",
        ge="0",
        le="1",
        capability="C59",
        code="overfit",
        looser="up",
        description="share of its expectancy that a strategy may lose from training to unseen windows",
    )
    perturbed_share: Decimal = fraction(
        "0.60",
        ge="0",
        le="1",
        capability="C59",
        code="fragile",
        looser="down",
        description="share of slightly changed copies of a strategy that must earn too",
    )
    double_validation_gap: Decimal = fraction(
        "0.006",
        ge="0",
        le="0.5",
        capability="C59",
        code="overfit",
        looser="up",
        description="how much more a back-test a year ago may return than the live simulation of the same dates",
    )
    cross_period_accuracy: Decimal = fraction(
        "0.60",
        ge="0",
        le="1",
        capability="C59",
        code="weak_period",
        looser="down",
        description="share of right decisions in each period under which a strategy is to be reworked",
    )
    trial_days: int = count(
        7,
        ge=7,
        le=365,
        unit="days",
        capability="C51",
        code="on_trial",
        looser="none",
        description="length of the small test after which a strategy on trial is promoted or retired",
    )
    evolution_history_days: int = count(
        270,
        ge=60,
        le=2000,
        unit="days",
        capability="C59",
        code="history",
        looser="none",
        description="candles before the evaluation that strategies are examined on",
    )
    walk_forward_train_days: int = count(
        60,
        ge=14,
        le=1000,
        unit="days",
        capability="C59",
        code="windows",
        looser="none",
        description="training part of a walk-forward window",
    )
    walk_forward_test_days: int = count(
        30,
        ge=7,
        le=365,
        unit="days",
        capability="C59",
        code="windows",
        looser="none",
        description="unseen part of a walk-forward window",
    )
    holdout_days: int = count(
        45,
        ge=7,
        le=365,
        unit="days",
        capability="C59",
        code="holdout",
        looser="none",
        description="newest part of the history, which nothing is chosen by and which is looked at once",
    )
    perturbed_copies: int = count(
        5,
        ge=1,
        le=50,
        unit="strategies",
        capability="C59",
        code="fragile",
        looser="none",
        description="slightly changed copies that a strategy is compared with",
    )
