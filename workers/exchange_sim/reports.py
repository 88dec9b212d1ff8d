"""What the user data stream tells: built while the engine works, sent when its changes are committed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from trading.matching.model import Fill, Order, Status
from trading.matching.order_lists import OrderList
from trading.matching.wallet import Wallet
from workers.exchange_sim.market import Market
from workers.exchange_sim.rendering import account_position, execution_report, list_status


class Reports:
    """Events of watched accounts in market time order. Nothing is built for an account nobody listens to."""

    def __init__(self) -> None:
        self.watched: set[str] = set()
        self._told: list[tuple[str, dict[str, Any]]] = []

    def order(self, market: Market, order: Order, at_ms: int, *, execution: str, fill: Fill | None = None) -> None:
        if order.account in self.watched:
            self._told.append((order.account, execution_report(order, market, at_ms, execution=execution, fill=fill)))

    def cancelled(self, market: Market, order: Order, at_ms: int, *, cancel_id: str) -> None:
        """The report of a cancel names the cancel as its client id and the order's as the original one."""
        if order.account in self.watched:
            report = execution_report(order, market, at_ms, execution="CANCELED", fill=None)
            self._told.append((order.account, report | {"c": cancel_id, "C": order.client_id}))

    def order_list(self, market: Market, order_list: OrderList, legs: Iterable[Order], at_ms: int) -> None:
        if order_list.account in self.watched:
            self._told.append((order_list.account, list_status(order_list, market, legs, at_ms)))

    def balances(self, account: str, wallets: Mapping[str, Wallet], assets: Iterable[str], at_ms: int) -> None:
        if account in self.watched:
            self._told.append((account, account_position(wallets[account], assets, at_ms)))

    def take(self) -> list[tuple[str, dict[str, Any]]]:
        """What was told since the last call, with the account it is for."""
        told, self._told = self._told, []
        return told


def execution_of(after: Order, fill: Fill | None) -> str:
    """The execution type of a step that ended or changed an order."""
    if fill is not None:
        return "TRADE"
    if after.status in (Status.CANCELED, Status.EXPIRED, Status.REJECTED):
        return str(after.status)
    return "NEW"
