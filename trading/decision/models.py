"""The words of a decision: proposals, claims, findings, stances, fusion and the card that keeps them all."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Literal

from pydantic import Field

from trading.contract import Answer, Contract, Fraction, Utc
from trading.facts.models import RiskRegime, TrendRegime


class Action(StrEnum):
    BUY = "buy"
    SELL = "sell"
    HOLD = "hold"


class Role(StrEnum):
    """Which of the two models speaks."""

    PRIMARY = "primary"
    SECONDARY = "secondary"


class Claim(Answer):
    """A statement that cites fact or memory ids and repeats the value it leans on."""

    statement: str = Field(min_length=1, max_length=400)
    cites: tuple[str, ...] = Field(min_length=1, max_length=8)
    value: str | None = Field(default=None, description="the cited value, as the fact states it")


class ReasoningStep(Answer):
    """One step of the chain of thought (C07)."""

    question: str = Field(min_length=1, max_length=300)
    conclusion: str = Field(min_length=1, max_length=600)


class Proposal(Answer):
    """A model's answer, in the one strict JSON schema (C08). Prices in quote units, ratios as fractions."""

    action: Action
    size_fraction: Fraction = Field(description="of equity; for a sell: of the position")
    entry_price: Decimal | None = Field(default=None, gt=0, description="null means at market")
    stop_price: Decimal | None = Field(default=None, gt=0)
    target_price: Decimal | None = Field(default=None, gt=0)
    horizon_hours: int = Field(ge=1, le=24 * 30)
    confidence: Fraction
    win_probability: Fraction
    steps: tuple[ReasoningStep, ...] = Field(min_length=4, max_length=4)
    claims: tuple[Claim, ...] = Field(max_length=12)


class Severity(StrEnum):
    """`FATAL` ends the proposal, `REPAIRABLE` earns one correction round, `NOTE` is kept and lowers confidence."""

    FATAL = "fatal"
    REPAIRABLE = "repairable"
    NOTE = "note"


class Finding(Contract):
    """One thing that code found in a model's answer: a stable code, where, what was expected and what was there."""

    code: str
    severity: Severity
    path: str
    expected: str
    found: str


class Verdict(StrEnum):
    ACCEPTED = "accepted"
    REPAIRABLE = "repairable"
    ABSTAINS = "abstains"


class Stance(Contract):
    """What a workflow carries of a verified answer: the numbers it branches on, and where the rest is kept."""

    role: Role
    model: str
    is_rule_based: bool
    verdict: Verdict
    answer_hash: str | None = None
    action: Action | None = None
    size_fraction: Decimal = Decimal(0)
    entry_price: Decimal | None = None
    stop_price: Decimal | None = None
    target_price: Decimal | None = None
    horizon_hours: int = 24
    confidence: Decimal = Decimal(0)
    win_probability: Decimal = Decimal(0)
    finding_codes: tuple[str, ...] = ()
    abstains_because: str | None = None

    @property
    def speaks(self) -> bool:
        return self.verdict is Verdict.ACCEPTED and self.action is not None


class FusionOutcome(StrEnum):
    """`OPEN` and `REDUCE` go to the gate; the others end the decision, each with its reasons."""

    OPEN = "open"
    REDUCE = "reduce"
    HOLD = "hold"
    NO_TRADE = "no_trade"
    ABSTAIN = "abstain"


class Fusion(Contract):
    """The one view that two stances come to (C05). `reasons` are stable codes; `weights` sum to 1 over who spoke."""

    outcome: FusionOutcome
    size_fraction: Decimal = Decimal(0)
    entry_price: Decimal | None = None
    stop_price: Decimal | None = None
    target_price: Decimal | None = None
    horizon_hours: int = 24
    confidence: Decimal = Decimal(0)
    win_probability: Decimal = Decimal(0)
    low_certainty: bool = False
    reasons: tuple[str, ...] = ()
    approval_because: tuple[str, ...] = Field(default=(), description="why a person is asked before it is traded")
    weights: dict[Role, Decimal] = Field(default_factory=dict)


class TrackRecord(Contract):
    """How a model did in this regime: the ground of its weight (C05). No history is a neutral record."""

    role: Role
    decisions: int = 0
    grounding_failures: int = 0
    brier: Decimal | None = None


class PositionView(Contract):
    """An account's position in one symbol, as a decision sees it."""

    account: str
    quantity: Decimal = Decimal(0)
    average_price: Decimal | None = None
    equity_usd: Decimal
    cash_usd: Decimal
    dust_below_usd: Decimal = Field(default=Decimal(5), description="what costs less than this no order can carry")

    @property
    def is_open(self) -> bool:
        """Whether there is something to sell: commissions leave dust, which is in equity but is no position."""
        if self.average_price is None:
            return self.quantity > 0
        return self.quantity * self.average_price >= self.dust_below_usd

    @property
    def sellable(self) -> Decimal:
        """Base units that a decision can sell: zero where only dust is left."""
        return self.quantity if self.is_open else Decimal(0)


class MemoryItem(Contract):
    """One thing recalled, quoted by id. Its text is data between markers, never an instruction."""

    id: str
    kind: Literal["decision", "similar", "failure", "lesson", "principle"]
    text: str
    as_of: Utc | None = None


class Recall(Contract):
    items: tuple[MemoryItem, ...] = ()


class Message(Contract):
    role: Literal["system", "user", "assistant"]
    content: str


class DecisionHead(Contract):
    """What makes a decision itself: one symbol, one time, one cause, the accounts that share it."""

    decision_id: str
    realm: str
    venue: str
    ledger: str
    symbol: str
    as_of: Utc
    cause: str
    accounts: tuple[str, ...] = Field(min_length=1)
    playbook_version: str


class AccountOutcome(Contract):
    """How a decision ended for one account."""

    account: str
    outcome: str = Field(description="a code of trading.decision.outcomes")
    reasons: tuple[str, ...] = ()
    permit_id: str | None = None
    notional_usd: Decimal | None = None
    client_order_ids: tuple[str, ...] = ()
    execution_ids: tuple[str, ...] = ()


class DecisionSummary(Contract):
    """What the workflow records at the end, and returns: ids and numbers; the card is read from the store."""

    head: DecisionHead
    plan: str | None = Field(default=None, description="the day whose plan binds; without one the policy alone does")
    snapshot_hash: str | None = None
    trend_regime: TrendRegime = TrendRegime.NORMAL
    risk_regime: RiskRegime = RiskRegime.NORMAL
    stances: tuple[Stance, ...] = ()
    fusion: Fusion | None = None
    outcomes: tuple[AccountOutcome, ...] = ()
