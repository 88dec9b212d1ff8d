"""What workflows say to each other: requests, ticks and reports. Small, frozen, and without big texts."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field

from activities.exchange.port import ClockEvent, Level
from activities.exchange.reconcile import Reconciliation
from trading.contract import Contract, Utc
from trading.decision.models import DecisionHead, DecisionSummary
from trading.facts.models import RiskRegime
from trading.orders.guarding import GuardState as GuardState
from trading.orders.models import OrderReport, OrderRequest
from trading.orders.slicing import Slice
from trading.orders.wishes import ExitTerms, Guarded
from trading.orders.wishes import Expect as Expect
from trading.orders.wishes import LeaveRequest as LeaveRequest
from trading.orders.wishes import ReduceRequest as ReduceRequest
from trading.planning.hours import MarketHours
from trading.risk.models import Exposure, GateAnswer, GateRequest, Mode, Permit
from trading.watching.models import Anomaly, WatchedTrigger, Watchlist

Approvals = Literal["expire", "grant"]
"""How a campaign answers a proposal that asks for a person: at once, by policy."""


class Tick(Contract):
    """Market time moved: what is due at `as_of` is handled, then answered with `Settled` under the same number.

    `planned` tells the watch that a day was planned since its last tick.
    """

    number: int
    as_of: Utc
    events: tuple[ClockEvent, ...] = ()
    planned: bool = False


class Watched(Contract):
    """What an entity waits for in market time: the campaign's registry of it."""

    entity: str
    orders: tuple[str, ...] = ()
    levels: tuple[Level, ...] = ()
    wakes_at: Utc | None = None


class Settled(Contract):
    """An entity has handled a tick. `also` names entities that it told something, to be ticked next.

    `started` are the decisions that it started and saw through; `found` is what they left behind that lives on.
    """

    number: int
    watched: Watched
    also: tuple[str, ...] = ()
    started: tuple[str, ...] = ()
    found: tuple[Watched, ...] = ()
    closed: bool = False


class DecisionRequest(Contract):
    """Start of a `TradeDecision`. A coordinator is the campaign that owns the clock; without one, time is real."""

    head: DecisionHead
    playbook_hash: str
    coordinator: str | None = None
    gatekeeper: str | None = Field(
        default=None, description="who grants the turn at the gate; without one none is needed"
    )
    approvals: Approvals = Field(
        default="expire", description="what a coordinator's decision is told instead of a person"
    )


class DecisionResult(Contract):
    """The end of a decision, and what lives on after it."""

    summary: DecisionSummary
    watched: tuple[Watched, ...] = ()
    also: tuple[str, ...] = Field(default=(), description="entities that were told something and must be ticked")
    already_decided: bool = False


class PlaybookNews(Contract):
    """Another playbook is active in the realm: entities read it before they do anything else."""

    version: str
    playbook_hash: str


class Planned(Contract):
    """A day was planned, or planned again: the watch reads its triggers."""

    period: str
    plan_hash: str


class Defend(Contract):
    """The watch tells a desk to defend: the market does what it should not. A symbol narrows it to one.

    `numbers` are what was seen and the thresholds that it broke, as text; told again under its id, it is done once.
    """

    operation_id: str
    reason: str
    symbol: str | None = None
    as_of: Utc
    numbers: dict[str, str] = Field(default_factory=dict)


class WatchState(Contract):
    """All that a watch carries through continue-as-new. `fired` are the triggers of the plan's day that were met."""

    now: Utc | None = None
    plan: Watchlist | None = None
    fired: tuple[WatchedTrigger, ...] = ()
    anomalies: tuple[Anomaly, ...] = ()
    regimes: dict[str, RiskRegime] = Field(default_factory=dict)
    playbook: PlaybookNews | None = None
    judged: str = Field(default="", description="the day whose progress was judged")
    decided_at: Utc | None = Field(default=None, description="when all symbols were decided last")


class WatchRequest(Contract):
    """The watch of a realm. Without symbols those of the plan in force are decided, else the `usual` ones.

    `decide_every_s` is a researcher's fixed grid beside the session's start; nothing is decided from `ends_at` on.
    Without a playbook the realm's active version is taken. A coordinator ticks it; without one, time is the venue's.
    """

    realm: str
    venue: str
    ledger: str
    accounts: tuple[str, ...] = Field(min_length=1)
    symbols: tuple[str, ...] = ()
    usual: tuple[str, ...] = ()
    hours: MarketHours = MarketHours()
    coordinator: str | None = None
    approvals: Approvals = "expire"
    decide_every_s: int | None = Field(default=None, ge=60, le=86_400)
    ends_at: Utc | None = None
    playbook_hash: str | None = None
    market_is_replayed: bool = False
    state: WatchState | None = None


class Ready(Contract):
    """A decision wants to pass the gate: who started it grants turns in a stated order of symbols."""

    decision_id: str
    workflow_id: str


class GatePassage(Contract):
    """The question that a permit answers, so that the gate can be asked again in its place."""

    head: DecisionHead
    wish: GateRequest


class Resumed(Contract):
    """Where a sliced entry stood when its execution was lost: its newest order, and what the ledger had of that."""

    order: OrderRequest
    permit: Permit
    net_base: Decimal = Decimal(0)


class ExecutionRequest(Contract):
    """An entry with its permit, and what its guard must know to protect it.

    With `slices` the order is sent in these parts, each at its time. Without `passage` the gate is not asked again:
    what waited too long for its permit ends unsent, and no later part is sent.
    """

    order: OrderRequest
    permit: Permit
    stop_price: Decimal
    target_price: Decimal | None = None
    exit_at: Utc | None = None
    expires_at: Utc
    slices: tuple[Slice, ...] = ()
    passage: GatePassage | None = None
    terms: ExitTerms = ExitTerms()
    resumed: Resumed | None = None
    owner: str = Field(description="the workflow that is told when the order is placed")
    coordinator: str | None = None


