"""A venue's own words: orders, fills, refusals. Independent of `trading.orders`: it is the other half of the proof."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

ZERO = Decimal(0)


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


class Kind(StrEnum):
    """Order types the venue speaks."""

    LIMIT = "LIMIT"
    LIMIT_MAKER = "LIMIT_MAKER"
    MARKET = "MARKET"
    STOP_LOSS = "STOP_LOSS"
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_LIMIT = "TAKE_PROFIT_LIMIT"


STOPS = frozenset({Kind.STOP_LOSS, Kind.STOP_LOSS_LIMIT})
TAKE_PROFITS = frozenset({Kind.TAKE_PROFIT, Kind.TAKE_PROFIT_LIMIT})
TRIGGERED = STOPS | TAKE_PROFITS
"""Orders that wait for a price: algorithmic in the sense of MAX_NUM_ALGO_ORDERS."""
PRICED = frozenset({Kind.LIMIT, Kind.LIMIT_MAKER, Kind.STOP_LOSS_LIMIT, Kind.TAKE_PROFIT_LIMIT})
TIMED = frozenset({Kind.LIMIT, Kind.STOP_LOSS_LIMIT, Kind.TAKE_PROFIT_LIMIT})
"""Types that need a time in force."""


class Tif(StrEnum):
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class Status(StrEnum):
    """`PENDING_NEW` waits for its list's working order; `REJECTED` was refused when that order had filled."""

    PENDING_NEW = "PENDING_NEW"
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"


OPEN = frozenset({Status.PENDING_NEW, Status.NEW, Status.PARTIALLY_FILLED})


class Phase(StrEnum):
    """`WAITING` for its list's working order, `PENDING` on its way to the engine (order latency), `WORKING` in it."""

    WAITING = "waiting"
    PENDING = "pending"
    WORKING = "working"


class Leg(StrEnum):
    """An order's part in its list; an OCO has only the two sides, an OTO a working and one pending order."""

    ALONE = ""
    WORKING = "working"
    PENDING = "pending"
    ABOVE = "above"
    BELOW = "below"


class Bar(NamedTuple):
    """One candle in the engine's units: milliseconds of market time, `end_ms` exclusive, prices in quote units.

    A live quote is a flat one with the book's best prices and sizes: takers pay these, and get no more than these.
    """

    open_ms: int
    end_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    bid: Decimal | None = None
    ask: Decimal | None = None
    bid_quantity: Decimal = ZERO
    ask_quantity: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order and all of its progress.

    `effective_ms` is the first instant at which it meets prices; `eligible_ms` the first at which a working order may
    match (again); `held_until_ms` keeps a target out of the candle its entry was filled in. `locked` is what this
    order holds of the paying asset: quote for a buy, base for a sell; the legs of a list that exclude each other hold
    it once between them. `use` counts the account's earlier orders under the same client id.

    A trailing order (`trailing_bips`) keeps the best price since it tracks in `extreme`, counted up to `tracked_ms`;
    both are absent until its stop price (where it has one) was reached. `iceberg` is the visible part, 0 for all.
    `reject_reason` says in the venue's words why a pending leg was refused when it was to be placed.
    """

    account: str
    symbol: str
    order_id: int
    client_id: str
    side: Side
    kind: Kind
    quantity: Decimal
    created_ms: int
    effective_ms: int
    updated_ms: int
    price: Decimal | None = None
    stop_price: Decimal | None = None
    tif: Tif | None = None
    quote_quantity: Decimal | None = None
    status: Status = Status.NEW
    phase: Phase = Phase.PENDING
    triggered: bool = False
    eligible_ms: int = 0
    held_until_ms: int = 0
    executed: Decimal = ZERO
    executed_quote: Decimal = ZERO
    locked: Decimal = ZERO
    fills: int = 0
    use: int = 0
    trailing_bips: int | None = None
    extreme: Decimal | None = None
    tracked_ms: int = -1
    tracking_since_ms: int = -1
    iceberg: Decimal = ZERO
    list_id: int = -1
    leg: Leg = Leg.ALONE
    reject_reason: str = "NONE"

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.executed

    @property
    def waits_for_stop(self) -> bool:
        """Whether it still waits for its trigger: a stop's or a take-profit's."""
        return self.kind in TRIGGERED and not self.triggered

    @property
    def triggers_falling(self) -> bool:
        """Whether a falling price reaches its stop price: a selling stop, a buying take-profit."""
        return (self.side is Side.SELL) is (self.kind in STOPS)

    @property
    def is_target(self) -> bool:
        """Whether it takes a profit (limit or take-profit), not a loss."""
        return self.kind in TAKE_PROFITS or self.kind in (Kind.LIMIT, Kind.LIMIT_MAKER)

    @property
    def target_price(self) -> Decimal | None:
        """The price a target waits for."""
        return self.stop_price if self.kind in TAKE_PROFITS else self.price

    @property
    def rests(self) -> bool:
        """Whether what is not filled at once stays in the book."""
        return self.kind in PRICED and self.tif not in (Tif.IOC, Tif.FOK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One execution; the commission is charged in the received asset (base for a buy, quote for a sell)."""

    account: str
    symbol: str
    trade_id: int
    order_id: int
    client_id: str
    side: Side
    price: Decimal
    quantity: Decimal
    quote: Decimal
    commission: Decimal
    commission_asset: str
    is_maker: bool
    at_ms: int


class Refusal(Exception):
    """The venue refuses a request: Binance's code and message, and the HTTP status it comes with. Nothing changed."""

    def __init__(self, code: int, message: str, *, http_status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.http_status = http_status
