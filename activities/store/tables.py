"""The tables. Primary keys are business facts; what depends on wall clock or attempts is marked `digest: False`."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, MetaData, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from activities.store.columns import Exact, UtcTime

WALL: dict[Any, Any] = {"digest": False}
"""Marks a column that two runs of one history may fill differently: `digest` leaves it out."""


class Row(DeclarativeBase):
    """The ground of every table."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(referred_table_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        }
    )
    type_annotation_map = {Decimal: Exact, datetime: UtcTime, str: Text}  # noqa: RUF012 - SQLAlchemy reads it as is


class BlobRow(Row):
    """Big texts by content: shared by all realms, part of no digest."""

    __tablename__ = "blobs"
    content_hash: Mapped[str] = mapped_column(primary_key=True)
    media_type: Mapped[str]
    text: Mapped[str]


class MarketCandlesRow(Row):
    """The newest candles of a venue's series, for when no source answers: shared by all realms, part of no digest."""

    __tablename__ = "market_candles"
    venue: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    timeframe: Mapped[str] = mapped_column(primary_key=True)
    newest_close: Mapped[datetime]
    candles: Mapped[str]


class MarketSourceRow(Row):
    """How good a source of a venue's market data was lately: shared by all realms, part of no digest."""

    __tablename__ = "market_sources"
    venue: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[int]
    score: Mapped[Decimal]
    answers: Mapped[str]
    last: Mapped[str]
    judged_at: Mapped[datetime]


class DecisionRow(Row):
    __tablename__ = "decisions"
    realm: Mapped[str] = mapped_column(primary_key=True)
    decision_id: Mapped[str] = mapped_column(primary_key=True)
    venue: Mapped[str]
    ledger: Mapped[str]
    symbol: Mapped[str]
    as_of: Mapped[datetime]
    cause: Mapped[str]
    accounts: Mapped[str]
    playbook_version: Mapped[str]
    plan_period: Mapped[str | None]
    finished: Mapped[bool]
    recall_hash: Mapped[str | None]
    snapshot_hash: Mapped[str | None]
    trend_regime: Mapped[str | None]
    risk_regime: Mapped[str | None]
    fusion_outcome: Mapped[str | None]
    fusion: Mapped[str | None]
    opened_at: Mapped[datetime] = mapped_column(info=WALL)
    finished_at: Mapped[datetime | None] = mapped_column(info=WALL)
    __table_args__ = (
        Index(None, "realm", "as_of"),
        Index(None, "realm", "symbol", "trend_regime", "as_of"),
        Index(None, "realm", "trend_regime", "as_of"),
    )


class StanceRow(Row):
    """What each role finally said in a decision."""

    __tablename__ = "stances"
    realm: Mapped[str] = mapped_column(primary_key=True)
    decision_id: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[int]
    verdict: Mapped[str]
    action: Mapped[str | None]
    win_probability: Mapped[Decimal]
    stance: Mapped[str]


class VerificationRow(Row):
    """That a role's answer at a step was verified, and what came of it; its findings may be none."""

    __tablename__ = "verifications"
    realm: Mapped[str] = mapped_column(primary_key=True)
    decision_id: Mapped[str] = mapped_column(primary_key=True)
    step: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    verdict: Mapped[str]
    answer_hash: Mapped[str | None]
    stance: Mapped[str]


class FindingRow(Row):
    __tablename__ = "findings"
    realm: Mapped[str] = mapped_column(primary_key=True)
    decision_id: Mapped[str] = mapped_column(primary_key=True)
    step: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str]
    severity: Mapped[str]
    path: Mapped[str]
    expected: Mapped[str]
    found: Mapped[str]
    __table_args__ = (
        ForeignKeyConstraint(
            ["realm", "decision_id", "step", "role"],
            ["verifications.realm", "verifications.decision_id", "verifications.step", "verifications.role"],
        ),
    )