class Placed(Contract):
    """First news of an order to its owner: the venue has it, or it will never have it."""

    account: str
    execution: str
    report: OrderReport


class GuardRequest(Guarded):
    """One position of one account and symbol, from before its entry is sent until it is closed."""

    coordinator: str | None = None
    state: GuardState | None = None


class EntryNews(Contract):
    """Cumulative numbers of an entry; the last one is terminal. Or those of a sale that a person had adopted."""

    client_order_id: str
    report: OrderReport
    adopted: OrderRequest | None = Field(default=None, description="the sale itself, where it is one")


class Settlement(Contract):
    """An order of a permit will not grow any more: what it reserved is released, for the ledger holds its fills."""

    permit_id: str
    account: str
    client_order_id: str


class ModeChange(Contract):
    """A person's hand on the account: who, why, and an id under which it is done once."""

    operation_id: str
    mode: Mode
    reason: str
    who: str


class ModeChanged(Contract):
    operation_id: str
    mode: Mode
    epoch: int


class Hand(Contract):
    """A person's hand on an account, as a signal or an update carries it. A symbol narrows `flatten` to one.

    As a signal every field may be missing, so that nothing keeps a person from stopping the agent.
    """

    operation_id: str = ""
    who: str = ""
    reason: str = ""
    symbol: str | None = None


class Arm(Contract):
    """A person lets an account open positions with real money, up to a capital (venue.md)."""

    operation_id: str = ""
    capital_usd: Decimal = Decimal(0)
    who: str = ""
    reason: str = ""


class Lift(Contract):
    """A person ends a protection of an account (C20)."""

    protection_id: str
    operation_id: str = ""
    who: str = ""
    reason: str = ""


class Lesson(Contract):
    """A person's principle for the agent: one sentence (C14)."""

    operation_id: str = ""
    text: str = ""
    who: str = ""
    reason: str = ""


class Threshold(Contract):
    """A person's value for one threshold of the policy; one that loosens is taken only with `approve_loosening`."""

    operation_id: str = ""
    name: str = ""
    value: str = ""
    who: str = ""
    reason: str = ""
    approve_loosening: bool = False


class PlaybookErrand(Contract):
    """What a desk still has to tell other desks and the watch."""

    accounts: tuple[str, ...]
    news: PlaybookNews


class HandDone(Contract):
    """What came of a person's hand: the keys of the command line's contract."""

    operation_id: str
    target: str
    accepted: bool
    reason: str
    state: str


class Errand(Contract):
    """What the desk still has to tell a guard: withdraw the entries of a symbol, leave it, or sell so much of it."""

    operation_id: str
    symbol: str | None = None
    leaves: bool
    who: str
    reason: str
    sales: tuple[tuple[str, Decimal], ...] = Field(default=(), description="base units to sell, by symbol")


class DeskState(Contract):
    """All that a desk carries through continue-as-new. Answers stay until their order settles."""

    exposure: Exposure
    answers: dict[str, GateAnswer] = Field(default_factory=dict)
    operations: dict[str, ModeChanged] = Field(default_factory=dict)
    hands: dict[str, HandDone] = Field(default_factory=dict)
    errands: tuple[Errand, ...] = ()
    told: tuple[str, ...] = Field(default=(), description="guards told since the last tick, for who ticks")
    playbook_errands: tuple[PlaybookErrand, ...] = ()
    taught: str = Field(default="", description="what people said last through this desk, or why it was not taken")
    mode_because: str = Field(default="", description="who set the mode, and why")
    reopened: str = Field(default="", description="that its venue was wiped, and when its books were begun anew")
    lowered: str = Field(default="", description="the newest operation that lowered holdings to the safe level")


class DeskRequest(Contract):
    realm: str
    venue: str
    account: str
    playbook_hash: str
    coordinator: str | None = Field(default=None, description="the campaign that ticks this desk; else nobody does")
    state: DeskState | None = None


class CampaignRequest(Contract):
    """A run over history: symbols, accounts, times and the market's hours."""

    realm: str
    venue: str
    ledger: str
    symbols: tuple[str, ...]
    accounts: tuple[str, ...]
    capital_usd: Decimal
    quote_asset: str = "USDT"
    start: Utc
    end: Utc
    hours: MarketHours = MarketHours()
    decide_every_s: int | None = Field(
        default=None, description="a fixed grid of decisions beside those of plan and triggers"
    )
    playbook_hash: str
    playbook_version: str
    approvals: Approvals = "expire"
    state: CampaignState | None = None


class CampaignProgress(Contract):
    """Where a campaign is; counts of what it started."""

    now: Utc
    fraction: Decimal
    decisions: int
    ticks: int
    days: int
    sequences: dict[str, int] = Field(default_factory=dict, description="period jobs done, by kind")
    done: bool = False


class CampaignState(Contract):
    """All that a campaign carries through continue-as-new: it happens only where everything is settled."""

    now: Utc
    number: int = 0
    decisions: int = 0
    ticks: int = 0
    days: int = 0
    sequences: dict[str, int] = Field(default_factory=dict)
    watched: dict[str, Watched] = Field(default_factory=dict)
    planned: bool = Field(default=False, description="a day was planned, and the watch does not know yet")


CampaignRequest.model_rebuild()


class CampaignResult(Contract):
    progress: CampaignProgress
    reconciliation: Reconciliation
