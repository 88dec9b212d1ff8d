"""The port to the ledger, for those who read all of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

from activities.store.ports.journal import Intent
from trading.contract import Contract, Utc
from trading.ledger.positions import Position
from trading.orders.models import Fill


class OpenItem(Contract):
    """Something that must not be without its workflow: an open position or an unresolved order."""

    kind: str
    account: str
    symbol: str
    client_order_id: str | None = None
    decision_id: str | None = None
    quantity: Decimal = Decimal(0)
    stop_price: Decimal | None = None
    target_price: Decimal | None = None
    exit_at: Utc | None = None


class LedgerReader(Protocol):
    """What reconciliation and the end of a run read."""

    async def ledger_orders(self, realm: str, account: str) -> tuple[Intent, ...]: ...

    async def ledger_fills(self, realm: str, account: str) -> tuple[Fill, ...]: ...

    async def opening_balances(self, realm: str, account: str) -> tuple[tuple[str, Decimal], ...]: ...

    async def positions(self, realm: str, account: str) -> tuple[Position, ...]:
        """The positions as stored, flat ones included, by symbol."""
        ...

    async def open_items(self, realm: str) -> tuple[OpenItem, ...]:
        """Unresolved orders (`kind` `order`) and held positions (`position`) of all accounts, in a stable order."""
        ...

    async def digest(self, realm: str) -> str:
        """One hash over all business columns of the realm, without wall-clock times, latencies and attempt counts."""
        ...
