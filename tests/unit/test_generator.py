"""Generated markets: one seed, one market; shaped like real ones where tests and the demo lean on it."""

from __future__ import annotations

import math
import statistics
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from builders import START
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.candle_quality import inspect
from trading.candles import CandleSeries, resample
from trading.generator import generate_market, shape_of
from trading.ids import canonical_json, content_hash

FOUR = ("BTC/USDT", "ETH/USDT", "BNB/USDT", "ADA/USDT")


def four(seed: int = 7, days: int = 60, crash_days: tuple[int, ...] = ()) -> dict[str, CandleSeries]:
    return generate_market(seed=seed, symbols=FOUR, start=START, days=days, crash_days=crash_days)


def hourly_returns(series: CandleSeries) -> list[float]:
    return [math.log(float(candle.close) / float(candle.open)) for candle in series.candles]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), days=st.integers(1, 5), timeframe=st.sampled_from(["15m", "1h", "4h", "1d"]))
def test_the_same_seed_is_the_same_market_and_every_candle_is_possible(seed: int, days: int, timeframe: str) -> None:
    def market() -> dict[str, CandleSeries]:
        return generate_market(seed=seed, symbols=FOUR, start=START, days=days, timeframe=timeframe, crash_days=(0,))

    first = market()

    assert first == market()
    for symbol, series in first.items():
        tick = shape_of(symbol).tick
        inspection = inspect(series.candles, step=series.step)
        assert not inspection.refused
        assert {issue.kind for issue in inspection.issues} <= {"gap"}
        assert all(price % tick == 0 for candle in series.candles for price in candle[1:5])
        assert all(candle.volume > 0 for candle in series.candles)


def test_this_very_market_stays_the_same_from_version_to_version() -> None:
    text = canonical_json([list(candle) for series in four(days=30).values() for candle in series.candles])

    assert content_hash(text) == "6892b3e90484ed1a6cdf3e9de020154c9d76c38f18cdc4b2830e1fae85d2b6e0"


def test_another_seed_is_another_market() -> None:
    assert four(seed=1, days=5) != four(seed=2, days=5)


def test_a_symbol_does_not_depend_on_which_others_are_asked_for() -> None:
    alone = generate_market(seed=7, symbols=["ETH/USDT"], start=START, days=60)

    assert alone["ETH/USDT"] == four()["ETH/USDT"]


@pytest.mark.parametrize("seed", range(5))
def test_a_crash_day_takes_about_forty_percent_from_every_symbol(seed: int) -> None:
    for symbol, series in four(seed=seed, crash_days=(40,)).items():
        day = START + timedelta(days=40)
        inside = [candle for candle in series.candles if day <= candle.open_time < day + timedelta(days=1)]
        fall = float(inside[-1].close / inside[0].open) - 1
        assert len(inside) == 24, "an outage never hides a crash"
        assert -0.45 < fall < -0.35, (symbol, fall)


def test_nothing_before_a_crash_day_knows_of_it() -> None:
    calm, crashed = four(crash_days=())["BTC/USDT"], four(crash_days=(40,))["BTC/USDT"]
    day = START + timedelta(days=30)  # the outages of earlier blocks are drawn from calm days: the same in both

    assert [c for c in calm.candles if c.open_time < day] == [c for c in crashed.candles if c.open_time < day]
    assert calm.candles[-1] != crashed.candles[-1]


def test_symbols_move_together_but_not_as_one() -> None:
    market = four(days=90)
    btc, eth = hourly_returns(market["BTC/USDT"]), hourly_returns(market["ETH/USDT"])

    assert 0.6 < statistics.correlation(btc, eth) < 0.99


def test_volume_rises_with_the_range_of_the_candle() -> None:
    candles = four(days=90)["BTC/USDT"].candles
    ranges = [float(candle.high / candle.low) for candle in candles]
    volumes = [float(candle.volume) for candle in candles]

    assert statistics.correlation(ranges, volumes) > 0.5


def test_regimes_switch_between_calm_and_wild() -> None:
    days = resample(four(days=180)["BTC/USDT"], "1d").series.candles
    ranges = sorted(float(day.high / day.low) - 1 for day in days)

    assert ranges[len(ranges) // 10] * 2 < ranges[-len(ranges) // 10]


def test_levels_and_ticks_fit_the_symbol() -> None:
    firsts = {symbol: series.candles[0].open for symbol, series in four(days=1).items()}

    assert firsts["BTC/USDT"] > 20_000
    assert 1000 < firsts["ETH/USDT"] < 5000
    assert firsts["ADA/USDT"] < 1
    assert shape_of("ADA/USDT").tick == Decimal("0.0001")
    assert shape_of("NEW/USDT") == shape_of("NEW/USDT")
    assert Decimal("0.5") <= shape_of("NEW/USDT").level <= 500


def test_one_outage_in_each_full_block_of_fifteen_days_for_all_symbols_at_once() -> None:
    gaps = {
        symbol: [(gap.at, gap.missing) for gap in inspect(series.candles, step=series.step).gaps]
        for symbol, series in four(days=60).items()
    }

    assert len(gaps["BTC/USDT"]) == 4
    assert all(1 <= missing <= 3 for _, missing in gaps["BTC/USDT"])
    assert all(found == gaps["BTC/USDT"] for found in gaps.values())


def test_a_market_of_fourteen_days_has_no_gaps() -> None:
    assert len(four(days=14)["BTC/USDT"].candles) == 14 * 24


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"start": datetime(2024, 1, 1)}, "no zone"),  # noqa: DTZ001  a naive time is the case
        ({"start": datetime(2024, 1, 1, 0, 7, tzinfo=UTC)}, "off the grid"),
        ({"days": 0}, "at least one"),
        ({"symbols": []}, "at least one"),
        ({"symbols": ["BTC/USDT", "BTC/USDT"]}, "once"),
        ({"crash_days": (5,)}, "allowed are 0 to 4"),
        ({"timeframe": "3h"}, "allowed are 1m"),
    ],
)
def test_a_wrong_wish_is_refused_with_what_is_allowed(changes: dict[str, object], words: str) -> None:
    wish: dict[str, object] = {"seed": 1, "symbols": ["BTC/USDT"], "start": START, "days": 5, **changes}

    with pytest.raises(ValueError, match=words):
        generate_market(**wish)  # type: ignore[arg-type]
