"""Risk windows of the next week, from the calendar alone and from the regime (C62)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from trading.facts.models import RiskRegime
from trading.planning.hours import MarketHours
from trading.planning.models import RiskWindow

AHEAD_DAYS = 7
SATURDAY, FRIDAY = 5, 4
EXPIRY_AT = time(8, 0)
"""Monthly crypto options expire on the last Friday of the month at 08:00 UTC."""

EVENTS = frozenset({"options_expiry"})
"""Windows of the calendar that make a whole day an event day."""

CRYPTO_HOURS = MarketHours()

_DANGEROUS = {RiskRegime.HIGH_VOLATILITY: Decimal("0.6"), RiskRegime.CRASH: Decimal(0)}


def risk_windows(day: date, *, hours: MarketHours, risk: RiskRegime) -> tuple[RiskWindow, ...]:
    """What is known at the start of `day` about the next seven days, by start and code."""
    found = [*_of_regime(day, hours=hours, risk=risk)]
    begins = hours.bounds(day)[0]
    for ahead in range(-1, AHEAD_DAYS):  # a weekend that began yesterday is not over
        found += (one for one in _of_calendar(day + timedelta(days=ahead), hours=hours) if one.end > begins)
    return tuple(sorted(found, key=lambda window: (window.start, window.code)))


def size_factor_at(windows: tuple[RiskWindow, ...], at: datetime) -> Decimal:
    """The share of a size that the windows leave at a time: the smallest of those that are open."""
    return min((window.size_factor for window in windows if window.start <= at < window.end), default=Decimal(1))


def is_event_day(at: datetime, *, hours: MarketHours = CRYPTO_HOURS) -> bool:
    """Whether a known event falls on the day of `at`: then a position stays small (X38). A weekend is no event."""
    day = hours.day_of(at)
    return any(window.code in EVENTS for window in _of_calendar(day, hours=hours))


def _of_regime(day: date, *, hours: MarketHours, risk: RiskRegime) -> Iterator[RiskWindow]:
    if risk in _DANGEROUS:
        start, end = hours.bounds(day)
        yield RiskWindow(
            code=f"regime_{risk.value}",
            start=start,
            end=end,
            size_factor=_DANGEROUS[risk],
            contingency="no new risk; keep stops, take targets early"
            if risk is RiskRegime.CRASH
            else "smaller entries; no averaging down",
        )


def _of_calendar(day: date, *, hours: MarketHours) -> Iterator[RiskWindow]:
    if day.weekday() == SATURDAY:
        yield RiskWindow(
            code="weekend",
            start=hours.bounds(day)[0],
            end=hours.bounds(day + timedelta(days=1))[1],
            size_factor=Decimal("0.75"),
            contingency="thin books: smaller entries, limit orders where the plan allows them",
        )
    if day.weekday() == FRIDAY and (day + timedelta(days=7)).month != day.month:
        expiry = datetime.combine(day, EXPIRY_AT, UTC)
        yield RiskWindow(
            code="options_expiry",
            start=expiry - timedelta(hours=2),
            end=expiry + timedelta(hours=2),
            size_factor=Decimal("0.5"),
            contingency="levels are pinned and released: wait for a close beyond a level",
        )
