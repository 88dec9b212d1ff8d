"""The price path of a candle: open -> low -> high -> close, a third of the candle's time for each leg.

The legs are straight lines in whole milliseconds: the low is reached after one third, the high after two thirds, the
close in the last millisecond. Nothing here depends on when somebody asks.
"""

from __future__ import annotations

from decimal import Decimal

from trading.matching.model import Bar

Leg = tuple[int, Decimal, int, Decimal]


def legs(bar: Bar) -> tuple[Leg, Leg, Leg]:
    """The three straight lines as (from ms, from price, to ms, to price)."""
    length = bar.end_ms - bar.open_ms
    low_ms = bar.open_ms + length // 3
    high_ms = bar.open_ms + 2 * length // 3
    return (
        (bar.open_ms, bar.open, low_ms, bar.low),
        (low_ms, bar.low, high_ms, bar.high),
        (high_ms, bar.high, bar.end_ms - 1, bar.close),
    )


def price_at(bar: Bar, at_ms: int) -> Decimal:
    """The path's price at `at_ms`, which must lie inside the candle."""
    if not bar.open_ms <= at_ms < bar.end_ms:
        raise ValueError(f"{at_ms} is outside the candle {bar.open_ms}..{bar.end_ms}")
    for start_ms, start, stop_ms, stop in legs(bar):
        if at_ms <= stop_ms:
            if at_ms == stop_ms:
                return stop
            return start + (stop - start) * (at_ms - start_ms) / (stop_ms - start_ms)
    return bar.close


def first_touch(bar: Bar, *, from_ms: int, price: Decimal, falling: bool) -> int | None:
    """The first millisecond from `from_ms` on at which the path is at or below (`falling`) or at or above `price`."""
    if (bar.low > price) if falling else (bar.high < price):
        return None
    if from_ms >= bar.end_ms:
        return None
    for start_ms, start, stop_ms, stop in legs(bar):
        if stop_ms < from_ms:
            continue
        at_ms = max(from_ms, start_ms)
        here = start if at_ms == start_ms else price_at(bar, at_ms)
        if (here <= price) if falling else (here >= price):
            return at_ms
        if (stop <= price) if falling else (stop >= price):
            return max(at_ms, crossed_ms((start_ms, start, stop_ms, stop), price))
    return None


def crossed_ms(leg: Leg, price: Decimal) -> int:
    """The first millisecond at which the leg, which must reach it, is at or beyond `price`."""
    start_ms, start, stop_ms, stop = leg
    return start_ms + _ceil((price - start) * (stop_ms - start_ms) / (stop - start))


def _ceil(value: Decimal) -> int:
    whole = int(value)
    return whole if whole == value else whole + 1