class AnswerRow(Row):
    """A model's finished and paid answer; its text is the blob `answer_hash`."""

    __tablename__ = "model_calls"
    realm: Mapped[str] = mapped_column(primary_key=True)
    decision_id: Mapped[str] = mapped_column(primary_key=True)
    step: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    prompt_hash: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    provider: Mapped[str]
    is_rule_based: Mapped[bool]
    answer_hash: Mapped[str]
    prompt_tokens: Mapped[int]
    completion_tokens: Mapped[int]
    cost_usd: Mapped[Decimal]
    latency_ms: Mapped[int] = mapped_column(info=WALL)
    attempt: Mapped[int] = mapped_column(info=WALL)
    finished_at: Mapped[datetime] = mapped_column(info=WALL)


class GateAnswerRow(Row):
    __tablename__ = "gate_answers"
    realm: Mapped[str] = mapped_column(primary_key=True)
    decision_id: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    request_id: Mapped[str] = mapped_column(primary_key=True)
    binding: Mapped[str | None]
    answer: Mapped[str]


class AccountOutcomeRow(Row):
    """How a decision ended for one account. Execution ids name the realm and say nothing new: no digest."""

    __tablename__ = "account_outcomes"
    realm: Mapped[str] = mapped_column(primary_key=True)
    decision_id: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[int]
    outcome: Mapped[str]
    reasons: Mapped[str]
    permit_id: Mapped[str | None]
    notional_usd: Mapped[Decimal | None]
    client_order_ids: Mapped[str]
    execution_ids: Mapped[str] = mapped_column(info=WALL)


class TradeOutcomeRow(Row):
    """What a closed trade came to, for track records and recall."""

    __tablename__ = "outcomes"
    realm: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    decision_id: Mapped[str] = mapped_column(primary_key=True)
    pnl_usd: Mapped[Decimal]
    return_fraction: Mapped[Decimal]
    exit_reason: Mapped[str]
    closed_at: Mapped[datetime]
    __table_args__ = (Index(None, "realm", "decision_id"), Index(None, "realm", "closed_at"))


class OrderRow(Row):
    """An intent and what became of it. The request as sent, sends and answers vary with faults: no digest."""

    __tablename__ = "orders"
    realm: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    client_order_id: Mapped[str] = mapped_column(primary_key=True)
    venue: Mapped[str]
    ledger: Mapped[str]
    symbol: Mapped[str]
    decision_id: Mapped[str]
    leg: Mapped[str]
    slice_number: Mapped[int]
    revision: Mapped[int]
    side: Mapped[str]
    type: Mapped[str]
    quantity: Mapped[Decimal]
    time_in_force: Mapped[str | None]
    price: Mapped[Decimal | None]
    stop_price: Mapped[Decimal | None]
    as_of: Mapped[datetime]
    epoch: Mapped[int]
    permit_id: Mapped[str | None]
    expected_price: Mapped[Decimal | None]
    valid_until: Mapped[datetime | None]
    collar_low: Mapped[Decimal | None]
    collar_high: Mapped[Decimal | None]
    worst_price: Mapped[Decimal | None]
    stale_observation_s: Mapped[int | None]
    gate_holds_s: Mapped[int | None]
    iceberg_quantity: Mapped[Decimal | None]
    led_by: Mapped[str | None]
    beside: Mapped[str]
    status: Mapped[str]
    code: Mapped[int | None]
    venue_order_id: Mapped[str | None]
    venue_executed_quantity: Mapped[Decimal]
    executed_quantity: Mapped[Decimal]
    executed_quote: Mapped[Decimal]
    commission_base: Mapped[Decimal]
    commission_quote: Mapped[Decimal]
    observed_at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(info=WALL)
    outcome: Mapped[str] = mapped_column(info=WALL)
    sends: Mapped[int] = mapped_column(info=WALL)
    prepared: Mapped[str] = mapped_column(info=WALL)
    intended_at: Mapped[datetime] = mapped_column(info=WALL)
    closed_with: Mapped[str | None] = mapped_column(info=WALL)
    accepted_at: Mapped[datetime | None] = mapped_column(info=WALL)
    unprotected_s: Mapped[Decimal | None] = mapped_column(info=WALL)
    __table_args__ = (
        Index(None, "realm", "decision_id"),
        Index(None, "realm", "status"),
        Index(None, "realm", "account", "symbol"),
    )


