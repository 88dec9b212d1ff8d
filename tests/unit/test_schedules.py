"""The table of schedules: when, in whose zone, how late a start may be made up, and only for what exists."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, cast

import pytest
from temporalio.client import ScheduleActionStartWorkflow, ScheduleOverlapPolicy

from config.markets import CRYPTO
from workers.schedules import Plant, UnknownScheduleError, registered_workflows, rows_of, schedule_of
from workflows.periods import PeriodKind, PeriodRequest, period_workflow

if TYPE_CHECKING:
    from temporalio.client import Client


def a_plant(*workflows: str, zone: str = "Europe/Berlin") -> Plant:
    """Nothing here asks the service."""
    return Plant(
        client=cast("Client", None),
        realm="paper",
        venue="paper",
        market=CRYPTO,
        zone=zone,
        accounts=("composite",),
        workflows=frozenset(workflows),
    )


WHEN = [
    # job, hour and minute, days, how late it may start
    ("daily-planning", (7, 0), "", timedelta(hours=1)),
    ("daily-review", (0, 5), "", timedelta(hours=12)),
    ("weekly-evolution", (20, 0), "Sunday", timedelta(days=3)),
    ("monthly-reflection", (20, 0), "28-31", timedelta(days=10)),
    ("quarterly-reflection", (20, 0), "28-31 of 3, 6, 9, 12", timedelta(days=10)),
]


@pytest.mark.parametrize(("name", "at", "days", "late"), WHEN)
def test_a_job_runs_when_the_rules_say(name: str, at: tuple[int, int], days: str, late: timedelta) -> None:
    row = next(row for row in rows_of(CRYPTO) if row.kind.value == name)
    schedule = schedule_of(a_plant(row.workflow), row)
    (calendar,) = schedule.spec.calendars
    assert (calendar.hour[0].start, calendar.minute[0].start, calendar.second[0].start) == (*at, 0)
    assert schedule.spec.time_zone_name == "Europe/Berlin"
    assert schedule.policy.overlap is ScheduleOverlapPolicy.SKIP
    assert schedule.policy.catchup_window == late
    said = []
    if (calendar.day_of_week[0].start, calendar.day_of_week[0].end) == (0, 0):
        said.append("Sunday")
    if calendar.day_of_month[0].start == 28:
        said.append(f"28-{calendar.day_of_month[0].end}")
    if len(calendar.month) > 1:
        said.append(f"of {', '.join(str(month.start) for month in calendar.month)}")
    assert " ".join(said) == days


def test_accounts_are_valued_and_compared_every_hour_or_as_often_as_policy_says_and_when_the_day_ends() -> None:
    plant = a_plant("Maintenance")
    for told, every in ((plant, 60), (replace(plant, reconcile_every=timedelta(minutes=15)), 15)):
        (row,) = told.rows()
        spec = schedule_of(told, row).spec
        assert [interval.every for interval in spec.intervals] == [timedelta(minutes=every)]
        (midnight,) = spec.calendars
        assert [part[0].start for part in (midnight.hour, midnight.minute, midnight.second)] == [0, 0, 0]
        assert spec.time_zone_name == plant.zone
        assert row.catch_up == timedelta(minutes=30)


def test_only_what_has_a_workflow_is_applied() -> None:
    assert [row.kind for row in a_plant("DailyPlanning").rows()] == [PeriodKind.DAILY_PLANNING]
    assert a_plant().rows() == ()
    assert "DailyPlanning" in registered_workflows()
    with pytest.raises(UnknownScheduleError, match="allowed are daily-planning"):
        a_plant("DailyPlanning").row("daily-review")
    assert a_plant("DailyPlanning").row("paper/daily-planning").workflow == "DailyPlanning"


def test_a_run_is_told_its_realm_and_hours_but_not_its_time() -> None:
    plant = a_plant("DailyPlanning")
    (row,) = plant.rows()
    action = schedule_of(plant, row).action
    assert isinstance(action, ScheduleActionStartWorkflow)
    (request,) = action.args
    assert isinstance(request, PeriodRequest)
    assert (request.realm, request.hours.zone, request.as_of) == ("paper", "Europe/Berlin", None)
    assert action.id == "paper/daily-planning/all"
    assert action.task_queue == "paper/decisions"
    assert action.execution_timeout == timedelta(hours=1)


def test_the_id_of_a_period_is_made_of_realm_kind_account_and_period() -> None:
    assert period_workflow("paper", PeriodKind.DAILY_PLANNING, "2024-01-31") == "paper/daily-planning/all/2024-01-31"
    weekly = period_workflow("paper", PeriodKind.WEEKLY_EVOLUTION, "2024-W05", account="composite")
    assert weekly == "paper/weekly-evolution/composite/2024-W05"
