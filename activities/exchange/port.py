"""The port to a spot venue: every answer to an order request is classified, every number is a `Decimal`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from pydantic import Field

from trading.contract import Contract, Utc
from trading.orders.models import Fill, OrderKey, OrderRequest, OrderStatus, OutcomeClass, VenueOrder
from trading.orders.symbols import BookTop, SymbolRules
from trading.orders.venue_account import Balance, VenueAccount
from trading.orders.wishes import Resolution


class PreparedLeg(Contract):
    """A leg of an order list as it is sent with its lead; its quantity is `None` where the venue works it out."""

    client_order_id: str
    quantity: Decimal | None = None
    price: Decimal | None = None
    stop_price: Decimal | None = None


class PreparedOrder(Contract):
    """A request exactly as it will be sent: recorded with its intent before the first byte leaves.

    `fields` is the unsigned parameter list in sending order; the venue refuses it after `expires_at`.
    """

    key: OrderKey
    fields: tuple[tuple[str, str], ...]
    signed_at: Utc
    receive_window_s: Decimal
    expires_at: Utc
    horizon_at: Utc = Field(description="from this venue time on, an answer of absent is final (venue.md)")
    quantity: Decimal | None = Field(default=None, description="as sent, on the symbol's grid; so are both prices")
    price: Decimal | None = None
    stop_price: Decimal | None = None
    path: str = Field(default="/api/v3/order", description="where it is sent: an order, or a kind of order list")
    beside: tuple[PreparedLeg, ...] = ()


class VenueAnswer(Contract):
    """The classified answer to a send or a cancel."""

    outcome: OutcomeClass
    order: VenueOrder | None = None
    beside: tuple[VenueOrder, ...] = Field(default=(), description="the other orders of its list")
    code: int | None = None
    http_status: int | None = None
    message: str = ""
    retry_after_s: Decimal | None = None
    stops_venue: bool = Field(default=False, description="401, 403, 451 and -2015: nothing more is sent to this venue")


class RealmRefused(Exception):
    """The request names a realm that this adapter does not serve: nothing was sent. Alerts, is never retried."""


class VenueUnavailable(Exception):
    """A question (never an order) could not be answered now; the caller retries after `retry_after_s` where given."""

    def __init__(self, message: str, *, retry_after_s: Decimal | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class VenueRefused(Exception):
    """A question was refused for good: a wrong symbol, a bad key, a banned region. Handled by a person."""

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class Exchange(Protocol):
    """One venue of one realm, for all accounts of that realm.

    `prepare` and `send` are two steps so that the exact request is durable before it is tried. Neither `send` nor
    `cancel` raises for anything the network or the venue does: doubt is the outcome `UNKNOWN`.
    """

    venue: str
    realm: str

    async def venue_time(self) -> datetime:
        """The venue's own wall clock (UTC)."""
        ...

    async def market_time(self) -> datetime:
        """The market's time (UTC): the replayed clock of a simulated venue, the venue's clock elsewhere."""
        ...

    async def rules(self, symbol: str, *, fresh: bool = False) -> SymbolRules:
        """The symbol's filters and whether it trades; `fresh` where what was heard lately will not do."""
        ...

    async def book_top(self, symbol: str) -> BookTop: ...

    async def book_tops(self, symbols: Sequence[str]) -> tuple[BookTop, ...]:
        """The books of several symbols in the order asked for; refused as a whole where one is unknown."""
        ...

    async def account(self, account: str) -> VenueAccount: ...

    async def prepare(self, order: OrderRequest) -> PreparedOrder:
        """Quantise by the symbol's filters, stamp and freeze the request. Raises `RealmRefused`, `VenueRefused`."""
        ...

    async def send(self, prepared: PreparedOrder, *, protective: bool) -> VenueAnswer: ...

    async def find(self, key: OrderKey) -> VenueOrder | None:
        """The order by client id, or `None` where the venue knows none now. Raises `VenueUnavailable`."""
        ...

    async def cancel(self, key: OrderKey, *, list_client_order_id: str | None = None) -> VenueAnswer:
        """Cancel the order, or with it every open order of its list."""
        ...

    async def news(self, account: str, within_s: float) -> None:
        """Return when the venue tells of anything in the account, and after `within_s` at the latest.

        A hint that asking is worth while; it never raises, and who waits asks either way.
        """
        ...

    async def open_orders(self, account: str, symbol: str | None = None) -> tuple[VenueOrder, ...]: ...

    async def orders(self, account: str, symbol: str) -> tuple[VenueOrder, ...]:
        """Every order of the symbol, oldest first, paged to the end."""
        ...

    async def fills(self, account: str, symbol: str, *, venue_order_id: str | None = None) -> tuple[Fill, ...]:
        """Every fill of the symbol (or of one order), oldest first, paged to the end."""
        ...

    async def aclose(self) -> None: ...