class FillRow(Row):
    __tablename__ = "fills"
    realm: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    trade_id: Mapped[str] = mapped_column(primary_key=True)
    venue_order_id: Mapped[str]
    client_order_id: Mapped[str]
    side: Mapped[str]
    price: Mapped[Decimal]
    quantity: Mapped[Decimal]
    commission: Mapped[Decimal]
    commission_asset: Mapped[str]
    is_maker: Mapped[bool]
    filled_at: Mapped[datetime]
    closed_with: Mapped[str | None] = mapped_column(info=WALL)
    __table_args__ = (
        ForeignKeyConstraint(
            ["realm", "account", "client_order_id"], ["orders.realm", "orders.account", "orders.client_order_id"]
        ),
        Index(None, "realm", "account", "client_order_id"),
    )


class PositionRow(Row):
    """The position that the fills come to; kept in the transaction that stores them."""

    __tablename__ = "positions"
    realm: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    quantity: Mapped[Decimal]
    cost: Mapped[Decimal]
    realised_pnl: Mapped[Decimal]
    fifo_pnl: Mapped[Decimal]
    fees: Mapped[Decimal]
    fills: Mapped[int]
    lots: Mapped[str]
    unvalued_fees: Mapped[str]
    last_trade_id: Mapped[str | None]
    last_price: Mapped[Decimal | None]
    last_fill_at: Mapped[datetime | None]


class AccountRow(Row):
    __tablename__ = "accounts"
    realm: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    venue: Mapped[str]
    ledger: Mapped[str]
    opened_as_of: Mapped[datetime]
    opening_equity_usd: Mapped[Decimal]


class BalanceRow(Row):
    """Per asset: what the owner brought, and what the identity says is there now."""

    __tablename__ = "balances"
    realm: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    asset: Mapped[str] = mapped_column(primary_key=True)
    opening: Mapped[Decimal]
    flows: Mapped[Decimal]


class GateRow(Row):
    """The account's mode and epoch: read in the transaction that writes an intent."""

    __tablename__ = "gates"
    realm: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    mode: Mapped[str]
    epoch: Mapped[int]
    reason: Mapped[str]
    who: Mapped[str]
    written_at: Mapped[datetime] = mapped_column(info=WALL)
    __table_args__ = (ForeignKeyConstraint(["realm", "account"], ["accounts.realm", "accounts.account"]),)


class ProtectionRow(Row):
    """What a breaker did to an account, and who lifted it; a row is never removed."""

    __tablename__ = "protections"
    realm: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    protection_id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    code: Mapped[str]
    symbol: Mapped[str | None]
    since: Mapped[datetime]
    until: Mapped[datetime | None]
    reason: Mapped[str]
    who: Mapped[str]
    lifted_by: Mapped[str | None]
    lifted_because: Mapped[str | None]
    lifted_at: Mapped[datetime | None] = mapped_column(info=WALL)
    __table_args__ = (ForeignKeyConstraint(["realm", "account"], ["accounts.realm", "accounts.account"]),)


class PromiseRow(Row):
    """Exposure that a desk has promised, until its order's intent is there: what desks show each other, no record."""

    __tablename__ = "promises"
    realm: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    permit_id: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str]
    notional_usd: Mapped[Decimal]
    holds_until: Mapped[datetime]
    __table_args__ = (
        ForeignKeyConstraint(["realm", "account"], ["accounts.realm", "accounts.account"]),
        {"info": WALL},
    )


class ArmingRow(Row):
    """A person's leave to trade real money in an account, and who took it back; a row is never removed."""

    __tablename__ = "armings"
    realm: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    arming_id: Mapped[str] = mapped_column(primary_key=True)
    capital_usd: Mapped[Decimal]
    offset_usd: Mapped[Decimal]
    since: Mapped[datetime]
    who: Mapped[str]
    reason: Mapped[str]
    ended_by: Mapped[str | None]
    ended_because: Mapped[str | None]
    ended_at: Mapped[datetime | None] = mapped_column(info=WALL)
    __table_args__ = (ForeignKeyConstraint(["realm", "account"], ["accounts.realm", "accounts.account"]),)


