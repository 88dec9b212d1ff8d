"""The words of a watch: what it waits for in a plan, and which plan is in force."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field

from trading.contract import Contract, Utc
from trading.policy.regimes import RegimePolicy

Direction = Literal["above", "below"]


class WatchedTrigger(Contract):
    """A price of the plan whose crossing asks for one decision, and the accounts that planned for it."""

    id: str
    symbol: str
    direction: Direction
    price: Decimal = Field(gt=0)
    kind: str
    accounts: tuple[str, ...] = Field(min_length=1)

    @property
    def defends(self) -> bool:
        """Whether it asks to decide on a held position: such a one is under no cap."""
        return self.kind == "defend"


AnomalyKind = Literal["flash_crash", "price_jump", "volume_spike", "volatility_surge", "regime_change"]


class Anomaly(Contract):
    """Something the market does not usually do (C66). `numbers` are what was seen and the thresholds, as text.

    `defends` where the desks are told: falls, surges and a worse regime; a busy market alone is only reported.
    """

    id: str
    kind: AnomalyKind
    symbol: str
    as_of: Utc
    defends: bool
    numbers: dict[str, str] = Field(default_factory=dict)


class AnomalyLimits(Contract):
    """The rows of the policy that anomalies are measured by."""

    window_s: int
    price_fraction: Decimal
    volume_multiple: Decimal
    range_multiple: Decimal
    candles: int
    crash_fall_fraction: Decimal
    crash_window_s: int
    regimes: RegimePolicy


class Watchlist(Contract):
    """What the plan in force asks to be watched; without a plan only the playbook is there."""

    playbook_hash: str
    playbook_version: str
    period: str | None = None
    plan_hash: str | None = None
    valid_until: Utc | None = None
    symbols: tuple[str, ...] = ()
    triggers: tuple[WatchedTrigger, ...] = ()
    triggers_per_symbol: int = 0
    triggers_per_day: int = 0
    trigger_quiet_s: int = 0
    replan_after_s: int = Field(default=0, description="after the session's start; 0 is never")
    limits: AnomalyLimits | None = None

    @property
    def day(self) -> str:
        """The day that is planned, without the number of a revision."""
        return (self.period or "").partition(".")[0]

    @property
    def is_revised(self) -> bool:
        return self.period is not None and self.period != self.day
