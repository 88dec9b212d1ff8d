"""The reflection of a quarter: its best and worst trades, its habits, what it teaches, and what it asks of people."""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import VersioningBehavior

with workflow.unsafe.imports_passed_through():
    from trading.review.period import ReportKind, period_of
    from workflows.periods import PeriodDone, PeriodKind, PeriodRequest, nominal_time, run_period
    from workflows.reflection import Reflecting


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class QuarterlyReflection:
    """As the month's, over three, and with proposals on how the agent is built: these only people carry out (C13)."""

    @workflow.run
    async def run(self, request: PeriodRequest) -> PeriodDone:
        """Return what the quarter came to; one that was reflected on before keeps its first report and questions."""
        reflecting = Reflecting(request, kind=PeriodKind.QUARTERLY_REFLECTION, report=ReportKind.QUARTERLY)
        as_of = nominal_time(request)
        not_due = reflecting.not_due(as_of)
        if not_due is not None:
            return not_due
        seen = await reflecting.look(as_of)
        await reflecting.tighten(seen)
        await reflecting.ask(seen)
        await reflecting.tell()
        return reflecting.done(seen)


async def reflect_quarter(request: PeriodRequest) -> PeriodDone:
    """Reflect on the quarter that `as_of` lies in, as a child of the calling workflow; twice is once."""
    if request.as_of is None:
        raise ValueError("a caller that reflects on a quarter says its time: as_of is missing")
    name = period_of(ReportKind.QUARTERLY, request.hours.day_of(request.as_of)).name
    done: PeriodDone = await run_period(QuarterlyReflection.run, PeriodKind.QUARTERLY_REFLECTION, request, period=name)
    return done
