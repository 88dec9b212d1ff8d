"""What a back-test is asked and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from trading.candles import CandleSeries
from trading.contract import Contract, Utc
from trading.matching.fills import FillModel
from trading.policy.model import Policy
from trading.strategies.models import Strategy

if TYPE_CHECKING:
    from trading.backtest.fact_table import MarketFacts


class ExitReason(StrEnum):
    """What ended a trade."""

    STOP = "stop"
    TARGET = "target"
    TIME = "time"
    SIGNAL = "signal"


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestPlan:
    """One strategy over one history. Plans of one series and policy may share `facts`, which saves computing them.

    Decisions fall on the closes from `start` (included) to `end` (not included); earlier candles are its past, and
    under the policy's least history nothing is decided. `days_per_year` is the market's: 365 where it never closes.
    """

    strategy: Strategy
    series: CandleSeries
    start: datetime | None = None
    end: datetime | None = None
    capital_usd: Decimal = Decimal(1_000_000)
    policy: Policy = field(default_factory=Policy)
    model: FillModel = field(default_factory=lambda: FillModel(seed=1))
    days_per_year: int = 365
    facts: MarketFacts | None = None


class Trade(Contract):
    """One position from its first fill to flat. `pnl_usd` is net of commissions, spread and slippage.

    `return_fraction` is the profit over what the position cost; dust that a sale left stays at its cost.
    """

    symbol: str
    strategy: str
    setup: str
    entry_at: Utc
    exit_at: Utc
    entry_price: Decimal
    exit_price: Decimal
    quantity: Decimal
    cost_usd: Decimal
    stop_price: Decimal
    target_price: Decimal | None
    reason: ExitReason
    pnl_usd: Decimal
    return_fraction: Decimal
    fees_usd: Decimal
    bars: int

    @property
    def is_win(self) -> bool:
        return self.pnl_usd > 0


class Metrics(Contract):
    """The figures of one back-test. What its trades or days cannot give is `None`, never zero (C57).

    `total_return` is of the whole account, `expectancy` the mean return of a trade after costs, `exposure` the share of
    candles with a position, `turnover` what was bought and sold over the opening capital. Sharpe and Sortino are of the
    daily equity, a year.
    """

    trades: int
    days: int
    total_return: Decimal
    sharpe: Decimal | None
    sortino: Decimal | None
    max_drawdown: Decimal
    win_rate: Decimal | None
    profit_factor: Decimal | None
    expectancy: Decimal | None
    exposure: Decimal
    turnover: Decimal
    fees_usd: Decimal
    buy_and_hold_return: Decimal
    ambiguous_candles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestResult:
    """Closed trades in order, equity at each candle's close, and why the gate refused what it refused.

    A position that the history leaves open is in `equity`, marked at the last close, and in no trade. `pending_since`
    is the close at which it was decided, filled or not: a later run from there decides it again.
    """

    symbol: str
    strategy: str
    trades: tuple[Trade, ...]
    closes: tuple[datetime, ...]
    equity: tuple[Decimal, ...]
    capital_usd: Decimal
    is_open_at_end: bool
    pending_since: datetime | None
    denials: Mapping[str, int]
    unfilled_entries: int
    evaluations: int
    metrics: Metrics

    @property
    def bars(self) -> int:
        return len(self.closes)
