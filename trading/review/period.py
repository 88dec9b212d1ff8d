"""The periods of reviews and reports: a day, a week, a month, a quarter of the market profile's zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum

from trading.contract import Contract, Utc


class ReportKind(StrEnum):
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"


class Period(Contract):
    """From `start` up to, not including, `end`. The name is its row's key: 2024-01-24, 2024-W04, 2024-01, 2024-Q1."""

    kind: ReportKind
    name: str
    first_day: date
    last_day: date
    start: Utc
    end: Utc

    @property
    def days(self) -> int:
        return (self.last_day - self.first_day).days + 1


def period_of(kind: ReportKind, day: date, *, zone: tzinfo = UTC) -> Period:
    """The period of `kind` that `day` lies in; weeks begin on Monday (ISO 8601), days at 00:00 in `zone`."""
    first, after, name = _bounds(kind, day)
    return Period(
        kind=kind,
        name=name,
        first_day=first,
        last_day=after - timedelta(days=1),
        start=_midnight(first, zone),
        end=_midnight(after, zone),
    )


def is_last_day(kind: ReportKind, day: date) -> bool:
    """Whether `day` is the last one of its period: the day after it begins the next."""
    return _bounds(kind, day)[1] == day + timedelta(days=1)


def period_until(kind: ReportKind, as_of: datetime, *, zone: tzinfo = UTC) -> Period:
    """The period that `as_of` lies in, from the same hour before its first day up to `as_of`: no hour is in none.

    A reflection looks at its period before the last day is over; what comes after belongs to the next one.
    """
    local = as_of.astimezone(zone)
    period = period_of(kind, local.date(), zone=zone)
    eve = datetime.combine(period.first_day - timedelta(days=1), local.timetz().replace(tzinfo=None), tzinfo=zone)
    return period.model_copy(update={"start": eve.astimezone(UTC), "end": as_of.astimezone(UTC)})


def next_end(kind: ReportKind, day: date, *, zone: tzinfo = UTC) -> datetime:
    """The end of the period after the one that `day` lies in."""
    return period_of(kind, _bounds(kind, day)[1], zone=zone).end


def _bounds(kind: ReportKind, day: date) -> tuple[date, date, str]:
    if kind is ReportKind.DAILY:
        return day, day + timedelta(days=1), day.isoformat()
    if kind is ReportKind.WEEKLY:
        monday = day - timedelta(days=day.weekday())
        year, week, _ = day.isocalendar()
        return monday, monday + timedelta(days=7), f"{year}-W{week:02}"
    if kind is ReportKind.MONTHLY:
        first = day.replace(day=1)
        return first, _months_later(first, 1), f"{day:%Y-%m}"
    quarter = (day.month - 1) // 3
    first = date(day.year, quarter * 3 + 1, 1)
    return first, _months_later(first, 3), f"{day.year}-Q{quarter + 1}"


def _months_later(first: date, months: int) -> date:
    place = first.month - 1 + months
    return date(first.year + place // 12, place % 12 + 1, 1)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(0), tzinfo=zone).astimezone(UTC)
