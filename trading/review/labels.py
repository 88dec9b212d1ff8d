"""Each closed trade against what was expected of it: a label, a grade, and the reasons for both (C10)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum

from pydantic import Field

from trading.contract import Contract
from trading.policy.model import Policy
from trading.review.execution import ExecutionQuality, execution_quality
from trading.review.models import ClosedTrade, in_order


class Label(StrEnum):
    """`SUCCESS` beat its expectation; a loss, or a gain below what was expected, is a `FAILURE` (S2-79)."""

    SUCCESS = "success"
    FAILURE = "failure"


class Grade(StrEnum):
    """Of the trade's conduct, not of its luck (S2-160)."""

    GOOD = "good"
    COULD_IMPROVE = "could_improve"
    BAD = "bad"


class LabelledTrade(Contract):
    """A trade with its label and grade. `shortfall_fraction` is return less expectation, where there was one."""

    trade: ClosedTrade
    label: Label
    grade: Grade
    expected_return: Decimal | None = None
    shortfall_fraction: Decimal | None = None
    reasons: tuple[str, ...] = Field(description="codes of REASONS, the weightiest first")
    execution: ExecutionQuality


REASONS: dict[str, str] = {
    "lost_more_than_planned": "it lost more than its stop allowed for",
    "lost_without_plan": "it lost and no stop is on record",
    "poor_execution": "its orders slipped beyond the tolerance or failed",
    "lost_within_plan": "it lost no more than planned",
    "below_expectation": "it gained, but less than expected",
    "uncertain_entry": "it lost and was entered at low certainty",
    "beat_expectation": "it gained more than expected",
    "gained_without_plan": "it gained, and nothing on record says how much was expected",
}
"""Why a trade has its label and its grade."""

_BAD = frozenset({"lost_more_than_planned", "lost_without_plan"})


def label_trade(trade: ClosedTrade, policy: Policy) -> LabelledTrade:
    """The one label and the one grade of `trade`; every trade has both.

    Bad: it lost more than planned, or without a plan. Good: it met its expectation and its orders were well executed.
    All else could improve, and the reasons say in what.
    """
    expected = trade.plan.expected_return
    execution = execution_quality(trade.orders, policy)
    beaten = trade.won and (expected is None or trade.return_fraction >= expected)
    reasons = [*_of_result(trade, expected, policy), *(["poor_execution"] if execution.is_poor else [])]
    if any(reason in _BAD for reason in reasons):
        grade = Grade.BAD
    elif beaten and not execution.is_poor:
        grade = Grade.GOOD
    else:
        grade = Grade.COULD_IMPROVE
    return LabelledTrade(
        trade=trade,
        label=Label.SUCCESS if beaten else Label.FAILURE,
        grade=grade,
        expected_return=expected,
        shortfall_fraction=None if expected is None else trade.return_fraction - expected,
        reasons=tuple(reasons),
        execution=execution,
    )


def label_trades(trades: Iterable[ClosedTrade], policy: Policy) -> tuple[LabelledTrade, ...]:
    """Every trade labelled, by time of closing."""
    return tuple(label_trade(trade, policy) for trade in in_order(tuple(trades)))


def _of_result(trade: ClosedTrade, expected: Decimal | None, policy: Policy) -> list[str]:
    if trade.won:
        if expected is None:
            return ["gained_without_plan"]
        return ["beat_expectation" if trade.return_fraction >= expected else "below_expectation"]
    return [*_of_loss(trade, policy), *(["uncertain_entry"] if _was_uncertain(trade, policy) else [])]


def _of_loss(trade: ClosedTrade, policy: Policy) -> list[str]:
    planned = trade.plan.planned_loss
    if planned is None:
        return ["lost_without_plan"]
    allowed = planned + policy.slippage_tolerance_fraction + (_fees(trade) or Decimal(0))
    return ["lost_more_than_planned" if -trade.return_fraction > allowed else "lost_within_plan"]


def _was_uncertain(trade: ClosedTrade, policy: Policy) -> bool:
    confidence = trade.plan.confidence
    return confidence is not None and confidence < policy.low_certainty_below


def _fees(trade: ClosedTrade) -> Decimal | None:
    paid = sum((order.executed_quote for order in trade.entries), Decimal(0))
    fees = sum((order.commission_usd for order in trade.orders), Decimal(0))
    return fees / paid if paid else None
