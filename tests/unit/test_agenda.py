"""What is due when, over a year and where clocks change."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta

import pytest

from trading.planning.agenda import Due, Duty, agenda, next_duties
from trading.planning.hours import MarketHours

HOURS = MarketHours()
EVERY_DAY = {Duty.CLOSE_DAY, Duty.REVIEW_DAY, Duty.PLAN_DAY}

DAYS = [
    # day, and what is due in its evening, in order
    (date(2020, 8, 26), []),
    (date(2020, 8, 30), [Duty.EVOLVE_WEEK]),
    (date(2020, 8, 31), [Duty.REFLECT_MONTH]),
    (date(2020, 9, 30), [Duty.REFLECT_MONTH, Duty.REFLECT_QUARTER]),
    (date(2021, 1, 31), [Duty.EVOLVE_WEEK, Duty.REFLECT_MONTH]),
    (date(2024, 2, 28), []),
    (date(2024, 2, 29), [Duty.REFLECT_MONTH]),
    (date(2023, 12, 31), [Duty.EVOLVE_WEEK, Duty.REFLECT_MONTH, Duty.REFLECT_QUARTER]),
]


@pytest.mark.parametrize(("day", "evening"), DAYS, ids=lambda value: str(value) if isinstance(value, date) else "")
def test_the_evening_of_a_day(day: date, evening: list[Duty]) -> None:
    due = agenda(HOURS, day)
    assert [one.duty for one in due if one.duty not in EVERY_DAY] == evening
    assert {one.duty for one in due} >= EVERY_DAY
    assert all(one.at.time() == time(20, 0) for one in due if one.duty in evening)


def test_a_year_has_as_many_of_each_as_its_calendar() -> None:
    at, end = datetime(2020, 8, 24, tzinfo=UTC), datetime(2021, 8, 23, tzinfo=UTC)
    seen: Counter[Duty] = Counter()
    while (due := next_duties(HOURS, at))[0].at < end:
        seen.update(one.duty for one in due)
        at = due[0].at
    assert seen[Duty.PLAN_DAY] == seen[Duty.REVIEW_DAY] == 364
    assert seen[Duty.EVOLVE_WEEK] == 52
    assert seen[Duty.REFLECT_MONTH] == 12
    assert seen[Duty.REFLECT_QUARTER] == 4


def test_the_next_duties_are_later_and_of_one_time() -> None:
    sunday = datetime(2021, 1, 31, 8, tzinfo=UTC)
    assert next_duties(HOURS, sunday) == (
        Due(sunday.replace(hour=20), Duty.EVOLVE_WEEK),
        Due(sunday.replace(hour=20), Duty.REFLECT_MONTH),
    )
    assert next_duties(HOURS, sunday.replace(hour=20)) == (Due(datetime(2021, 2, 1, tzinfo=UTC), Duty.CLOSE_DAY),)


@pytest.mark.parametrize("day", [date(2024, 3, 31), date(2024, 10, 27)])
def test_a_change_of_clocks_loses_no_duty(day: date) -> None:
    hours = MarketHours(zone="Europe/Berlin", review_at=time(2, 30))
    before, after = hours.bounds(day)
    at, seen = before - timedelta(seconds=1), []
    while (due := next_duties(hours, at))[0].at < after:
        assert due[0].at > at
        seen += [one.duty for one in due]
        at = due[0].at
    assert seen == [Duty.CLOSE_DAY, Duty.REVIEW_DAY, Duty.PLAN_DAY, Duty.EVOLVE_WEEK] + [Duty.REFLECT_MONTH] * (
        day == date(2024, 3, 31)
    ) + [Duty.REFLECT_QUARTER] * (day == date(2024, 3, 31))
