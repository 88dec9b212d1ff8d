"""How far the accounts are on the day's course, and whether the day is to be planned anew (C61, S2-36). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from trading.money import ONE, ZERO
from trading.planning.hours import MarketHours
from trading.planning.models import AccountNumbers, Course, DayPlan, Progress
from trading.policy.watching import WatchPolicy

_DIGITS = Decimal("0.00000001")


def progress_of(
    plan: DayPlan, numbers: Sequence[AccountNumbers], *, at: datetime, hours: MarketHours, policy: WatchPolicy
) -> tuple[Progress, ...]:
    """Each account's return since the plan against its target's share of the session that has passed by `at`.

    Away from the course is an account whose return differs from that by more than the policy's share of the target.
    An account without a target, or that was not marked, says nothing and is left out.
    """
    by_now = {row.account: row.return_fraction for row in numbers}
    passed = _passed(plan, at, hours)
    found = []
    for part in plan.plans:
        target, made = part.target.return_fraction, by_now.get(part.account)
        if target <= 0 or made is None:
            continue
        expected, allowed = target * passed, target * policy.replan_deviation_fraction
        found.append(
            Progress(
                account=part.account,
                return_fraction=made.quantize(_DIGITS),
                expected_fraction=expected.quantize(_DIGITS),
                course=_course(made - expected, allowed),
            )
        )
    return tuple(found)


def _passed(plan: DayPlan, at: datetime, hours: MarketHours) -> Decimal:
    """The share of the session, from its start to the end of the local day, that has passed."""
    begins, ends = plan.session_start, hours.bounds(plan.day)[1]
    whole = Decimal(int((ends - begins).total_seconds()))
    since = Decimal(int((at - begins).total_seconds()))
    return min(ONE, max(ZERO, since / whole)) if whole > 0 else ONE


def _course(difference: Decimal, allowed: Decimal) -> Course:
    if abs(difference) <= allowed:
        return Course.ON
    return Course.BEHIND if difference < 0 else Course.AHEAD
