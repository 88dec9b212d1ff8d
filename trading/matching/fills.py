"""The fill model: pure functions over one order and one candle, shared by the simulated exchange and the back-tester.

An order acts at instants: when it reaches the engine (`effective_ms`), when the path touches its stop, when the path
trades through its limit. `next_instant` finds the next one, `act` says what happens there. Between instants nothing
changes, so it does not matter when, or in how many pieces, somebody lets the market run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, Decimal

from trading.matching.book import ask_at, bid_at
from trading.matching.draws import queue_place, trade_id, unit
from trading.matching.filters import Filters, down_to, up_to
from trading.matching.model import (
    STOPS,
    TAKE_PROFITS,
    TRIGGERED,
    ZERO,
    Bar,
    Fill,
    Kind,
    Order,
    Phase,
    Side,
    Status,
    Tif,
)
from trading.matching.path import first_touch, price_at
from trading.matching.triggers import trigger_reached, triggers_in

LATENCY_MS = 1000
"""An order sent at T meets prices from one second of market time later."""
_EIGHT = Decimal("0.00000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class FillModel:
    """The numbers of the fill model, all fractions.

    `slippage` is paid by every taker beyond the quoted price, `impact` in proportion to the share of the candle's
    available volume it takes. `volume_share` bounds what one account takes of one candle; one order sees between
    `least_liquidity` and all of that share, by its draw.
    """

    seed: int
    maker_fee: Decimal = Decimal("0.001")
    taker_fee: Decimal = Decimal("0.001")
    slippage: Decimal = Decimal("0.0002")
    impact: Decimal = Decimal("0.001")
    volume_share: Decimal = Decimal("0.1")
    least_liquidity: Decimal = Decimal("0.3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """One symbol as the fill model needs it."""

    symbol: str
    base: str
    quote: str
    filters: Filters


@dataclass(frozen=True, slots=True)
class Step:
    """What one order did at one instant. `is_event` is false for steps nobody outside can see."""

    order: Order
    fill: Fill | None
    is_event: bool
    stop_hit: bool = False
    """Whether a stop's trigger was reached (a take-profit's is an event, but no stop)."""


def account_capacity(bar: Bar, *, model: FillModel, venue: Venue) -> Decimal:
    """The most one account may take of this candle, in base units."""
    if bar.bid is not None:
        return bar.volume
    return down_to(bar.volume * model.volume_share, venue.filters.step)


def order_liquidity(order: Order, bar: Bar, *, model: FillModel, venue: Venue) -> Decimal:
    """What this order finds in this candle, whatever others do: a draw of (seed, symbol, candle, client id)."""
    if bar.bid is not None:
        return bar.ask_quantity if order.side is Side.BUY else bar.bid_quantity
    drawn = unit("liquidity", model.seed, venue.symbol, bar.open_ms, order.client_id)
    share = model.least_liquidity + (1 - model.least_liquidity) * drawn
    return down_to(bar.volume * model.volume_share * share, venue.filters.step)


def next_instant(order: Order, bar: Bar, *, after_ms: int, tick: Decimal) -> int | None:
    """The first millisecond after `after_ms` at which `order` acts inside `bar`, or `None`.

    A trailing order that tracks also acts in the candle's last millisecond, where it takes the candle's best price in.
    """
    if order.phase is not Phase.WORKING:
        if order.phase is Phase.WAITING:
            return None
        return order.effective_ms if max(after_ms + 1, bar.open_ms) <= order.effective_ms < bar.end_ms else None
    start_ms = max(after_ms + 1, order.eligible_ms, bar.open_ms)
    if order.waits_for_stop:
        if order.trailing_bips is not None and order.extreme is not None:
            at_ms = triggers_in(order, bar, after_ms=after_ms)
            is_behind = order.tracked_ms < bar.end_ms - 1 and after_ms < bar.end_ms - 1
            return at_ms if at_ms is not None else bar.end_ms - 1 if is_behind else None
        assert order.stop_price is not None
        return first_touch(bar, from_ms=start_ms, price=order.stop_price, falling=order.triggers_falling)
    assert order.price is not None
    buying = order.side is Side.BUY
    if bar.bid is not None and bar.ask is not None:
        is_reached = bar.ask <= order.price if buying else bar.bid >= order.price
        return start_ms if is_reached and start_ms < bar.end_ms else None
    through = order.price - tick if buying else order.price + tick
    return first_touch(bar, from_ms=start_ms, price=through, falling=buying)


def priority(orders: Iterable[Order], bar: Bar, *, seed: int) -> list[Order]:
    """Orders of one instant in the venue's order: stops first, then by queue place."""
    return sorted(
        orders,
        key=lambda o: (
            not o.waits_for_stop,
            queue_place(seed=seed, symbol=o.symbol, candle_ms=bar.open_ms, client_id=o.client_id),
            o.account,
            o.order_id,
        ),
    )


