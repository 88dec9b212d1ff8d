"""The path of a candle, open -> low -> high -> close, a third of the candle each."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.matching.model import Bar
from trading.matching.path import first_touch, price_at

HOUR = 3_600_000


def bar(open_: str, high: str, low: str, close: str, *, volume: str = "1000", at: int = 0) -> Bar:
    return Bar(at, at + HOUR, Decimal(open_), Decimal(high), Decimal(low), Decimal(close), Decimal(volume))


@pytest.mark.parametrize(
    ("minute", "price"),
    [
        (0, "100"),  # the open
        (10, "95"),  # half-way down
        (20, "90"),  # the low after a third
        (30, "100"),  # half-way up
        (40, "110"),  # the high after two thirds
    ],
)
def test_the_path_runs_open_low_high_close(minute: int, price: str) -> None:
    assert price_at(bar("100", "110", "90", "105"), minute * 60_000) == Decimal(price)


def test_the_close_is_reached_in_the_last_millisecond() -> None:
    candle = bar("100", "110", "90", "105")
    assert price_at(candle, candle.end_ms - 1) == Decimal("105")
    with pytest.raises(ValueError, match="outside the candle"):
        price_at(candle, candle.end_ms)


@pytest.mark.parametrize(
    ("price", "falling", "from_minute", "touched_minute"),
    [
        ("95", True, 0, 10),  # on the way down
        ("95", True, 15, 15),  # already below when asked for the first time
        ("90", True, 0, 20),  # exactly the low
        ("89.99", True, 0, None),  # below the low: never
        ("105", False, 0, 35),  # on the way up
        ("110", False, 0, 40),  # exactly the high
        ("110", False, 41, None),  # the high has passed
        ("100", False, 0, 0),  # the open itself
    ],
)
def test_first_touch(price: str, falling: bool, from_minute: int, touched_minute: int | None) -> None:
    found = first_touch(
        bar("100", "110", "90", "105"), from_ms=from_minute * 60_000, price=Decimal(price), falling=falling
    )
    assert found == (None if touched_minute is None else touched_minute * 60_000)


prices = st.integers(8_000, 12_000).map(lambda cents: Decimal(cents) / 100)


@given(st.lists(prices, min_size=4, max_size=4), prices, st.booleans(), st.integers(0, HOUR - 1))
def test_the_first_touch_is_a_touch_and_nothing_before_it_is(
    four: list[Decimal], price: Decimal, falling: bool, from_ms: int
) -> None:
    candle = Bar(0, HOUR, four[0], max(four), min(four), four[3], Decimal(1))
    slack = Decimal("0.000000001")  # straight lines are divided with 28 digits

    def beyond(at_ms: int, by: Decimal) -> bool:
        here = price_at(candle, at_ms)
        return here <= price + by if falling else here >= price - by

    at_ms = first_touch(candle, from_ms=from_ms, price=price, falling=falling)
    if at_ms is None:
        corners = [t for t in (from_ms, HOUR // 3, 2 * HOUR // 3, HOUR - 1) if t >= from_ms]
        assert not any(beyond(t, -slack) for t in corners)
    else:
        assert at_ms >= from_ms
        assert beyond(at_ms, slack)
        assert at_ms == from_ms or not beyond(at_ms - 1, -slack)
