"""Orders, fills and reports: the words every part uses for what happens at a venue."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from pydantic import Field

from trading.contract import Contract, Utc
from trading.ids import order_list_id


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


class OrderType(StrEnum):
    MARKET = "MARKET"
    LIMIT = "LIMIT"
    LIMIT_MAKER = "LIMIT_MAKER"
    STOP_LOSS = "STOP_LOSS"
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_LIMIT = "TAKE_PROFIT_LIMIT"


class TimeInForce(StrEnum):
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class OrderStatus(StrEnum):
    """A venue's status, and ours: `INTENDED` (recorded, perhaps sent), `REFUSED`, `FROZEN` (waits for a person).

    `PENDING_NEW` is a leg of an order list that waits for its working order to fill: it protects nothing yet.
    """

    INTENDED = "INTENDED"
    FROZEN = "FROZEN"
    REFUSED = "REFUSED"
    PENDING_NEW = "PENDING_NEW"
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"


RESTING = frozenset({OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED})
OPEN = RESTING | {OrderStatus.INTENDED, OrderStatus.FROZEN, OrderStatus.PENDING_NEW}
TERMINAL = frozenset(OrderStatus) - OPEN


class Leg(StrEnum):
    """The part an order plays in a trade."""

    ENTRY = "entry"
    STOP = "stop"
    TARGET = "target"
    EXIT = "exit"
    FLATTEN = "flatten"


PROTECTIVE = frozenset({Leg.STOP, Leg.TARGET, Leg.EXIT, Leg.FLATTEN})
"""Legs that reduce or protect: they pass in every mode and have a reserve of request weight."""


class OutcomeClass(StrEnum):
    """What an answer to an order request means (architecture §5, venue.md)."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    NOT_PROCESSED = "not_processed"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


class OrderKey(Contract):
    """Where an order is looked up: the realm and account fix the venue's credentials, the symbol its book."""

    realm: str
    venue: str
    account: str
    symbol: str
    client_order_id: str


class OrderRequest(Contract):
    """An order as the workflow intends it, before the first send; quantities in base units, prices in quote units.

    One that leads an order list carries the others in `beside` (the stop first); each of these names it in `led_by`.
    They go to the venue in one request, under one intent, and are cancelled as one list.
    """

    realm: str
    venue: str
    ledger: str
    account: str
    symbol: str
    decision_id: str
    leg: Leg
    slice_number: int = 0
    revision: int = 0
    client_order_id: str
    side: Side
    type: OrderType
    quantity: Decimal = Field(gt=0)
    time_in_force: TimeInForce | None = None
    price: Decimal | None = None
    stop_price: Decimal | None = None
    as_of: Utc
    epoch: int = 0
    permit_id: str | None = None
    expected_price: Decimal | None = Field(default=None, description="the reference price slippage is measured against")
    valid_until: Utc | None = Field(default=None, description="an entry is not sent after this market time")
    collar_low: Decimal | None = Field(default=None, description="an entry is not sent below or above its collar")
    collar_high: Decimal | None = None
    worst_price: Decimal | None = Field(default=None, description="an entry is not sent where it would pay more")
    stale_observation_s: int | None = Field(default=None, description="the policy's, for an entry: its facts' age")
    gate_holds_s: int | None = Field(default=None, description="the policy's, for an entry: how long it may wait")
    iceberg_quantity: Decimal | None = Field(default=None, description="the part of a resting entry that shows")
    led_by: str | None = Field(default=None, description="client id of the order that leads this one's list")
    beside: tuple[OrderRequest, ...] = ()

    @property
    def list_client_order_id(self) -> str | None:
        """The client id of the order list that this order is in; `None` outside of one."""
        lead = self.client_order_id if self.beside else self.led_by
        return None if lead is None else order_list_id(lead)

    @property
    def key(self) -> OrderKey:
        return OrderKey(
            realm=self.realm,
            venue=self.venue,
            account=self.account,
            symbol=self.symbol,
            client_order_id=self.client_order_id,
        )

    @property
    def takes_at_once(self) -> bool:
        """It meets the market when it arrives, as far as its price allows, and never rests."""
        return self.type is OrderType.MARKET or self.time_in_force in {TimeInForce.IOC, TimeInForce.FOK}

    @property
    def raises_exposure(self) -> bool:
        return self.leg is Leg.ENTRY


class Fill(Contract):
    """One execution. A commission in the base asset makes the position smaller than the filled quantity."""

    trade_id: str
    venue_order_id: str
    client_order_id: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    commission: Decimal
    commission_asset: str
    is_maker: bool
    filled_at: Utc


class VenueOrder(Contract):
    """An order as the venue tells it."""

    venue_order_id: str
    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    status: OrderStatus
    quantity: Decimal
    executed_quantity: Decimal
    executed_quote: Decimal
    time_in_force: TimeInForce | None = None
    price: Decimal | None = None
    stop_price: Decimal | None = None
    created_at: Utc
    updated_at: Utc
    order_list_id: str | None = None


NO_ANSWER = "no_answer"
"""The first word of why a stop is frozen that is tried for as long as the venue is silent: it needs no person."""


def is_tried_on(status: str, reason: str) -> bool:
    """Whether an order with this status and reason is such a stop."""
    return status == OrderStatus.FROZEN and reason.startswith(f"{NO_ANSWER}: ")


class OrderReport(Contract):
    """What the workflow learns of one order: status, cumulative numbers, and why where it was refused or frozen."""

    client_order_id: str
    status: OrderStatus
    outcome: OutcomeClass
    side: Side
    leg: Leg
    executed_quantity: Decimal = Decimal(0)
    executed_quote: Decimal = Decimal(0)
    commission_base: Decimal = Field(default=Decimal(0), description="commission charged in the base asset")
    commission_quote: Decimal = Field(default=Decimal(0), description="commission charged in the quote asset")
    missing_quantity: Decimal = Field(default=Decimal(0), description="executed at the venue, fills not yet told")
    code: int | None = None
    reason: str = ""
    observed_at: Utc
    quantity: Decimal | None = Field(default=None, description="as it rests, where the venue decides it: a list's leg")
    legs: tuple[OrderReport, ...] = Field(default=(), description="the exits of the same order list")

    @property
    def net_base(self) -> Decimal:
        """Base units that the position gained (buy) or lost (sell), net of commission charged in the base asset."""
        moved = self.executed_quantity if self.side is Side.BUY else -self.executed_quantity
        return moved - self.commission_base

    @property
    def average_price(self) -> Decimal | None:
        return self.executed_quote / self.executed_quantity if self.executed_quantity else None

    @property
    def is_terminal(self) -> bool:
        """Nothing more will come: the status is final and every fill behind it is known."""
        return self.status in TERMINAL and self.missing_quantity <= 0
