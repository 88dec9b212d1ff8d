"""A venue in memory that loses, delays and refuses as told, with a clock that moves only when somebody waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from activities.exchange.port import (
    PreparedLeg,
    PreparedOrder,
    RealmRefused,
    VenueAnswer,
    VenueRefused,
    VenueUnavailable,
)
from trading.ids import client_order_id
from trading.orders.models import (
    RESTING,
    Fill,
    Leg,
    OrderKey,
    OrderRequest,
    OrderStatus,
    OrderType,
    OutcomeClass,
    Side,
    TimeInForce,
    VenueOrder,
)
from trading.orders.symbols import BookTop, SymbolRules
from trading.orders.venue_account import VenueAccount, VenueFees

START = datetime(2020, 3, 12, 10, tzinfo=UTC)
RULES = SymbolRules(
    symbol="BTC/USDT",
    base_asset="BTC",
    quote_asset="USDT",
    tick_size=Decimal("0.01"),
    step_size=Decimal("0.00001"),
    market_step_size=Decimal(0),
    min_quantity=Decimal("0.00001"),
    max_quantity=Decimal(9000),
    min_notional_usd=Decimal(5),
    max_price_ratio_up=Decimal(5),
    max_price_ratio_down=Decimal("0.2"),
    order_types=frozenset(OrderType),
)


def an_order(**changes: object) -> OrderRequest:
    """A market buy of 0.1 BTC by account `composite`, changed by keyword; client id follows from leg and revision."""
    facts: dict[str, object] = {
        "realm": "paper",
        "venue": "sim",
        "ledger": "ledger",
        "account": "composite",
        "symbol": "BTC/USDT",
        "decision_id": "d1",
        "leg": Leg.ENTRY,
        "side": Side.BUY,
        "type": OrderType.MARKET,
        "quantity": Decimal("0.1"),
        "as_of": START,
        "permit_id": "permit",
        "expected_price": Decimal(7000),
    } | changes
    facts.setdefault(
        "client_order_id",
        client_order_id(
            ledger=str(facts["ledger"]),
            account=str(facts["account"]),
            decision=str(facts["decision_id"]),
            leg=str(facts["leg"]),
            revision=int(str(facts.get("revision", 0))),
        ),
    )
    return OrderRequest.model_validate(facts)


def a_stop(**changes: object) -> OrderRequest:
    """A protective stop under that buy."""
    return an_order(
        **{"leg": Leg.STOP, "side": Side.SELL, "type": OrderType.STOP_LOSS, "stop_price": Decimal(6800)} | changes
    )


def an_entry_with_exits(**changes: object) -> OrderRequest:
    """That buy as a limit that fills at once or never, leading a list with a stop and a target."""
    entry = an_order(type=OrderType.LIMIT, time_in_force=TimeInForce.FOK, price=Decimal(7100), **changes)
    lead = {"led_by": entry.client_order_id, "side": Side.SELL, **changes}
    stop = a_stop(**lead)
    target = an_order(**{"leg": Leg.TARGET, "type": OrderType.LIMIT_MAKER, "price": Decimal(7500), **lead})
    return entry.model_copy(update={"beside": (stop, target)})


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one send: does it arrive (and when), and what does the sender hear."""

    arrives_after_s: float | None = 0.0
    hears: VenueAnswer | None = None


def accepted() -> Fate:
    return Fate()


def lost_reply() -> Fate:
    return Fate(hears=VenueAnswer(outcome=OutcomeClass.UNKNOWN, message="timed_out"))


def lost_request() -> Fate:
    return Fate(arrives_after_s=None, hears=VenueAnswer(outcome=OutcomeClass.UNKNOWN, message="reset"))


def delivered_late(after_s: float) -> Fate:
    return Fate(arrives_after_s=after_s, hears=VenueAnswer(outcome=OutcomeClass.UNKNOWN, message="reset"))


def answered(outcome: OutcomeClass, message: str = "", **fields: object) -> Fate:
    return Fate(
        arrives_after_s=None,
        hears=VenueAnswer.model_validate({"outcome": outcome, "message": message, **fields}),
    )


