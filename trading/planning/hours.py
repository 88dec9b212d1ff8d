"""The market's days and hours in its own zone: which day a time belongs to, and when a plan must be final."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from trading.contract import Contract

SUNDAY = 7
"""By ISO 8601."""


class MarketHours(Contract):
    """Times of day, local to `zone`; a day runs from 00:00 to 24:00 in it (venue.md, days and hours)."""

    zone: str = "UTC"
    plan_at: time = time(7, 0)
    plan_final_at: time = time(7, 30)
    session_start_at: time = time(8, 0)
    review_at: time = time(0, 5)
    evolution_at: time = time(20, 0)

    def day_of(self, as_of: datetime) -> date:
        """The local day that `as_of` belongs to."""
        return as_of.astimezone(ZoneInfo(self.zone)).date()

    def at(self, day: date, hour: time) -> datetime:
        """`hour` of the local `day`, in UTC. An hour that a change of clocks skips is taken by the old offset."""
        return datetime.combine(day, hour, ZoneInfo(self.zone)).astimezone(UTC)

    def bounds(self, day: date) -> tuple[datetime, datetime]:
        """The first moment of the local day and that of the next, in UTC: 23 to 25 hours where clocks change."""
        return self.at(day, time(0)), self.at(day + timedelta(days=1), time(0))


def period_of_day(day: date, *, revision: int = 0) -> str:
    """The name of a daily period in rows and workflow ids: `2024-01-31`; planned anew, `2024-01-31.1`."""
    return f"{day.isoformat()}.{revision}" if revision else day.isoformat()


def period_of_week(day: date) -> str:
    """The name of the weekly period that `day` belongs to, by ISO 8601: `2024-W05`, from Monday to Sunday."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


def week_to_judge(as_of: datetime, hours: MarketHours) -> tuple[str, datetime]:
    """The newest week that can be judged at `as_of`, and the time to which: on a Sunday this one, to `as_of`; on any
    other day the one before, to the end of its Sunday."""
    day = hours.day_of(as_of)
    if day.isoweekday() == SUNDAY:
        return period_of_week(day), as_of
    sunday = day - timedelta(days=day.isoweekday())
    return period_of_week(sunday), hours.at(sunday + timedelta(days=1), time(0))
