"""Candles: open-time stamped, known at their close; read from text, and brought to coarser timeframes."""

from __future__ import annotations

import csv
import io
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

from trading.candle_quality import EPOCH, CandleDataError, Inspection, inspect

TIMEFRAMES: dict[str, timedelta] = {
    "1m": timedelta(minutes=1),
    "5m": timedelta(minutes=5),
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "1d": timedelta(days=1),
}

COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")


class Candle(NamedTuple):
    """One bar. `open_time` is aware UTC; prices in quote units, volume in base units."""

    open_time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


@dataclass(frozen=True, slots=True)
class CandleSeries:
    """Candles of one symbol and timeframe, oldest first, strictly increasing in time."""

    symbol: str
    timeframe: str
    candles: tuple[Candle, ...]

    @property
    def step(self) -> timedelta:
        return TIMEFRAMES[self.timeframe]

    def closed_at(self, as_of: datetime) -> CandleSeries:
        """Only the candles that had closed at `as_of`: a candle is known at its close, not at its open."""
        count = bisect_right(self.candles, as_of - self.step, key=attrgetter("open_time"))
        return CandleSeries(self.symbol, self.timeframe, self.candles[:count])

    def last(self, count: int) -> CandleSeries:
        """The newest `count` candles, or all where there are fewer."""
        return CandleSeries(self.symbol, self.timeframe, self.candles[-count:] if count else ())


def step_of(timeframe: str) -> timedelta:
    """The length of `timeframe`, or `ValueError` that names the known ones."""
    try:
        return TIMEFRAMES[timeframe]
    except KeyError:
        raise ValueError(f"timeframe {timeframe!r} is unknown: allowed are {', '.join(TIMEFRAMES)}") from None


def bucket_start(at: datetime, step: timedelta) -> datetime:
    """The open time of the candle of length `step` that `at` falls into; days start at 00:00 UTC."""
    return at - (at - EPOCH) % step


def coarser_timeframes(timeframe: str, among: Sequence[str] = tuple(TIMEFRAMES)) -> tuple[str, ...]:
    """Those of `among` that are longer than `timeframe` and a whole multiple of it, shortest first."""
    step = step_of(timeframe)
    longer = (name for name in among if step_of(name) > step and not step_of(name) % step)
    return tuple(sorted(longer, key=step_of))


def parse_csv(text: str, *, symbol: str, timeframe: str | None = None) -> CandleSeries:
    """The candles of a CSV text with the columns `timestamp,open,high,low,close,volume` (any order, others ignored).

    Times are ISO 8601; one without a zone is UTC. Without `timeframe` it is the most common step. Identical
    duplicates are dropped and rows are sorted; gaps stay gaps. Anything else that `candle_quality.RULES` refuses
    raises `CandleDataError`, which names the line, the column, what was found and what is allowed.
    """
    candles, lines = _read_rows(text, symbol)
    chosen = timeframe or _infer_timeframe(candles, symbol)
    inspection = inspect(candles, step=step_of(chosen))
    _refuse(inspection, lines, symbol)
    return CandleSeries(symbol, chosen, inspection.candles)


def _refuse(inspection: Inspection, lines: Sequence[int], symbol: str) -> None:
    refused = inspection.refused
    if refused:
        first, more = refused[0], len(refused) - 1
        rest = f" ({more} more like it or others)" if more else ""
        raise CandleDataError(f"candles of {symbol}, line {lines[first.index]}: {first}{rest}")


