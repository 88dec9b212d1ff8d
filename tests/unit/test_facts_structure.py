"""What the shape of price says, in tables of open, high, low, close that a trader can follow."""

from __future__ import annotations

from decimal import Decimal

from builders import series_of

from trading.facts.bars import bars_of
from trading.facts.catalogue import TIMEFRAME_FACTS, columns

Row = tuple[float | str, float | str, float | str, float | str]


def said(rows: list[Row], at: int = -1) -> dict[str, Decimal | str | None]:
    found = columns(bars_of(series_of(rows)), TIMEFRAME_FACTS)
    return {column.row.name: column.row.value_of(float(column.values[at])) for column in found}


def path(*turns: float) -> list[Row]:
    """Candles that walk from turn to turn in steps of 2, each with a range of its body and 0.5 at both ends."""
    rows: list[Row] = []
    price = turns[0]
    for turn in turns[1:]:
        step = 2.0 if turn > price else -2.0
        while price != turn:
            opened, price = price, price + step
            rows.append((opened, max(opened, price) + 0.5, min(opened, price) - 0.5, price))
    return rows


UP = path(100, 120, 110, 130, 120, 134)
"""Highs 120.5 then 130.5, lows 109.5 then 119.5."""
DOWN = path(140, 120, 130, 110, 120, 106)
"""Highs 130.5 then 120.5, lows 119.5 then 109.5."""


def test_rising_highs_over_rising_lows_are_an_uptrend() -> None:
    facts = said(UP)

    assert facts["market_structure"] == "higher_highs_higher_lows"
    assert (facts["swing_high"], facts["swing_low"]) == (Decimal("130.5"), Decimal("119.5"))


def test_falling_highs_over_falling_lows_are_a_downtrend() -> None:
    assert said(DOWN)["market_structure"] == "lower_highs_lower_lows"


def test_a_triangle_contracts_and_a_megaphone_expands() -> None:
    assert said(path(100, 140, 104, 136, 108, 130))["market_structure"] == "contracting"
    assert said(path(120, 130, 116, 136, 110, 130))["market_structure"] == "expanding"


def test_a_swing_is_known_three_candles_after_it_and_not_before() -> None:
    # The fall from 130 begins: one, two and three candles after the top.
    rows = path(100, 120, 110, 130, 124)

    assert [said(rows[: len(rows) - back])["swing_high"] for back in (0, 1)] == [None, None]
    later = path(100, 120, 110, 130, 120, 126)
    top = next(place for place, row in enumerate(later) if row[1] == 130.5)
    assert said(later, at=top + 2)["market_structure"] is None
    assert said(later, at=len(later) - 1)["swing_high"] == Decimal("130.5")


def test_a_close_beyond_the_last_swing_breaks_structure_once() -> None:
    # The last high is 130.5: the close at 132 is beyond it, the next one no longer news.
    breaking = next(place for place, row in enumerate(UP) if place > 20 and row[3] == 132)

    assert said(UP, at=breaking)["structure_break"] == "bullish"
    assert said(UP, at=breaking + 1)["structure_break"] == "none"
    assert said(UP, at=breaking - 1)["structure_break"] == "none"


def test_support_and_resistance_are_the_nearest_swings_around_the_price() -> None:
    facts = said(path(100, 120, 110, 130, 120, 126))

    # The old high at 120.5 and the low at 119.5 that came back to it lie within half an ATR: one level, their mean.
    assert (facts["support"], facts["support_touches"]) == (Decimal("120"), Decimal(2))
    assert facts["resistance"] == Decimal("130.5")
    assert facts["resistance_touches"] == 1


def test_swings_at_one_price_are_one_level_with_two_touches() -> None:
    facts = said(path(100, 120, 110, 120, 110, 116))

    assert (facts["resistance"], facts["resistance_touches"]) == (Decimal("120.5"), Decimal(2))
    assert (facts["support"], facts["support_touches"]) == (Decimal("109.5"), Decimal(2))


CALM: list[Row] = [(100, 101, 99, 100)] * 20
"""An ATR of 2 and nothing else."""


def test_a_fall_that_is_swallowed_by_a_strong_rise_is_a_bullish_order_block() -> None:
    rows: list[Row] = [
        *CALM,
        (100, 100.5, 98, 98.5),  # the last falling candle: the block is 98 to 100.5
        (98.5, 105, 98.5, 104.5),  # closes above its high with a body of 6, three times the ATR
    ]
    facts = said(rows)

    assert (facts["order_blocks_count"], facts["order_blocks_bullish"]) == (1, 1)
    assert facts["order_block_below"] == Decimal("100.5")
    assert facts["order_block_above"] is None


def test_an_order_block_ends_when_a_candle_closes_beyond_it() -> None:
    block: list[Row] = [*CALM, (100, 100.5, 98, 98.5), (98.5, 105, 98.5, 104.5)]

    assert said([*block, (104.5, 104.5, 97, 99)])["order_blocks_bullish"] == 1  # a wick below is not a close
    assert said([*block, (104.5, 104.5, 97, 97.5)])["order_blocks_bullish"] == 0


def test_a_rise_that_is_swallowed_by_a_strong_fall_is_a_bearish_order_block() -> None:
    facts = said([*CALM, (100, 102, 99.5, 101.5), (101.5, 101.5, 95, 95.5)])

    assert facts["order_blocks_bearish"] == 1
    assert facts["order_block_above"] == Decimal("99.5")


def test_three_candles_that_leave_prices_untraded_make_a_fair_value_gap() -> None:
    rows: list[Row] = [
        *CALM,
        (100, 101, 99, 100.5),
        (100.5, 106, 100.5, 105.5),
        (105.5, 107, 104, 106),  # nothing was traded between 101 and 104 but the one candle
    ]
    facts = said(rows)

    assert (facts["fvg_count"], facts["fvg_bullish"], facts["fvg_bearish"]) == (1, 1, 0)
    assert facts["fvg_below"] == 104


def test_a_fair_value_gap_stays_until_it_is_filled_whole() -> None:
    gap: list[Row] = [*CALM, (100, 101, 99, 100.5), (100.5, 106, 100.5, 105.5), (105.5, 107, 104, 106)]

    half = said([*gap, (106, 106, 102, 103)])
    assert half["fvg_bullish"] == 1
    assert half["fvg_below"] == 102, "what is left of it begins at the lowest price that came back"
    assert said([*gap, (106, 106, 101, 103)])["fvg_bullish"] == 0


def test_two_highs_at_one_price_gather_stops_above_them() -> None:
    facts = said(path(100, 120, 110, 120, 114))

    assert facts["liquidity_context"] == "pool_above"
    assert facts["equal_highs"] == Decimal("120.5")


def test_a_wick_through_the_highs_that_closes_below_them_sweeps_them() -> None:
    before = path(100, 120, 110, 120, 114, 118)
    swept = said([*before, (118, 122, 117.5, 118)])
    broken = said([*before, (118, 122, 117.5, 121.5)])

    assert swept["liquidity_sweep"] == "swept_highs"
    assert broken["liquidity_sweep"] == "none"
    assert swept["equal_highs"] is None, "the stops are gone"