class LedgerClosingRow(Row):
    """An account's books that a wiped venue ended, and what was in them; rows of a trial's venue never are.

    Orders and fills of closed books name their closing in `closed_with`.
    """

    __tablename__ = "ledger_closings"
    realm: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(primary_key=True)
    closed_as: Mapped[str]
    closed_by_look: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    equity_usd: Mapped[Decimal | None]
    opened_with_usd: Mapped[Decimal | None]
    symbols: Mapped[str]
    executions: Mapped[str]
    books: Mapped[str]
    __table_args__ = (
        ForeignKeyConstraint(["realm", "account"], ["accounts.realm", "accounts.account"]),
        {"info": WALL},
    )


class EntryPlanRow(Row):
    """What is still to come of an entry in slices, and why nothing is; its orders are the record of what was sent."""

    __tablename__ = "entry_plans"
    realm: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    client_order_id: Mapped[str] = mapped_column(primary_key=True)
    decision_id: Mapped[str]
    request: Mapped[str]
    ended_because: Mapped[str | None]
    __table_args__ = ({"info": WALL},)


class MarkRow(Row):
    """The newest mark of a symbol that an account was valued at."""

    __tablename__ = "marks"
    realm: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    price: Mapped[Decimal]
    as_of: Mapped[datetime]


class EquityRow(Row):
    __tablename__ = "equity"
    realm: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    as_of: Mapped[datetime] = mapped_column(primary_key=True)
    equity_usd: Mapped[Decimal]
    cash_usd: Mapped[Decimal]
    peak_equity_usd: Mapped[Decimal]


class PlanRow(Row):
    """An account's plan for one period; the text is the blob."""

    __tablename__ = "plans"
    realm: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    period: Mapped[str] = mapped_column(primary_key=True)
    as_of: Mapped[datetime]
    content_hash: Mapped[str]


class ReportRow(Row):
    """The result of one period job: a second run of the same period finds the first one's."""

    __tablename__ = "reports"
    realm: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    period: Mapped[str] = mapped_column(primary_key=True)
    as_of: Mapped[datetime]
    content_hash: Mapped[str]


class LessonRow(Row):
    """A lesson as a day's review left it: a row for each day that changed it, so that no time sees a later one."""

    __tablename__ = "lessons"
    realm: Mapped[str] = mapped_column(primary_key=True)
    memory_id: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str]
    lesson_id: Mapped[str]
    period: Mapped[str]
    symbol: Mapped[str]
    action: Mapped[str]
    regime: Mapped[str | None]
    kind: Mapped[str]
    text: Mapped[str]
    lesson: Mapped[str]
    as_of: Mapped[datetime]
    __table_args__ = (Index(None, "realm", "account", "symbol", "as_of"),)


class ExperienceRow(Row):
    """One thing that happened on a day and what it says; `is_lesson` marks the day's three lessons."""

    __tablename__ = "experiences"
    realm: Mapped[str] = mapped_column(primary_key=True)
    memory_id: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str]
    period: Mapped[str]
    place: Mapped[int]
    is_lesson: Mapped[bool]
    symbol: Mapped[str | None]
    kind: Mapped[str]
    title: Mapped[str]
    text: Mapped[str]
    weight: Mapped[Decimal]
    evidence: Mapped[str]
    as_of: Mapped[datetime]
    __table_args__ = (Index(None, "realm", "account", "as_of"),)


class PlaybookRow(Row):
    """A version of the playbook in a lasting realm; its text is the blob. Only `status` and `replaced` ever change."""

    __tablename__ = "playbooks"
    realm: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int]
    parent: Mapped[str | None]
    status: Mapped[str]
    created_from: Mapped[str]
    who: Mapped[str]
    why: Mapped[str]
    content_hash: Mapped[str]
    replaced: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(info=WALL)


class RevisionRow(Row):
    """A revision of the playbook that was asked for, once for its operation id, and what it came to."""

    __tablename__ = "revisions"
    realm: Mapped[str] = mapped_column(primary_key=True)
    operation_id: Mapped[str] = mapped_column(primary_key=True)
    version_before: Mapped[str]
    version: Mapped[str]
    activated: Mapped[bool]
    waits_for: Mapped[str]


