"""The day of an account: its start follows from `as_of`, never from a job having run."""

from __future__ import annotations

from datetime import UTC, datetime, time, tzinfo

from trading.risk.models import Exposure


def day_start(as_of: datetime, *, zone: tzinfo = UTC) -> datetime:
    """00:00 in `zone` of the day that `as_of` falls in, in UTC."""
    local = as_of.astimezone(zone)
    return datetime.combine(local.date(), time(0), tzinfo=zone).astimezone(UTC)


def roll_day(exposure: Exposure, as_of: datetime, *, zone: tzinfo = UTC) -> Exposure:
    """`exposure` with a new day's numbers where `as_of` is in a later day than the one it knows; else unchanged.

    A new day starts with the equity of now and no entries. An account that knows no day yet keeps its numbers and
    learns the day. Rolling twice is rolling once; time that goes back changes nothing.
    """
    started_at = day_start(as_of, zone=zone)
    if exposure.day_started_at is None:
        return exposure.model_copy(update={"day_started_at": started_at})
    if started_at <= exposure.day_started_at:
        return exposure
    return exposure.model_copy(
        update={
            "day_started_at": started_at,
            "day_start_equity_usd": exposure.equity_usd,
            "entries_today": 0,
        }
    )
