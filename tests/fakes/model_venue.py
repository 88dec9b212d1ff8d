"""A venue with real balances for one account and one symbol, for properties of the guard; and a guard without Temporal.

The venue fills exits in parts, refuses, sells in parts and falls silent. It takes order lists: two exits in one list
share what they lock, and what fills of one ends the other; an entry brings its exits once it is full.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from trading.money import floor_to_step
from trading.orders.guarding import GuardState
from trading.orders.models import (
    Fill,
    Leg,
    OrderKey,
    OrderReport,
    OrderRequest,
    OrderStatus,
    OutcomeClass,
    Side,
)
from trading.orders.symbols import Lot, Quote
from workflows.position_guard import PositionGuard

NOON = datetime(2024, 1, 31, 12, tzinfo=UTC)
STEP = Decimal("0.001")
PRICE = Decimal(100)
FEE = Decimal("0.001")
HALF = Decimal("0.5")
LOT = Lot(step_size=STEP, min_quantity=STEP, min_notional_usd=Decimal(5))
QUOTE = Quote(
    symbol="BTC/USDT",
    market_time=NOON,
    bid=PRICE,
    ask=PRICE,
    spread_fraction=Decimal(0),
    taker_fee=Decimal("0.001"),
    min_notional_usd=LOT.min_notional_usd,
    lot=LOT,
    opo_allowed=True,
    oco_allowed=True,
)


@dataclass
class ModelVenue:
    """`answers` are what it does with new exits, one after the other; `races` what share of an exit has sold when its
    cancel arrives; `closes` say whether the symbol is closed when it is asked for room. Then it is calm."""

    answers: list[str] = field(default_factory=list)
    races: list[Decimal] = field(default_factory=list)
    closes: list[bool] = field(default_factory=list)
    held: Decimal = Decimal(0)
    orders: dict[str, OrderRequest] = field(default_factory=dict)
    executed: dict[str, Decimal] = field(default_factory=dict)
    status: dict[str, OrderStatus] = field(default_factory=dict)
    known: dict[str, OrderRequest] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    now: datetime = NOON
    calls: int = 0

    def rest_of(self, order: OrderRequest) -> Decimal:
        """What it may still buy or sell."""
        return order.quantity - self.executed[order.client_order_id]

    @property
    def locked(self) -> Decimal:
        """What resting exits may still sell: those of one list sell the same."""
        shared: dict[str, Decimal] = {}
        for name, order in self.orders.items():
            family = order.list_client_order_id or name
            shared[family] = max(shared.get(family, Decimal(0)), self.rest_of(order))
        return sum(shared.values(), Decimal(0))

    @property
    def under_stops(self) -> Decimal:
        """What resting stops sell when they are reached."""
        return sum((self.rest_of(order) for order in self.orders.values() if order.leg is Leg.STOP), Decimal(0))

    async def place(self, order: OrderRequest, _summary: str) -> OrderReport:
        self.calls += 1
        family = (order, *order.beside)
        assert not {one.client_order_id for one in family} & self.known.keys(), "a client id is used once"
        assert {one.quantity for one in family} == {order.quantity}, "the exits of a list sell the same"
        assert order.quantity <= self.held - self.locked, "nothing is sold that is not there"
        answer = self.answers.pop(0) if self.answers else "takes"
        is_refused = answer == "refuses"
        for one in family:
            self._enter(one, OrderStatus.REFUSED if is_refused else OrderStatus.NEW)
        if is_refused:
            return self.report(order, outcome=OutcomeClass.REFUSED)
        if answer == "is silent":
            return self.report(order, status=OrderStatus.FROZEN, outcome=OutcomeClass.UNKNOWN, legs=False)
        if order.leg is not Leg.STOP:
            part = order.quantity / 2 if answer == "takes half" else order.quantity
            self.sell(order.client_order_id, floor_to_step(part, STEP))
            self._end(order.client_order_id, OrderStatus.EXPIRED)
        return self.report(order)

    async def cancel(self, key: OrderKey, _summary: str) -> OrderReport:
        """One of a list is cancelled as a list; the venue may have sold before the cancel came."""
        self.calls += 1
        name = key.client_order_id
        if name in self.orders and self.races:
            self.sell(name, floor_to_step(self.rest_of(self.orders[name]) * self.races.pop(0), STEP))
        for one in self.family(self.known[name]):
            self._end(one.client_order_id, OrderStatus.CANCELED)
        return self.report(self.known[name])

    async def withdraw(self, key: OrderKey, summary: str) -> OrderReport | None:
        """A closed market keeps what rests in it."""
        self.calls += 1
        is_closed = self.closes.pop(0) if self.closes else False
        return None if is_closed else await self.cancel(key, summary)

    async def quote(self, _summary: str) -> Quote:
        return QUOTE.model_copy(update={"market_time": self.now})

    async def sync(self, key: OrderKey) -> OrderReport:
        self.calls += 1
        return self.report(self.known[key.client_order_id])

    def family(self, order: OrderRequest) -> tuple[OrderRequest, ...]:
        """The order and the other exits of its list."""
        if order.list_client_order_id is None:
            return (order,)
        return tuple(one for one in self.known.values() if one.list_client_order_id == order.list_client_order_id)

    def sell(self, name: str, quantity: Decimal) -> None:
        """Fill so much of a resting exit; the others of its list end with the first of it."""
        if quantity <= 0 or name not in self.orders:
            return
        self._fill(name, Side.SELL, quantity)
        self.held -= quantity
        self.executed[name] += quantity
        self.status[name] = OrderStatus.PARTIALLY_FILLED
        for one in self.family(self.known[name]):
            if one.client_order_id != name:
                self._end(one.client_order_id, OrderStatus.EXPIRED)
        if self.rest_of(self.orders[name]) == 0:
            self._end(name, OrderStatus.FILLED)

    def buy(
        self,
        quantity: Decimal,
        *,
        name: str = "e1",
        is_last: bool,
        exits: tuple[OrderRequest, ...] = (),
        refuses: bool = False,
    ) -> OrderReport:
        """Fill so much more of an entry, with its commission in base; what it brought goes under its `exits`."""
        self._fill(name, Side.BUY, quantity)
        self.held += (brought := quantity * (1 - FEE))
        self.executed[name] = total = self.executed.get(name, Decimal(0)) + quantity
        sized = tuple(one.model_copy(update={"quantity": floor_to_step(brought, STEP)}) for one in exits)
        for one in sized:
            self._enter(one, OrderStatus.REJECTED if refuses else OrderStatus.NEW)
        return OrderReport(
            client_order_id=name,
            status=OrderStatus.FILLED if is_last else OrderStatus.PARTIALLY_FILLED,
            outcome=OutcomeClass.ACCEPTED,
            side=Side.BUY,
            leg=Leg.ENTRY,
            executed_quantity=total,
            executed_quote=total * PRICE,
            commission_base=total * FEE,
            observed_at=self.now,
            legs=tuple(self._told(one) for one in sized),
        )

    def report(
        self,
        order: OrderRequest,
        *,
        status: OrderStatus | None = None,
        outcome: OutcomeClass = OutcomeClass.ACCEPTED,
        legs: bool = True,
    ) -> OrderReport:
        """What the venue says of the order now, and of the other exits of its list."""
        report = self._told(self.known[order.client_order_id]).model_copy(update={"outcome": outcome})
        beside = [self._told(one) for one in self.family(order) if one.client_order_id != order.client_order_id]
        told = {"legs": tuple(beside)} if legs and outcome is OutcomeClass.ACCEPTED else {}
        return report.model_copy(update={"status": status or report.status, **told})

    def _told(self, order: OrderRequest) -> OrderReport:
        executed = self.executed[order.client_order_id]
        return OrderReport(
            client_order_id=order.client_order_id,
            status=self.status[order.client_order_id],
            outcome=OutcomeClass.ACCEPTED,
            side=Side.SELL,
            leg=order.leg,
            executed_quantity=executed,
            executed_quote=executed * PRICE,
            observed_at=self.now,
            quantity=order.quantity,
        )

    def _enter(self, order: OrderRequest, status: OrderStatus) -> None:
        name = order.client_order_id
        self.known[name], self.executed[name], self.status[name] = order, Decimal(0), status
        if status is OrderStatus.NEW:
            self.orders[name] = order

    def _end(self, name: str, status: OrderStatus) -> None:
        if self.orders.pop(name, None) is not None:
            self.status[name] = status

    def _fill(self, name: str, side: Side, quantity: Decimal) -> None:
        number = len(self.fills) + 1
        self.fills.append(
            Fill(
                trade_id=str(number),
                venue_order_id=name,
                client_order_id=name,
                symbol="BTC/USDT",
                side=side,
                price=PRICE,
                quantity=quantity,
                commission=quantity * FEE if side is Side.BUY else Decimal(0),
                commission_asset="BTC" if side is Side.BUY else "USDT",
                is_maker=False,
                filled_at=self.now,
            )
        )


class LonelyGuard(PositionGuard):
    """The guard with nobody to signal: its entries have nobody to cancel them. `crossed` are levels of its plan."""

    crossed: frozenset[str] = frozenset()

    async def _withdraw_entries(self) -> None:
        return None

    def _show(self) -> None:
        """There is no Web UI."""

    def _is_crossed(self, what: str = "") -> bool:
        return what in self.crossed

    def of_venue(self, venue: Any) -> None:
        """Send everything to a model venue."""
        self._venue = venue

    async def hear(
        self,
        change: Callable[[GuardState], GuardState],
        *,
        at: datetime,
        changed: frozenset[str] = frozenset(),
        crossed: frozenset[str] = frozenset(),
    ) -> GuardState:
        """Take a change in, and go round as `run` does, until nothing is new."""
        self._time.observe(at)
        self._changed |= changed
        self.crossed = crossed
        self._take_state(change(self._state))
        self._news = True
        while self._news:
            self._news = False
            await self._take_in_events()
            self._take_state(self._state.woken(self._time.known))
            await self._act()
            self.crossed = frozenset()
        return self._state