def act(
    order: Order,
    bar: Bar,
    at_ms: int,
    *,
    model: FillModel,
    venue: Venue,
    available: Decimal,
    spendable: Decimal,
) -> Step:
    """What `order` does at `at_ms` inside `bar`.

    `available` is what is left of the account's share of this candle (base units); `spendable` what the order may pay
    with. A working order takes at most one fill from a candle; what remains waits for the next.
    """
    tick = venue.filters.tick

    def liquidity() -> Decimal:
        return min(available, order_liquidity(order, bar, model=model, venue=venue))

    arriving = order.phase is Phase.PENDING
    working = replace(order, phase=Phase.WORKING, eligible_ms=at_ms + 1) if arriving else order
    price = price_at(bar, at_ms)

    if working.waits_for_stop:
        reference = trigger_reached(working, bar, at_ms, price, arriving=arriving)
        if isinstance(reference, Order):
            return Step(reference, None, False)
        triggered = replace(working, triggered=True, updated_ms=at_ms)
        step = _take_or_rest(triggered, bar, at_ms, reference, liquidity(), spendable, model, venue)
        return Step(step.order, step.fill, True, working.kind in STOPS)
    if arriving and working.held_until_ms > at_ms:
        return Step(replace(working, eligible_ms=working.held_until_ms), None, False)
    if arriving:
        if working.kind is Kind.LIMIT_MAKER and _marketable(working, bar, price, tick):
            return Step(_closed(working, Status.EXPIRED, at_ms), None, True)
        return _take_or_rest(working, bar, at_ms, price, liquidity(), spendable, model, venue)
    assert working.price is not None
    return _filled(working, bar, at_ms, working.price, liquidity(), spendable, model, venue, is_maker=True)


def expire(order: Order, at_ms: int) -> Step:
    """What an arriving order does when there is no market any more: it rests if it can, else it expires."""
    if order.rests or order.kind in TRIGGERED:
        return Step(replace(order, phase=Phase.WORKING, eligible_ms=at_ms + 1), None, False)
    return Step(_closed(order, Status.EXPIRED, at_ms), None, True)


def cancel(order: Order, at_ms: int) -> Order:
    """`order`, cancelled: what was filled stays filled."""
    return _closed(order, Status.CANCELED, at_ms)


def held_target(order: Order, bar: Bar, *, entry_price: Decimal) -> Order:
    """`order`, kept out of `bar` when it is the target of an entry filled there: it lies beyond the entry's price.

    An entry filled inside a candle reaches its target at the earliest in the next one (venue.md).
    """
    price = order.target_price
    if not order.is_target or price is None or (order.kind not in TAKE_PROFITS and not order.rests):
        return order
    beyond = price > entry_price if order.side is Side.SELL else price < entry_price
    return replace(order, held_until_ms=bar.end_ms) if beyond else order


def ambiguous_with(order: Order, bar: Bar, others: Sequence[Order]) -> bool:
    """Whether the stop `order`, hit in `bar`, shared the candle with a target of its side that was in reach too."""
    return any(
        other.phase is not Phase.WAITING
        and other.side is order.side
        and (other.triggered or other.is_target)
        and (price := other.price if other.triggered else other.target_price) is not None
        and (bar.high > price if other.side is Side.SELL else bar.low < price)
        for other in others
    )


def closed(order: Order, status: Status, at_ms: int, *, reason: str = "NONE") -> Order:
    """`order` as it ends without a further fill; it holds nothing any more."""
    return replace(_closed(order, status, at_ms), reject_reason=reason)


def _marketable(order: Order, bar: Bar, price: Decimal, tick: Decimal) -> bool:
    if order.price is None:
        return True
    quoted = _quoted(order.side, bar, price, tick)
    return order.price >= quoted if order.side is Side.BUY else order.price <= quoted


def _quoted(side: Side, bar: Bar, price: Decimal, tick: Decimal) -> Decimal:
    """What a taker meets: the book's own best price in a live quote, else one half spread from the path's."""
    if side is Side.BUY:
        return ask_at(price, tick) if bar.ask is None else bar.ask
    return bid_at(price, tick) if bar.bid is None else bar.bid


