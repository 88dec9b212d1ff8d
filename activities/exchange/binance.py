"""Binance Spot over REST. The simulated exchange, Binance's testnet, demo and live differ by base URL and key only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from activities.exchange.binance_session import BinanceSession, CredentialSource, Reply, describe, milliseconds
from activities.exchange.binance_stream import UserStreams
from activities.exchange.binance_wire import (
    order_fields,
    order_list,
    to_account,
    to_book,
    to_fill,
    to_limits,
    to_order,
    to_rules,
    venue_symbol,
    venue_symbols,
)
from activities.exchange.port import (
    PreparedLeg,
    PreparedOrder,
    RealmRefused,
    VenueAnswer,
    VenueRefused,
    VenueUnavailable,
)
from trading.orders.answers import Answered, classify
from trading.orders.models import Fill, OrderKey, OrderRequest, OutcomeClass, VenueOrder
from trading.orders.quantise import Quantised, Unsendable, quantise
from trading.orders.symbols import BookTop, SymbolRules
from trading.orders.venue_account import VenueAccount

RECEIVE_WINDOW_S = Decimal(3)
ENGINE_TIMEOUT_S = Decimal(10)
READ_LAG_S = Decimal(5)
"""The horizon of venue.md: after window, engine time-out and read lag, "no such order" can no longer change."""

RULES_TTL_S = 3600.0
PAGE = 1000
_ORDER = "/api/v3/order"
_BOOKS = "/api/v3/ticker/bookTicker"
_REAL = (".binance.com", ".binance.vision", ".binance.us")


def _on_grid(order: OrderRequest, rules: SymbolRules, reference_price: Decimal | None) -> Quantised:
    cut = quantise(order, rules, reference_price=reference_price)
    if isinstance(cut, Unsendable):
        raise VenueRefused(f"{cut.code}: {cut.message}")
    return cut


def _check_host(base_url: str, hosts: frozenset[str], *, venue: str) -> None:
    host = (urlsplit(base_url).hostname or "").rstrip(".")
    if hosts and host not in hosts:
        raise RealmRefused(f"venue {venue} refuses {host}: allowed are {', '.join(sorted(hosts))}")
    if not hosts and host.endswith(_REAL):
        raise RealmRefused(f"venue {venue} refuses {host}, a host of a real venue")


class ReadsMarketTime(Protocol):
    async def now(self) -> datetime: ...


class BinanceExchange:
    """`Exchange` over Binance Spot REST.

    `market_clock` is given for a simulated venue, whose market time is not its wall time. After an answer of 401, 403,
    451 or -2015 entries are refused here, unsent, until a signed question is answered again; protection still tries.
    `hosts` are those of a real venue: no other is ever spoken to (`RealmRefused`), and without them none of Binance's.
    """

    def __init__(
        self,
        *,
        realm: str,
        venue: str,
        base_url: str,
        credentials: CredentialSource,
        hosts: frozenset[str] = frozenset(),
        market_clock: ReadsMarketTime | None = None,
        receive_window_s: Decimal = RECEIVE_WINDOW_S,
        engine_timeout_s: Decimal = ENGINE_TIMEOUT_S,
        read_lag_s: Decimal = READ_LAG_S,
        total_timeout_s: float = 5.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        if not 0 < receive_window_s <= RECEIVE_WINDOW_S:
            raise ValueError(f"receive_window_s {receive_window_s} must be above 0 and at most {RECEIVE_WINDOW_S}")
        _check_host(base_url, hosts, venue=venue)
        self.realm = realm
        self.venue = venue
        self._session = BinanceSession(
            base_url=base_url, credentials=credentials, transport=transport, total_timeout_s=total_timeout_s
        )
        self._streams = (
            None
            if transport is not None  # one without sockets: those who wait ask in turns
            else UserStreams(base_url=base_url, credentials=credentials, clock=self._session)
        )
        self._market_clock = market_clock
        self._receive_window_s = receive_window_s
        self._settles_after_s = engine_timeout_s + read_lag_s
        self._rules: dict[str, tuple[float, SymbolRules]] = {}
        self._client_ids: dict[tuple[str, str, str], str] = {}
        self._stopped: str | None = None

    async def aclose(self) -> None:
        if self._streams is not None:
            await self._streams.aclose()
        await self._session.aclose()

    async def news(self, account: str, within_s: float) -> None:
        if self._streams is None:
            await asyncio.sleep(within_s)
        else:
            await self._streams.wait(account, within_s)

    # -- time and market ---------------------------------------------------------------------------------------------

    async def venue_time(self) -> datetime:
        return await self._session.measured_time()

    async def market_time(self) -> datetime:
        if self._market_clock is not None:
            return await self._market_clock.now()
        return await self._session.venue_now()

    async def rules(self, symbol: str, *, fresh: bool = False) -> SymbolRules:
        """The symbol's filters, at most an hour old unless the venue is silent. `VenueRefused` for an unknown one.

        Those of a symbol that did not trade, or that an order has failed, are asked for anew, and so are `fresh` ones.
        """
        cached = self._rules.get(symbol)
        if cached is not None and not fresh and cached[1].is_trading and time.monotonic() - cached[0] < RULES_TTL_S:
            return cached[1]
        try:
            payload = await self._session.ask(
                "GET", "/api/v3/exchangeInfo", (("symbol", venue_symbol(symbol)),), weight=20, protective=True
            )
        except VenueUnavailable:
            if cached is None:
                raise
            return cached[1]
        weight, orders = to_limits(payload)
        self._session.throttle.learn_limits(weight=weight, orders=orders)
        for row in payload["symbols"]:
            rules = to_rules(row)
            self._rules[rules.symbol] = (time.monotonic(), rules)
        if symbol not in self._rules:
            raise VenueRefused(f"{self.venue} has no symbol {symbol}", code=-1121)
        return self._rules[symbol][1]

    async def book_top(self, symbol: str) -> BookTop:
        row = await self._session.ask("GET", _BOOKS, (("symbol", venue_symbol(symbol)),), weight=2)
        return to_book(row, symbol, as_of=await self._answered_at())

    async def book_tops(self, symbols: Sequence[str]) -> tuple[BookTop, ...]:
        if len(symbols) < 2:
            return tuple([await self.book_top(symbol) for symbol in symbols])
        rows = await self._session.ask("GET", _BOOKS, (("symbols", venue_symbols(symbols)),), weight=4)
        at = await self._answered_at()
        by_name = {row["symbol"]: row for row in rows}
        return tuple(to_book(by_name[venue_symbol(symbol)], symbol, as_of=at) for symbol in symbols)

    async def _answered_at(self) -> datetime:
        """The market's time of the answer that came just now: a simulated venue says it with the answer."""
        heard = self._session.heard_market_time
        return heard if heard is not None and self._market_clock is not None else await self.market_time()

    async def account(self, account: str) -> VenueAccount:
        payload = await self._ask_signed(account, "/api/v3/account", (), weight=20)
        return to_account(payload, account=account)

    # -- orders ------------------------------------------------------------------------------------------------------

    async def prepare(self, order: OrderRequest) -> PreparedOrder:
        self._check_realm(order.realm, order.venue)
        rules = await self.rules(order.symbol)
        reference_price = order.expected_price
        if reference_price is None and order.price is None and order.stop_price is None:
            reference_price = (await self.book_top(order.symbol)).mid
        cut, *others = [_on_grid(one, rules, reference_price) for one in (order, *order.beside)]
        path, fields = _ORDER, order_fields(order, cut)
        if order.beside:
            path, fields = order_list(order, (cut, *others))
        signed_at = await self._session.venue_now()
        window_s = timedelta(seconds=float(self._receive_window_s))
        return PreparedOrder(
            key=order.key,
            fields=(
                *fields,
                ("recvWindow", str(int(self._receive_window_s * 1000))),
                ("timestamp", str(milliseconds(signed_at))),
            ),
            signed_at=signed_at,
            receive_window_s=self._receive_window_s,
            expires_at=signed_at + window_s,
            horizon_at=signed_at + window_s + timedelta(seconds=float(self._settles_after_s)),
            quantity=cut.quantity,
            price=cut.price,
            stop_price=cut.stop_price,
            path=path,
            beside=tuple(
                PreparedLeg(
                    client_order_id=leg.client_order_id,
                    quantity=None if order.raises_exposure else other.quantity,
                    price=other.price,
                    stop_price=other.stop_price,
                )
                for leg, other in zip(order.beside, others, strict=True)
            ),
        )

    async def send(self, prepared: PreparedOrder, *, protective: bool) -> VenueAnswer:
        """Send exactly what was prepared; the signature is made here, from a secret that no record contains."""
        key = prepared.key
        self._check_realm(key.realm, key.venue)
        if self._stopped is not None and not protective:
            return VenueAnswer(
                outcome=OutcomeClass.REFUSED, message=f"venue stopped: {self._stopped}", stops_venue=True
            )
        if self._session.estimated_now() > prepared.expires_at:
            return VenueAnswer(
                outcome=OutcomeClass.NOT_PROCESSED,
                message=f"expired before it was sent: valid until {prepared.expires_at.isoformat()}",
                retry_after_s=Decimal(0),
            )
        reply = await self._session.act(
            "POST", prepared.path, prepared.fields, account=key.account, protective=protective
        )
        if reply.answered.code == -1013 and (known := self._rules.get(key.symbol)) is not None:
            self._rules[key.symbol] = (-RULES_TTL_S, known[1])
        return self._answer(reply, key, beside=tuple(leg.client_order_id for leg in prepared.beside))

    async def find(self, key: OrderKey) -> VenueOrder | None:
        self._check_realm(key.realm, key.venue)
        fields = (("symbol", venue_symbol(key.symbol)), ("origClientOrderId", key.client_order_id))
        try:
            payload = await self._ask_signed(key.account, "/api/v3/order", fields, weight=4, protective=True)
        except VenueRefused as refused:
            if refused.code == -2013:
                return None
            raise
        return self._seen(key.account, payload, key.symbol)

    async def cancel(self, key: OrderKey, *, list_client_order_id: str | None = None) -> VenueAnswer:
        self._check_realm(key.realm, key.venue)
        try:
            stamped_at = await self._session.venue_now()
        except (VenueUnavailable, VenueRefused) as error:
            return VenueAnswer(outcome=OutcomeClass.NOT_SENT, message=str(error))
        named, path = ("origClientOrderId", key.client_order_id), _ORDER
        if list_client_order_id is not None:
            named, path = ("listClientOrderId", list_client_order_id), "/api/v3/orderList"
        fields = (
            ("symbol", venue_symbol(key.symbol)),
            named,
            ("recvWindow", str(int(self._receive_window_s * 1000))),
            ("timestamp", str(milliseconds(stamped_at))),
        )
        reply = await self._session.act("DELETE", path, fields, account=key.account, protective=True)
        return self._answer(reply, key)

    async def open_orders(self, account: str, symbol: str | None = None) -> tuple[VenueOrder, ...]:
        fields = (("symbol", venue_symbol(symbol)),) if symbol else ()
        rows = await self._ask_signed(
            account, "/api/v3/openOrders", fields, weight=6 if symbol else 80, protective=symbol is not None
        )
        return tuple([self._seen(account, row, symbol or await self._our_symbol(row["symbol"])) for row in rows])

    async def orders(self, account: str, symbol: str) -> tuple[VenueOrder, ...]:
        found: list[VenueOrder] = []
        next_id = 1
        while True:
            fields = (("symbol", venue_symbol(symbol)), ("orderId", str(next_id)), ("limit", str(PAGE)))
            rows = await self._ask_signed(account, "/api/v3/allOrders", fields, weight=20)
            found += [self._seen(account, row, symbol) for row in rows]
            if len(rows) < PAGE:
                return tuple(sorted(found, key=lambda order: int(order.venue_order_id)))
            next_id = max(int(row["orderId"]) for row in rows) + 1

    async def fills(self, account: str, symbol: str, *, venue_order_id: str | None = None) -> tuple[Fill, ...]:
        rows: list[dict[str, Any]] = []
        narrowed = (("orderId", venue_order_id),) if venue_order_id is not None else ()
        next_id = 0
        while True:
            fields = (("symbol", venue_symbol(symbol)), *narrowed, ("fromId", str(next_id)), ("limit", str(PAGE)))
            page = await self._ask_signed(
                account, "/api/v3/myTrades", fields, weight=5 if narrowed else 20, protective=bool(narrowed)
            )
            rows += page
            if len(page) < PAGE:
                break
            next_id = max(int(row["id"]) for row in page) + 1
        await self._learn_client_ids(account, symbol, {str(row["orderId"]) for row in rows})
        return tuple(
            to_fill(row, symbol=symbol, client_order_id=self._client_ids[account, symbol, str(row["orderId"])])
            for row in sorted(rows, key=lambda row: int(row["id"]))
        )

    # -- inside ------------------------------------------------------------------------------------------------------

    def _check_realm(self, realm: str, venue: str) -> None:
        if (realm, venue) != (self.realm, self.venue):
            raise RealmRefused(
                f"this adapter serves venue {self.venue} of realm {self.realm}, "
                f"not {venue} of {realm}: nothing was sent"
            )

    async def _ask_signed(
        self, account: str, path: str, fields: Iterable[tuple[str, str]], *, weight: int, protective: bool = False
    ) -> Any:
        try:
            payload = await self._session.ask(
                "GET", path, tuple(fields), weight=weight, account=account, protective=protective
            )
        except VenueRefused as refused:
            if refused.code == -2015:
                self._stopped = str(refused)
            raise
        self._stopped = None
        return payload

    def _answer(self, reply: Reply, key: OrderKey, *, beside: tuple[str, ...] = ()) -> VenueAnswer:
        """The answer's meaning. A list that lacks one of its orders cannot be read: it is asked about."""
        answered, order = reply.answered, None
        others: tuple[VenueOrder, ...] = ()
        if reply.held_s is not None:
            return VenueAnswer(outcome=OutcomeClass.NOT_PROCESSED, message=answered.message, retry_after_s=reply.held_s)
        if answered.is_order and answered.http_status == 200:
            try:
                if "orderReports" in reply.payload:
                    told = [self._seen(key.account, row, key.symbol) for row in reply.payload["orderReports"]]
                    by_id = {seen.client_order_id: seen for seen in told}
                    order, others = by_id[key.client_order_id], tuple(by_id[name] for name in beside)
                else:
                    order = self._seen(key.account, reply.payload, key.symbol)
            except (KeyError, ValueError, ArithmeticError, TypeError, AttributeError) as error:
                order = None
                answered = Answered(http_status=200, message=f"an order that cannot be read: {error!r}")
        meaning = classify(answered)
        if meaning.stops_venue:
            self._stopped = describe(answered)
        return VenueAnswer(
            outcome=meaning.outcome,
            order=order,
            beside=others,
            code=answered.code,
            http_status=answered.http_status,
            message=describe(answered) if order is None else "",
            retry_after_s=reply.retry_after_s,
            stops_venue=meaning.stops_venue,
        )

    def _seen(self, account: str, payload: Any, symbol: str) -> VenueOrder:
        order = to_order(payload, symbol)
        self._client_ids[account, symbol, order.venue_order_id] = order.client_order_id
        return order

    async def _learn_client_ids(self, account: str, symbol: str, venue_order_ids: set[str]) -> None:
        """Trades name their order by the venue's number only: the client ids come from the orders."""
        unknown = {number for number in venue_order_ids if (account, symbol, number) not in self._client_ids}
        if len(unknown) > 5:
            await self.orders(account, symbol)
            unknown = {number for number in unknown if (account, symbol, number) not in self._client_ids}
        for number in sorted(unknown, key=int):
            fields = (("symbol", venue_symbol(symbol)), ("orderId", number))
            self._seen(account, await self._ask_signed(account, "/api/v3/order", fields, weight=4), symbol)

    async def _our_symbol(self, name: str) -> str:
        for symbol in self._rules:
            if venue_symbol(symbol) == name:
                return symbol
        payload = await self._session.ask("GET", "/api/v3/exchangeInfo", (("symbol", name),), weight=20)
        rules = to_rules(payload["symbols"][0])
        self._rules[rules.symbol] = (time.monotonic(), rules)
        return rules.symbol
