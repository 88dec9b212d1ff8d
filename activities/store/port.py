"""The ports to the database, one for each reader's need; all are served by one store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from pydantic import Field

from activities.exchange.port import PreparedOrder, VenueAnswer
from trading.contract import Contract, Utc
from trading.decision.models import (
    DecisionHead,
    DecisionSummary,
    Finding,
    PositionView,
    Recall,
    Role,
    Stance,
    TrackRecord,
)
from trading.ledger.positions import Position
from trading.orders.models import Fill, OrderKey, OrderReport, OrderRequest, OrderStatus, VenueOrder
from trading.planning.hours import MarketHours
from trading.planning.models import AccountNumbers, DayNumbers, DayPlan
from trading.playbook import Playbook
from trading.review.baseline import PriceRun
from trading.review.day import DayReview
from trading.review.period import Period
from trading.review.proposals import ProposalStatus, ReflectionAnswer, ReflectionProposal, ReflectionVerb
from trading.risk.models import Exposure, GateAnswer, Mode, Protection
from trading.strategies.models import Strategy


class StoreUnavailable(Exception):
    """The database did not answer now (locked, restarting, gone): the same call may be tried again."""


class StoreRefused(ValueError):
    """The database refused a value for good: a broken key, a number or time it cannot hold. Never retried."""


class Blobs(Protocol):
    """Big texts under their content hash; the same text is stored once."""

    async def put(self, text: str, *, media_type: str) -> str: ...

    async def get(self, content_hash: str) -> str:
        """Raises `KeyError` where nothing is stored under the hash."""
        ...


class StoredAnswer(Contract):
    """A model's finished answer, found again by (decision, step, model, prompt hash)."""

    decision_id: str
    step: str
    role: Role
    provider: str
    model: str
    is_rule_based: bool
    prompt_hash: str
    answer_hash: str
    prompt_tokens: int
    completion_tokens: int
    cost_usd: Decimal
    latency_ms: int
    attempt: int = 1


class Answers(Protocol):
    async def find_answer(
        self, realm: str, *, decision_id: str, step: str, model: str, prompt_hash: str
    ) -> StoredAnswer | None: ...

    async def keep_answer(self, realm: str, answer: StoredAnswer) -> StoredAnswer:
        """Store it, or return the one already there: two attempts that both finish leave one row."""
        ...


class IntentRefused(Exception):
    """The account's gate row, or an order of the symbol that nobody knows the fate of, forbids this one; it is unsent.

    `code` is `halted`, `epoch_older`, `no_permit`, `unknown_account` or `symbol_frozen`.
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

    async def record_status(self, key: OrderKey, status: OrderStatus, *, reason: str) -> OrderReport:
        """Our own word on an order (`FROZEN`, `REFUSED`, `EXPIRED`); a terminal status stays as it is."""
        ...


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


class AuditEntry(Contract):
    """One line of the audit: who did what to whom, when and why. `at` is wall-clock time."""

    operation_id: str
    subject: str
    what: str
    who: str
    reason: str
    at: Utc


class Audit(Protocol):
    """What people did, and what limits did in their place."""

    async def record_hand(
        self, realm: str, *, operation_id: str, subject: str, what: str, who: str, reason: str
    ) -> None:
        """Written once for an operation id: a repeat changes nothing."""
        ...

    async def audit(self, realm: str, *, subject: str | None = None, limit: int = 100) -> tuple[AuditEntry, ...]:
        """The newest entries, newest first; of one subject, or of a decision's proposals where it ends with `-`."""
        ...


class KeptProtection(Contract):
    """A breaker's work on an account, and who lifted it, if anybody did."""

    account: str
    protection: Protection
    lifted_by: str | None = None
    lifted_because: str | None = None


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


class Decisions(Protocol):
    """Decision cards, from their opening to their end."""

    async def open_decision(self, head: DecisionHead, *, plan_period: str | None = None) -> DecisionSummary | None:
        """Insert the head, or return the summary where this decision is already finished."""
        ...

    async def recall(self, head: DecisionHead) -> tuple[str, int]:
        """Gather what is remembered, store it as a blob; its hash and the number of items."""
        ...

    async def load_recall(self, recall_hash: str) -> Recall: ...

    async def record_findings(
        self, head: DecisionHead, stance: Stance, findings: Sequence[Finding], *, step: str
    ) -> None: ...

    async def record_gate(self, head: DecisionHead, answer: GateAnswer, *, account: str) -> None: ...

    async def finish_decision(self, summary: DecisionSummary) -> None: ...

    async def track_records(
        self, realm: str, *, regime: str | None, before: datetime
    ) -> tuple[TrackRecord, TrackRecord]:
        """Primary and secondary, over finished decisions earlier than `before` in this trend regime (`None`: in any).

        `grounding_failures` counts decisions in which a finding was fatal or repairable; `brier` is over the newest
        500 closed trades before that time in decisions where the role said buy.
        """
        ...


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


