"""A candle (or a piece of one) over many orders: what the back-tester calls, built of the exchange's own steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from trading.matching.fills import FillModel, Step, Venue, account_capacity, act, ambiguous_with, next_instant, priority
from trading.matching.model import ZERO, Bar, Fill, Order


@dataclass(frozen=True, slots=True)
class CandleRun:
    """The orders after the run, in the order given; fills in market order; what each account took of the candle."""

    orders: tuple[Order, ...]
    fills: tuple[Fill, ...]
    used: Mapping[str, Decimal]
    ambiguous: bool


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

    `used` (account -> base units taken of this candle) is brought up to date. Returns whether a stop was hit in a
    candle whose other extreme would have filled a limit of the same side and account: its true order is unknowable.
    """
    tick = venue.filters.tick
    acting = [o for o in orders if next_instant(o, bar, after_ms=at_ms - 1, tick=tick) == at_ms]
    ambiguous = False
    for order in priority(acting, bar, seed=model.seed):
        taken = used.get(order.account, ZERO)
        left = max(account_capacity(bar, model=model, venue=venue) - taken, ZERO)
        step = act(order, bar, at_ms, model=model, venue=venue, available=left, spendable=spendable(order))
        if step.fill is not None:
            used[order.account] = taken + step.fill.quantity
        if step.stop_hit:
            same = [o for o in orders if o.account == order.account and o.order_id != order.order_id]
            ambiguous = ambiguous or ambiguous_with(order, bar, same)
        settle(order, step)
    return ambiguous


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
        instants = [next_instant(o, bar, after_ms=now_ms, tick=venue.filters.tick) for o in opened]
        due = [at for at in instants if at is not None and at <= last_ms]
        if not due:
            return CandleRun(tuple(book[o.order_id] for o in orders), tuple(fills), taken, ambiguous)
        now_ms = min(due)
        hit = steps_at(
            opened, bar, now_ms, model=model, venue=venue, used=taken, spendable=spendable or unlimited, settle=settle
        )
        ambiguous = ambiguous or hit
