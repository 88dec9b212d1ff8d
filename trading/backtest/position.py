"""One position inside candles: entry, protective stop, target, time exit and sale, filled by the venue's own rules.

The guard's ways are kept: one stop at the venue for what is held net of commission; at the target, at its time or at a
signal the stop is withdrawn and what is held is sold at market; what a sale could not place is sold on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from trading.backtest.holdings import Held
from trading.backtest.models import ExitReason
from trading.matching.draws import order_id
from trading.matching.fills import LATENCY_MS, FillModel, Venue, account_capacity, act, next_instant
from trading.matching.filters import down_to, up_to
from trading.matching.model import ZERO, Bar, Fill, Kind, Order, Phase, Side
from trading.matching.path import first_touch

ACCOUNT = "backtest"
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPlan:
    """What was decided at `decided_ms`, and what the gate permitted of it."""

    name: str
    setup: str
    decided_ms: int
    quantity: Decimal
    stop_price: Decimal
    target_price: Decimal | None
    horizon_hours: int


class Position:
    """From the entry order to flat. `cross` runs one candle; `is_over` says that nothing is left but dust."""

    def __init__(self, plan: EntryPlan, *, held: Held, model: FillModel, venue: Venue) -> None:
        self.plan = plan
        self.entries: list[Fill] = []
        self.exits: list[Fill] = []
        self.reason: ExitReason | None = None
        self.ambiguous_candles = 0
        self._held = held
        self._model = model
        self._venue = venue
        self._sent = 0
        self._selling_part = False
        self._order: Order | None = self._sent_order(
            Kind.MARKET, Side.BUY, plan.quantity, at_ms=plan.decided_ms, stop_price=None
        )

    @property
    def is_over(self) -> bool:
        """Whether the entry found nothing, or all that can be sold is sold."""
        return self._order is None

    @property
    def is_leaving(self) -> bool:
        return self.reason is not None

    @property
    def is_resting(self) -> bool:
        """Whether all that may end it is its stop, its target, its time or a signal, each from the next candle on."""
        order = self._order
        return (
            bool(self.entries)
            and not self.is_leaving
            and order is not None
            and order.kind is Kind.STOP_LOSS
            and order.phase is Phase.WORKING
            and order.waits_for_stop
        )

    @property
    def stop_price(self) -> Decimal:
        """Where the stop at the venue waits; the position must be resting."""
        assert self._order is not None
        assert self._order.stop_price is not None
        return self._order.stop_price

    @property
    def due_ms(self) -> int:
        """When its time is over; the position must have been entered."""
        return self.entries[0].at_ms + self.plan.horizon_hours * HOUR_MS

    def cross(self, bar: Bar) -> None:
        """Run one candle; the candles of a position are given in order, each once."""
        self._arrive_in(bar)
        now_ms, left = bar.open_ms - 1, account_capacity(bar, model=self._model, venue=self._venue)
        while (event := self._next_event(bar, now_ms)) is not None:
            now_ms, why = event
            if why is not None:
                self.leave(why, at_ms=now_ms)
                continue
            assert self._order is not None
            step = act(
                self._order,
                bar,
                now_ms,
                model=self._model,
                venue=self._venue,
                available=left,
                spendable=self._spendable(self._order),
            )
            self._order = step.order
            if step.fill is not None:
                left -= step.fill.quantity
                self._take(step.fill)
            self._after(bar, now_ms)

    def leave(self, reason: ExitReason, *, at_ms: int, fraction: Decimal = Decimal(1)) -> None:
        """Withdraw the stop and sell at market from `at_ms` on; a `fraction` below 1 keeps the rest under a stop."""
        self._selling_part = fraction < 1
        self.reason = reason
        quantity = down_to(self._held.quantity * fraction, self._venue.filters.step)
        if self._selling_part and not self._tradable(quantity):
            self._selling_part, self.reason = False, None
            return
        self._order = self._sent_order(Kind.MARKET, Side.SELL, quantity, at_ms=at_ms, stop_price=None)

    def _next_event(self, bar: Bar, after_ms: int) -> tuple[int, ExitReason | None] | None:
        """The next instant at which the order acts (no reason) or the position is left; of one instant the order."""
        if self._order is None:
            return None
        tick = self._venue.filters.tick
        acts = next_instant(self._order, bar, after_ms=after_ms, tick=tick)
        events: list[tuple[int, int, ExitReason | None]] = [] if acts is None else [(acts, 0, None)]
        if self.entries and not self.is_leaving:
            events += self._own_exits(bar, after_ms)
        if not events:
            return None
        at_ms, _rank, why = min(events, key=lambda event: event[:2])
        return at_ms, why

    def _own_exits(self, bar: Bar, after_ms: int) -> list[tuple[int, int, ExitReason | None]]:
        filled_ms = self.entries[0].at_ms
        exits: list[tuple[int, int, ExitReason | None]] = []
        if self.plan.target_price is not None and filled_ms < bar.open_ms:
            touched = first_touch(bar, from_ms=after_ms + 1, price=self.plan.target_price, falling=False)
            if touched is not None:
                exits.append((touched, 1, ExitReason.TARGET))
        due_ms = max(self.due_ms, after_ms + 1)
        if due_ms < bar.end_ms:
            exits.append((due_ms, 2, ExitReason.TIME))
        return exits

    def _arrive_in(self, bar: Bar) -> None:
        """An order on its way over a gap in the candles meets the first price after it."""
        order = self._order
        if order is not None and order.phase is Phase.PENDING and order.effective_ms < bar.open_ms:
            self._order = replace(order, effective_ms=bar.open_ms)

    def _take(self, fill: Fill) -> None:
        self._held.book(fill)
        (self.entries if fill.side is Side.BUY else self.exits).append(fill)

    def _after(self, bar: Bar, now_ms: int) -> None:
        """What follows once the order is done: protect what was bought, sell on, or be over."""
        assert self._order is not None
        done = self._order
        if done.is_open:
            return
        if not self.entries:
            self._order = None
            return
        if done.kind is Kind.STOP_LOSS:
            self.reason = ExitReason.STOP
            self.ambiguous_candles += self.plan.target_price is not None and bar.high >= self.plan.target_price
        price = (self.exits or self.entries)[-1].price
        quantity = down_to(self._held.quantity, self._venue.filters.step)
        if not self._tradable(quantity, price):
            self._order = None
            return
        if done.side is Side.BUY or self._selling_part:
            self._selling_part, self.reason = False, None
            self._order = self._sent_order(
                Kind.STOP_LOSS, Side.SELL, quantity, at_ms=now_ms, stop_price=self.plan.stop_price
            )
        else:
            self._order = self._sent_order(Kind.MARKET, Side.SELL, quantity, at_ms=bar.end_ms, stop_price=None)

    def _tradable(self, quantity: Decimal, price: Decimal | None = None) -> bool:
        filters = self._venue.filters
        if quantity < filters.min_quantity or quantity <= 0:
            return False
        return price is None or quantity * price >= filters.min_notional

    def _spendable(self, order: Order) -> Decimal:
        return self._held.cash_usd if order.side is Side.BUY else self._held.quantity

    def _sent_order(
        self, kind: Kind, side: Side, quantity: Decimal, *, at_ms: int, stop_price: Decimal | None
    ) -> Order:
        client_id = f"{self.plan.name}|{self.plan.decided_ms}|{self._sent}"
        self._sent += 1
        symbol = self._venue.symbol
        return Order(
            account=ACCOUNT,
            symbol=symbol,
            order_id=order_id(
                seed=self._model.seed, symbol=symbol, account=ACCOUNT, client_id=client_id, created_ms=at_ms, use=0
            ),
            client_id=client_id,
            side=side,
            kind=kind,
            quantity=quantity,
            stop_price=None if stop_price is None else up_to(stop_price, self._venue.filters.tick),
            created_ms=at_ms,
            effective_ms=at_ms + LATENCY_MS,
            updated_ms=at_ms,
            locked=ZERO,
        )
