"""Orders that wait for a price: stops, take-profits, and trailing ones, whose trigger follows the best price.

A selling order trails the highest price and triggers below it, a buying order the lowest and triggers above it. What it
knows is brought up to date at instants that follow from the candles alone, so it does not matter when somebody asks.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from trading.matching.model import TAKE_PROFITS, Bar, Order, Side
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


def trigger_reached(order: Order, bar: Bar, at_ms: int, price: Decimal, *, arriving: bool) -> Decimal | Order:
    """The price the order's trigger was reached at; where it was not, the order as it waits on."""
    if order.trailing_bips is not None:
        return _trailed(order, bar, at_ms, price, arriving=arriving)
    assert order.stop_price is not None
    if arriving:
        # A take-profit that arrives beyond its price acts an instant later: a stop beside it in its list goes first.
        if order.kind in TAKE_PROFITS:
            return replace(order, eligible_ms=max(at_ms + 1, order.held_until_ms))
        beyond = price <= order.stop_price if order.triggers_falling else price >= order.stop_price
        return price if beyond else order
    at_once = at_ms == bar.open_ms or (order.kind in TAKE_PROFITS and at_ms == order.eligible_ms)
    return price if at_once else order.stop_price


def _trailed(order: Order, bar: Bar, at_ms: int, price: Decimal, *, arriving: bool) -> Decimal | Order:
    assert order.trailing_bips is not None
    if order.extreme is None:
        if arriving and order.stop_price is not None:
            return replace(order, eligible_ms=max(at_ms + 1, order.held_until_ms))
        begun = price if arriving else begun_at(order, bar, at_ms)
        return replace(order, extreme=begun, tracked_ms=at_ms, tracking_since_ms=at_ms, updated_ms=at_ms)
    start_ms = max(order.tracked_ms + 1, bar.open_ms)
    bips, side = order.trailing_bips, order.side
    if first_trigger(bar, from_ms=start_ms, extreme=order.extreme, bips=bips, side=side) != at_ms:
        return replace(order, extreme=extreme_until(order, bar, at_ms), tracked_ms=at_ms)
    return price if at_ms == start_ms else trigger_price(extreme_until(order, bar, at_ms), bips, side)