class Periods(Protocol):
    """Plans and the results of period jobs: the first one of a period is the one."""

    async def keep_plan(self, realm: str, *, account: str, period: str, as_of: datetime, content_hash: str) -> str:
        """Store it, or return the content hash of the plan already kept for the period."""
        ...

    async def find_plan(self, realm: str, *, account: str, period: str) -> str | None: ...

    async def keep_report(
        self, realm: str, *, kind: str, account: str, period: str, as_of: datetime, content_hash: str
    ) -> str:
        """Store it, or return the content hash of the report already kept for (kind, account, period)."""
        ...

    async def find_report(self, realm: str, *, kind: str, account: str, period: str) -> str | None: ...

    async def is_behind(self, realm: str, *, kind: str, account: str, period: str, until: datetime) -> bool:
        """Whether `account` has a later period of `kind` on record, or the result of any period job from `until` on."""
        ...


class PlaybookRefused(ValueError):
    """A playbook that cannot be made active; the message says why and what is allowed.

    `code` is `unknown_version`, `loosens`, `nothing_earlier`, `no_reason` or `not_allowed`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class RegisteredPlaybook(Contract):
    """One row of the registry. `status` is `candidate`, `active` or `retired`; a realm has one active version.

    `created_from` says what made it (`first use`, a reflection's id, a person); `replaced` is the version that it took
    over from when it was last activated, and the one that a rollback goes to.
    """

    version: str
    parent: str | None
    status: str
    created_from: str
    who: str
    why: str
    content_hash: str
    replaced: str | None = None


class ReviseRequest(Contract):
    """A next version of the realm's active playbook, made once for its operation id.

    `policy_changes` are (field, new value); `principles` and `strategies` come into the playbook: sentences that it has
    already are not repeated, strategies take the place of all. With `activate` the version becomes the active one,
    unless it loosens a limit, or promotes strategies in the live realm, and nobody has approved that.
    """

    realm: str
    operation_id: str
    created_from: str
    why: str
    who: str
    policy_changes: tuple[tuple[str, str], ...] = ()
    principles: tuple[str, ...] = ()
    strategies: tuple[Strategy, ...] | None = None
    activate: bool = True
    approved_by: str | None = Field(default=None, description="the person who approved what loosens")
    author: str | None = Field(default=None, description="the person whose words the principles are")
    refuses_loosening: bool = Field(default=False, description="raise instead of leaving a candidate that waits")


class Revised(Contract):
    """What came of a revision. `waits_for` names what a person must approve before the version may be active.

    `changed` is false where the playbook held all of it already; `is_active` speaks of now: where a later version has
    taken over, nobody is to be told of this one any more.
    """

    operation_id: str
    version_before: str
    version: str
    playbook_hash: str
    is_active: bool
    changed: bool = True
    waits_for: tuple[str, ...] = ()


class PlaybookRegistry(Protocol):
    """The playbook's versions of a realm. A version is never changed, only its status is."""

    async def active_playbook(self, realm: str, *, first: Playbook | None = None) -> RegisteredPlaybook:
        """The active version; where the realm has none yet, `first` or the house's own is registered and active."""
        ...

    async def revise_playbook(self, request: ReviseRequest) -> Revised:
        """Make the next version and register it; the same operation id again makes none.

        Raises `PlaybookRefused` for a change that the policy does not allow, and for an empty reason or name.
        """
        ...

    async def register_playbook(
        self, realm: str, playbook: Playbook, *, created_from: str, who: str, why: str
    ) -> RegisteredPlaybook:
        """Keep a candidate; a version that is there already is returned as it is."""
        ...

    async def playbooks(self, realm: str) -> tuple[RegisteredPlaybook, ...]:
        """All versions of the realm in the order in which they were registered."""
        ...

    async def activate_playbook(
        self, realm: str, version: str, *, reason: str, who: str, approve_loosening: bool = False
    ) -> RegisteredPlaybook:
        """Make `version` the active one and audit it; activating the active one changes nothing.

        Raises `PlaybookRefused` for an unknown version, for an empty reason or name, and for one that loosens a limit
        of the active one without `approve_loosening` (X52).
        """
        ...

    async def rollback_playbook(
        self, realm: str, *, reason: str, who: str, approve_loosening: bool = False
    ) -> RegisteredPlaybook:
        """Make the version active that the active one replaced; refused as an activation is."""
        ...


class KeptProposal(Contract):
    """A reflection's proposal as the database has it. `version` is the playbook that an approval made."""

    proposal: ReflectionProposal
    job: str
    period: str
    as_of: Utc
    status: ProposalStatus
    who: str | None = None
    reason: str | None = None
    operation_id: str | None = None
    answered_with: str | None = None
    version: str | None = None


class Ruled(Contract):
    """What an answer came to. Only the first one counts; `is_this` says whether it was this one.

    `revised` is there where the answer made a playbook.
    """

    kept: KeptProposal
    is_this: bool
    revised: Revised | None = None


class Proposals(Protocol):
    """What reflections ask of people."""

    async def keep_proposals(
        self, realm: str, proposals: Sequence[ReflectionProposal], *, job: str, period: str, as_of: datetime
    ) -> tuple[KeptProposal, ...]:
        """Put the questions once; the rows of all of them, as they are now."""
        ...

    async def answer_proposal(self, realm: str, answer: ReflectionAnswer, verb: ReflectionVerb) -> Ruled:
        """Take the first answer, apply what it approves and audit it, in one transaction; a later one changes nothing.

        Raises `KeyError` for an unknown proposal, `PlaybookRefused` where the policy forbids what would be applied: the
        proposal stays open then.
        """
        ...

    async def proposals(self, realm: str, *, status: ProposalStatus | None = None) -> tuple[KeptProposal, ...]:
        """All of the realm, oldest first."""
        ...


class KeptPlan(Contract):
    """A day's plan as the database has it: the whole, and each account's part, by content hash."""

    period: str
    as_of: Utc
    plan_hash: str
    accounts: tuple[tuple[str, str], ...] = ()


class PlanInForce(Contract):
    """The plan that binds at a time. `period` is its row's: the day, and for a revision its number behind a dot."""

    period: str
    plan_hash: str
    plan: DayPlan


class DayPlans(Protocol):
    """Plans of whole days: the first of a period is the one, for all its accounts.

    A day that was planned anew has one more period, `2024-01-31.1`: the first plan stays.
    """

    async def find_day_plan(self, realm: str, period: str) -> KeptPlan | None: ...

    async def keep_day_plan(self, realm: str, plan: DayPlan) -> KeptPlan:
        """Store the plan and its parts in one transaction, or return what is kept for its period already."""
        ...

    async def day_plans(self, realm: str, day: date) -> tuple[DayPlan, ...]:
        """Every plan of the day, in the order of its revisions."""
        ...

    async def day_plan_before(self, realm: str, period: str) -> DayPlan | None:
        """The newest plan of an earlier day."""
        ...

    async def day_plan_in_force(self, realm: str, *, as_of: datetime | None) -> PlanInForce | None:
        """The newest plan made up to `as_of`, unless it is over by then; without a time the newest one."""
        ...

    async def day_numbers(self, realm: str, accounts: Sequence[str], *, day: date, hours: MarketHours) -> DayNumbers:
        """What the local `day` came to for each account: equity, closed trades, decisions and entries."""
        ...

    async def account_numbers(
        self, realm: str, accounts: Sequence[str], *, start: datetime, end: datetime
    ) -> tuple[AccountNumbers, ...]:
        """What a stretch of time came to for each account."""
        ...

    async def held_symbols(self, realm: str, account: str, *, as_of: datetime) -> frozenset[str]:
        """The symbols of which the fills up to `as_of` leave more than dust."""
        ...


class KeptReview(Contract):
    """A day's review as the database has it; `was_kept_before` where an earlier run made it.

    A back-filled day is not the newest one: it teaches, and changes nothing of what is in force by now.
    """

    content_hash: str
    review: DayReview
    was_kept_before: bool = False
    is_newest: bool = True


class PriceWish(Contract):
    """Closes of a symbol that nobody has kept yet: those after `since`."""

    symbol: str
    since: Utc


class Reviews(Protocol):
    """Reviews of whole days, with the experiences and lessons that they leave: the first of a day is the one."""

    async def find_day_review(self, realm: str, period: str) -> KeptReview | None: ...

    async def keep_prices(self, realm: str, period: str, *, as_of: datetime, prices_hash: str) -> None:
        """Name the closes that a day's review was given, stored as a blob of `PriceRun`s; the first ones stay."""
        ...

    async def prices(self, realm: str, *, since: datetime, until: datetime) -> tuple[PriceRun, ...]:
        """The kept closes of the days that ended after `since` and up to `until`, oldest first."""
        ...

    async def missing_prices(self, realm: str, period: Period, *, symbols: Sequence[str]) -> tuple[PriceWish, ...]:
        """What a review of the day would need of the market: nothing on a day without closed trades, unless a week or
        a month ends with it. Without `symbols` those that were ever held are meant."""
        ...

    async def keep_day_review(self, realm: str, review: DayReview) -> KeptReview:
        """Store review, experiences and lessons in one transaction, or return what is kept for the day already."""
        ...
