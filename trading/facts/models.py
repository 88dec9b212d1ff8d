"""Facts: numbers and labels with an id, a unit and the time from which they were known."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

from pydantic import Field

from trading.contract import Contract, Utc


class TrendRegime(StrEnum):
    """The market's direction, for memory and lessons (X35)."""

    BULL_RUN = "bull_run"
    BEAR_MARKET = "bear_market"
    SIDEWAYS = "sideways"
    NORMAL = "normal"


class RiskRegime(StrEnum):
    """The market's danger, for limits (C21)."""

    NORMAL = "normal"
    HIGH_VOLATILITY = "high_volatility"
    LOW_VOLATILITY = "low_volatility"
    CRASH = "crash"
    RALLY = "rally"


class Fact(Contract):
    """One number or label: `id` is what a claim cites (`rsi_14@1h`), `as_of` the time from which it was known."""

    id: str
    name: str
    value: Decimal | str
    unit: str = Field(description="USD, base, fraction, ratio, index, count, hours or label")
    as_of: Utc


REMEMBERED = "remembered"
"""No source answered: the snapshot is made of what was kept. A plan may go on from it, a decision may not (C64)."""


class DailyCloses(Contract):
    """Closes of the newest days in a row, oldest first; the last one was known at `until`, the others a day apart."""

    until: Utc
    closes: tuple[Decimal, ...] = Field(min_length=1)


class MarketSnapshot(Contract):
    """All that is known of one symbol at one time. A fact that warms up is absent, never zero.

    `insufficient` names why a decision must abstain: `insufficient_history`, `stale_data`, `stranded`, `remembered`.
    """

    symbol: str
    as_of: Utc
    venue: str
    facts: tuple[Fact, ...]
    trend_regime: TrendRegime = TrendRegime.NORMAL
    risk_regime: RiskRegime = RiskRegime.NORMAL
    last_price: Decimal
    bid: Decimal | None = None
    ask: Decimal | None = None
    atr_fraction: Decimal | None = Field(default=None, description="ATR over price on the base timeframe")
    bars: int = Field(description="closed candles on the base timeframe behind the facts")
    base_timeframe: str
    gaps: tuple[str, ...] = ()
    insufficient: str | None = None
    history: DailyCloses | None = Field(default=None, description="the newest daily closes, for limits (C17)")
    hour_volumes_usd: tuple[Decimal, ...] = Field(
        default=(), description="what is usually traded in each hour of the UTC day; none where the candles are coarser"
    )

    def by_id(self) -> Mapping[str, Fact]:
        return {fact.id: fact for fact in self.facts}
