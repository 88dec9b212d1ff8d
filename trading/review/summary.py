"""The numbers of a period's closed trades, and the sentences that follow from them (C10, S0-63 to S0-65)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from trading.contract import Contract
from trading.money import ZERO
from trading.review.models import ClosedTrade, in_order

EXCELLENT_ABOVE = Decimal("0.7")
LOW_BELOW = Decimal("0.4")
MANY_TRADES_A_DAY = 5


class TradeSummary(Contract):
    """Closed trades in numbers. Without trades every mean is `None` and the one insight says so."""

    trades: int = 0
    profitable: int = 0
    win_rate: Decimal | None = None
    pnl_usd: Decimal = ZERO
    mean_pnl_usd: Decimal | None = None
    profit_factor: Decimal | None = None
    mean_return: Decimal | None = None
    mean_expected_return: Decimal | None = None
    best: ClosedTrade | None = None
    worst: ClosedTrade | None = None
    insights: tuple[str, ...] = ()


def summarise(trades: Iterable[ClosedTrade], *, days: int = 1) -> TradeSummary:
    """The summary of `trades` closed within `days`; `mean_expected_return` is over those that had an expectation."""
    every = in_order(tuple(trades))
    if not every:
        return TradeSummary(insights=("No trades today" if days == 1 else "No trades in this period",))
    pnl = sum((trade.pnl_usd for trade in every), ZERO)
    won = sum((trade.pnl_usd for trade in every if trade.won), ZERO)
    lost = won - pnl
    count, profitable = len(every), sum(trade.won for trade in every)
    expected = [value for trade in every if (value := trade.plan.expected_return) is not None]
    ranked = sorted(every, key=lambda trade: (trade.pnl_usd, trade.closed_at, *trade.key))
    return TradeSummary(
        trades=count,
        profitable=profitable,
        win_rate=Decimal(profitable) / count,
        pnl_usd=pnl,
        mean_pnl_usd=pnl / count,
        profit_factor=won / lost if lost else None,
        mean_return=sum((trade.return_fraction for trade in every), ZERO) / count,
        mean_expected_return=sum(expected, ZERO) / len(expected) if expected else None,
        best=ranked[-1],
        worst=ranked[0],
        insights=insights(win_rate=Decimal(profitable) / count, trades=count, days=days),
    )


def insights(*, win_rate: Decimal, trades: int, days: int) -> tuple[str, ...]:
    """S0-64 and S0-65: the win rate above 0.7 or below 0.4, and more than five trades a day."""
    found = []
    if win_rate > EXCELLENT_ABOVE:
        found.append(f"Win rate {win_rate:.0%}: excellent")
    if win_rate < LOW_BELOW:
        found.append(f"Win rate {win_rate:.0%}: low, review strategy")
    if trades > MANY_TRADES_A_DAY * max(days, 1):
        found.append(f"{trades} trades in {days} {'day' if days == 1 else 'days'}: frequency high, reduce")
    return tuple(found)