class Level(Contract):
    """A price that somebody waits for: an event of the market clock when the path crosses it.

    With a `fall_fraction` a replayed market is watched for a fall by that share of the candle before's close: then the
    price is each candle's own.
    """

    id: str
    symbol: str
    direction: str = Field(pattern="^(above|below)$")
    price: Decimal = Decimal(0)
    fall_fraction: Decimal | None = Field(default=None, gt=0, lt=1)
    after_candle_of: Utc | None = Field(
        default=None,
        description="counts from the close of this time's candle: a target's entry, a crash that was told (venue.md)",
    )


class ClockEvent(Contract):
    """Why the market clock stopped: a change of one of our orders, a level, or the end of a symbol's data."""

    kind: str = Field(pattern="^(order|level|end_of_data)$")
    symbol: str
    account: str | None = None
    client_order_id: str | None = None
    level_id: str | None = None
    price: Decimal | None = None


class ClockStop(Contract):
    now: Utc
    events: tuple[ClockEvent, ...] = ()
    marked_at: Utc | None = Field(default=None, description="the last time at which accounts were valued on the way")


class ResolveOrder(Contract):
    """A person's word on a frozen order, to be held against the venue."""

    key: OrderKey
    word: Resolution


class AwaitChange(Contract):
    """Wait until an order differs from what was seen, or until `until` (market time)."""

    key: OrderKey
    seen_status: OrderStatus
    seen_executed: Decimal = Decimal(0)
    until: Utc


class WatchedOrder(Contract):
    """An order and what is known of it."""

    key: OrderKey
    seen_status: OrderStatus
    seen_executed: Decimal = Decimal(0)


class AwaitMarket(Contract):
    """Wait until the best bid crosses a level, an order changes, or `until` (market time)."""

    realm: str
    venue: str
    symbol: str
    keys: tuple[WatchedOrder, ...] = ()
    levels: tuple[Level, ...] = ()
    until: Utc


class MarketNews(Contract):
    """Why the wait ended; empty tuples where only time has passed. `price` is the best bid."""

    now: Utc
    price: Decimal
    crossed: tuple[str, ...] = ()
    changed: tuple[OrderKey, ...] = ()


class OpenAccounts(Contract):
    """Accounts of a trial, each with the same capital in the quote asset."""

    realm: str
    venue: str
    ledger: str
    accounts: tuple[str, ...]
    quote_asset: str
    capital: Decimal = Field(gt=0)
    as_of: Utc


class MarkRequest(Contract):
    """Mark accounts at the best bids of the symbols they may hold."""

    realm: str
    venue: str
    accounts: tuple[str, ...]
    symbols: tuple[str, ...]
    as_of: Utc


class AdvanceRequest(Contract):
    """One move of the market clock; `request_id` comes from the campaign's step, so a repeat is the same move.

    Accounts are valued on the way at the times of `marks`, in order and none later than `to`; an event at such a time
    comes before its valuation and ends the move.
    """

    realm: str
    to: Utc
    levels: tuple[Level, ...] = ()
    request_id: str
    marks: tuple[MarkRequest, ...] = ()


class AccountEquity(Contract):
    account: str
    equity_usd: Decimal


class MarkedAccounts(Contract):
    """Equity of each account and the prices behind it, in the order asked for."""

    as_of: Utc
    equities: tuple[AccountEquity, ...]
    marks: tuple[tuple[str, Decimal], ...]


class MarketClock(Protocol):
    """The clock of a simulated market: only a campaign has one."""

    async def advance(self, to: datetime, levels: tuple[Level, ...], *, request_id: str) -> ClockStop:
        """Run the market to `to` or to the first event before it; never back, and twice is once.

        The same `request_id` is answered with the same stop: a repeat after a lost answer loses no event.
        """
        ...

    async def open_account(self, account: str, balances: Mapping[str, Decimal]) -> tuple[Balance, ...]:
        """Create the account with these balances, or return what it has where it exists."""
        ...
