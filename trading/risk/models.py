"""What goes into the gate and what comes out: caps with their numbers, one permit or denials with stable codes."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from pydantic import Field

from trading.contract import Contract, Utc
from trading.facts.models import DailyCloses, RiskRegime
from trading.policy.execution import ExecutionPolicy


class Mode(StrEnum):
    """An account's mode: only `AUTO` lets new exposure pass by itself; exits, stops and cancels pass in every mode."""

    AUTO = "auto"
    MANUAL = "manual"
    DEFENSIVE = "defensive"
    HALTED = "halted"


class Holding(Contract):
    """A position as the desk keeps it: base units net of commission, average cost in quote units with fees."""

    symbol: str
    quantity: Decimal
    average_price: Decimal
    mark_price: Decimal

    @property
    def notional_usd(self) -> Decimal:
        return self.quantity * self.mark_price


class Reservation(Contract):
    """Exposure promised to a permit, held until its order settles."""

    permit_id: str
    symbol: str
    notional_usd: Decimal = Field(description="exposure promised; 0 for a permit that reduces")
    reserved_at: Utc
    opens: bool = True


class ProtectionKind(StrEnum):
    """What a breaker did: no entries in one symbol until a time, or the whole account in defence until a person."""

    SYMBOL_FREEZE = "symbol_freeze"
    ACCOUNT_DEFENCE = "account_defence"


class Protection(Contract):
    """A breaker's work on one account: it holds until its time, or until a person lifts it (C20)."""

    id: str
    kind: ProtectionKind
    code: str = Field(description="what was seen: flash_crash, symbol_fall, anomaly, systemic_risk")
    symbol: str | None = None
    since: Utc
    until: Utc | None = Field(default=None, description="market time at which it ends by itself; else by a person")
    reason: str
    who: str

    def holds(self, at: datetime) -> bool:
        return self.until is None or at < self.until


class Arming(Contract):
    """A person's leave to open positions with real money in one account, up to a capital (venue.md).

    `offset_usd` is what that capital was beside the account's whole equity when it was armed: added to the ledger's
    cash it makes equity the armed capital, give or take what was won or lost since.
    """

    id: str
    capital_usd: Decimal = Field(gt=0)
    offset_usd: Decimal
    since: Utc
    who: str
    reason: str


class ElsewhereUsd(Contract):
    """Exposure in a symbol, held and promised, in the venue's other accounts."""

    symbol: str
    usd: Decimal = Field(ge=0)


class SymbolHistory(Contract):
    """Daily closes of a symbol as an entry's observation had them."""

    symbol: str
    history: DailyCloses