class FakeExchange:
    """Fills market orders at once and rests the others; every send's fate comes from `fates`, then `accepted()`.

    `created` counts orders that the venue really took. `read_lag_s` hides an order from queries for a while, `silent`
    makes the next questions fail, `on_send` is called before each send.
    """

    venue = "sim"

    def __init__(self, *fates: Fate, realm: str = "paper", receive_window_s: float = 3.0) -> None:
        self.realm = realm
        self.fates = deque(fates)
        self.now = START
        self.created: list[VenueOrder] = []
        self.sent: list[PreparedOrder] = []
        self.read_lag_s = 0.0
        self.silent = 0
        self.stop_would_trigger = False
        self.on_send: Callable[[], None] | None = None
        self._window = timedelta(seconds=receive_window_s)
        self._in_flight: list[tuple[datetime, PreparedOrder]] = []

    async def pause(self, seconds: float) -> None:
        """The pause that callers are given: time passes here and nowhere else."""
        self.now += timedelta(seconds=max(seconds, 0.01))
        self._deliver()

    async def news(self, account: str, within_s: float) -> None:
        await self.pause(within_s)

    def clock_s(self) -> float:
        return self.now.timestamp()

    async def venue_time(self) -> datetime:
        self._may_be_silent()
        return self.now

    async def market_time(self) -> datetime:
        return self.now

    async def rules(self, symbol: str, *, fresh: bool = False) -> SymbolRules:
        if symbol != RULES.symbol:
            raise VenueRefused(f"no symbol {symbol}", code=-1121)
        return RULES

    async def book_top(self, symbol: str) -> BookTop:
        one = Decimal(1)
        return BookTop(
            symbol=symbol, bid=Decimal(6999), bid_quantity=one, ask=Decimal(7001), ask_quantity=one, as_of=self.now
        )

    async def book_tops(self, symbols: Sequence[str]) -> tuple[BookTop, ...]:
        return tuple([await self.book_top(symbol) for symbol in symbols])

    async def account(self, account: str) -> VenueAccount:
        fees = VenueFees(maker=Decimal("0.001"), taker=Decimal("0.001"))
        return VenueAccount(account=account, balances=(), fees=fees, can_trade=True, can_withdraw=False)

    async def prepare(self, order: OrderRequest) -> PreparedOrder:
        if order.realm != self.realm:
            raise RealmRefused(f"{order.realm} is not {self.realm}")
        await self.rules(order.symbol)
        return PreparedOrder(
            key=order.key,
            fields=(
                ("side", order.side),
                ("type", order.type),
                ("quantity", str(order.quantity)),
                ("price", str(order.price or "")),
                ("stopPrice", str(order.stop_price or "")),
                ("timestamp", self.now.isoformat()),
            ),
            signed_at=self.now,
            receive_window_s=Decimal(str(self._window.total_seconds())),
            expires_at=self.now + self._window,
            horizon_at=self.now + self._window + timedelta(seconds=15),
            quantity=order.quantity,
            price=order.price,
            stop_price=order.stop_price,
            beside=tuple(PreparedLeg(client_order_id=leg.client_order_id) for leg in order.beside),
        )

    async def send(self, prepared: PreparedOrder, *, protective: bool) -> VenueAnswer:
        if self.on_send is not None:
            self.on_send()
        self.sent.append(prepared)
        fate = self.fates.popleft() if self.fates else accepted()
        if fate.arrives_after_s is None:
            assert fate.hears is not None
            return fate.hears
        if fate.arrives_after_s > 0:
            self._in_flight.append((self.now + timedelta(seconds=fate.arrives_after_s), prepared))
            assert fate.hears is not None
            return fate.hears
        answer = self._arrive(prepared)
        return fate.hears or answer

    async def find(self, key: OrderKey) -> VenueOrder | None:
        self._may_be_silent()
        self._deliver()
        visible = [
            order
            for order in self.created
            if order.client_order_id == key.client_order_id
            and order.created_at + timedelta(seconds=self.read_lag_s) <= self.now
        ]
        return visible[-1] if visible else None

    async def cancel(self, key: OrderKey, *, list_client_order_id: str | None = None) -> VenueAnswer:
        self._deliver()
        for number, order in enumerate(self.created):
            if order.client_order_id == key.client_order_id and order.status in RESTING:
                self.created[number] = order.model_copy(update={"status": OrderStatus.CANCELED})
                return VenueAnswer(outcome=OutcomeClass.ACCEPTED, order=self.created[number])
        return VenueAnswer(outcome=OutcomeClass.UNKNOWN, code=-2011, message="Unknown order sent.")

    async def open_orders(self, account: str, symbol: str | None = None) -> tuple[VenueOrder, ...]:
        return tuple(order for order in self.created if order.status in RESTING)

    async def orders(self, account: str, symbol: str) -> tuple[VenueOrder, ...]:
        return tuple(self.created)

    async def fills(self, account: str, symbol: str, *, venue_order_id: str | None = None) -> tuple[Fill, ...]:
        return tuple(
            Fill(
                trade_id=f"t{order.venue_order_id}",
                venue_order_id=order.venue_order_id,
                client_order_id=order.client_order_id,
                symbol=order.symbol,
                side=order.side,
                price=Decimal(7000),
                quantity=order.executed_quantity,
                commission=Decimal(0),
                commission_asset="BNB",
                is_maker=False,
                filled_at=order.updated_at,
            )
            for order in self.created
            if order.executed_quantity and venue_order_id in (None, order.venue_order_id)
        )

    async def aclose(self) -> None:
        self.fates.clear()

    def fill(self, client_id: str) -> None:
        """A resting order fills."""
        for number, order in enumerate(self.created):
            if order.client_order_id == client_id and order.status in RESTING:
                self.created[number] = order.model_copy(
                    update={"status": OrderStatus.FILLED, "executed_quantity": order.quantity}
                )

    def _may_be_silent(self) -> None:
        if self.silent:
            self.silent -= 1
            raise VenueUnavailable("the venue does not answer")

    def _deliver(self) -> None:
        due = [prepared for at, prepared in self._in_flight if at <= self.now]
        self._in_flight = [(at, prepared) for at, prepared in self._in_flight if at > self.now]
        for prepared in due:
            self._arrive(prepared)

    def _arrive(self, prepared: PreparedOrder) -> VenueAnswer:
        if self.now > prepared.expires_at:
            return VenueAnswer(outcome=OutcomeClass.NOT_PROCESSED, code=-1021, message="outside of the recvWindow")
        key, fields = prepared.key, dict(prepared.fields)
        if any(o.client_order_id == key.client_order_id and o.status in RESTING for o in self.created):
            return VenueAnswer(outcome=OutcomeClass.UNKNOWN, code=-2010, message="Duplicate order sent.")
        if self.stop_would_trigger and fields["stopPrice"]:
            return VenueAnswer(
                outcome=OutcomeClass.REFUSED, code=-2010, message="Stop price would trigger immediately."
            )
        is_market = fields["type"] == OrderType.MARKET
        quantity = Decimal(fields["quantity"])
        order = VenueOrder(
            venue_order_id=str(len(self.created) + 1),
            client_order_id=key.client_order_id,
            symbol=key.symbol,
            side=Side(fields["side"]),
            type=OrderType(fields["type"]),
            status=OrderStatus.FILLED if is_market else OrderStatus.NEW,
            quantity=quantity,
            executed_quantity=quantity if is_market else Decimal(0),
            executed_quote=quantity * 7000 if is_market else Decimal(0),
            price=Decimal(fields["price"]) if fields["price"] else None,
            stop_price=Decimal(fields["stopPrice"]) if fields["stopPrice"] else None,
            created_at=self.now,
            updated_at=self.now,
        )
        self.created.append(order)
        return VenueAnswer(outcome=OutcomeClass.ACCEPTED, order=order)
