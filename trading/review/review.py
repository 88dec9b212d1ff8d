"""The review of one account's period: records in, everything that a report or a plan needs out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from pydantic import Field

from trading.contract import Contract, Utc
from trading.ledger.positions import Position
from trading.policy.model import Policy
from trading.review.baseline import PriceRun, RandomBaseline, baselines_of, measured
from trading.review.best_worst import BestAndWorst, best_and_worst
from trading.review.biases import BiasCheck, check_biases
from trading.review.calibration import Calibration, calibration, forecasts_of
from trading.review.changes import Changes, checkpoints_for, split_changes, wanted_changes
from trading.review.comparison import AccountPeriod, Comparison, Standing, compare
from trading.review.execution import ExecutionQuality, execution_quality
from trading.review.experiences import Experience, experiences, lessons_of_the_day
from trading.review.labels import LabelledTrade, label_trades
from trading.review.lessons import Lesson, lesson_book
from trading.review.models import ClosedTrade, DecisionTally, EquityPoint, ReviewedOrder
from trading.review.period import Period
from trading.review.pnl import ReliablePnl, reliable_pnl
from trading.review.reflection import (
    EvolutionMetric,
    ProposedPrinciple,
    evolution_metrics,
    learning_slope,
    propose_principles,
)
from trading.review.summary import TradeSummary, summarise

LAST_TRADE_FRESH = timedelta(hours=1)
"""An older trade says nothing about the price at the end of the period."""


class ModelUse(Contract):
    """A model that answered in the period. `knowledge_until` is its stated cut-off, where one is known."""

    name: str
    is_rule_based: bool
    answers: int = 0
    knowledge_until: Utc | None = None


class PricedPosition(Contract):
    """What is held at the end of the period, with the prices that are known of it."""

    position: Position
    mark: Decimal | None = None
    stream: Decimal | None = None


class PeriodRecords(Contract):
    """What the store knows of one account and period; `trades_before` are closed earlier and need no orders."""

    realm: str
    account: str
    venue: str = ""
    opened_at: Utc | None = None
    opening_equity_usd: Decimal | None = None
    trades: tuple[ClosedTrade, ...] = ()
    trades_before: tuple[ClosedTrade, ...] = ()
    orders: tuple[ReviewedOrder, ...] = ()
    tally: DecisionTally = DecisionTally()
    accounts: tuple[AccountPeriod, ...] = Field(default=(), description="every account of the realm, this one included")
    positions: tuple[PricedPosition, ...] = ()
    models: tuple[ModelUse, ...] = ()
    playbook_versions: tuple[str, ...] = ()
    buy_and_hold_return: Decimal | None = None
    buy_and_hold_symbols: tuple[str, ...] = ()
    prices: tuple[PriceRun, ...] = Field(default=(), description="closes that the random baseline is drawn from")
    last_record_at: Utc | None = None

    @property
    def equity(self) -> tuple[EquityPoint, ...]:
        """This account's equity, from the last point before the period on."""
        return next((each.equity for each in self.accounts if each.account == self.account), ())


class PeriodReview(Contract):
    """One account's period, judged. `book` holds the lessons of all trades up to its end."""

    period: Period
    account: str
    trades: tuple[LabelledTrade, ...]
    summary: TradeSummary
    execution: ExecutionQuality
    biases: tuple[BiasCheck, ...]
    calibration: Calibration
    calibration_so_far: Calibration
    book: tuple[Lesson, ...]
    experiences: tuple[Experience, ...]
    lessons: tuple[Experience, ...]
    comparison: Comparison
    baselines: tuple[RandomBaseline, ...] = ()
    standing: Standing | None
    changes: Changes
    extremes: BestAndWorst
    principles: tuple[ProposedPrinciple, ...]
    metrics: tuple[EvolutionMetric, ...]
    learning_slope: Decimal | None
    pnl: tuple[ReliablePnl, ...]


