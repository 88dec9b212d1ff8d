"""When a watch decides by the market's clock: at the session's start, and on a fixed grid where one is asked for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from trading.planning.hours import MarketHours
from trading.watching.models import Watchlist


def next_session(hours: MarketHours, *, after: datetime) -> datetime:
    """The first session start later than `after`, in UTC."""
    day = hours.day_of(after)
    while (start := hours.at(day, hours.session_start_at)) <= after:
        day += timedelta(days=1)
    return start


def next_on_grid(every_s: int, *, after: datetime) -> datetime:
    """The first time later than `after` on a grid of `every_s` seconds that begins anew at each UTC midnight."""
    midnight = after.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    every = timedelta(seconds=every_s)
    return min(midnight + ((after - midnight) // every + 1) * every, midnight + timedelta(days=1))


def next_due(hours: MarketHours, *, after: datetime, every_s: int | None) -> datetime:
    """The next time at which every watched symbol is decided."""
    session = next_session(hours, after=after)
    return session if every_s is None else min(session, next_on_grid(every_s, after=after))


def judged_at(plan: Watchlist, hours: MarketHours) -> datetime | None:
    """When the day's progress is judged against its plan: once a day, and a day planned anew not again (C61)."""
    if not plan.replan_after_s or plan.period is None or plan.is_revised:
        return None
    start = hours.at(date.fromisoformat(plan.day), hours.session_start_at)
    return start + timedelta(seconds=plan.replan_after_s)


def is_due(hours: MarketHours, *, since: datetime | None, now: datetime, every_s: int | None) -> bool:
    """Whether a due time lies in (`since`, `now`]; without `since` only `now` itself may be one."""
    after = since if since is not None else now - timedelta(microseconds=1)
    return next_due(hours, after=after, every_s=every_s) <= now
