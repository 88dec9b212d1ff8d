"""A strategy's score from 0 to 100, and the ranking of the week (C50, X61)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from trading.contract import Contract
from trading.evolution.models import Record
from trading.ledger.marks import max_drawdown
from trading.policy.model import Policy
from trading.portfolio import sharpe
from trading.review.comparison import score as weighted_score


class Scored(Contract):
    """A strategy's figures and their score; `None` where there is nothing to measure."""

    strategy: str
    score: Decimal
    trades: int
    days: int
    win_rate: Decimal | None
    sharpe: Decimal | None
    max_drawdown: Decimal
    expectancy: Decimal | None


def scored(record: Record, *, policy: Policy, days_per_year: int = 365) -> Scored:
    """The figures of `record` and the one score of win rate, Sharpe and drawdown that accounts are ranked by too."""
    ratio = sharpe(record.daily, periods_per_year=days_per_year)
    drawdown = max_drawdown(record.equity)
    return Scored(
        strategy=record.strategy,
        score=weighted_score(win_rate=record.win_rate, sharpe_ratio=ratio, drawdown=drawdown, policy=policy),
        trades=len(record.trades),
        days=record.days,
        win_rate=record.win_rate,
        sharpe=ratio,
        max_drawdown=drawdown,
        expectancy=record.expectancy,
    )


def ranked(records: Iterable[Record], *, policy: Policy, days_per_year: int = 365) -> tuple[Scored, ...]:
    """All of them, best first, then by name: the first is the week's best strategy, the last its worst (S2-82)."""
    rows = (scored(record, policy=policy, days_per_year=days_per_year) for record in records)
    return tuple(sorted(rows, key=lambda row: (-row.score, row.strategy)))