class PoolEntryRow(Row):
    """A strategy of the gene pool as the newest evolution left it; `budget_factor` is the share of its size it gets."""

    __tablename__ = "pool_entries"
    realm: Mapped[str] = mapped_column(primary_key=True)
    strategy: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[int]
    status: Mapped[str]
    budget_factor: Mapped[Decimal]
    born_at: Mapped[datetime]
    lineage: Mapped[str]
    weekly_scores: Mapped[str]
    genes: Mapped[str]


class PoolEventRow(Row):
    """What happened to the gene pool, in order, and why. Rows with a lineage are the trials that were ever made."""

    __tablename__ = "pool_events"
    realm: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    period: Mapped[str]
    at: Mapped[datetime]
    kind: Mapped[str]
    strategy: Mapped[str]
    lineage: Mapped[str | None]
    reasons: Mapped[str]
    __table_args__ = (Index(None, "realm", "strategy"),)


class HoldoutRow(Row):
    """A holdout that was shown to a strategy: written before it is looked at."""

    __tablename__ = "holdouts"
    realm: Mapped[str] = mapped_column(primary_key=True)
    strategy: Mapped[str] = mapped_column(primary_key=True)
    starts_at: Mapped[datetime] = mapped_column(primary_key=True)
    ends_at: Mapped[datetime]
    period: Mapped[str]
    at: Mapped[datetime]


class StrategyWeekRow(Row):
    """What one strategy did in one period: its figures, its trades and days, and where its next run begins."""

    __tablename__ = "strategy_weeks"
    realm: Mapped[str] = mapped_column(primary_key=True)
    strategy: Mapped[str] = mapped_column(primary_key=True)
    period: Mapped[str] = mapped_column(primary_key=True)
    starts_at: Mapped[datetime] = mapped_column(primary_key=True)
    ends_at: Mapped[datetime]
    trades: Mapped[int]
    wins: Mapped[int]
    return_fraction: Mapped[Decimal]
    score: Mapped[Decimal | None]
    record: Mapped[str]
    pending: Mapped[str]


class ExaminationRow(Row):
    """A candidate's walk-forward examination: the evidence, the verdict on it, and whether it was taken in."""

    __tablename__ = "examinations"
    realm: Mapped[str] = mapped_column(primary_key=True)
    strategy: Mapped[str] = mapped_column(primary_key=True)
    period: Mapped[str] = mapped_column(primary_key=True)
    trials: Mapped[int]
    windows: Mapped[int]
    unseen_trades: Mapped[int]
    unseen_expectancy: Mapped[Decimal | None]
    baseline_percentile: Mapped[Decimal | None]
    holdout_shown: Mapped[bool]
    taken_in: Mapped[bool]
    promoted: Mapped[bool]
    against: Mapped[str]
    figures: Mapped[str]


class EvolutionRow(Row):
    """One week of evolution: its report, the pool after it, and the playbook it judged by."""

    __tablename__ = "evolutions"
    realm: Mapped[str] = mapped_column(primary_key=True)
    period: Mapped[str] = mapped_column(primary_key=True)
    as_of: Mapped[datetime]
    report_hash: Mapped[str]
    pool_version: Mapped[str]
    playbook_hash: Mapped[str]
    trials: Mapped[int]
    story: Mapped[str]


class ProposalRow(Row):
    """What a reflection asks of people, and the one answer that counted."""

    __tablename__ = "proposals"
    realm: Mapped[str] = mapped_column(primary_key=True)
    proposal_id: Mapped[str] = mapped_column(primary_key=True)
    job: Mapped[str]
    period: Mapped[str]
    place: Mapped[int]
    as_of: Mapped[datetime]
    proposal: Mapped[str]
    status: Mapped[str]
    who: Mapped[str | None]
    reason: Mapped[str | None]
    operation_id: Mapped[str | None]
    answered_with: Mapped[str | None]
    playbook_version: Mapped[str | None]
    answered_at: Mapped[datetime | None] = mapped_column(info=WALL)
    __table_args__ = (Index(None, "realm", "status"),)


class AuditRow(Row):
    """Who changed what about an account; written with the change, in its transaction."""

    __tablename__ = "audit"
    realm: Mapped[str] = mapped_column(primary_key=True)
    entry_id: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str]
    what: Mapped[str]
    who: Mapped[str]
    reason: Mapped[str]
    at: Mapped[datetime] = mapped_column(info=WALL)