def review_period(
    records: PeriodRecords, period: Period, policy: Policy, *, known_principles: Sequence[str] = ()
) -> PeriodReview:
    """Judge the period: the same records give the same review. `policy` is what was in force at its end."""
    days_before = _days_before(records, period)
    labelled = label_trades(records.trades, policy)
    execution = execution_quality(records.orders, policy)
    baselines = baselines_of(records.accounts, records.prices, period, policy)
    accounts = measured(records.accounts, baselines)
    comparison = compare(accounts, buy_and_hold_return=records.buy_and_hold_return, policy=policy)
    standing = next((row for row in comparison.standings if row.account == records.account), None)
    checks = _biases(records, period, days_before, policy)
    every = (*records.trades_before, *records.trades)
    so_far = calibration(forecasts_of(every))
    book = lesson_book(every)
    day = experiences(
        labelled,
        tally=records.tally,
        execution=execution,
        biases=checks,
        equity_usd=standing.start_usd if standing else records.opening_equity_usd,
    )
    wanted = wanted_changes(
        policy,
        biases=checks,
        execution=execution,
        calibration=so_far,
        standing=standing,
        trades=len(records.trades),
        usual_trades_a_day=Decimal(len(records.trades_before)) / days_before if days_before else None,
    )
    own = calibration(forecasts_of(records.trades))
    return PeriodReview(
        period=period,
        account=records.account,
        trades=labelled,
        summary=summarise(records.trades, days=period.days),
        execution=execution,
        biases=checks,
        calibration=own,
        calibration_so_far=so_far,
        book=book,
        experiences=day,
        lessons=lessons_of_the_day(day, book),
        comparison=comparison,
        baselines=baselines,
        standing=standing,
        changes=split_changes(policy, wanted, checkpoints=checkpoints_for(checks)),
        extremes=best_and_worst(labelled),
        principles=propose_principles(book, policy, known=known_principles),
        metrics=evolution_metrics(
            execution=execution,
            calibration=so_far,
            biases=checks,
            biases_before=_biases_before(records, period, policy),
            sharpe=standing.sharpe if standing else None,
            policy=policy,
        ),
        learning_slope=learning_slope(_weekly_win_rates(every)),
        pnl=tuple(
            reliable_pnl(
                each.position,
                mark=each.mark,
                last_trade=_last_trade(each.position, period),
                stream=each.stream,
                policy=policy,
            )
            for each in records.positions
        ),
    )


def _last_trade(position: Position, period: Period) -> Decimal | None:
    """The price of the account's own last trade, where that is fresh enough to be a price of the period's end."""
    if position.last_fill_at is None or position.last_fill_at < period.end - LAST_TRADE_FRESH:
        return None
    return position.last_price


def _days_before(records: PeriodRecords, period: Period) -> int:
    return 0 if records.opened_at is None else max((period.start - records.opened_at).days, 0)


def _biases(records: PeriodRecords, period: Period, days_before: int, policy: Policy) -> tuple[BiasCheck, ...]:
    return check_biases(
        records.trades,
        days=period.days,
        trades_before=len(records.trades_before),
        days_before=days_before,
        policy=policy,
    )


def _biases_before(records: PeriodRecords, period: Period, policy: Policy) -> int | None:
    """How many were found in the span of equal length just before; `None` where the account had no trade there."""
    start = period.start - (period.end - period.start)
    trades = [trade for trade in records.trades_before if trade.closed_at >= start]
    if not trades:
        return None
    earlier = len(records.trades_before) - len(trades)
    days_before = 0 if records.opened_at is None else max((start - records.opened_at).days, 0)
    checks = check_biases(trades, days=period.days, trades_before=earlier, days_before=days_before, policy=policy)
    return sum(1 for check in checks if check.found)


def _weekly_win_rates(trades: Sequence[ClosedTrade]) -> list[Decimal | None]:
    """The win rate of each week from the first trade on; a week without trades is unknown."""
    if not trades:
        return []
    first = min(trade.closed_at for trade in trades)
    weeks: dict[int, list[bool]] = {}
    for trade in trades:
        weeks.setdefault((trade.closed_at - first) // timedelta(days=7), []).append(trade.won)
    return [Decimal(sum(weeks[week])) / len(weeks[week]) if week in weeks else None for week in range(max(weeks) + 1)]