class Exposure(Contract):
    """The account as the gate sees it."""

    account: str
    mode: Mode
    epoch: int
    cash_usd: Decimal
    holdings: tuple[Holding, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    day_start_equity_usd: Decimal
    peak_equity_usd: Decimal
    closed_trades: int = 0
    entries_today: int = 0
    day_started_at: Utc | None = Field(default=None, description="start of the day that the day's numbers belong to")
    entries_at: tuple[Utc, ...] = Field(default=(), description="when the newest entries were permitted")
    recent_trades: int = Field(default=0, description="closed trades that `recent_wins` is counted over, the newest")
    recent_wins: int = 0
    elsewhere: tuple[ElsewhereUsd, ...] = ()
    equity_elsewhere_usd: Decimal = Field(default=Decimal(0), ge=0, description="equity of the venue's other accounts")
    histories: tuple[SymbolHistory, ...] = Field(default=(), description="of what is held or promised, by symbol")
    protections: tuple[Protection, ...] = ()
    must_be_armed: bool = Field(default=False, description="on a real venue nothing is opened without a person's leave")
    arming: Arming | None = None
    opened_at: Utc | None = Field(default=None, description="since when its books run: anew where a venue was wiped")

    @property
    def equity_usd(self) -> Decimal:
        return self.cash_usd + sum((h.notional_usd for h in self.holdings), Decimal(0))

    @property
    def reserved_usd(self) -> Decimal:
        return sum((r.notional_usd for r in self.reservations), Decimal(0))

    @property
    def total_usd(self) -> Decimal:
        """All exposure, held and promised."""
        return self.reserved_usd + sum((h.notional_usd for h in self.holdings), Decimal(0))

    def holding(self, symbol: str) -> Holding | None:
        return next((h for h in self.holdings if h.symbol == symbol), None)

    def history(self, symbol: str) -> DailyCloses | None:
        return next((one.history for one in self.histories if one.symbol == symbol), None)

    def elsewhere_usd(self, symbol: str) -> Decimal:
        """Exposure in `symbol` in the venue's other accounts."""
        return sum((one.usd for one in self.elsewhere if one.symbol == symbol), Decimal(0))

    def symbol_usd(self, symbol: str) -> Decimal:
        """Exposure in `symbol`, held and promised."""
        held = sum((h.notional_usd for h in self.holdings if h.symbol == symbol), Decimal(0))
        return held + sum((r.notional_usd for r in self.reservations if r.symbol == symbol), Decimal(0))


class PlanBound(Contract):
    """What the account's plan of the day leaves in one symbol. Fractions are of equity, counts of the account's day.

    `refuses` says why the plan does not enter the symbol at all; empty where it may.
    """

    period: str
    account: str
    max_trade_fraction: Decimal = Field(ge=0, description="after the risk windows and the memory of the symbol")
    max_position_fraction: Decimal = Field(ge=0)
    total_fraction: Decimal = Field(ge=0)
    max_positions: int
    max_entries: int
    daily_loss_fraction: Decimal
    refuses: str = ""


class GateRequest(Contract):
    """A wish to open or to reduce, with the numbers of the observation it rests on."""

    request_id: str
    account: str
    decision_id: str
    symbol: str
    opens: bool
    size_fraction: Decimal = Field(ge=0, le=1, description="of equity when opening, of the position when reducing")
    price: Decimal = Field(gt=0, description="the observed price that the order will meet")
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    target_price: Decimal | None = None
    spread_fraction: Decimal = Decimal(0)
    atr_fraction: Decimal | None = None
    taker_fee: Decimal
    min_notional_usd: Decimal
    risk_regime: RiskRegime
    confidence: Decimal
    win_probability: Decimal
    low_certainty: bool = False
    observed_at: Utc
    now: Utc = Field(description="market time of the request")
    event_day: bool = Field(default=False, description="a known event falls on this day")
    approved_by: str | None = Field(default=None, description="the person who approved this entry, for manual mode")
    replaces: str | None = Field(default=None, description="the permit in whose place the gate is asked again")
    plan: PlanBound | None = Field(
        default=None, description="the plan of the day; without one the policy alone applies"
    )
    history: DailyCloses | None = Field(default=None, description="the symbol's newest daily closes")
    tick_size: Decimal = Field(default=Decimal(0), description="the venue's grid of prices; 0: not known")
    step_size: Decimal = Field(default=Decimal(0), description="the venue's grid of quantities; 0: not known")
    min_quantity: Decimal = Decimal(0)
    max_quantity: Decimal | None = None


class Cap(Contract):
    """One limit and the notional it leaves: the smallest one binds."""

    code: str
    capability: str
    limit: Decimal
    unit: str
    leaves_usd: Decimal


class Denial(Contract):
    """Why the gate refused: a stable code, a sentence, and the numbers behind it."""

    code: str
    message: str
    numbers: dict[str, str] = Field(default_factory=dict)


class Permit(Contract):
    """Leave to raise or reduce exposure once: at most `notional_usd`, within the collar, until `valid_until`."""

    id: str
    account: str
    decision_id: str
    symbol: str
    opens: bool
    notional_usd: Decimal
    quantity: Decimal
    collar_low: Decimal
    collar_high: Decimal
    valid_until: Utc
    epoch: int
    terms: ExecutionPolicy = Field(default=ExecutionPolicy(), description="how its order may be executed")


class GateAnswer(Contract):
    """The gate can shrink or refuse, never enlarge: a permit, or the denials."""

    request_id: str
    permit: Permit | None = None
    denials: tuple[Denial, ...] = ()
    caps: tuple[Cap, ...] = ()
    binding: str | None = Field(default=None, description="the code of the smallest cap")
    desk_acts: bool = Field(default=False, description="the desk tells its guards something: tick it next")
