"""The figures of a back-test, from its trades and its equity."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from trading.contract import Contract
from trading.ledger.marks import max_drawdown
from trading.money import ONE, ZERO
from trading.portfolio import returns_of, sharpe, sortino

if TYPE_CHECKING:
    from trading.backtest.models import BacktestResult, Trade

_INSTANT = timedelta(microseconds=1)


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


def metrics_of(
    *,
    trades: Sequence[Trade],
    closes: Sequence[datetime],
    equity: Sequence[Decimal],
    capital_usd: Decimal,
    traded_usd: Decimal,
    fees_usd: Decimal,
    exposure: Decimal,
    ambiguous_candles: int,
    buy_and_hold_return: Decimal,
    days_per_year: int,
) -> Metrics:
    """Everything that a strategy is judged by; `equity[i]` stands at `closes[i]`."""
    daily = daily_returns(closes, equity, capital_usd=capital_usd)
    wins = sum((trade.pnl_usd for trade in trades if trade.pnl_usd > 0), ZERO)
    losses = -sum((trade.pnl_usd for trade in trades if trade.pnl_usd < 0), ZERO)
    count = len(trades)
    return Metrics(
        trades=count,
        days=len(daily),
        total_return=equity[-1] / capital_usd - ONE,
        sharpe=sharpe(daily, periods_per_year=days_per_year),
        sortino=sortino(daily, periods_per_year=days_per_year),
        max_drawdown=max_drawdown((capital_usd, *equity)),
        win_rate=Decimal(sum(trade.is_win for trade in trades)) / count if count else None,
        profit_factor=wins / losses if losses else None,
        expectancy=sum((trade.return_fraction for trade in trades), ZERO) / count if count else None,
        exposure=exposure,
        turnover=traded_usd / capital_usd,
        fees_usd=fees_usd,
        buy_and_hold_return=buy_and_hold_return,
        ambiguous_candles=ambiguous_candles,
    )


def combined(results: Sequence[BacktestResult], *, days_per_year: int) -> Metrics:
    """Several symbols as one account that gave each the same capital: equity is the sum at every close of any of them.

    A symbol counts with its opening capital until its first close, and with its last equity after its end.
    """
    times = sorted({at for result in results for at in result.closes})
    equity = [ZERO] * len(times)
    for result in results:
        known, following = result.capital_usd, 0
        for place, at in enumerate(times):
            if following < result.bars and result.closes[following] == at:
                known, following = result.equity[following], following + 1
            equity[place] += known
    capital = sum((result.capital_usd for result in results), ZERO)
    rows = [result.metrics for result in results]
    held = sum((row.exposure * result.bars for row, result in zip(rows, results, strict=True)), ZERO)
    return metrics_of(
        trades=[trade for result in results for trade in result.trades],
        closes=times,
        equity=equity,
        capital_usd=capital,
        traded_usd=sum((row.turnover * result.capital_usd for row, result in zip(rows, results, strict=True)), ZERO),
        fees_usd=sum((row.fees_usd for row in rows), ZERO),
        exposure=held / sum(result.bars for result in results),
        ambiguous_candles=sum(row.ambiguous_candles for row in rows),
        buy_and_hold_return=sum((row.buy_and_hold_return for row in rows), ZERO) / len(rows),
        days_per_year=days_per_year,
    )


def daily_equity(closes: Sequence[datetime], equity: Sequence[Decimal]) -> dict[date, Decimal]:
    """The last equity of each day of UTC; a close at midnight belongs to the day that it ends."""
    return {(at - _INSTANT).date(): value for at, value in zip(closes, equity, strict=True)}


def daily_returns(
    closes: Sequence[datetime], equity: Sequence[Decimal], *, capital_usd: Decimal
) -> tuple[Decimal, ...]:
    """The return of each day that has a close; the first from the opening capital."""
    return returns_of((capital_usd, *daily_equity(closes, equity).values()))
