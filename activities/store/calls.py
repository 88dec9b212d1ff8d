"""The store as activities: small, idempotent, in the worker's own process. They translate; the ports do the work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Protocol

from pydantic import Field
from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

from activities.beating import HEARTBEAT, beating
from activities.store.ports.accounts import AccountBook, Promises, Protections
from activities.store.ports.audit import Audit
from activities.store.ports.blobs import Blobs
from activities.store.ports.decisions import Decisions
from activities.store.ports.faults import StoreRefused, StoreUnavailable
from activities.store.ports.journal import EntryPlan, EntryPlans
from activities.store.ports.plans import DayPlans
from trading.contract import Contract, Utc
from trading.decision.models import DecisionHead, DecisionSummary, PositionView, TrackRecord
from trading.planning.binding import bounds_of
from trading.risk.models import Exposure, GateAnswer, Mode, PlanBound, Protection
from trading.risk.promises import Promise, Promised

STORE_CALL: workflow.LocalActivityConfig = {
    # Longer than the 15 s for which a write waits for another process's transaction on SQLite.
    "start_to_close_timeout": timedelta(seconds=20),
    # Without a last attempt: every call is idempotent, and a decision without its record must not go on. What can never
    # succeed is marked where it is known; the two named here are made by the SDK after the work is done.
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=50),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(seconds=5),
        non_retryable_error_types=["PayloadsTooLarge", "PydanticSerializationError"],
    ),
    # A longer pause is a timer in history: the workflow task must not be held open through an outage.
    "local_retry_threshold": timedelta(seconds=2),
}

ENTITY_CALL: workflow.ActivityConfig = {
    # The same under a workflow that has updates. There a local call is a trap: a query that arrives while it runs may
    # split the workflow task between the call's marker and the update, and that history can never be replayed.
    "start_to_close_timeout": STORE_CALL["start_to_close_timeout"],
    "heartbeat_timeout": HEARTBEAT,
    "retry_policy": STORE_CALL["retry_policy"],
}

STORE_REFUSED = "StoreRefused"
STORE_CONFLICT = "StoreConflict"
STORE_UNAVAILABLE = "StoreUnavailable"
UNKNOWN_ACCOUNT = "UnknownAccount"
BLOB_MISSING = "BlobMissing"


class Records(Decisions, DayPlans, AccountBook, Promises, EntryPlans, Audit, Protections, Blobs, Protocol):
    """What these activities need of the one store."""


class OpenedDecision(Contract):
    """`finished` is the stored end where this decision was taken before; `position` is the lead account's.

    `plans` are the bounds of the accounts by the plan in force; without one the policy alone applies (C09).
    """

    finished: DecisionSummary | None = None
    position: PositionView
    plans: tuple[PlanBound, ...] = ()


class RecallRef(Contract):
    recall_hash: str
    items: int


class TrackRequest(Contract):
    """`regime` is a trend regime; `None` means any."""

    realm: str
    regime: str | None = None
    before: Utc


class TrackRecords(Contract):
    primary: TrackRecord
    secondary: TrackRecord


class GateRecord(Contract):
    head: DecisionHead
    account: str
    answer: GateAnswer


class ExposureRequest(Contract):
    realm: str
    account: str


class PositionRequest(Contract):
    realm: str
    account: str
    symbol: str


class PermitsRequest(Contract):
    """Permits of one account, asked about."""

    realm: str
    account: str
    permit_ids: tuple[str, ...]


class UsedPermits(Contract):
    permit_ids: tuple[str, ...]


class PromiseRecord(Contract):
    realm: str
    account: str
    promise: Promise


class EntryPlanEnd(Contract):
    """No slice of the entry follows any more."""

    realm: str
    account: str
    client_order_id: str
    because: str


class GateRow(Contract):
    """An account's mode and epoch, as `place_order` will read them."""

    realm: str
    account: str
    mode: Mode
    epoch: int
    reason: str
    who: str


