"""Reading, inspecting and resampling candles: what is wrong has a name and one rule."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from builders import START, candle, market_series, series_of
from hypothesis import given
from hypothesis import strategies as st

from trading.candle_quality import RULES, CandleDataError, IssueKind, Treatment, gaps_in, inspect
from trading.candles import CandleSeries, bucket_start, coarser_timeframes, parse_csv, resample, step_of

HOUR = timedelta(hours=1)
HEADER = "timestamp,open,high,low,close,volume"
GOOD = "2024-01-01T00:00:00Z,100,102,99,101,10"
NEXT = "2024-01-01T01:00:00Z,101,103,100,102,11"


def csv_of(*rows: str, header: str = HEADER) -> str:
    return "\n".join((header, *rows, ""))


def test_a_plain_file_becomes_a_series_with_exact_decimals() -> None:
    series = parse_csv(csv_of(GOOD, "2024-01-01T01:00:00Z,101,103,100,102.10,11.5"), symbol="BTC/USDT")

    assert (series.symbol, series.timeframe) == ("BTC/USDT", "1h")
    assert series.candles[1].close == Decimal("102.10")
    assert series.candles[1].open_time == datetime(2024, 1, 1, 1, tzinfo=UTC)


def test_columns_in_any_order_and_more_of_them_are_fine() -> None:
    text = csv_of(
        "5,2024-01-01T00:00:00Z,10,101,99,102,100",
        "6,2024-01-01T01:00:00Z,10,101,99,102,100",
        header="trades,Timestamp,volume,close,low,high,open",
    )

    assert parse_csv(text, symbol="BTC/USDT").candles[0] == candle()


def test_times_without_a_zone_are_utc_and_other_zones_are_brought_there() -> None:
    text = csv_of("2024-01-01 00:00:00,100,102,99,101,10", "2024-01-01T02:00:00+01:00,101,103,100,102,11")

    assert [c.open_time.hour for c in parse_csv(text, symbol="X/USDT").candles] == [0, 1]


@pytest.mark.parametrize(
    ("hours", "timeframe"), [((0, 1, 2, 7), "1h"), ((0, 4, 8, 16), "4h"), ((0, 24, 48, 120), "1d")]
)
def test_the_timeframe_is_the_most_common_step(hours: tuple[int, ...], timeframe: str) -> None:
    rows = [f"{(START + hour * HOUR).isoformat()},100,102,99,101,10" for hour in hours]

    assert parse_csv(csv_of(*rows), symbol="BTC/USDT").timeframe == timeframe


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["line 1", "timestamp", "nothing"]),
        (csv_of(GOOD, header="time,open,high,low,close,volume"), ["line 1", "timestamp is missing"]),
        (csv_of(), ["no rows"]),
        (csv_of(GOOD, "2024-01-01T01:00:00Z,101,103,100"), ["line 3", "4 values", "6"]),
        (csv_of(GOOD, "yesterday,101,103,100,102,11"), ["line 3", "column timestamp", "'yesterday'", "ISO 8601"]),
        (csv_of(GOOD, "2024-01-01T01:00:00Z,101,abc,100,102,11"), ["line 3", "column high", "'abc'", "finite decimal"]),
        (csv_of(GOOD, "2024-01-01T01:00:00Z,101,103,NaN,102,11"), ["line 3", "column low", "'NaN'"]),
        (csv_of(GOOD, "2024-01-01T01:00:00Z,101,103,100,102,Infinity"), ["line 3", "column volume"]),
        (csv_of(GOOD), ["one open time", "timeframe"]),
        (csv_of(GOOD, "2024-01-01T00:07:00Z,101,103,100,102,11"), ["most common step", "0:07:00", "15m"]),
    ],
)
def test_text_that_is_no_candle_file_is_refused_by_line_column_and_what_is_allowed(text: str, words: list[str]) -> None:
    with pytest.raises(CandleDataError) as refused:
        parse_csv(text, symbol="BTC/USDT")

    assert all(word in str(refused.value) for word in words), str(refused.value)


@pytest.mark.parametrize(
    ("row", "kind", "column"),
    [
        #                      open high low close volume
        ("2024-01-01T02:00:00Z,102,100,103,102,10", IssueKind.HIGH_BELOW_LOW, "high"),
        ("2024-01-01T02:00:00Z,99,103,100,102,10", IssueKind.OPEN_OUTSIDE, "open"),
        ("2024-01-01T02:00:00Z,102,103,100,104,10", IssueKind.CLOSE_OUTSIDE, "close"),
        ("2024-01-01T02:00:00Z,102,103,0,102,10", IssueKind.NON_POSITIVE_PRICE, "low"),
        ("2024-01-01T02:00:00Z,102,103,100,102,-1", IssueKind.NEGATIVE_VOLUME, "volume"),
        ("2024-01-01T02:17:00Z,102,103,100,102,10", IssueKind.OFF_GRID, "timestamp"),
        ("2024-01-01T01:00:00Z,101,103,100,102,99", IssueKind.CONTRADICTION, "timestamp"),
    ],
)
def test_an_impossible_candle_is_refused_with_its_line_and_the_name_of_what_is_wrong(
    row: str, kind: IssueKind, column: str
) -> None:
    with pytest.raises(CandleDataError) as refused:
        parse_csv(csv_of(GOOD, NEXT, row), symbol="BTC/USDT", timeframe="1h")

    assert "line 4" in str(refused.value)
    assert f"{kind} at" in str(refused.value)
    assert f"{column}:" in str(refused.value)
    assert RULES[kind][1] in str(refused.value)


def test_an_identical_duplicate_is_dropped_and_reported() -> None:
    first, second = candle(), candle(START + HOUR)

    inspection = inspect([first, second, second], step=HOUR)

    assert inspection.candles == (first, second)
    assert [(issue.kind, issue.treatment) for issue in inspection.issues] == [(IssueKind.DUPLICATE, Treatment.REPAIRED)]


def test_candles_out_of_order_are_sorted_and_reported() -> None:
    first, second, third = (candle(START + hour * HOUR) for hour in range(3))

    inspection = inspect([first, third, second], step=HOUR)

    assert inspection.candles == (first, second, third)
    assert [issue.kind for issue in inspection.issues] == [IssueKind.OUT_OF_ORDER]
    assert not inspection.refused


def test_a_gap_stays_a_gap_with_its_first_missing_time_and_length() -> None:
    candles = [candle(), candle(START + HOUR), candle(START + 5 * HOUR)]

    inspection = inspect(candles, step=HOUR)

    (gap,) = inspection.gaps
    assert (gap.at, gap.missing, gap.treatment) == (START + 2 * HOUR, 3, Treatment.KEPT)
    assert len(inspection.candles) == 3


def test_a_duplicate_does_not_hide_a_gap_of_equal_length() -> None:
    candles = [candle(), candle(START + 2 * HOUR), candle(START + 2 * HOUR)]

    assert [gap.missing for gap in inspect(candles, step=HOUR).gaps] == [1]


def test_every_kind_of_issue_has_a_rule() -> None:
    assert set(RULES) == set(IssueKind)


@given(st.sets(st.integers(0, 60), min_size=2), st.randoms(use_true_random=False))
def test_whatever_is_missing_or_shuffled_nothing_is_invented_and_all_gaps_add_up(hours: set[int], rng: object) -> None:
    candles = [candle(START + hour * HOUR) for hour in sorted(hours)]
    shuffled = candles.copy()
    rng.shuffle(shuffled)  # type: ignore[attr-defined]

    inspection = inspect([*shuffled, shuffled[0]], step=HOUR)

    assert list(inspection.candles) == candles
    span = max(hours) - min(hours) + 1
    assert sum(gap.missing for gap in inspection.gaps) == span - len(hours)


def test_a_candle_is_known_at_its_close_and_not_before() -> None:
    series = series_of([(100, 102, 99, 101), (101, 103, 100, 102)])

    assert len(series.closed_at(START + HOUR - timedelta(microseconds=1)).candles) == 0
    assert len(series.closed_at(START + HOUR).candles) == 1
    assert len(series.closed_at(START + 2 * HOUR).candles) == 2


def test_four_hours_become_one_candle() -> None:
    series = series_of(
        [
            # open high low close
            (100, 102, 99, 101),
            (101, 110, 100, 105),
            (105, 106, 90, 95),
            (95, 97, 94, 96),
        ]
    )

    resampled = resample(series, "4h")

    assert resampled.series.candles == (candle(START, 100, 110, 90, 96, 40),)
    assert resampled.incomplete == ()


def test_a_bucket_that_is_still_open_is_left_out_in_silence() -> None:
    series = series_of([(100, 102, 99, 101)] * 7)

    resampled = resample(series, "4h")

    assert [c.open_time for c in resampled.series.candles] == [START]
    assert resampled.incomplete == ()


def test_a_bucket_with_a_hole_is_left_out_and_stated() -> None:
    whole = series_of([(100, 102, 99, 101)] * 12)
    holed = CandleSeries(whole.symbol, "1h", whole.candles[:5] + whole.candles[6:])

    resampled = resample(holed, "4h")

    assert [c.open_time for c in resampled.series.candles] == [START, START + 8 * HOUR]
    assert resampled.incomplete == (START + 4 * HOUR,)


def test_a_hole_over_whole_buckets_states_each_of_them() -> None:
    whole = series_of([(100, 102, 99, 101)] * 16)
    holed = CandleSeries(whole.symbol, "1h", whole.candles[:4] + whole.candles[12:])

    assert resample(holed, "4h").incomplete == (START + 4 * HOUR, START + 8 * HOUR)


def test_a_series_that_begins_inside_a_bucket_does_not_call_it_a_hole() -> None:
    series = series_of([(100, 102, 99, 101)] * 6, start=START + 2 * HOUR)

    resampled = resample(series, "4h")

    assert [c.open_time for c in resampled.series.candles] == [START + 4 * HOUR]
    assert resampled.incomplete == ()


def test_finer_or_uneven_timeframes_cannot_be_resampled_to() -> None:
    with pytest.raises(ValueError, match="allowed are 4h, 1d"):
        resample(series_of([(100, 102, 99, 101)], timeframe="4h"), "1h")


def test_resampling_in_two_steps_is_resampling_in_one() -> None:
    series = market_series(days=14)  # shorter than the first block with an outage

    assert resample(resample(series, "4h").series, "1d").series == resample(series, "1d").series


@given(st.integers(1, 14 * 24))
def test_a_coarser_candle_never_changes_once_it_is_there(count: int) -> None:
    whole = market_series(days=14)
    known = CandleSeries(whole.symbol, "1h", whole.candles[:count])

    early, late = resample(known, "4h").series.candles, resample(whole, "4h").series.candles

    assert early == late[: len(early)]


def test_unknown_timeframes_are_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'2h' is unknown: allowed are 1m, 5m, 15m, 1h, 4h, 1d"):
        step_of("2h")


def test_coarser_timeframes_are_whole_multiples() -> None:
    assert coarser_timeframes("1h") == ("4h", "1d")
    assert coarser_timeframes("5m", ("15m", "1h", "4h", "1d")) == ("15m", "1h", "4h", "1d")
    assert coarser_timeframes("1d") == ()


def test_days_begin_at_midnight_utc() -> None:
    assert bucket_start(datetime(2024, 3, 5, 23, 59, tzinfo=UTC), timedelta(days=1)) == datetime(2024, 3, 5, tzinfo=UTC)


MARKET_FOLDER = Path(os.environ.get("PERENNIAL_TEST_MARKET", Path(__file__).parents[3] / "shared" / "market"))


@pytest.mark.parametrize(
    ("name", "candles", "gaps"),
    [
        ("BTCUSDT-1h-2019-06_2021-08", 18_982, 16),
        ("ETHUSDT-1h-2020-08_2021-12", 12_406, 0),
        ("BNBUSDT-1h-2020-08_2021-12", 12_406, 0),
        ("ADAUSDT-1h-2020-08_2021-12", 12_406, 0),
    ],
)
def test_recorded_markets_are_read_whole_and_their_gaps_found(name: str, candles: int, gaps: int) -> None:
    path = MARKET_FOLDER / f"{name}.csv.gz"
    if not path.exists():
        pytest.skip(f"no recorded market {path.name}: set PERENNIAL_TEST_MARKET to the folder that holds it")
    with gzip.open(path, "rt") as file:
        series = parse_csv(file.read(), symbol="BTC/USDT")

    assert (len(series.candles), series.timeframe) == (candles, "1h")
    assert len(gaps_in(series.candles, step=series.step)) == gaps
