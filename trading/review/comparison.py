"""Accounts side by side over one period: return, trades, win rate, drawdown, Sharpe, score, rank (C58)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

from pydantic import Field

from trading import portfolio
from trading.contract import Contract
from trading.ledger.marks import max_drawdown
from trading.money import ONE, ZERO
from trading.policy.model import Policy
from trading.review.models import ClosedTrade, EquityPoint

YEAR = timedelta(days=365)
"""Crypto trades every day of the year (X37)."""

FINE_UP_TO = timedelta(days=7)
MIN_RETURNS = 5
_WORST_SHARPE, _BEST_SHARPE = Decimal(-1), Decimal(3)

StandingWord = Literal["best", "too risky", "low return", "lags", "even"]


class AccountPeriod(Contract):
    """One account over the period: its equity, from the last point before the period on, and its closed trades."""

    account: str
    equity: tuple[EquityPoint, ...]
    trades: tuple[ClosedTrade, ...] = ()
    random_percentile: Decimal | None = Field(
        default=None, ge=0, le=1, description="share of the random baseline's runs that it beat"
    )


class Standing(Contract):
    """One row of the comparison. `score` is 0 to 100; `rank` begins with 1. `None` where there is nothing to measure.

    Sharpe is over the equity's own returns, a point an hour up to seven days and a point a day above, a year of 365
    days, without a risk-free rate; under five returns or without any movement there is none.
    """

    account: str
    rank: int
    start_usd: Decimal | None
    end_usd: Decimal | None
    return_fraction: Decimal | None
    excess_return: Decimal | None
    trades: int
    win_rate: Decimal | None
    max_drawdown: Decimal
    sharpe: Decimal | None
    score: Decimal
    word: StandingWord
    random_percentile: Decimal | None


class Comparison(Contract):
    """The accounts by rank, against holding the traded symbols in equal parts."""

    standings: tuple[Standing, ...]
    buy_and_hold_return: Decimal | None = None

    @property
    def best(self) -> Standing | None:
        return self.standings[0] if self.standings else None


def compare(accounts: Iterable[AccountPeriod], *, buy_and_hold_return: Decimal | None, policy: Policy) -> Comparison:
    """Rank by score, then return, then name: a permutation of the accounts, the same for the same input.

    The daily ranking is reported, not learned from (venue.md).
    """
    rows = [_standing(account, buy_and_hold_return, policy) for account in accounts]
    rows.sort(key=lambda row: row.account)
    rows.sort(key=_merit, reverse=True)
    ranked = [row.model_copy(update={"rank": place}) for place, row in enumerate(rows, start=1)]
    return Comparison(
        standings=tuple(row.model_copy(update={"word": _word(row, ranked, policy)}) for row in ranked),
        buy_and_hold_return=buy_and_hold_return,
    )


def _standing(period: AccountPeriod, benchmark: Decimal | None, policy: Policy) -> Standing:
    equity = tuple(sorted(period.equity, key=lambda point: point.at))
    start = equity[0].equity_usd if equity else None
    end = equity[-1].equity_usd if equity else None
    gained = end / start - 1 if start and end is not None else None
    drawdown = max_drawdown(point.equity_usd for point in equity)
    win_rate = Decimal(sum(trade.won for trade in period.trades)) / len(period.trades) if period.trades else None
    ratio = sharpe(equity)
    return Standing(
        account=period.account,
        rank=0,
        start_usd=start,
        end_usd=end,
        return_fraction=gained,
        excess_return=None if gained is None or benchmark is None else gained - benchmark,
        trades=len(period.trades),
        win_rate=win_rate,
        max_drawdown=drawdown,
        sharpe=ratio,
        score=score(win_rate=win_rate, sharpe_ratio=ratio, drawdown=drawdown, policy=policy),
        word="even",
        random_percentile=period.random_percentile,
    )


def score(*, win_rate: Decimal | None, sharpe_ratio: Decimal | None, drawdown: Decimal, policy: Policy) -> Decimal:
    """0 to 100: the policy's weights over win rate, Sharpe (0 at -1, full at 3) and drawdown (full at none, 0 at the
    halt); an account that did not trade counts one half for what is not known (X61).
    """
    half = ONE / 2
    parts = (
        (policy.score_win_rate_weight, half if win_rate is None else win_rate),
        (policy.score_sharpe_weight, half if sharpe_ratio is None else _sharpe_share(sharpe_ratio)),
        (policy.score_drawdown_weight, _within(ONE - drawdown / policy.drawdown_halt_fraction)),
    )
    whole = sum((weight for weight, _ in parts), ZERO)
    if not whole:
        return Decimal(50)
    return (100 * sum((weight * value for weight, value in parts), ZERO) / whole).quantize(
        Decimal("0.1"), rounding=ROUND_HALF_EVEN
    )


def _sharpe_share(ratio: Decimal) -> Decimal:
    return _within((ratio - _WORST_SHARPE) / (_BEST_SHARPE - _WORST_SHARPE))


def _within(value: Decimal) -> Decimal:
    return min(max(value, ZERO), ONE)


def sharpe(equity: Sequence[EquityPoint]) -> Decimal | None:
    """The annualised Sharpe ratio of an equity series, or `None` under five returns, without movement or at zero."""
    values, step = sampled(equity)
    if len(values) <= MIN_RETURNS or min(values) <= 0:
        return None
    return portfolio.sharpe(portfolio.returns_of(values), periods_per_year=YEAR // step)


def sampled(equity: Sequence[EquityPoint]) -> tuple[list[Decimal], timedelta]:
    """The newest value at each step of an even grid, and the step: an hour up to seven days, else a day."""
    if not equity:
        return [], timedelta(hours=1)
    start, end = equity[0].at, equity[-1].at
    step = timedelta(hours=1) if end - start <= FINE_UP_TO else timedelta(days=1)
    values: list[Decimal] = []
    place, at = 0, start
    while at <= end:
        place = _newest(equity, place, at)
        values.append(equity[place].equity_usd)
        at += step
    return values, step


def _newest(equity: Sequence[EquityPoint], place: int, at: datetime) -> int:
    while place + 1 < len(equity) and equity[place + 1].at <= at:
        place += 1
    return place


def _merit(row: Standing) -> tuple[Decimal, Decimal]:
    return row.score, row.return_fraction or ZERO


def _word(row: Standing, ranked: Sequence[Standing], policy: Policy) -> StandingWord:
    """S2-242: the word for a row, in this order: best, too risky, low return, lags, even."""
    if row.rank == 1 and any(_merit(other) < _merit(row) for other in ranked):
        return "best"
    if row.max_drawdown >= policy.drawdown_defence_fraction:
        return "too risky"
    if row.excess_return is not None and row.excess_return < 0:
        return "low return"
    return "lags" if row.return_fraction is not None and row.return_fraction < 0 else "even"
