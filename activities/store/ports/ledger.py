"""The port to the ledger, for those who read all of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from activities.store.ports.journal import Intent
from trading.contract import Contract, Utc
from trading.ledger.positions import Position
from trading.ledger.venue_reset import LedgerClosing
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
    """What reconciliation and the end of a run read: the books that are open, not those that a wiped venue closed."""

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


class LedgerClosings(Protocol):
    """Books that end because their venue was wiped."""

    async def heed_wipe(
        self,
        realm: str,
        account: str,
        *,
        look: datetime,
        at: datetime,
        is_gone: bool,
        balances: Sequence[tuple[str, Decimal]],
    ) -> LedgerClosing | None:
        """Take in what a look at the venue found; the same `look` again gives the same answer.

        The first that found nothing of ours (`is_gone`) puts the books in doubt, a later one closes them and begins new
        ones with `balances` at the market time `at`; one that found our orders ends the doubt. Raises `StoreRefused`
        for a realm whose venue is wiped by nobody.
        """
        ...
