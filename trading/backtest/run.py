"""The back-tester: decisions at closes, fills in the candles after them, nothing known before its time (C55, C59)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np

from trading.backtest.fact_table import FactTable
from trading.backtest.gatekeeping import Gatekeeper
from trading.backtest.holdings import Held
from trading.backtest.market_facts import BoolArray, MarketFacts
from trading.backtest.models import BacktestPlan, BacktestResult, ExitReason, Trade
from trading.backtest.position import Position
from trading.backtest.screen import possible_entries, possible_exits
from trading.decision.models import Action
from trading.facts.bars import stated
from trading.facts.indicators import true_range
from trading.matching.fills import Venue
from trading.matching.filters import derive_filters
from trading.matching.model import Bar, Fill
from trading.money import ONE, ZERO
from trading.strategies.evaluate import acting

FIRST_LOOK = 32
"""Candles that are looked through at once for the end of a position; twice as many the next time."""


def backtest(plan: BacktestPlan) -> BacktestResult:
    """Run `plan.strategy` over `plan.series`. Pure: the same plan gives the same result.

    At each close from the first that has the policy's least history behind it, the one evaluator is asked; a buy passes
    the live gate, then meets the next candle at the venue's latency, spread, slippage, impact and fees. A decision
    sees only candles that had closed, so a run over a prefix closes the same trades. Where the next candle is missing
    the entry expires. Raises `FactsUnavailable` where the candles do not give what the strategy reads, `ValueError`
    where no candle lies in the period.
    """
    return _Run(plan).result()


class _Run:
    def __init__(self, plan: BacktestPlan) -> None:
        candles = plan.series.candles
        if not candles:
            raise ValueError(f"{plan.series.symbol}: no candles to test on")
        self.plan = plan
        self.market = _facts(plan)
        self.closes_s = self.market.closes_s
        self.first, self.last = self._period()
        self.table = FactTable(plan.strategy, self.market, first=self.first, end=self.last)
        base, _, quote = plan.series.symbol.partition("/")
        self.venue = Venue(symbol=plan.series.symbol, base=base, quote=quote, filters=derive_filters(candles[0].open))
        self.held = Held(cash_usd=plan.capital_usd, dust_below_usd=self.venue.filters.min_notional)
        self.gate = Gatekeeper(plan.policy, venue=self.venue, model=plan.model, capital_usd=plan.capital_usd)
        self.curve: list[Decimal] = []
        self.trades: list[Trade] = []
        self.bars_held = self.unfilled = self.evaluations = self.ambiguous = 0

    def _period(self) -> tuple[int, int]:
        """The first and the end of the candles at whose close a decision may fall."""
        plan = self.plan
        first = 0 if plan.start is None else bisect_left(self.closes_s, plan.start.timestamp())
        last = len(self.closes_s) if plan.end is None else bisect_left(self.closes_s, plan.end.timestamp())
        if first >= last:
            raise ValueError(
                f"{plan.series.symbol}: no candle closes in the period; the history is from "
                f"{self.market.closes[0].isoformat()} to {self.market.closes[-1].isoformat()}"
            )
        return first, last

    def result(self) -> BacktestResult:
        entries, exits = (
            possible_entries(self.plan.strategy, self.table),
            possible_exits(self.plan.strategy, self.table),
        )
        entries[: max(self.plan.policy.min_history_bars - 1 - self.first, 0)] = False
        candidates: list[int] = (np.flatnonzero(entries) + self.first).tolist()
        position: Position | None = None
        place, cost_before, realised_before, entered_at = self.first, ZERO, ZERO, 0
        while place < self.last:
            if position is None:
                following = bisect_left(candidates, place)
                chosen = candidates[following] if following < len(candidates) else self.last
                self._flat_until(min(chosen + 1, self.last))
                if chosen >= self.last:
                    break
                cost_before, realised_before, entered_at = self.held.cost_usd, self.held.realised_usd, chosen + 1
                fees_before = self.held.fees_usd
                position = self._entered(chosen)
                place = chosen + 1
                continue
            if position.is_resting:
                busy = self._next_busy(position, place, exits)
                self._rest_until(busy, place)
                place = busy
                if place >= self.last:
                    break
            self._cross(position, place)
            if position.is_over:
                if position.entries:
                    self._close(
                        position,
                        bars=place - entered_at + 1,
                        cost_usd=cost_before,
                        realised_usd=realised_before,
                        fees_usd=fees_before,
                    )
                else:
                    self.unfilled += 1
                position = None
                continue
            if exits[place - self.first] and position.entries and not position.is_leaving:
                self._maybe_leave(position, place)
            place += 1
        return self._result(position, decided_at=entered_at - 1)

    def _flat_until(self, place: int) -> None:
        """Fill the curve up to `place`: without a position equity stands still, dust at its last mark."""
        missing = place - self.first - len(self.curve)
        if missing > 0:
            equity = self.curve[-1] if self.curve else self.plan.capital_usd
            self.curve += [equity] * missing

    def _entered(self, place: int) -> Position | None:
        """The position that a buy at the close of candle `place` begins, if the gate and the next candle let it."""
        self.evaluations += 1
        signal = acting(self.plan.strategy, self.table.at(place, self.held))
        if signal is None or signal.action is not Action.BUY:
            return None
        plan = self.gate.admit(
            signal,
            self.held,
            name=self.plan.strategy.name,
            price=self.table.last_price(place),
            atr_fraction=stated(float(true_range(self.market.bars)[place] / self.market.bars.close[place])),
            risk_regime=self.table.risk_regime_at(place),
            closes_at_s=self.closes_s[place],
        )
        if plan is None or plan.quantity <= 0:
            return None
        following = place + 1
        if following < self.last and self.closes_s[following] - self.market.bars.step_s != self.closes_s[place]:
            self.unfilled += 1
            return None
        return Position(plan, held=self.held, model=self.plan.model, venue=self.venue)

    def _next_busy(self, position: Position, place: int, exits: BoolArray) -> int:
        """The first candle from `place` on in which a resting position may end: its stop or target may be reached, its
        time comes, or its strategy may sell. Never too late: a rounded number is on the same side of a rounded one."""
        stop, target = position.stop_price, position.plan.target_price
        bars, due = self.market.bars, bisect_right(self.closes_s, position.due_ms // 1000)
        end = min(due, self.last)
        step = FIRST_LOOK
        while place < end:
            part = slice(place, min(place + step, end))
            busy = bars.low[part] <= float(stop)
            if target is not None:
                busy |= bars.high[part] >= float(target)
            busy |= exits[part.start - self.first : part.stop - self.first]
            if busy.any():
                return place + int(busy.argmax())
            place, step = part.stop, step * 2
        return max(place, end)

    def _rest_until(self, end: int, place: int) -> None:
        """The candles from `place` to `end` (not included), in which a position only changes its worth."""
        equities = [self.held.equity_usd(candle.close) for candle in self.plan.series.candles[place:end]]
        for equity, closes_s in zip(equities, self.closes_s[place:end], strict=True):
            self.gate.saw(equity, closes_at_s=closes_s)
        self.bars_held += len(equities)
        self.curve += equities

    def _cross(self, position: Position, place: int) -> None:
        candle = self.plan.series.candles[place]
        closes_s = self.closes_s[place]
        bar = Bar(
            (closes_s - self.market.bars.step_s) * 1000,
            closes_s * 1000,
            candle.open,
            candle.high,
            candle.low,
            candle.close,
            candle.volume,
        )
        position.cross(bar)
        equity = self.held.equity_usd(candle.close)
        self.bars_held += 1
        self.curve.append(equity)
        self.gate.saw(equity, closes_at_s=closes_s)

    def _maybe_leave(self, position: Position, place: int) -> None:
        self.evaluations += 1
        signal = acting(self.plan.strategy, self.table.at(place, self.held))
        if signal is not None and signal.action is Action.SELL and signal.size_fraction > 0:
            position.leave(ExitReason.SIGNAL, at_ms=self.closes_s[place] * 1000, fraction=signal.size_fraction)

    def _close(
        self, position: Position, *, bars: int, cost_usd: Decimal, realised_usd: Decimal, fees_usd: Decimal
    ) -> None:
        bought, sold = position.entries, position.exits
        cost = sum((fill.quote for fill in bought), ZERO) + cost_usd
        pnl = self.held.realised_usd - realised_usd
        self.trades.append(
            Trade(
                symbol=self.venue.symbol,
                strategy=self.plan.strategy.name,
                setup=position.plan.setup,
                entry_at=_time_ms(bought[0].at_ms),
                exit_at=_time_ms((sold or bought)[-1].at_ms),
                entry_price=_average(bought),
                exit_price=_average(sold or bought),
                quantity=sum((fill.quantity for fill in bought), ZERO),
                cost_usd=cost,
                stop_price=position.plan.stop_price,
                target_price=position.plan.target_price,
                reason=position.reason or ExitReason.SIGNAL,
                pnl_usd=pnl,
                return_fraction=pnl / cost,
                fees_usd=self.held.fees_usd - fees_usd,
                bars=bars,
            )
        )
        self.ambiguous += position.ambiguous_candles
        self.gate.closed_trades += 1

    def _result(self, position: Position | None, *, decided_at: int) -> BacktestResult:
        self._flat_until(self.last)
        candles = self.plan.series.candles
        return BacktestResult(
            symbol=self.venue.symbol,
            strategy=self.plan.strategy.name,
            trades=tuple(self.trades),
            closes=self.market.closes[self.first : self.last],
            equity=tuple(self.curve),
            capital_usd=self.plan.capital_usd,
            is_open_at_end=position is not None and bool(position.entries),
            pending_since=None if position is None else self.market.closes[decided_at],
            denials=dict(sorted(self.gate.denials.items())),
            unfilled_entries=self.unfilled,
            evaluations=self.evaluations,
            bars_held=self.bars_held,
            traded_usd=self.held.traded_usd,
            fees_usd=self.held.fees_usd,
            ambiguous_candles=self.ambiguous,
            buy_and_hold_return=candles[self.last - 1].close / candles[self.first].close - ONE,
            days_per_year=self.plan.days_per_year,
        )


def _facts(plan: BacktestPlan) -> MarketFacts:
    """The shared facts, or fresh ones; `ValueError` where they are of another series or policy."""
    if plan.facts is None:
        return MarketFacts(plan.series, policy=plan.policy)
    if plan.facts.series is not plan.series or plan.facts.policy != plan.policy:
        raise ValueError(f"{plan.series.symbol}: the shared facts are of another series or another policy")
    return plan.facts


def _average(fills: list[Fill]) -> Decimal:
    return sum((fill.quote for fill in fills), ZERO) / sum((fill.quantity for fill in fills), ZERO)


def _time_ms(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