def _take_or_rest(
    order: Order,
    bar: Bar,
    at_ms: int,
    reference: Decimal,
    liquidity: Decimal,
    spendable: Decimal,
    model: FillModel,
    venue: Venue,
) -> Step:
    """Take at `reference` what the limit allows; the rest rests, or expires."""
    if _marketable(order, bar, reference, venue.filters.tick):
        if order.tif is Tif.FOK and liquidity < order.remaining:
            return Step(_closed(order, Status.EXPIRED, at_ms), None, True)
        return _filled(order, bar, at_ms, reference, liquidity, spendable, model, venue, is_maker=False)
    if order.rests:
        return Step(replace(order, eligible_ms=at_ms + 1), None, False)
    return Step(_closed(order, Status.EXPIRED, at_ms), None, True)


def _filled(
    order: Order,
    bar: Bar,
    at_ms: int,
    reference: Decimal,
    liquidity: Decimal,
    spendable: Decimal,
    model: FillModel,
    venue: Venue,
    *,
    is_maker: bool,
) -> Step:
    """Fill what liquidity and money allow; a resting rest waits for the next candle, any other rest expires.

    A resting iceberg shows one part at a time and goes to the end of the queue with the next: one part a candle.
    """
    filters = venue.filters
    price = reference if is_maker else _taker_price(order, bar, reference, liquidity, model, filters)
    wanted = order.remaining
    if order.quote_quantity is not None:
        wanted = down_to(order.quote_quantity / price, filters.step)
    quantity = min(wanted, liquidity)
    if is_maker and order.iceberg:
        quantity = min(quantity, order.iceberg)
    affordable = spendable / price if order.side is Side.BUY else spendable
    if affordable < quantity:
        quantity = down_to(affordable, filters.step)
    if quantity <= 0:
        if order.rests:
            return Step(replace(order, eligible_ms=bar.end_ms), None, False)
        return Step(_closed(order, Status.EXPIRED, at_ms), None, True)
    fill = _fill(order, at_ms, price, quantity, model, venue, is_maker=is_maker)
    after = replace(
        order,
        executed=order.executed + quantity,
        executed_quote=order.executed_quote + fill.quote,
        fills=order.fills + 1,
        updated_ms=at_ms,
        eligible_ms=bar.end_ms,
    )
    if order.quote_quantity is not None:
        after = replace(after, quantity=wanted)
    if after.remaining <= 0:
        return Step(_closed(after, Status.FILLED, at_ms), fill, True)
    if order.rests:
        partial = replace(after, status=Status.PARTIALLY_FILLED)
        return Step(replace(partial, locked=lock_of_resting(partial)), fill, True)
    return Step(_closed(after, Status.EXPIRED, at_ms), fill, True)


def lock_of_resting(order: Order) -> Decimal:
    """What a resting order holds: the rest at its limit price (buy) or the rest itself (sell)."""
    if order.side is Side.SELL:
        return order.remaining
    assert order.price is not None
    return order.remaining * order.price


def _taker_price(
    order: Order, bar: Bar, reference: Decimal, liquidity: Decimal, model: FillModel, filters: Filters
) -> Decimal:
    """The quoted price, worse by slippage and impact, on the tick grid, never beyond the order's limit."""
    if bar.bid is not None:
        return _quoted(order.side, bar, reference, filters.tick)
    capacity = bar.volume * model.volume_share
    wanted = order.remaining if order.quote_quantity is None else order.quote_quantity / reference
    share = min(wanted, liquidity) / capacity if capacity else ZERO
    worse = model.slippage + model.impact * share
    if order.side is Side.BUY:
        price = up_to(ask_at(reference, filters.tick) * (1 + worse), filters.tick)
        return price if order.price is None else min(price, order.price)
    price = max(down_to(bid_at(reference, filters.tick) * (1 - worse), filters.tick), filters.tick)
    return price if order.price is None else max(price, order.price)


def _fill(
    order: Order, at_ms: int, price: Decimal, quantity: Decimal, model: FillModel, venue: Venue, *, is_maker: bool
) -> Fill:
    buying = order.side is Side.BUY
    quote = price * quantity
    rate = model.maker_fee if is_maker else model.taker_fee
    received = quantity if buying else quote
    return Fill(
        account=order.account,
        symbol=order.symbol,
        trade_id=trade_id(seed=model.seed, symbol=order.symbol, order=order.order_id, number=order.fills, at_ms=at_ms),
        order_id=order.order_id,
        client_id=order.client_id,
        side=order.side,
        price=price,
        quantity=quantity,
        quote=quote,
        commission=(received * rate).quantize(_EIGHT, rounding=ROUND_DOWN),
        commission_asset=venue.base if buying else venue.quote,
        is_maker=is_maker,
        at_ms=at_ms,
    )


def _closed(order: Order, status: Status, at_ms: int) -> Order:
    return replace(order, status=status, phase=Phase.WORKING, updated_ms=at_ms, locked=ZERO)
