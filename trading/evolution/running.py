"""What a strategy did between two times over several symbols, week after week, as one record (C11).

A week counts the closes from its start (included) to its end (not included): days by the equity at these closes, trades
by the close of the candle that they were sold in. A position that is open at the end goes on: the next run begins at
the close at which it was decided, and only what lies in the new week is counted. So each trade counts once.

Two things begin anew with each run and may differ from one long run: the capital, so that quantities are others and
returns differ by their rounding to the venue's step; and the gate's memory (peak, entries and start of the day), so
that a loss limit that one long run has reached does not hold a later week back.
The account is split evenly: a day's return is the mean over the symbols.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal

from trading.backtest.models import BacktestPlan, BacktestResult
from trading.backtest.run import backtest
from trading.evolution.models import Record, TradeReturn
from trading.evolution.trail import RETURN_QUANTUM, side_by_side
from trading.evolution.windows import HistoryTooShort
from trading.money import ONE

_INSTANT = timedelta(microseconds=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Run:
    """A strategy's record, and for each symbol where it is not flat the close that its next run begins at."""

    record: Record
    pending: Mapping[str, datetime]


def run_between(
    plans: Iterable[BacktestPlan], *, start: datetime, end: datetime, pending: Mapping[str, datetime]
) -> Run | None:
    """Run one strategy over each plan's symbol from `start`, or from where it was pending, to `end`.

    The record begins where the first symbol can be decided on, if that is later. A symbol without a close in the time,
    or without the policy's least history at its end, is left out; `None` where none is left. The plans' own times are
    ignored.
    """
    parts: list[Record] = []
    begins = end
    waiting: dict[str, datetime] = {}
    name = ""
    for plan in plans:
        name, symbol = plan.strategy.name, plan.series.symbol
        known = plan.series.closed_at(end - _INSTANT).candles
        if len(known) < plan.policy.min_history_bars or known[-1].open_time + plan.series.step < start:
            continue
        begins = min(begins, max(start, first_decision(plan)))
        result = backtest(_between(plan, pending.get(symbol, start), end))
        parts.append(cut(result, start=start, end=end))
        if result.pending_since is not None:
            waiting[symbol] = result.pending_since
    if not parts:
        return None
    return Run(record=side_by_side(name, parts, start=begins, end=end), pending=waiting)


def first_decision(plan: BacktestPlan) -> datetime:
    """The first close at which the strategy could act: the one with the policy's least history behind it."""
    candles, least = plan.series.candles, plan.policy.min_history_bars
    if len(candles) < least:
        raise HistoryTooShort(f"{plan.series.symbol}: {len(candles)} candles; allowed are {least} or more")
    return candles[least - 1].open_time + plan.series.step


def cut(result: BacktestResult, *, start: datetime, end: datetime) -> Record:
    """The part of a run whose closes lie from `start` to `end` (not included).

    A trade counts at the close of the candle it was sold in: what was sold in the candle that closes at `end` is not
    known before it, and the next run counts it.
    """
    closes, equity = result.closes, result.equity
    place, after = bisect_left(closes, start), bisect_left(closes, end)
    base = equity[place - 1] if place else result.capital_usd
    daily: list[tuple[datetime, Decimal]] = []
    while place < after:
        day = _day_of(closes[place])
        place = bisect_right(closes, day + _DAY, place, after)
        daily.append((day, (equity[place - 1] / base - ONE).quantize(RETURN_QUANTUM)))
        base = equity[place - 1]
    return Record(
        strategy=result.strategy,
        start=start,
        end=end,
        trades=tuple(
            TradeReturn(entry_at=trade.entry_at, exit_at=trade.exit_at, return_fraction=trade.return_fraction)
            for trade in result.trades
            if start <= closes[bisect_left(closes, trade.exit_at)] < end
        ),
        daily_returns=tuple(daily),
    )


def _between(plan: BacktestPlan, start: datetime, end: datetime) -> BacktestPlan:
    return BacktestPlan(
        strategy=plan.strategy,
        series=plan.series,
        start=start,
        end=end,
        capital_usd=plan.capital_usd,
        policy=plan.policy,
        model=plan.model,
        days_per_year=plan.days_per_year,
        facts=plan.facts,
    )


def _day_of(at: datetime) -> datetime:
    """The beginning of the day that a close belongs to: one at midnight ends the day before."""
    return datetime.combine((at - _INSTANT).date(), time(0), at.tzinfo)
