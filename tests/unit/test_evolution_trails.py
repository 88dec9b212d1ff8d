"""What strategies did is put together week by week, and is what putting all of it together at once gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from activities.evolution.port import StrategyWeek
from activities.evolution.trails import Trails, together, with_week
from trading.evolution.models import Record, TradeReturn
from trading.evolution.trail import one_after_another

START = datetime(2024, 1, 1, tzinfo=UTC)
NAMES = ("breakout", "macd-cross", "wild")

parts = st.lists(st.tuples(st.sampled_from(NAMES), st.lists(st.integers(-90, 90), max_size=4)), min_size=1, max_size=12)


def week(number: int, name: str, moves: list[int]) -> StrategyWeek:
    """Half days, so that two weeks may share a day."""
    start = START + timedelta(hours=84 * number)
    end = start + timedelta(hours=84)
    first = start.replace(hour=0)
    trades = tuple(
        TradeReturn(entry_at=start, exit_at=start + timedelta(hours=place + 1), return_fraction=Decimal(move) / 1000)
        for place, move in enumerate(moves)
    )
    days = tuple((first + timedelta(days=place), Decimal(move) / 1000) for place, move in enumerate(moves))
    record = Record(strategy=name, start=start, end=end, trades=trades, daily_returns=days)
    return StrategyWeek(period=f"2024-W{number:02}", record=record)


@settings(max_examples=60, deadline=None)
@given(parts)
def test_trails_that_go_on_are_trails_anew(told: list[tuple[str, list[int]]]) -> None:
    rows = [week(number, name, moves) for number, (name, moves) in enumerate(told)]
    trails = Trails()
    for count in range(1, len(rows) + 1):
        past = trails.of(together({}, rows[: count - 1]))
        so_far = with_week(past, rows[count - 1 : count])
        everything = together({}, rows[:count])
        assert so_far == {
            name: one_after_another([row.record for row in known]) for name, known in sorted(everything.items())
        }
        assert list(so_far) == sorted(so_far)


def test_another_realm_begins_anew() -> None:
    """Equal names in two realms are two strategies: nothing of one is carried into the other."""
    trails = Trails()
    mine, other = [week(0, "wild", [10]), week(1, "wild", [20])], [week(0, "wild", [-30])]
    trails.of({"wild": mine})
    assert trails.of({"wild": other})["wild"] == one_after_another([other[0].record])
    assert trails.of({"wild": mine})["wild"] == one_after_another([row.record for row in mine])
