"""Facts over whole arrays: what element i says depends on candles 0 to i, and on nothing else."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest
from builders import START, candle, closes_series, market_series, series_of
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.candle_quality import CandleDataError
from trading.candles import CandleSeries
from trading.facts.bars import Bars, bars_of, shortened, stated
from trading.facts.catalogue import DAY_FACTS, TIMEFRAME_FACTS, WINDOW_BARS, columns

ALL = DAY_FACTS + TIMEFRAME_FACTS


def values(series: CandleSeries) -> dict[str, Decimal | str | None]:
    """Every fact of the series as stated at its last candle."""
    found = columns(bars_of(series), ALL, start=len(series.candles) - 1)
    return {column.row.name: column.row.value_of(float(column.values[-1])) for column in found}


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 336))
def test_a_prefix_says_what_the_whole_said_at_that_candle(seed: int, count: int) -> None:
    whole = bars_of(market_series(seed=seed, days=14, crash_days=(9,)))
    count = min(count, len(whole))

    for early, late in zip(columns(whole.prefix(count), ALL), columns(whole, ALL), strict=True):
        np.testing.assert_allclose(early.values, late.values[:count], rtol=1e-12, err_msg=early.row.name)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 336))
def test_the_last_element_alone_is_the_last_element_of_all(seed: int, count: int) -> None:
    bars = bars_of(market_series(seed=seed, days=14)).prefix(count)

    for alone, among in zip(columns(bars, ALL, start=len(bars) - 1), columns(bars, ALL), strict=True):
        np.testing.assert_allclose(alone.values[-1], among.values[-1], rtol=1e-12, err_msg=alone.row.name)


@pytest.mark.parametrize("symbol", ["BTC/USDT", "ADA/USDT"])
def test_the_newest_five_hundred_candles_state_what_the_whole_history_states(symbol: str) -> None:
    series = market_series(symbol=symbol, days=40, crash_days=(30,))
    whole = columns(bars_of(series), ALL)

    for end in range(WINDOW_BARS, len(series.candles) + 1, 47):
        window = CandleSeries(symbol, "1h", series.candles[end - WINDOW_BARS : end])
        for column, said in zip(whole, values(window).items(), strict=True):
            assert said == (column.row.name, column.row.value_of(float(column.values[end - 1])))


def test_facts_that_warm_up_are_absent_and_never_zero() -> None:
    few = values(market_series(days=1))  # 24 candles

    assert few["ema_fast"] is not None
    assert [few[name] for name in ("ema_slow", "ema_trend", "macd_histogram", "adx_14", "volume_control")] == [None] * 5
    assert few["change_24h"] is None


@pytest.mark.parametrize("count", range(31))
def test_any_short_history_is_computed_without_an_error(count: int) -> None:
    series = market_series(days=2)
    short = CandleSeries(series.symbol, "1h", series.candles[:count])

    assert all(len(column.values) == count for column in columns(bars_of(short), ALL))


def test_a_market_that_only_rises_is_overbought_in_a_rising_trend() -> None:
    said = values(closes_series([100 + number for number in range(60)]))

    assert said["rsi_14"] == 100
    assert said["rsi_signal"] == "overbought"
    assert said["ema_trend"] == "up"
    assert said["adx_grade"] == "very_strong"


def test_a_market_that_only_falls_is_oversold_in_a_falling_trend() -> None:
    said = values(closes_series([200 - number for number in range(60)]))

    assert said["rsi_14"] == 0
    assert (said["rsi_signal"], said["ema_trend"]) == ("oversold", "down")


def test_a_market_that_never_moved_has_no_rsi_and_no_place_between_its_bands() -> None:
    said = values(closes_series(["100"] * 60))

    assert said["rsi_14"] is None
    assert said["rsi_signal"] is None
    assert said["bollinger_width"] == 0
    assert said["bollinger_place"] is None
    assert said["ema_trend"] == "flat"


def test_bollinger_bands_of_a_cheap_asset_are_not_zero() -> None:
    said = values(closes_series([f"0.0000001{number % 2}" for number in range(40)]))

    # Closes alternate between 0.00000010 and 0.00000011: mean 1.05e-7, deviation 5e-9, bands 2 deviations away.
    assert said["bollinger_middle"] == Decimal("0.000000105")
    assert said["bollinger_upper"] == Decimal("0.000000115")
    assert said["bollinger_lower"] == Decimal("0.000000095")


def test_the_average_true_range_counts_the_jump_between_candles() -> None:
    # Each candle spans 2 and opens 3 above the last close: the true range is 3 + 2 = 5 where high - close is 5.
    rows = [(100 + 3 * n, 102 + 3 * n, 100 + 3 * n, 100 + 3 * n) for n in range(40)]

    said = values(series_of(rows))

    assert said["atr_14"] == 5
    assert said["atr_fraction"] == shortened(Decimal(5) / Decimal(217))


def test_the_histogram_crosses_zero_in_one_candle_only() -> None:
    turning = [200 - number for number in range(60)] + [140 + 3 * number for number in range(12)]
    crosses = next(
        column for column in columns(bars_of(closes_series(turning)), ALL) if column.row.name == "macd_cross"
    )

    assert [crosses.row.value_of(float(code)) for code in crosses.values[60:]].count("bullish") == 1


def test_the_change_of_a_day_is_measured_by_the_clock_and_not_by_counting_candles() -> None:
    series = closes_series([100 + number for number in range(50)])
    # Ten candles before the end are missing; 24 candles back would be 34 hours ago.
    holed = CandleSeries(series.symbol, "1h", series.candles[:35] + series.candles[45:])

    assert values(holed)["change_24h"] == shortened(Decimal(149) / Decimal(125) - 1)


def test_a_change_whose_other_end_lies_in_a_long_gap_is_absent() -> None:
    series = closes_series([100 + number for number in range(50)])
    # The close of 24 hours ago is missing and so are the three before it.
    holed = CandleSeries(series.symbol, "1h", series.candles[:22] + series.candles[26:])
    near = CandleSeries(series.symbol, "1h", series.candles[:24] + series.candles[26:])

    assert values(holed)["change_24h"] is None
    assert values(near)["change_24h"] == shortened(Decimal(149) / Decimal(123) - 1)


def test_daily_volatility_is_the_root_mean_square_of_a_day_of_returns_scaled_to_a_day() -> None:
    # Every hour the price rises by the factor e**0.01 or falls by it: each return is 0.01, a day has 24.
    closes = [100 * math.exp(0.01 * (number % 2)) for number in range(40)]
    said = values(closes_series([repr(close) for close in closes]))

    assert said["daily_volatility"] == stated(0.01 * math.sqrt(24))


def test_volume_of_a_day_counts_what_closed_in_the_last_24_hours() -> None:
    said = values(closes_series([100 + number for number in range(50)]))

    assert said["volume_24h"] == 240
    assert said["turnover_24h_usd"] == sum(10 * (149 - number) for number in range(24))
    assert said["volume_ratio"] == 1


def test_the_point_of_control_is_where_most_was_traded() -> None:
    # Ninety candles between 100 and 101, ten between 123 and 124: bins are one wide, the first holds 90 %.
    said = values(series_of([(100, 101, 100, 101)] * 90 + [(123, 124, 123, 124)] * 10))

    assert said["volume_control"] == Decimal("100.5")
    assert (said["value_area_low"], said["value_area_high"]) == (100, 101)
    assert said["value_place"] == "above_value"


def test_the_value_area_grows_to_the_fuller_neighbour_until_it_holds_seventy_percent() -> None:
    # Twenty-four bins of width 1 from 100 to 124. 50 % lie in 110-111, 25 % in 111-112, 15 % below, 10 % at the edges.
    rows = [(110, 111, 110, 110)] * 50 + [(111, 112, 111, 111)] * 25 + [(109, 110, 109, 109)] * 15
    rows += [(100, 101, 100, 100)] * 5 + [(123, 124, 123, 123)] * 5

    said = values(series_of(rows))

    assert said["volume_control"] == Decimal("110.5")
    assert (said["value_area_low"], said["value_area_high"]) == (110, 112)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (10263.123456789, "10263.123"),
        (0.00000012345678912, "0.00000012345679"),
        (628379820.123, "628379820"),
        (1.0, "1"),
        (-0.0, "0"),
        (0.1 + 0.2, "0.3"),
    ],
)
def test_numbers_are_stated_to_eight_digits_without_an_exponent(number: float, said: str) -> None:
    fact = stated(number)

    assert fact is not None
    assert format(fact, "f") == said


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_absent(number: float) -> None:
    assert stated(number) is None


def test_candles_that_no_market_can_have_are_refused_by_name() -> None:
    broken = CandleSeries("BTC/USDT", "1h", (candle(), candle(START.replace(hour=1), high=98)))

    with pytest.raises(CandleDataError, match=r"2024-01-01T01:00:00Z.*high 98"):
        bars_of(broken)


def test_candles_out_of_order_are_refused_by_name() -> None:
    broken = CandleSeries("BTC/USDT", "1h", (candle(START.replace(hour=1)), candle()))

    with pytest.raises(CandleDataError, match="strictly increasing"):
        bars_of(broken)


def test_a_prefix_does_not_share_what_was_derived_from_the_whole() -> None:
    whole = bars_of(market_series(days=20))
    columns(whole, ALL)

    assert isinstance(whole.prefix(100), Bars)
    assert len(columns(whole.prefix(100), ALL)[-1].values) == 100
