"""A candle (or a piece of one) over many orders: what the back-tester calls, built of the exchange's own steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from trading.matching.fills import (
    FillModel,
    Step,
    Venue,
    account_capacity,
    act,
    ambiguous_with,
    closed,
    lock_of_resting,
    next_instant,
    priority,
)
from trading.matching.model import PRICED, STOPS, ZERO, Bar, Fill, Order, Phase, Status
from trading.matching.triggers import triggers_in


@dataclass(frozen=True, slots=True)
class CandleRun:
    """The orders after the run, in the order given; fills in market order; what each account took of the candle."""

    orders: tuple[Order, ...]
    fills: tuple[Fill, ...]
    used: Mapping[str, Decimal]
    ambiguous: bool


def rivals(order: Order, orders: Sequence[Order]) -> list[Order]:
    """The open legs that exclude `order`: those of its list that are in the engine beside it."""
    if order.list_id < 0:
        return []
    return [
        other
        for other in orders
        if other.list_id == order.list_id
        and other.order_id != order.order_id
        and other.phase is not Phase.WAITING
        and other.is_open
    ]


def instant_of(order: Order, orders: Sequence[Order], bar: Bar, *, after_ms: int, tick: Decimal) -> int | None:
    """`next_instant`, except that a target stays still in a candle in which the stop of its list will be reached."""
    at_ms = next_instant(order, bar, after_ms=after_ms, tick=tick)
    if at_ms is None or order.list_id < 0 or order.phase is Phase.PENDING or not order.is_target:
        return at_ms
    for rival in rivals(order, orders):
        waits = rival.kind in STOPS and rival.waits_for_stop and rival.phase is Phase.WORKING
        if waits and triggers_in(rival, bar, after_ms=after_ms) is not None:
            return None
    return at_ms


def steps_at(
    orders: Sequence[Order],
    bar: Bar,
    at_ms: int,
    *,
    model: FillModel,
    venue: Venue,
    used: dict[str, Decimal],
    spendable: Callable[[Order], Decimal],
    settle: Callable[[Order, Step], None],
) -> bool:
    """Let every order that acts at `at_ms` act, in the venue's order; each step is settled before the next is taken.

    `used` (account -> base units taken of this candle) is brought up to date. A leg that triggers, fills or ends ends
    its rivals first (`EXPIRED`) and takes over what they lock. Returns whether a stop was hit in a candle whose other
    extreme would have filled a target of the same side and account: its true order is unknowable.
    """
    tick = venue.filters.tick
    acting = [o for o in orders if instant_of(o, orders, bar, after_ms=at_ms - 1, tick=tick) == at_ms]
    ended: set[int] = set()
    ambiguous = False
    for order in priority(acting, bar, seed=model.seed):
        if order.order_id in ended:
            continue
        others = [o for o in rivals(order, orders) if o.order_id not in ended]
        before = replace(order, locked=order.locked + sum(o.locked for o in others)) if others else order
        taken = used.get(order.account, ZERO)
        left = max(account_capacity(bar, model=model, venue=venue) - taken, ZERO)
        step = act(before, bar, at_ms, model=model, venue=venue, available=left, spendable=spendable(before))
        if step.fill is not None:
            used[order.account] = taken + step.fill.quantity
        if step.stop_hit:
            same = [o for o in orders if o.account == order.account and o.order_id != order.order_id]
            ambiguous = ambiguous or ambiguous_with(order, bar, same)
        if others and _decides(before, step):
            for other in others:
                ended.add(other.order_id)
                gone = replace(other, locked=ZERO)
                settle(gone, Step(closed(gone, Status.EXPIRED, at_ms), None, True))
            step = _with_own_lock(step)
        elif others:
            before, step = order, replace(step, order=replace(step.order, locked=order.locked))
        settle(before, step)
    return ambiguous


def _decides(before: Order, step: Step) -> bool:
    """Whether the step makes this leg the one that lives: it triggered, filled or ended."""
    return step.fill is not None or not step.order.is_open or step.order.triggered is not before.triggered


def _with_own_lock(step: Step) -> Step:
    """A leg that rests after it took over a lock keeps what it needs itself."""
    order = step.order
    if not order.is_open or order.kind not in PRICED:
        return step
    return replace(step, order=replace(order, locked=min(order.locked, lock_of_resting(order))))


def run_candle(
    orders: Sequence[Order],
    bar: Bar,
    *,
    model: FillModel,
    venue: Venue,
    after_ms: int | None = None,
    until_ms: int | None = None,
    used: Mapping[str, Decimal] | None = None,
    spendable: Callable[[Order], Decimal] | None = None,
) -> CandleRun:
    """Run `bar` from just after `after_ms` (default: its start) to `until_ms` (default: its end) without stopping.

    Without `spendable` money never limits a fill. Pure: two runs over two halves equal one run over the whole.
    """
    book = {order.order_id: order for order in orders}
    fills: list[Fill] = []
    taken = dict(used or {})
    ambiguous = False

    def settle(before: Order, step: Step) -> None:
        book[before.order_id] = step.order
        if step.fill is not None:
            fills.append(step.fill)

    def unlimited(order: Order) -> Decimal:
        return Decimal("Infinity")

    now_ms = bar.open_ms - 1 if after_ms is None else after_ms
    last_ms = bar.end_ms - 1 if until_ms is None else until_ms
    while True:
        opened = [order for order in book.values() if order.is_open]
        instants = [instant_of(o, opened, bar, after_ms=now_ms, tick=venue.filters.tick) for o in opened]
        due = [at for at in instants if at is not None and at <= last_ms]
        if not due:
            return CandleRun(tuple(book[o.order_id] for o in orders), tuple(fills), taken, ambiguous)
        now_ms = min(due)
        hit = steps_at(
            opened, bar, now_ms, model=model, venue=venue, used=taken, spendable=spendable or unlimited, settle=settle
        )
        ambiguous = ambiguous or hit
