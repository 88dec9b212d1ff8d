"""What the plan of the day leaves one account in one symbol: its caps, or why it does not enter there (C09)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from trading.decision.models import DecisionHead
from trading.money import ONE
from trading.planning.ideas import MEMORY_SIZE
from trading.planning.models import AccountPlan, DayPlan
from trading.planning.windows import size_factor_at
from trading.risk.models import PlanBound

ABOUT_THE_SYMBOL = ("memory_avoids", "no_entries_in_this_regime", "no_atr", "stop_too_wide")
"""Reasons without an idea that hold wherever the price is. The others speak of one level: a decision may see a better
one."""


def bound_of(plan: DayPlan, *, period: str, account: str, symbol: str, at: datetime) -> PlanBound | None:
    """The bound of `account` at a time in which the plan is in force; `None` where the plan is not for the account."""
    part = next((part for part in plan.plans if part.account == account), None)
    if part is None:
        return None
    factor = size_factor_at(part.windows, at) * _memory_factor(part, symbol)
    limits = part.limits
    return PlanBound(
        period=period,
        account=account,
        max_trade_fraction=limits.max_trade_fraction * factor,
        max_position_fraction=limits.max_position_fraction,
        total_fraction=limits.total_fraction,
        max_positions=limits.max_positions,
        max_entries=limits.max_entries,
        daily_loss_fraction=limits.daily_loss_fraction,
        refuses=_refusal(plan, part, symbol),
    )


def bounds_of(plan: DayPlan, head: DecisionHead, *, period: str) -> tuple[PlanBound, ...]:
    """The bounds of a decision's accounts, in their order."""
    return tuple(
        bound
        for account in head.accounts
        if (bound := bound_of(plan, period=period, account=account, symbol=head.symbol, at=head.as_of)) is not None
    )


def _memory_factor(part: AccountPlan, symbol: str) -> Decimal:
    return next((MEMORY_SIZE[check.verdict] for check in part.memory if check.symbol == symbol), ONE)


def _refusal(plan: DayPlan, part: AccountPlan, symbol: str) -> str:
    if symbol not in {item.symbol for item in plan.watch}:
        return next((row.reason for row in plan.unwatched if row.symbol == symbol), "not_on_the_watch_list")
    if any(idea.trigger.symbol == symbol for idea in part.ideas):
        return ""
    dropped = {row.reason for row in part.dropped if row.symbol == symbol}
    return next((reason for reason in ABOUT_THE_SYMBOL if reason in dropped), "")
