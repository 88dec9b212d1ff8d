"""The port to orders as the house intends, sends and sees them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from activities.exchange.port import PreparedOrder, VenueAnswer
from trading.contract import Contract
from trading.orders.models import Fill, OrderKey, OrderReport, OrderRequest, OrderStatus, VenueOrder, is_tried_on


class IntentRefused(Exception):
    """The account's gate row, or an order of the symbol that nobody knows the fate of, forbids this one; it is unsent.

    `code` is `halted`, `epoch_older`, `no_permit`, `not_armed`, `unknown_account`, `symbol_frozen`
    or `venue_reset`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Intent(Contract):
    """An order's row: the request, the newest prepared form, its status, and how often it was sent."""

    request: OrderRequest
    prepared: PreparedOrder
    status: OrderStatus
    sends: int
    report: OrderReport | None = None
    venue_order_id: str | None = None

    @property
    def is_tried_on(self) -> bool:
        """Whether it is a stop that is frozen only for as long as the venue is silent."""
        reason = self.report.reason if self.report is not None else ""
        return is_tried_on(self.status, reason)


class OrderJournal(Protocol):
    """Intents before effects, answers and fills after them."""

    async def find_intent(self, key: OrderKey) -> Intent | None: ...

    async def record_intent(self, request: OrderRequest, prepared: PreparedOrder) -> Intent:
        """Insert the intent, or return the row that is there (a request that differs raises `ValueError`).

        Reads the account's gate row in the same transaction and raises `IntentRefused` for an order that raises
        exposure while the account is halted, the epoch is older, or another order of its symbol is frozen: behind an
        order that is not known no guard can protect what this one buys. Protective and reducing legs always pass.
        A row that was never sent passes the gate again.
        """
        ...

    async def give_back(self, realm: str, account: str, permit_id: str) -> None:
        """Nothing was or will be ordered under the permit: what its desk promised is free at once."""
        ...

    async def record_adopted(self, request: OrderRequest, prepared: PreparedOrder) -> Intent:
        """The row of an order that another client placed: a person's word in place of the gate's. Once for its id."""
        ...

    async def record_resend(self, key: OrderKey, prepared: PreparedOrder) -> Intent:
        """A new timestamp for the same id, after the earlier request can no longer be accepted; gate as above."""
        ...

    async def record_sent(self, key: OrderKey) -> None:
        """Count one send, just before its first byte."""
        ...

    async def record_answer(self, key: OrderKey, answer: VenueAnswer) -> None:
        """Keep what a send was answered; a definite refusal makes an intended order `REFUSED`, nothing else changes."""
        ...

    async def record_order(self, key: OrderKey, order: VenueOrder, fills: Sequence[Fill]) -> OrderReport:
        """Take the venue's view and its fills into the ledger in one transaction; repeating it changes nothing.

        The report's numbers come from the stored fills; `missing_quantity` is what the venue has executed beyond them.
        A terminal status that the venue gave never changes; an older view of the venue changes no status.
        """
        ...

    async def unprotected_s(self, key: OrderKey) -> Decimal | None:
        """Venue seconds from the first unanswered fill to the acceptance of this exit; `None` where it answered none.

        An exit answers every fill before it; an entry that brought its exits along in one list needs no answer.
        """
        ...

    async def unprotected_since(self, key: OrderKey) -> datetime | None:
        """Since when, by the venue's time, no exit rests for what was bought of the symbol; `None` while one does.

        It is the first fill that no exit has answered, or the end of the newest exit. Dust is for the caller to know.
        """
        ...

    async def record_status(self, key: OrderKey, status: OrderStatus, *, reason: str) -> OrderReport:
        """Our own word on an order (`FROZEN`, `REFUSED`, `EXPIRED`); a terminal status stays as it is."""
        ...


class EntryPlan(Contract):
    """An entry that is sent in slices, named by its first order; `request` is its execution's, as JSON."""

    realm: str
    account: str
    client_order_id: str
    decision_id: str
    request: str


class EntryPlans(Protocol):
    """Plans of sliced entries, until all of it was sent or something ended it."""

    async def keep_entry_plan(self, plan: EntryPlan) -> None:
        """Written once, before the first slice is sent."""
        ...

    async def end_entry_plan(self, realm: str, account: str, client_order_id: str, *, because: str) -> None:
        """No slice follows any more, and why; the first reason stays."""
        ...

    async def open_entry_plans(self, realm: str) -> tuple[EntryPlan, ...]: ...

    async def end_of_entry_plan(self, realm: str, account: str, client_order_id: str) -> str | None:
        """Why no slice follows; `None` while one may, and for an unknown plan."""
        ...
