"""The period jobs as a campaign runs them: the same workflows that schedules start, each at its market time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from trading.planning.agenda import Duty
    from workflows.daily_planning import plan_day
    from workflows.daily_review import review_day
    from workflows.monthly_reflection import reflect_month
    from workflows.periods import PeriodKind, PeriodRequest
    from workflows.quarterly_reflection import reflect_quarter
    from workflows.weekly_evolution import evolve_week

_JOBS: dict[Duty, tuple[PeriodKind, Callable[[PeriodRequest], Awaitable[Any]]]] = {
    Duty.REVIEW_DAY: (PeriodKind.DAILY_REVIEW, review_day),
    Duty.PLAN_DAY: (PeriodKind.DAILY_PLANNING, plan_day),
    Duty.EVOLVE_WEEK: (PeriodKind.WEEKLY_EVOLUTION, evolve_week),
    Duty.REFLECT_MONTH: (PeriodKind.MONTHLY_REFLECTION, reflect_month),
    Duty.REFLECT_QUARTER: (PeriodKind.QUARTERLY_REFLECTION, reflect_quarter),
}


async def run_duty(duty: Duty, request: PeriodRequest) -> PeriodKind:
    """Run the job of a duty to its end; which kind it was."""
    kind, job = _JOBS[duty]
    await job(request)
    return kind
