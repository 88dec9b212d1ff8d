"""Whether a strategy may be promoted on paper: every test must be passed, and each says its numbers (C55, C59)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from pydantic import Field

from trading.contract import Contract, Fraction
from trading.evolution.models import Reason, Record, reason
from trading.evolution.significance import deflated_sharpe
from trading.evolution.windows import WalkForward
from trading.money import ZERO
from trading.policy.model import Policy
from trading.portfolio import sharpe


class WindowOutcome(Contract):
    """The mean trade of one window, in training and unseen; `None` where it did not trade."""

    train_expectancy: Decimal | None
    test_expectancy: Decimal | None
    test_trades: int


class Evidence(Contract):
    """All that a promotion rests on. `trials` counts every strategy that was ever tested, this one included.

    `unseen` is the record over the test windows together, `holdout` the one look at what nothing was chosen by; `None`
    until it was shown.
    """

    strategy: str
    windows: tuple[WindowOutcome, ...]
    unseen: Record
    holdout: Record | None = None
    trials: int = Field(ge=1)
    baseline_percentile: Fraction | None
    perturbed_share: Fraction | None = Field(description="share of slightly changed copies that earned, `None` untried")
    model_knows_period: bool = Field(default=False, description="a model that had read about the period had a say")


class Promotion(Contract):
    """The verdict: promoted with the figures it rests on, or every reason against it."""

    strategy: str
    promoted: bool
    against: tuple[Reason, ...]
    figures: dict[str, str]


def evidence_of(
    record: Record,
    plan: WalkForward,
    *,
    trials: int,
    baseline_percentile: Decimal | None,
    perturbed_share: Decimal | None = None,
    model_knows_period: bool = False,
) -> Evidence:
    """Cut one run over the whole history into the plan's windows; the holdout stays hidden.

    A decision never sees later candles, so the part of a long run inside a window is what a run over it alone gives;
    trades that cross a window's edge count nowhere.
    """
    parts = [record.within(window.test_from, window.test_to) for window in plan.windows]
    windows = tuple(
        WindowOutcome(
            train_expectancy=record.within(window.train_from, window.train_to).expectancy,
            test_expectancy=part.expectancy,
            test_trades=len(part.trades),
        )
        for window, part in zip(plan.windows, parts, strict=True)
    )
    unseen = Record(
        strategy=record.strategy,
        start=plan.windows[0].test_from,
        end=plan.windows[-1].test_to,
        trades=tuple(trade for part in parts for trade in part.trades),
        daily_returns=tuple(day for part in parts for day in part.daily_returns),
    )
    return Evidence(
        strategy=record.strategy,
        windows=windows,
        unseen=unseen,
        trials=trials,
        baseline_percentile=baseline_percentile,
        perturbed_share=perturbed_share,
        model_knows_period=model_knows_period,
    )


def shown_holdout(evidence: Evidence, record: Record, plan: WalkForward) -> Evidence:
    """The evidence after the one look at the holdout; `trading.evolution.pool` records the look first."""
    return evidence.model_copy(update={"holdout": record.within(plan.holdout_from, plan.holdout_to)})


def before_the_holdout(evidence: Evidence, policy: Policy) -> tuple[Reason, ...]:
    """What speaks against promotion without looking at the holdout: only who passes may use it up."""
    return tuple(_against_the_unseen(evidence, policy))


def verdict(evidence: Evidence, policy: Policy, *, days_per_year: int = 365) -> Promotion:
    """Promote only where nothing speaks against it; all reasons are given, none hides another."""
    against = (*_against_the_unseen(evidence, policy), *_against_the_holdout(evidence, policy))
    figures = {
        "trades": len(evidence.unseen.trades),
        "expectancy": evidence.unseen.expectancy,
        "sharpe": sharpe(evidence.unseen.daily, periods_per_year=days_per_year),
        "deflated_sharpe": deflated_sharpe(evidence.unseen.daily, trials=evidence.trials),
        "trials": evidence.trials,
        "baseline_percentile": evidence.baseline_percentile,
        "perturbed_share": evidence.perturbed_share,
        "holdout_trades": None if evidence.holdout is None else len(evidence.holdout.trades),
        "holdout_expectancy": None if evidence.holdout is None else evidence.holdout.expectancy,
    }
    return Promotion(
        strategy=evidence.strategy,
        promoted=not against,
        against=against,
        figures=reason("", "", **figures).numbers,
    )


def _against_the_unseen(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    if evidence.model_knows_period:
        yield reason("model_knows_period", "a model has read about this period: it feeds no promotion")
    trades = len(evidence.unseen.trades)
    if trades < policy.promotion_min_trades:
        yield reason(
            "too_few_trades", "too few trades in the test windows", trades=trades, least=policy.promotion_min_trades
        )
    expectancy = evidence.unseen.expectancy
    if expectancy is None or expectancy <= 0:
        yield reason("no_edge", "a trade in the test windows does not earn after costs", expectancy=expectancy)
    chance = deflated_sharpe(evidence.unseen.daily, trials=evidence.trials)
    if chance is None or chance < policy.promotion_confidence:
        yield reason(
            "luck_of_many",
            "among so many trials this Sharpe ratio may be luck",
            probability=chance,
            least=policy.promotion_confidence,
            trials=evidence.trials,
        )
    yield from _unsteady(evidence, policy)
    yield from _overfit(evidence, policy)
    percentile = evidence.baseline_percentile
    if percentile is None or percentile < policy.baseline_percentile:
        yield reason(
            "no_better_than_random",
            "random trades of the same turnover and costs do as well",
            percentile=percentile,
            least=policy.baseline_percentile,
        )
    share = evidence.perturbed_share
    if share is not None and share < policy.perturbed_share:
        yield reason("fragile", "slightly changed copies do not earn", share=share, least=policy.perturbed_share)


def _unsteady(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    traded = [window.test_expectancy for window in evidence.windows if window.test_expectancy is not None]
    won = sum(value > 0 for value in traded)
    if not traded or Decimal(won) / len(traded) < policy.promotion_windows_won:
        yield reason(
            "unsteady",
            "too few of the test windows earned",
            won=won,
            windows=len(traded),
            least_share=policy.promotion_windows_won,
        )


def _overfit(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    """Training and test over the windows that have both: what is lost between them was fitted, not found."""
    pairs = [
        (window.train_expectancy, window.test_expectancy)
        for window in evidence.windows
        if window.train_expectancy is not None and window.test_expectancy is not None
    ]
    if not pairs:
        return
    trained = sum((train for train, _ in pairs), ZERO) / len(pairs)
    tested = sum((test for _, test in pairs), ZERO) / len(pairs)
    if trained > 0 and tested < trained * (1 - policy.overfit_gap_fraction):
        yield reason(
            "overfit",
            "most of what was earned in training is gone in the test",
            train_expectancy=trained,
            test_expectancy=tested,
            most_lost=policy.overfit_gap_fraction,
        )


def _against_the_holdout(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    if evidence.holdout is None:
        yield reason("holdout_unseen", "the holdout has not been looked at")
        return
    trades, expectancy = len(evidence.holdout.trades), evidence.holdout.expectancy
    if trades < policy.promotion_min_holdout_trades:
        yield reason(
            "holdout_too_short",
            "too few trades in the holdout",
            trades=trades,
            least=policy.promotion_min_holdout_trades,
        )
    if expectancy is None or expectancy <= 0:
        yield reason("holdout_failed", "a trade in the holdout does not earn after costs", expectancy=expectancy)
