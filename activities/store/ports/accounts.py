"""The ports to accounts: their gate rows, their equity, and what breakers did to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from trading.contract import Contract
from trading.decision.models import (
    PositionView,
)
from trading.risk.models import Arming, Exposure, Mode, Protection
from trading.risk.promises import Promise, Promised


class AccountBook(Protocol):
    """Accounts, their gate rows and their equity."""

    async def open_account(
        self,
        realm: str,
        *,
        venue: str,
        ledger: str,
        account: str,
        opening: Sequence[tuple[str, Decimal]],
        as_of: datetime,
    ) -> None:
        """Record the opening balances once; a second call changes nothing."""
        ...

    async def exposure(self, realm: str, account: str) -> Exposure | None:
        """The account as the ledger has it, marked at the newest marks; `None` for an unknown account."""
        ...

    async def position_view(self, realm: str, account: str, symbol: str) -> PositionView | None:
        """The account's position in one symbol with its equity and cash; `None` for an unknown account."""
        ...

    async def used_permits(self, realm: str, account: str, permit_ids: Sequence[str]) -> tuple[str, ...]:
        """Those of the permits that an order was intended under, sorted."""
        ...

    async def write_gate(self, realm: str, account: str, *, mode: Mode, epoch: int, reason: str, who: str) -> None:
        """Durable when it returns. A row of a higher epoch stays; an unknown account raises `StoreRefused`."""
        ...

    async def record_equity(
        self, realm: str, account: str, *, as_of: datetime, marks: Sequence[tuple[str, Decimal]]
    ) -> Decimal:
        """Mark the account at `marks` and store one equity row for (account, as_of); returns equity in USD.

        A second call for the same time replaces the row.
        """
        ...

    async def record_outcome(
        self,
        realm: str,
        account: str,
        symbol: str,
        decision_id: str,
        *,
        pnl_usd: Decimal,
        return_fraction: Decimal,
        exit_reason: str,
        closed_at: datetime,
    ) -> None:
        """What a closed trade came to; the first record of a trade stays."""
        ...


class KeptProtection(Contract):
    """A breaker's work on an account, and who lifted it, if anybody did."""

    account: str
    protection: Protection
    lifted_by: str | None = None
    lifted_because: str | None = None


class Promises(Protocol):
    """What desks promise before anything is ordered: seen by each other, so that no room is given away twice (C16)."""

    async def promise(self, realm: str, account: str, promise: Promise) -> Promised:
        """Write the promise where the venue's other accounts leave its room, held, ordered and promised together.

        In one transaction, alone among the promises of its symbol. Repeated, it stands as it stood. An unknown account
        raises `StoreRefused`.
        """
        ...


class Protections(Protocol):
    """What breakers did to accounts (C20). Each act is one line of the audit."""

    async def keep_protection(self, realm: str, account: str, protection: Protection) -> None:
        """Written once for its id: a repeat changes nothing, also after it was lifted."""
        ...

    async def lift_protection(
        self, realm: str, account: str, protection_id: str, *, operation_id: str, who: str, reason: str
    ) -> None:
        """Mark it as lifted and audit the operation once; the first to lift it stays."""
        ...

    async def protections(self, realm: str) -> tuple[KeptProtection, ...]:
        """All of the realm, the newest first, lifted and ended ones included."""
        ...

    async def known_market_time(self, realm: str) -> datetime | None:
        """The newest market time of which the realm has a record: a decision, an equity, a protection."""
        ...


class KeptArming(Contract):
    """A person's leave to trade real money in an account, and who took it back, if anybody did."""

    account: str
    arming: Arming
    ended_by: str | None = None
    ended_because: str | None = None


class Armings(Protocol):
    """Who let real money trade (venue.md). Each act is one line of the audit."""

    async def arm(
        self, realm: str, account: str, *, operation_id: str, capital_usd: Decimal, who: str, reason: str
    ) -> None:
        """Armed once for the operation; an earlier leave ends with it.

        Raises `StoreRefused` in a realm without arming, for an unknown account, and for more than the account has.
        """
        ...

    async def disarm(self, realm: str, account: str, *, operation_id: str, who: str, reason: str) -> None:
        """From then on no intent that raises exposure is written."""
        ...

    async def armings(self, realm: str) -> tuple[KeptArming, ...]:
        """All of the realm, the newest first, ended ones included."""
        ...
