"""Who stays, who is warned, who is culled: never on a few trades (C54, venue.md)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum

from trading.contract import Contract
from trading.evolution.models import Reason, Record, reason
from trading.evolution.significance import upper_bound_of_mean, upper_bound_of_rate, upper_bound_of_sharpe
from trading.money import ONE
from trading.policy.model import Policy
from trading.portfolio import sharpe

LOW_WEEKS = 2
"""Weeks in a row under the pass mark that earn a warning (S2-209)."""


class Fate(StrEnum):
    """`CULLED` strategies run on in shadow and stay in the statistics."""

    KEPT = "kept"
    WARNED = "warned"
    CULLED = "culled"


class CullVerdict(Contract):
    """What becomes of a strategy, why, and the share of its size that it keeps; a culled one keeps none."""

    strategy: str
    fate: Fate
    reasons: tuple[Reason, ...]
    budget_factor: Decimal


def judge(record: Record, *, weekly_scores: Sequence[Decimal], policy: Policy, days_per_year: int = 365) -> CullVerdict:
    """The fate of the strategy behind `record`, all that it has ever done; `weekly_scores` are oldest first.

    Culled only with the policy's least trades and days on record, and only when the upper bound of its expectancy after
    costs is below zero, or when win rate and Sharpe both miss their thresholds at their upper bounds. Anything that
    looks bad on less than that, or two low scores in a row, is a warning and the smaller budget.
    """
    hopeless = (*_loses(record, policy), *_misses_both(record, policy, days_per_year))
    short = _too_short(record, policy)
    if hopeless and not short:
        return CullVerdict(strategy=record.strategy, fate=Fate.CULLED, reasons=hopeless, budget_factor=Decimal(0))
    doubts = (
        *hopeless,
        *_looks_bad(record, policy, days_per_year),
        *_low_scores(weekly_scores, policy),
    )
    if doubts:
        return CullVerdict(
            strategy=record.strategy,
            fate=Fate.WARNED,
            reasons=(*doubts, *short),
            budget_factor=policy.warned_budget_factor,
        )
    return CullVerdict(strategy=record.strategy, fate=Fate.KEPT, reasons=(), budget_factor=ONE)


def _too_short(record: Record, policy: Policy) -> tuple[Reason, ...]:
    found = []
    if len(record.trades) < policy.cull_min_trades:
        found.append(
            reason(
                "too_few_trades",
                "too few closed trades to cull on",
                trades=len(record.trades),
                least=policy.cull_min_trades,
            )
        )
    if record.days < policy.cull_min_days:
        found.append(
            reason("too_few_days", "too few days on record to cull on", days=record.days, least=policy.cull_min_days)
        )
    return tuple(found)


def _loses(record: Record, policy: Policy) -> tuple[Reason, ...]:
    bound = upper_bound_of_mean(record.returns, confidence=policy.cull_confidence)
    if bound is None or bound >= 0:
        return ()
    return (
        reason(
            "negative_expectancy",
            "a trade loses after costs even at the upper bound",
            expectancy=record.expectancy,
            upper_bound=bound,
            trades=len(record.trades),
        ),
    )


def _misses_both(record: Record, policy: Policy, days_per_year: int) -> tuple[Reason, ...]:
    confidence = policy.cull_confidence
    rate = upper_bound_of_rate(record.wins, len(record.trades), confidence=confidence)
    ratio = upper_bound_of_sharpe(record.daily, periods_per_year=days_per_year, confidence=confidence)
    if rate is None or ratio is None or rate >= policy.cull_win_rate or ratio >= policy.cull_sharpe:
        return ()
    return (
        reason(
            "both_thresholds_missed",
            "win rate and Sharpe miss their thresholds even at their upper bounds",
            win_rate_upper=rate,
            win_rate_least=policy.cull_win_rate,
            sharpe_upper=ratio,
            sharpe_least=policy.cull_sharpe,
        ),
    )


def _looks_bad(record: Record, policy: Policy, days_per_year: int) -> tuple[Reason, ...]:
    rate, ratio = record.win_rate, sharpe(record.daily, periods_per_year=days_per_year)
    if rate is None or ratio is None or rate >= policy.cull_win_rate or ratio >= policy.cull_sharpe:
        return ()
    return (
        reason(
            "below_thresholds",
            "win rate and Sharpe are below their thresholds, but may be by chance",
            win_rate=rate,
            win_rate_least=policy.cull_win_rate,
            sharpe=ratio,
            sharpe_least=policy.cull_sharpe,
        ),
    )


def _low_scores(weekly_scores: Sequence[Decimal], policy: Policy) -> tuple[Reason, ...]:
    latest = weekly_scores[-LOW_WEEKS:]
    if len(latest) < LOW_WEEKS or any(value >= policy.score_pass for value in latest):
        return ()
    return (
        reason("low_score", "the score was low in two weeks running", latest=latest[-1], pass_mark=policy.score_pass),
    )