class HandRecord(Contract):
    """What a person did: who, why, to what, under which operation id."""

    realm: str
    operation_id: str
    subject: str
    what: str
    who: str
    reason: str


class ProtectionRecord(Contract):
    realm: str
    account: str
    protection: Protection


class LiftRecord(Contract):
    """A person lifts a protection: who, why, and the id under which it is done once."""

    realm: str
    account: str
    protection_id: str
    operation_id: str
    who: str
    reason: str


class OutcomeRecord(Contract):
    realm: str
    account: str
    symbol: str
    decision_id: str
    pnl_usd: Decimal
    return_fraction: Decimal
    exit_reason: str
    closed_at: Utc


class PlaybookText(Contract):
    text: str = Field(min_length=1, description="the playbook as JSON")


class PlaybookRef(Contract):
    playbook_hash: str


class StoreCalls:
    """Records of decisions and accounts. Every activity may be repeated with the same input: it changes nothing more.

    Error types: `StoreUnavailable` is retried; `StoreRefused`, `StoreConflict` (the same id with other facts),
    `UnknownAccount` and `BlobMissing` are final.
    """

    def __init__(self, store: Records) -> None:
        self._store = store

    @activity.defn
    async def open_decision(self, head: DecisionHead) -> OpenedDecision:
        """Open the decision, or find its end; the lead account's position comes along."""
        with _store_errors():
            found = await self._store.day_plan_in_force(head.realm, as_of=head.as_of)
            finished = await self._store.open_decision(head, plan_period=found.period if found else None)
            lead = PositionRequest(realm=head.realm, account=head.accounts[0], symbol=head.symbol)
            return OpenedDecision(
                finished=finished,
                position=await self._view(lead),
                plans=() if found is None else bounds_of(found.plan, head, period=found.period),
            )

    @activity.defn
    async def recall(self, head: DecisionHead) -> RecallRef:
        """Gather what is remembered of the time before the decision (C08)."""
        with _store_errors():
            recall_hash, items = await self._store.recall(head)
            return RecallRef(recall_hash=recall_hash, items=items)

    @activity.defn
    async def track_records(self, request: TrackRequest) -> TrackRecords:
        """How both models did in this regime before a time (C05)."""
        with _store_errors():
            primary, secondary = await self._store.track_records(
                request.realm, regime=request.regime, before=request.before
            )
            return TrackRecords(primary=primary, secondary=secondary)

    @activity.defn
    async def record_gate(self, record: GateRecord) -> None:
        """Keep what the gate answered for one account."""
        async with at_the_store():
            await self._store.record_gate(record.head, record.answer, account=record.account)

    @activity.defn
    async def finish_decision(self, summary: DecisionSummary) -> None:
        """Keep the decision's end; the first end stays."""
        async with at_the_store():
            await self._store.finish_decision(summary)

    @activity.defn
    async def load_exposure(self, request: ExposureRequest) -> Exposure:
        """The account as the ledger has it."""
        async with at_the_store():
            exposure = await self._store.exposure(request.realm, request.account)
            if exposure is None:
                raise _unknown_account(request.realm, request.account)
            return exposure

    @activity.defn
    async def position_view(self, request: PositionRequest) -> PositionView:
        """The account's position in one symbol, with its equity and cash."""
        async with at_the_store():
            return await self._view(request)

    async def _view(self, request: PositionRequest) -> PositionView:
        view = await self._store.position_view(request.realm, request.account, request.symbol)
        if view is None:
            raise _unknown_account(request.realm, request.account)
        return view

    @activity.defn
    async def used_permits(self, request: PermitsRequest) -> UsedPermits:
        """Which of the permits an order was ever intended under."""
        async with at_the_store():
            used = await self._store.used_permits(request.realm, request.account, request.permit_ids)
            return UsedPermits(permit_ids=used)

    @activity.defn
    async def promise(self, record: PromiseRecord) -> Promised:
        """Show the promise to the venue's other desks, where what they hold and promised leaves its room (C16)."""
        async with at_the_store():
            return await self._store.promise(record.realm, record.account, record.promise)

    @activity.defn
    async def keep_entry_plan(self, plan: EntryPlan) -> None:
        """Keep what a sliced entry means to do before its first slice is sent (C24)."""
        with _store_errors():
            await self._store.keep_entry_plan(plan)

    @activity.defn
    async def end_entry_plan(self, end: EntryPlanEnd) -> None:
        """Keep why no slice of an entry follows any more (C24)."""
        with _store_errors():
            await self._store.end_entry_plan(end.realm, end.account, end.client_order_id, because=end.because)

    @activity.defn
    async def write_gate(self, row: GateRow) -> None:
        """Durable when it returns: from then on no entry of an older epoch gets an intent row."""
        async with at_the_store():
            await self._store.write_gate(
                row.realm, row.account, mode=row.mode, epoch=row.epoch, reason=row.reason, who=row.who
            )

    @activity.defn
    async def keep_protection(self, record: ProtectionRecord) -> None:
        """Keep what a breaker did to an account, once for its id (C20)."""
        async with at_the_store():
            await self._store.keep_protection(record.realm, record.account, record.protection)

    @activity.defn
    async def lift_protection(self, record: LiftRecord) -> None:
        """Mark a protection as lifted and write down who did it, once for the operation id (C20)."""
        async with at_the_store():
            await self._store.lift_protection(
                record.realm,
                record.account,
                record.protection_id,
                operation_id=record.operation_id,
                who=record.who,
                reason=record.reason,
            )

    @activity.defn
    async def record_hand(self, hand: HandRecord) -> None:
        """Write down what a person did, once for its operation id (C14)."""
        async with at_the_store():
            await self._store.record_hand(
                hand.realm,
                operation_id=hand.operation_id,
                subject=hand.subject,
                what=hand.what,
                who=hand.who,
                reason=hand.reason,
            )

    @activity.defn
    async def record_outcome(self, record: OutcomeRecord) -> None:
        """Keep what a closed trade came to; the first record of a trade stays."""
        with _store_errors():
            await self._store.record_outcome(
                record.realm,
                record.account,
                record.symbol,
                record.decision_id,
                pnl_usd=record.pnl_usd,
                return_fraction=record.return_fraction,
                exit_reason=record.exit_reason,
                closed_at=record.closed_at,
            )

    @activity.defn
    async def keep_playbook(self, playbook: PlaybookText) -> PlaybookRef:
        """Keep a playbook's text under its content hash."""
        with _store_errors():
            return PlaybookRef(playbook_hash=await self._store.put(playbook.text, media_type="application/json"))


def _unknown_account(realm: str, account: str) -> ApplicationError:
    message = f"account {account} of {realm} is unknown: open it first"
    return ApplicationError(message, type=UNKNOWN_ACCOUNT, non_retryable=True)


@asynccontextmanager
async def at_the_store() -> AsyncIterator[None]:
    """For calls that an entity makes: a killed worker is noticed, so that a halt does not wait for its time-out."""
    async with beating():
        with _store_errors():
            yield


@contextmanager
def _store_errors() -> Iterator[None]:
    """Give the port's errors their stable types, and say which can never succeed."""
    try:
        yield
    except StoreUnavailable as silent:
        raise ApplicationError(str(silent), type=STORE_UNAVAILABLE) from silent
    except StoreRefused as refused:
        raise ApplicationError(str(refused), type=STORE_REFUSED, non_retryable=True) from refused
    except ValueError as conflict:
        raise ApplicationError(str(conflict), type=STORE_CONFLICT, non_retryable=True) from conflict
    except KeyError as missing:
        raise ApplicationError(str(missing), type=BLOB_MISSING, non_retryable=True) from missing
