"""Reconciliation: orders, fills, balances and the four invariants at the venue against ours."""

from __future__ import annotations

from temporalio import activity

from activities.exchange.port import Exchange, RealmRefused, VenueRefused
from activities.exchange.translation import INVALID_SYMBOL, venue_call
from activities.store.ports.journal import Intent
from activities.store.ports.ledger import LedgerReader
from trading.contract import Contract
from trading.ledger.differences import (
    Difference,
    LedgerOrder,
    LedgerView,
    Transfer,
    VenueView,
    compare,
    foreign_orders,
    unexplained,
)
from trading.ledger.venue_reset import vanished
from trading.money import ZERO
from trading.orders.models import Fill, OrderKey, VenueOrder

ASKED_AGAIN = 20
"""So many of the newest orders that a list of the venue lacks are asked for by their ids."""


class ReconcileRequest(Contract):
    """`symbols` are looked at for every account, and with them every symbol in its ledger.

    Orders of other clients are seen in these only; one that the venue does not list and we never traded is left out.
    """

    realm: str
    venue: str
    accounts: tuple[str, ...]
    symbols: tuple[str, ...]


class Reconciliation(Contract):
    """The keys of `perennial reconcile --json`. `foreign_orders` are client ids at the venue that are none of ours.

    `transfers` are balances that no trade of the venue explains: a person classifies them, and they freeze nothing.
    `wiped` are accounts of which the venue, asked for each order, knows none any more (`trading.ledger.venue_reset`).
    """

    orders_checked: int
    fills_checked: int
    differences: tuple[Difference, ...] = ()
    foreign_orders: tuple[str, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    wiped: tuple[str, ...] = ()


class ReconcileCalls:
    """Reads both sides and changes neither.

    A difference counts when a second look at both sides shows it unchanged: what is just under way is none. Errors as
    an activity: `RealmRefused`, `VenueRefused` and `StoreRefused` are final, `VenueUnavailable` and `StoreUnavailable`
    are retried. Outside an activity the port's own errors come through.
    """

    def __init__(self, exchange: Exchange, reader: LedgerReader) -> None:
        self._exchange = exchange
        self._reader = reader

    @activity.defn
    async def reconcile(self, request: ReconcileRequest) -> Reconciliation:
        """Compare every account of the request; order of accounts and differences is stable."""
        if not activity.in_activity():
            return await self._reconciled(request)
        async with venue_call():
            return await self._reconciled(request)

    async def _reconciled(self, request: ReconcileRequest) -> Reconciliation:
        if (request.realm, request.venue) != (self._exchange.realm, self._exchange.venue):
            served = f"venue {self._exchange.venue} of realm {self._exchange.realm}"
            raise RealmRefused(f"this worker serves {served}, not {request.venue} of {request.realm}")
        orders = fills = 0
        differences: list[Difference] = []
        foreign: list[str] = []
        transfers: list[Transfer] = []
        wiped: list[str] = []
        for account in request.accounts:
            ours, venue = await self._both(request, account)
            found = compare(ours, venue)
            if found:
                ours, venue = await self._both(request, account)
                again = set(compare(ours, venue))
                found = tuple(difference for difference in found if difference in again)
            if found and await self._is_wiped(request, ours, venue):
                wiped.append(account)
            differences += found
            foreign += foreign_orders(ours, venue)
            transfers += unexplained(ours, venue)
            orders += len({order.client_order_id for order in ours.orders} | {o.client_order_id for o in venue.orders})
            fills += len({(f.symbol, f.trade_id) for f in (*ours.fills, *venue.fills)})
        return Reconciliation(
            orders_checked=orders,
            fills_checked=fills,
            differences=tuple(differences),
            foreign_orders=tuple(foreign),
            transfers=tuple(transfers),
            wiped=tuple(wiped),
        )

    async def _is_wiped(self, request: ReconcileRequest, ours: LedgerView, venue: VenueView) -> bool:
        """Whether the venue, asked for each order that a wipe would have taken, knows none; silence says nothing."""
        gone = vanished(ours, venue)
        for order in gone[-ASKED_AGAIN:]:
            key = OrderKey(
                realm=request.realm,
                venue=request.venue,
                account=ours.account,
                symbol=order.symbol,
                client_order_id=order.client_order_id,
            )
            if await self._exchange.find(key) is not None:
                return False
        return bool(gone)

    async def _both(self, request: ReconcileRequest, account: str) -> tuple[LedgerView, VenueView]:
        ours = await self._ledger(request.realm, account)
        traded = frozenset(order.symbol for order in ours.orders)
        return ours, await self._venue(account, sorted({*request.symbols, *traded}), traded=traded)

    async def _ledger(self, realm: str, account: str) -> LedgerView:
        intents = await self._reader.ledger_orders(realm, account)
        return LedgerView(
            account=account,
            orders=tuple(_ledger_order(intent) for intent in intents),
            fills=await self._reader.ledger_fills(realm, account),
            opening=await self._reader.opening_balances(realm, account),
            positions=await self._reader.positions(realm, account),
        )

    async def _venue(self, account: str, symbols: list[str], *, traded: frozenset[str]) -> VenueView:
        orders: list[VenueOrder] = []
        fills: list[Fill] = []
        for symbol in symbols:
            try:
                orders += await self._exchange.orders(account, symbol)
            except VenueRefused as refused:
                if refused.code == INVALID_SYMBOL and symbol not in traded:
                    continue  # one of the profile's symbols that this venue does not list
                raise
            fills += await self._exchange.fills(account, symbol)
        told = await self._exchange.account(account)
        return VenueView(account=account, orders=tuple(orders), fills=tuple(fills), balances=told.balances)


def _ledger_order(intent: Intent) -> LedgerOrder:
    report = intent.report
    return LedgerOrder(
        client_order_id=intent.request.client_order_id,
        symbol=intent.request.symbol,
        status=intent.status,
        venue_order_id=intent.venue_order_id,
        sends=intent.sends,
        executed_quantity=ZERO if report is None else report.executed_quantity,
        executed_quote=ZERO if report is None else report.executed_quote,
        intended_for=intent.request.as_of,
    )
