"""What all sequences that run once a period have in common: their request, their ids and their nominal time."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

from temporalio import workflow
from temporalio.common import SearchAttributeKey

with workflow.unsafe.imports_passed_through():
    from pydantic import Field

    from trading.contract import Contract, Utc
    from trading.planning.hours import MarketHours

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
