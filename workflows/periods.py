"""What all sequences that run once a period have in common: their request, their ids and their nominal time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from pydantic import Field

    from trading.contract import Contract, Utc
    from trading.planning.hours import MarketHours
    from workflows.names import TASK_TIMEOUT, QueueRole, task_queue
    from workflows.options import labels
    from workflows.protocol import Approvals

ALL_ACCOUNTS = "all"
"""The account part of the id of a period job that serves all accounts at once."""

SCHEDULED_START = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")
"""Set by the service on what a schedule starts: the nominal time, in a back-fill too; the present in a trigger."""


class PeriodKind(StrEnum):
    """The period jobs; the value is the middle of their workflow ids and the end of their schedule's id."""

    DAILY_PLANNING = "daily-planning"
    DAILY_REVIEW = "daily-review"
    WEEKLY_EVOLUTION = "weekly-evolution"
    MONTHLY_REFLECTION = "monthly-reflection"
    QUARTERLY_REFLECTION = "quarterly-reflection"
    MAINTENANCE = "maintenance"


class PeriodRequest(Contract):
    """Start of a period job. Without `as_of` the nominal time of the schedule that started it is meant.

    Without symbols the venue is asked what it lists; without a playbook the realm's active version is taken. `usual`
    are symbols that are looked at wherever the venue lists them. In a campaign no wall-clock deadline decides.
    """

    realm: str
    venue: str
    ledger: str
    accounts: tuple[str, ...] = Field(min_length=1)
    hours: MarketHours = MarketHours()
    as_of: Utc | None = None
    symbols: tuple[str, ...] = ()
    usual: tuple[str, ...] = ()
    market_is_replayed: bool = False
    in_campaign: bool = False
    playbook_hash: str | None = None
    revision: int = Field(default=0, ge=0, description="of a day's plan: which time it is planned anew")
    approvals: Approvals = Field(default="expire", description="how a campaign answers what waits for a person")


class PeriodDone(Contract):
    """What a period job came to, made by this run or by an earlier one.

    `is_due` is false where the nominal time is not the period's last day: nothing was done. `playbook_version` names
    the version that the job activated, if it did.
    """

    kind: PeriodKind
    period: str
    is_due: bool = True
    already_done: bool = False
    report_hash: str | None = None
    playbook_version: str | None = None
    playbook_hash: str | None = None


def period_workflow(realm: str, kind: PeriodKind, period: str, *, account: str = ALL_ACCOUNTS) -> str:
    """The id of a period job. A schedule's own starts have the nominal time instead of the period: rows decide."""
    return f"{realm}/{kind.value}/{account}/{period}"


def schedule_id(realm: str, kind: PeriodKind) -> str:
    return f"{realm}/{kind.value}"


def nominal_time(request: PeriodRequest) -> datetime:
    """The business time of this run: as asked for, as scheduled, or when it was started by hand."""
    if request.as_of is not None:
        return request.as_of
    scheduled = workflow.info().typed_search_attributes.get(SCHEDULED_START)
    at = scheduled if scheduled is not None else workflow.info().start_time
    return at.astimezone(UTC).replace(microsecond=0)


async def run_period(job: Callable[..., Any], kind: PeriodKind, request: PeriodRequest, *, period: str) -> Any:
    """Run a period job as a child of the calling workflow, and wait for its result. Run twice is run once.

    `job` is the run method of the job's workflow. The caller owns the market's clock: `request` has its `as_of`.
    """
    if request.as_of is None:
        raise ValueError(f"a caller that runs {kind.value} says its time: as_of is missing")
    return await workflow.execute_child_workflow(
        job,
        request,
        id=period_workflow(request.realm, kind, period),
        task_queue=task_queue(request.realm, QueueRole.DECISIONS),
        task_timeout=TASK_TIMEOUT,
        parent_close_policy=ParentClosePolicy.ABANDON,
        static_summary=f"{kind.value} {period}",
        search_attributes=labels(realm=request.realm, accounts=request.accounts, as_of=request.as_of),
    )