def _read_rows(text: str, symbol: str) -> tuple[list[Candle], list[int]]:
    reader = csv.reader(io.StringIO(text))
    header = [name.strip().lower().lstrip("\ufeff") for name in next(reader, [])]
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise CandleDataError(
            f"candles of {symbol}, line 1: column {', '.join(missing)} is missing; "
            f"allowed is a header with {','.join(COLUMNS)}, found {','.join(header) or 'nothing'}"
        )
    places = [header.index(name) for name in COLUMNS]
    candles: list[Candle] = []
    lines: list[int] = []
    for row in reader:
        if not row:
            continue
        if len(row) <= max(places):
            raise CandleDataError(
                f"candles of {symbol}, line {reader.line_num}: {len(row)} values; allowed are {len(header)}, "
                "as many as the header has columns"
            )
        where = f"candles of {symbol}, line {reader.line_num}"
        at = _read_time(row[places[0]], where)
        numbers = [_read_number(row[place], where, name) for place, name in zip(places[1:], COLUMNS[1:], strict=True)]
        candles.append(Candle(at, *numbers))
        lines.append(reader.line_num)
    if not candles:
        raise CandleDataError(f"candles of {symbol}: no rows; allowed is one candle a line under the header")
    return candles, lines


def _read_time(text: str, where: str) -> datetime:
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise CandleDataError(
            f"{where}, column timestamp: {text!r}; allowed is ISO 8601 like 2020-03-12T10:00:00Z"
        ) from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _read_number(text: str, where: str, column: str) -> Decimal:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise CandleDataError(f"{where}, column {column}: {text!r}; allowed is a finite decimal number")
    return number


def _infer_timeframe(candles: Sequence[Candle], symbol: str) -> str:
    times = sorted({candle.open_time for candle in candles})
    steps = Counter(later - earlier for earlier, later in pairwise(times))
    if not steps:
        raise CandleDataError(f"candles of {symbol}: one open time gives no timeframe; name it or bring two candles")
    most_common = min(steps, key=lambda step: (-steps[step], step))
    for name, step in TIMEFRAMES.items():
        if step == most_common:
            return name
    raise CandleDataError(
        f"candles of {symbol}: the most common step is {most_common}; allowed are {', '.join(TIMEFRAMES)}"
    )


@dataclass(frozen=True, slots=True)
class Resampled:
    """A coarser series and the open times of its buckets that were left out because candles were missing in them."""

    series: CandleSeries
    incomplete: tuple[datetime, ...]


def resample(series: CandleSeries, timeframe: str) -> Resampled:
    """Candles of a coarser `timeframe`, only from buckets that are closed and complete.

    A bucket is closed once a candle of `series` reaches its end or lies beyond it; the forming one, and a first one
    that began before the series did, are left out in silence. A closed bucket that lacks a candle is left out and
    stated in `incomplete`: a high, a low or a volume with a hole in it would be a guess.
    Raises `ValueError` where `timeframe` is not a whole multiple of the series' own.
    """
    step = step_of(timeframe)
    if timeframe == series.timeframe:
        return Resampled(series, ())
    if step < series.step or step % series.step:
        allowed = ", ".join((series.timeframe, *coarser_timeframes(series.timeframe)))
        raise ValueError(f"cannot resample {series.timeframe} candles to {timeframe}: allowed are {allowed}")
    if not series.candles:
        return Resampled(CandleSeries(series.symbol, timeframe, ()), ())
    begins, ends = series.candles[0].open_time, series.candles[-1].open_time + series.step
    size = step // series.step
    merged: list[Candle] = []
    incomplete: list[datetime] = []
    at, place = bucket_start(begins, step), 0
    while at + step <= ends:
        first, place = place, _first_from(series.candles, at + step, place)
        if place - first == size:
            merged.append(_merge(at, series.candles[first:place]))
        elif at >= begins:
            incomplete.append(at)
        at += step
    return Resampled(CandleSeries(series.symbol, timeframe, tuple(merged)), tuple(incomplete))


def _first_from(candles: Sequence[Candle], at: datetime, place: int) -> int:
    """The index of the first candle from `place` on that does not open before `at`."""
    while place < len(candles) and candles[place].open_time < at:
        place += 1
    return place


def _merge(at: datetime, inside: Sequence[Candle]) -> Candle:
    return Candle(
        at,
        inside[0].open,
        max(candle.high for candle in inside),
        min(candle.low for candle in inside),
        inside[-1].close,
        sum((candle.volume for candle in inside), Decimal(0)),
    )
