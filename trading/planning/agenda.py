"""What is due on a market day, and when: the agenda that schedules keep live and a campaign keeps over history."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from trading.planning.hours import MarketHours

SUNDAY = 6
"""`date.weekday()` counts from Monday."""


class Duty(StrEnum):
    """The members' order is the order in which duties of one time are done."""

    CLOSE_DAY = "close-day"
    REVIEW_DAY = "review-day"
    PLAN_DAY = "plan-day"
    EVOLVE_WEEK = "evolve-week"
    REFLECT_MONTH = "reflect-month"
    REFLECT_QUARTER = "reflect-quarter"


class Due(NamedTuple):
    """A duty and its time (UTC)."""

    at: datetime
    duty: Duty


def agenda(hours: MarketHours, day: date) -> tuple[Due, ...]:
    """The duties of one local day, in the order of their times. Closing and review are those of the day before."""
    tomorrow = day + timedelta(days=1)
    evening = hours.at(day, hours.evolution_at)
    due = [
        Due(hours.bounds(day)[0], Duty.CLOSE_DAY),
        Due(hours.at(day, hours.review_at), Duty.REVIEW_DAY),
        Due(hours.at(day, hours.plan_at), Duty.PLAN_DAY),
    ]
    if day.weekday() == SUNDAY:
        due.append(Due(evening, Duty.EVOLVE_WEEK))
    if tomorrow.day == 1:
        due.append(Due(evening, Duty.REFLECT_MONTH))
        if day.month % 3 == 0:
            due.append(Due(evening, Duty.REFLECT_QUARTER))
    return tuple(sorted(due, key=lambda one: (one.at, list(Duty).index(one.duty))))


def next_duties(hours: MarketHours, after: datetime) -> tuple[Due, ...]:
    """The first duties later than `after`: all of one time."""
    day = hours.day_of(after)
    coming = [due for days in range(3) for due in agenda(hours, day + timedelta(days=days)) if due.at > after]
    return tuple(due for due in coming if due.at == coming[0].at)
