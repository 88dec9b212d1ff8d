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


STOPS = frozenset({Kind.STOP_LOSS, Kind.STOP_LOSS_LIMIT})
"""Algorithmic orders in the sense of MAX_NUM_ALGO_ORDERS."""
PRICED = frozenset({Kind.LIMIT, Kind.LIMIT_MAKER, Kind.STOP_LOSS_LIMIT})


class Tif(StrEnum):
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class Status(StrEnum):
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


OPEN = frozenset({Status.NEW, Status.PARTIALLY_FILLED})


class Phase(StrEnum):
    """`PENDING` travels to the engine (order latency), `WORKING` is in it."""

    PENDING = "pending"
    WORKING = "working"


class Bar(NamedTuple):
    """One candle in the engine's units: milliseconds of market time, `end_ms` exclusive, prices in quote units."""

    open_ms: int
    end_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order and all of its progress.

    `effective_ms` is the first instant at which it meets prices; `eligible_ms` the first at which a working order may
    match (again); `held_until_ms` keeps a target out of the candle its entry was filled in. `locked` is what this
    order holds of the paying asset: quote for a buy, base for a sell. `use` counts the account's earlier orders under
    the same client id.
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

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.executed

    @property
    def waits_for_stop(self) -> bool:
        return self.kind in STOPS and not self.triggered

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
