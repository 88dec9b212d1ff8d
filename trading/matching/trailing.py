"""Trailing orders: the price that triggers them follows the best price since they track, by `trailing_bips`.

A selling order trails the highest price and triggers below it, a buying order the lowest and triggers above it. What it
knows is brought up to date at instants that follow from the candles alone, so it does not matter when somebody asks.
"""

from __future__ import annotations

from decimal import Decimal

from trading.matching.model import Bar, Order, Side
from trading.matching.path import crossed_ms, first_touch, legs, price_at

_WHOLE = 10_000


def trigger_price(extreme: Decimal, bips: int, side: Side) -> Decimal:
    """The price that triggers an order whose best price so far is `extreme`; 100 bips are one percent."""
    return extreme * (_WHOLE - bips if side is Side.SELL else _WHOLE + bips) / _WHOLE


def better(one: Decimal, other: Decimal, side: Side) -> Decimal:
    """The price a trailing order of `side` keeps of two: the higher when it sells, the lower when it buys."""
    return max(one, other) if side is Side.SELL else min(one, other)


def first_trigger(bar: Bar, *, from_ms: int, extreme: Decimal, bips: int, side: Side) -> int | None:
    """The first millisecond from `from_ms` on at which an order that tracks with `extreme` triggers inside `bar`."""
    if from_ms >= bar.end_ms:
        return None
    selling = side is Side.SELL
    for leg in legs(bar):
        start_ms, start, stop_ms, stop = leg
        if stop_ms < from_ms:
            continue
        at_ms = max(from_ms, start_ms)
        here = start if at_ms == start_ms else price_at(bar, at_ms)
        trigger = trigger_price(extreme, bips, side)
        if (here <= trigger) if selling else (here >= trigger):
            return at_ms
        extreme = better(extreme, here, side)
        trigger = trigger_price(extreme, bips, side)
        if (stop <= trigger) if selling else (stop >= trigger):
            return max(at_ms, crossed_ms(leg, trigger))
        extreme = better(extreme, stop, side)
    return None


def extreme_until(order: Order, bar: Bar, at_ms: int) -> Decimal:
    """The best price since the order tracks, with the path of `bar` up to `at_ms`."""
    assert order.extreme is not None
    from_ms, best = max(order.tracked_ms, bar.open_ms), order.extreme
    for at, price in ((from_ms, price_at(bar, from_ms)), (at_ms, price_at(bar, at_ms))):
        if at <= at_ms:
            best = better(best, price, order.side)
    for _, _, stop_ms, stop in legs(bar):
        if from_ms <= stop_ms <= at_ms:
            best = better(best, stop, order.side)
    return best


def triggers_in(order: Order, bar: Bar, *, after_ms: int) -> int | None:
    """When a resting order of a triggered type reaches its trigger in what is left of `bar` after `after_ms`."""
    from_ms = max(after_ms + 1, order.eligible_ms, bar.open_ms)
    if order.trailing_bips is None:
        assert order.stop_price is not None
        return first_touch(bar, from_ms=from_ms, price=order.stop_price, falling=order.triggers_falling)
    extreme = order.extreme
    if extreme is None:
        assert order.stop_price is not None
        begins = first_touch(bar, from_ms=from_ms, price=order.stop_price, falling=order.triggers_falling)
        if begins is None:
            return None
        extreme, from_ms = begun_at(order, bar, begins), begins
    else:
        from_ms = max(order.tracked_ms + 1, bar.open_ms)
    return first_trigger(bar, from_ms=from_ms, extreme=extreme, bips=order.trailing_bips, side=order.side)


def begun_at(order: Order, bar: Bar, at_ms: int) -> Decimal:
    """The first price a trailing order tracks: its stop price, or the market's where that is beyond it already."""
    if order.stop_price is None or at_ms in (bar.open_ms, order.eligible_ms):
        return price_at(bar, at_ms)
    return order.stop_price
