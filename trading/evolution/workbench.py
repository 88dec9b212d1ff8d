"""The computing of a week of evolution: what a process of its own does with candles that it was told.

It keeps the candles of each symbol, and the newest facts that all strategies read of them: the next week's take over
what has not changed. Nothing is asked of it but by the job's arguments: two workbenches that were told the same answer
the same, whatever they were asked before.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter

from trading.backtest.market_facts import MarketFacts
from trading.backtest.models import BacktestPlan
from trading.candles import Candle, CandleSeries
from trading.evolution.examine import Examination, Examined, examine, with_holdout
from trading.evolution.models import Knowledge
from trading.evolution.promotion import Evidence
from trading.evolution.running import Run, run_between
from trading.evolution.windows import HistoryTooShort
from trading.strategies.models import Strategy

_opened = attrgetter("open_time")


class Workbench:
    """Jobs by name; each is deterministic in its arguments and the candles learnt."""

    def __init__(self) -> None:
        self._histories: dict[str, CandleSeries] = {}
        self._ground: tuple[Knowledge, dict[str, MarketFacts]] | None = None
        self._newest: dict[str, MarketFacts] = {}

    def learn(self, symbol: str, timeframe: str, candles: Sequence[Candle], *, first: datetime) -> None:
        """Add what is not known yet; forget what opened before `first`."""
        known = self._histories.get(symbol, CandleSeries(symbol, timeframe, ()))
        kept = known.candles[bisect_left(known.candles, first, key=_opened) :]
        if kept and candles and candles[0].open_time <= kept[-1].open_time:
            every = {candle.open_time: candle for candle in (*candles, *kept) if candle.open_time >= first}
            together = tuple(every[at] for at in sorted(every))
        else:
            together = (*kept, *candles[bisect_left(candles, first, key=_opened) :])
        self._histories[symbol] = CandleSeries(symbol, timeframe, together)
        self._ground = None

    def run_weeks(
        self,
        known: Knowledge,
        wanted: Sequence[tuple[Strategy, datetime, Mapping[str, datetime]]],
        *,
        end: datetime,
    ) -> list[tuple[str, Run | None]]:
        """What each strategy did from its start to `end`, going on where it was pending."""
        return [
            (strategy.name, run_between(self._plans(known, strategy), start=start, end=end, pending=pending))
            for strategy, start, pending in wanted
        ]

    def examine(self, known: Knowledge, strategy: Strategy, *, trials: int, seed: int) -> Examined | None:
        """The candidate's examination without its holdout; `None` where the history is too short for one."""
        try:
            return examine(self._examination(known, strategy, trials=trials, seed=seed))
        except HistoryTooShort:
            return None

    def show_holdout(
        self, known: Knowledge, strategy: Strategy, examined: Examined, *, trials: int, seed: int
    ) -> Evidence:
        """The one look; it must have been recorded before."""
        return with_holdout(examined, self._examination(known, strategy, trials=trials, seed=seed))

    def _examination(self, known: Knowledge, strategy: Strategy, *, trials: int, seed: int) -> Examination:
        policy = known.policy
        return Examination(
            plans=tuple(self._plans(known, strategy)),
            train=timedelta(days=policy.walk_forward_train_days),
            test=timedelta(days=policy.walk_forward_test_days),
            holdout=timedelta(days=policy.holdout_days),
            trials=trials,
            seed=seed,
            copies=policy.perturbed_copies,
        )

    def _plans(self, known: Knowledge, strategy: Strategy) -> list[BacktestPlan]:
        return [
            BacktestPlan(strategy=strategy, series=facts.series, policy=known.policy, facts=facts)
            for _, facts in sorted(self._markets(known).items())
        ]

    def _markets(self, known: Knowledge) -> dict[str, MarketFacts]:
        if self._ground is None or self._ground[0] != known:
            self._ground = (known, {symbol: facts for symbol in known.symbols for facts in self._facts(known, symbol)})
        return self._ground[1]

    def _facts(self, known: Knowledge, symbol: str) -> list[MarketFacts]:
        """The facts of one symbol over the policy's history up to `as_of`; none where nothing had closed by then."""
        history = self._histories.get(symbol)
        if history is None:
            return []
        first = known.as_of - timedelta(days=known.policy.evolution_history_days)
        closed = history.closed_at(known.as_of)
        candles = closed.candles[bisect_left(closed.candles, first, key=_opened) :]
        if not candles:
            return []
        series = CandleSeries(symbol, history.timeframe, candles)
        self._newest[symbol] = MarketFacts(series, policy=known.policy, before=self._newest.get(symbol))
        return [self._newest[symbol]]
