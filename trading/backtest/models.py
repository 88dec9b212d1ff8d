"""What a back-test is asked and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from trading.backtest.metrics import Metrics, metrics_of
from trading.candles import CandleSeries
from trading.contract import Contract, Utc
from trading.matching.fills import FillModel
from trading.policy.model import Policy
from trading.strategies.models import Strategy

if TYPE_CHECKING:
    from trading.backtest.market_facts import MarketFacts


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


@dataclass(frozen=True, kw_only=True)
class BacktestResult:
    """Closed trades in order, equity at each candle's close, and why the gate refused what it refused.

    A position that the history leaves open is in `equity`, marked at the last close, and in no trade. `pending_since`
    is the close at which it was decided, filled or not: a later run from there decides it again. The figures are made
    when they are first read: who only wants the trades does not pay for them.
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
    bars_held: int
    traded_usd: Decimal
    fees_usd: Decimal
    ambiguous_candles: int
    buy_and_hold_return: Decimal
    days_per_year: int

    @property
    def bars(self) -> int:
        return len(self.closes)

    @cached_property
    def metrics(self) -> Metrics:
        """What the strategy is judged by."""
        return metrics_of(
            trades=self.trades,
            closes=self.closes,
            equity=self.equity,
            capital_usd=self.capital_usd,
            traded_usd=self.traded_usd,
            fees_usd=self.fees_usd,
            exposure=Decimal(self.bars_held) / self.bars,
            ambiguous_candles=self.ambiguous_candles,
            buy_and_hold_return=self.buy_and_hold_return,
            days_per_year=self.days_per_year,
        )
