"""What can be wrong with candles, each thing with a name and one rule: kept, repaired or refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trading.candles import Candle

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Treatment(StrEnum):
    """What is done about an issue. `KEPT` changes nothing and is reported; `REFUSED` means the data is not used."""

    KEPT = "kept"
    REPAIRED = "repaired"
    REFUSED = "refused"


class IssueKind(StrEnum):
    """The defects that are looked for."""

    GAP = "gap"
    DUPLICATE = "duplicate"
    OUT_OF_ORDER = "out_of_order"
    CONTRADICTION = "contradiction"
    OFF_GRID = "off_grid"
    NON_POSITIVE_PRICE = "non_positive_price"
    NEGATIVE_VOLUME = "negative_volume"
    HIGH_BELOW_LOW = "high_below_low"
    OPEN_OUTSIDE = "open_outside"
    CLOSE_OUTSIDE = "close_outside"


RULES: dict[IssueKind, tuple[Treatment, str]] = {
    IssueKind.GAP: (Treatment.KEPT, "missing candles stay missing; none is invented"),
    IssueKind.DUPLICATE: (Treatment.REPAIRED, "an identical repetition is dropped"),
    IssueKind.OUT_OF_ORDER: (Treatment.REPAIRED, "candles are sorted by their open time"),
    IssueKind.CONTRADICTION: (Treatment.REFUSED, "two candles of one open time must be identical"),
    IssueKind.OFF_GRID: (Treatment.REFUSED, "open times must be whole multiples of the timeframe, in UTC"),
    IssueKind.NON_POSITIVE_PRICE: (Treatment.REFUSED, "prices must be above 0"),
    IssueKind.NEGATIVE_VOLUME: (Treatment.REFUSED, "volume must be 0 or more"),
    IssueKind.HIGH_BELOW_LOW: (Treatment.REFUSED, "high must not be below low"),
    IssueKind.OPEN_OUTSIDE: (Treatment.REFUSED, "open must lie between low and high"),
    IssueKind.CLOSE_OUTSIDE: (Treatment.REFUSED, "close must lie between low and high"),
}
"""One rule a kind, for every reader of candles."""


class CandleDataError(ValueError):
    """Candles that must not be used; the message says where, what was wrong and what is allowed."""


@dataclass(frozen=True, slots=True)
class Issue:
    """One defect: `index` is the position in the input, `missing` the number of candles that a gap lacks."""

    kind: IssueKind
    at: datetime
    index: int
    column: str
    found: str
    missing: int = 0

    @property
    def treatment(self) -> Treatment:
        return RULES[self.kind][0]

    def __str__(self) -> str:
        return f"{self.kind} at {self.at:%Y-%m-%dT%H:%M:%SZ}, {self.column}: {self.found}; {RULES[self.kind][1]}"


@dataclass(frozen=True, slots=True)
class Inspection:
    """The candles as they may be used, and everything that was found. Raise on `refused` before using them."""

    candles: tuple[Candle, ...]
    issues: tuple[Issue, ...]

    @property
    def refused(self) -> tuple[Issue, ...]:
        return tuple(issue for issue in self.issues if issue.treatment is Treatment.REFUSED)

    @property
    def gaps(self) -> tuple[Issue, ...]:
        return tuple(issue for issue in self.issues if issue.kind is IssueKind.GAP)


def inspect(candles: Sequence[Candle], *, step: timedelta) -> Inspection:
    """Look at every candle once; repair what `RULES` repairs, name everything, invent nothing.

    With a refused issue the returned candles still hold the offending ones: the caller decides how to say no.
    """
    issues = [issue for index, candle in enumerate(candles) for issue in _faults(candle, index, step)]
    issues += _disorder(candles)
    kept: dict[datetime, Candle] = {}
    for index, candle in enumerate(candles):
        first = kept.get(candle.open_time)
        if first is None:
            kept[candle.open_time] = candle
            continue
        kind = IssueKind.DUPLICATE if first == candle else IssueKind.CONTRADICTION
        issues.append(Issue(kind, candle.open_time, index, "timestamp", "a second candle of this time"))
    ordered = tuple(sorted(kept.values(), key=lambda candle: candle.open_time))
    return Inspection(ordered, (*issues, *gaps_in(ordered, step=step)))


def gaps_in(candles: Sequence[Candle], *, step: timedelta) -> tuple[Issue, ...]:
    """Each run of missing candles between two that are there, `at` its first missing open time.

    `candles` are strictly increasing in time and on the grid."""
    if not candles or candles[-1].open_time - candles[0].open_time == (len(candles) - 1) * step:
        return ()
    found = []
    for index in range(1, len(candles)):
        distance = candles[index].open_time - candles[index - 1].open_time
        if distance > step:
            missing = distance // step - 1
            first_missing = candles[index - 1].open_time + step
            found.append(Issue(IssueKind.GAP, first_missing, index, "timestamp", f"{missing} missing", missing))
    return tuple(found)


def _disorder(candles: Sequence[Candle]) -> Iterator[Issue]:
    for index in range(1, len(candles)):
        if candles[index].open_time < candles[index - 1].open_time:
            found = f"after {candles[index - 1].open_time:%Y-%m-%dT%H:%M:%SZ}"
            yield Issue(IssueKind.OUT_OF_ORDER, candles[index].open_time, index, "timestamp", found)


def _faults(candle: Candle, index: int, step: timedelta) -> Iterator[Issue]:
    at = candle.open_time
    low, high = candle.low, candle.high
    if (at - EPOCH) % step:
        yield Issue(IssueKind.OFF_GRID, at, index, "timestamp", f"not on the grid of {step}")
    if min(candle.open, high, low, candle.close) <= 0:
        for column in ("open", "high", "low", "close"):
            if getattr(candle, column) <= 0:
                yield Issue(IssueKind.NON_POSITIVE_PRICE, at, index, column, str(getattr(candle, column)))
    if candle.volume < 0:
        yield Issue(IssueKind.NEGATIVE_VOLUME, at, index, "volume", str(candle.volume))
    if high < low:
        yield Issue(IssueKind.HIGH_BELOW_LOW, at, index, "high", f"high {high}, low {low}")
        return
    if not low <= candle.open <= high:
        yield Issue(IssueKind.OPEN_OUTSIDE, at, index, "open", f"{candle.open} outside {low} to {high}")
    if not low <= candle.close <= high:
        yield Issue(IssueKind.CLOSE_OUTSIDE, at, index, "close", f"{candle.close} outside {low} to {high}")
