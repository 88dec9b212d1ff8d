"""The words of a plan: yesterday's numbers, watch list, levels, ideas, risk windows, tasks, and the plan itself."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum

from pydantic import Field

from trading.contract import Contract, Fraction, Utc
from trading.facts.models import RiskRegime, TrendRegime
from trading.money import ZERO


class Style(StrEnum):
    """The three plans of a day (C09)."""

    AGGRESSIVE = "aggressive"
    CONSERVATIVE = "conservative"
    COMPOSITE = "composite"


class AccountNumbers(Contract):
    """One account over one day, from the ledger. Equity is absent where the account was not marked."""

    account: str
    equity_start_usd: Decimal | None = None
    equity_end_usd: Decimal | None = None
    equity_low_usd: Decimal | None = None
    closed_trades: int = 0
    winning_trades: int = 0
    pnl_usd: Decimal = ZERO

    @property
    def return_fraction(self) -> Decimal | None:
        """The day's return, or `None` where the account was not marked."""
        if not self.equity_start_usd or self.equity_end_usd is None:
            return None
        return self.equity_end_usd / self.equity_start_usd - 1


class DayNumbers(Contract):
    """What one day came to (C09: yesterday's review)."""

    day: date
    accounts: tuple[AccountNumbers, ...] = ()
    decisions: int = 0
    entries: int = 0

    def of(self, account: str) -> AccountNumbers | None:
        return next((row for row in self.accounts if row.account == account), None)


class WatchItem(Contract):
    """A watched symbol. `reason` is `active`, `held` where a position keeps it on the list, or `remembered`
    where no source answered and the numbers are those that were kept (C64)."""

    rank: int = Field(ge=1)
    symbol: str
    reason: str
    last_price: Decimal
    turnover_24h_usd: Decimal
    change_24h: Decimal | None = None
    atr_fraction: Decimal | None = None
    trend_regime: TrendRegime
    risk_regime: RiskRegime
    snapshot_hash: str


class Unwatched(Contract):
    """A symbol that could not be judged, and why."""

    symbol: str
    reason: str


class Level(Contract):
    """A price that the market has shown to matter; `fact` is the id of the fact that states it."""

    fact: str
    price: Decimal


class TriggerKind(StrEnum):
    """`PULLBACK` and `BREAKOUT` are reasons to decide on an entry, `DEFEND` to decide on a held position."""

    PULLBACK = "pullback"
    BREAKOUT = "breakout"
    DEFEND = "defend"


class PriceTrigger(Contract):
    """A price whose crossing asks for a decision; it orders nothing by itself."""

    symbol: str
    kind: TriggerKind
    crosses: str = Field(pattern="^(down_to|up_to)$")
    level: Level


class TradeIdea(Contract):
    """What a decision at a trigger might do. Sizes are fractions of equity; prices are in quote units."""

    trigger: PriceTrigger
    size_fraction: Fraction
    entry_price: Decimal
    stop_price: Decimal
    target_price: Decimal
    reward_risk: Decimal
    cites: tuple[str, ...] = ()


class RiskWindow(Contract):
    """A stretch of time in which new exposure is smaller, and what to do in it (C62)."""

    code: str
    start: Utc
    end: Utc
    size_factor: Fraction
    contingency: str


class MemoryVerdict(StrEnum):
    """What memory says of trading a symbol today."""

    CLEAR = "clear"
    UNKNOWN = "unknown"
    CAUTIOUS = "cautious"
    AVOID = "avoid"


class MemoryCheck(Contract):
    """The plan against memory (C09): the verdict, and the ids of the items behind it."""

    symbol: str
    verdict: MemoryVerdict
    successes: int = 0
    failures: int = 0
    cites: tuple[str, ...] = ()


class PlanLimits(Contract):
    """What a plan allows itself; never looser than the policy in the day's regime."""

    max_trade_fraction: Fraction
    max_position_fraction: Fraction
    total_fraction: Fraction
    max_positions: int
    max_entries: int
    daily_loss_fraction: Fraction


class PlanTarget(Contract):
    """The day's goal after adaptation; `reasons` say what moved it from the style's own (C61)."""

    return_fraction: Decimal
    reasons: tuple[str, ...] = ()


class Task(Contract):
    """One thing to do; 1 is first."""

    priority: int = Field(ge=1)
    code: str
    text: str
    symbol: str | None = None


class AccountPlan(Contract):
    """One account's plan for one day."""

    account: str
    style: Style
    limits: PlanLimits
    target: PlanTarget
    tasks: tuple[Task, ...]
    triggers: tuple[PriceTrigger, ...]
    ideas: tuple[TradeIdea, ...]
    windows: tuple[RiskWindow, ...]
    memory: tuple[MemoryCheck, ...]
    dropped: tuple[Unwatched, ...] = Field(default=(), description="watched symbols without an idea, and why")


class Course(StrEnum):
    """Where an account is against its target of the day."""

    ON = "on"
    BEHIND = "behind"
    AHEAD = "ahead"


class Progress(Contract):
    """One account's return since the day was planned, and what its target expects by then."""

    account: str
    return_fraction: Decimal
    expected_fraction: Decimal
    course: Course


class DayPlan(Contract):
    """The plan of one day for all accounts: what it was made from, and the three plans. Its row names the realm.

    The first plan of a day has revision 0; a later one says in `progress` why the day was planned anew.
    """

    day: date
    revision: int = Field(default=0, ge=0)
    progress: tuple[Progress, ...] = ()
    as_of: Utc
    final_at: Utc
    session_start: Utc
    valid_until: Utc | None = Field(default=None, description="it binds until then, or until a newer plan is made")
    playbook_version: str
    trend_regime: TrendRegime
    risk_regime: RiskRegime
    yesterday: DayNumbers
    watch: tuple[WatchItem, ...]
    unwatched: tuple[Unwatched, ...] = ()
    plans: tuple[AccountPlan, ...]
