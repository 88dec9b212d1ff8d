"""One week from its candles to what is kept of it: the order of the steps; each step is pure, or a port's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain

from activities.evolution.candles import bring_up_to
from activities.evolution.port import (
    Calculators,
    EvolutionOrder,
    Examination,
    GenePool,
    KeptEvolution,
    PoolRecords,
    StrategyWeek,
)
from activities.evolution.trails import Trails, together, with_week
from activities.market.port import MarketData
from trading.evolution.examine import Examined
from trading.evolution.lessons import principles_of
from trading.evolution.models import Knowledge, Record
from trading.evolution.pool import HoldoutUsed, Pool, Status, first_pool, with_holdout_used
from trading.evolution.promotion import Evidence, before_the_holdout, verdict
from trading.evolution.report import Candidate, report_of, story_of
from trading.evolution.running import Run
from trading.evolution.small_test import after_small_tests
from trading.evolution.vary import Newborn
from trading.evolution.week import Week, judged_week, leading, taken_in
from trading.ids import canonical_json, content_hash
from trading.policy.model import Policy
from trading.strategies.gene_pool import GENE_POOL
from trading.strategies.models import Strategy

WEEK = timedelta(days=7)
HISTORY = "history"
"""The period of the records that a first evolution makes of the time before its week."""

SEED = "weekly-evolution"
BASELINE_SEED = 1
LAST_DAY_OF_FIRST_WEEK = 7
PARTS = 2
"""The strategies are run in so many parts beside each other: as many as there are processes."""

_Seen = dict[str, Examined | None]
_Wanted = tuple[Strategy, datetime, Mapping[str, datetime]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """A week before it is judged: its start, what was there before, and what strategies did in it."""

    start: datetime
    before: PoolRecords
    history: Sequence[StrategyWeek]
    week: Sequence[StrategyWeek]
    known_events: int


class WeeklyEvolver:
    """`Evolver` over a store, a market and processes that compute.

    The first evolution of a realm seeds the pool with the presets, and runs them over the venue's history before the
    week as well, so that judgement does not begin with nothing. What is bred later has the record of its own life.
    Shadows run on too, once a month over all the weeks since: nothing is decided by them in between.
    """

    def __init__(self, records: GenePool, market: MarketData, calculators: Calculators) -> None:
        self._records = records
        self._market = market
        self._calculators = calculators
        self._trails = Trails()

    async def evolved(self, order: EvolutionOrder, *, policy: Policy) -> KeptEvolution:
        """Evolve the week that ends at the order's time, by nothing that was not known then, and keep it."""
        first = order.as_of - timedelta(days=policy.evolution_history_days)
        for symbol in order.symbols:
            await bring_up_to(self._calculators, self._market, symbol, as_of=order.as_of, first=first)
        known = Knowledge(tuple(sorted(order.symbols)), order.as_of, policy)
        begun = await self._begun(order, known, first)
        past = self._trails.of(together(begun.before.weeks, begun.history))
        ever = with_week(past, begun.week)
        week = judged_week(
            begun.before.pool,
            week={row.record.strategy: row.record for row in begun.week if row.record.start >= begun.start},
            ever=ever,
            used=leading(begun.before.pool, past, policy=policy),
            seed=SEED,
            at=order.as_of,
            monthly=_is_monthly(order),
            policy=policy,
        )
        tested = after_small_tests(week.pool, begun.before.verdicts, ever, at=order.as_of, policy=policy)
        week = week.model_copy(update={"pool": tested})
        pool, exams = await self._examined(order, known, week)
        return await self._kept(order, begun, week=week, pool=pool, exams=exams, ever=ever, policy=policy)

    async def _begun(self, order: EvolutionOrder, known: Knowledge, first: datetime) -> _Begun:
        before = await self._records.gene_pool(order.realm, before=order.period)
        start = order.as_of - WEEK
        history: Sequence[StrategyWeek] = ()
        if before is None:
            before = PoolRecords(first_pool(GENE_POOL, at=start), {}, {})
            fresh: list[_Wanted] = [(row.strategy, first, {}) for row in before.pool.entries]
            history = await self._run(known, fresh, period=HISTORY, end=start)
            last = {row.record.strategy: row for row in history}
            known_events = 0
        else:
            last = {name: weeks[-1] for name, weeks in before.weeks.items()}
            start = max((row.record.end for row in last.values()), default=start)
            known_events = len(before.pool.history)
        wanted: list[_Wanted] = [
            (row.strategy, last[row.strategy.name].record.end, dict(last[row.strategy.name].pending))
            if row.strategy.name in last
            else (row.strategy, start, {})
            for row in before.pool.entries
            if row.trades or (row.status is Status.SHADOW and _is_monthly(order))
        ]
        week = await self._run(known, wanted, period=order.period, end=order.as_of)
        return _Begun(start=start, before=before, history=history, week=week, known_events=known_events)

    async def _run(
        self, known: Knowledge, wanted: Sequence[_Wanted], *, period: str, end: datetime
    ) -> list[StrategyWeek]:
        """What each strategy did from its start to `end`, in the order of their names."""
        parts = [wanted[number::PARTS] for number in range(PARTS)]
        done: list[list[tuple[str, Run | None]]] = await asyncio.gather(
            *(self._calculators.run("run_weeks", known, part, end=end) for part in parts if part)
        )
        return [
            StrategyWeek(period=period, record=run.record, pending=run.pending)
            for _, run in sorted(chain.from_iterable(done), key=lambda each: each[0])
            if run is not None
        ]

    async def _examined(self, order: EvolutionOrder, known: Knowledge, week: Week) -> tuple[Pool, list[Examination]]:
        """The pool with those candidates that earned a trial, and what each examination came to."""
        trials = week.pool.trials + len(week.candidates)
        shared = {"trials": trials, "seed": BASELINE_SEED}
        answers = await asyncio.gather(
            *(self._calculators.run("examine", known, child.strategy, **shared) for child in week.candidates)
        )
        seen = {child.strategy.name: answer for child, answer in zip(week.candidates, answers, strict=True)}
        found = {name: answer.evidence for name, answer in seen.items() if answer is not None}
        pool = taken_in(week, found, at=order.as_of, policy=known.policy)
        for child in week.candidates:
            pool, shown = await self._shown(order, known, pool, child, seen, shared)
            if shown is not None:
                found[child.strategy.name] = shown
        entered = {row.strategy.name for row in pool.entries}
        return pool, [
            _examination(evidence, taken_in=name in entered, policy=known.policy) for name, evidence in found.items()
        ]

    async def _shown(
        self, order: EvolutionOrder, known: Knowledge, pool: Pool, child: Newborn, seen: _Seen, shared: dict[str, int]
    ) -> tuple[Pool, Evidence | None]:
        """The one look at the holdout, for who may have it; written down before it is taken."""
        name = child.strategy.name
        examined = seen[name]
        if examined is None or before_the_holdout(examined.evidence, known.policy):
            return pool, None
        windows = examined.windows
        try:
            pool = with_holdout_used(pool, name, start=windows.holdout_from, end=windows.holdout_to, at=order.as_of)
        except HoldoutUsed:
            return pool, None
        await self._records.use_holdout(order.realm, pool.holdouts[-1], period=order.period)
        shown: Evidence = await self._calculators.run("show_holdout", known, child.strategy, examined, **shared)
        return pool, shown

    async def _kept(
        self,
        order: EvolutionOrder,
        begun: _Begun,
        *,
        week: Week,
        pool: Pool,
        exams: Sequence[Examination],
        ever: Mapping[str, Record],
        policy: Policy,
    ) -> KeptEvolution:
        scores = {row.strategy: row.score for row in week.ranking}
        by_name = {exam.strategy: exam for exam in exams}
        report = report_of(
            week,
            pool,
            period=order.period,
            start=begun.start,
            as_of=order.as_of,
            symbols=order.symbols,
            known_events=begun.known_events,
            candidates=[_candidate(child, by_name.get(child.strategy.name)) for child in week.candidates],
            ever=ever,
            past_means=_mean_scores(begun.before.weeks),
            principles=principles_of(pool, ever, policy=policy),
        )
        text = canonical_json(report)
        kept = KeptEvolution(
            period=order.period,
            as_of=order.as_of,
            report_hash=content_hash(text),
            pool_version=pool.version,
            playbook_hash=order.playbook_hash,
            story=story_of(report),
        )
        scored = [
            StrategyWeek(
                period=row.period, record=row.record, score=scores.get(row.record.strategy), pending=row.pending
            )
            for row in begun.week
        ]
        return await self._records.keep_evolution(
            order.realm, kept, pool=pool, weeks=[*begun.history, *scored], exams=exams, report=text
        )


def _is_monthly(order: EvolutionOrder) -> bool:
    """Crossings and wild ones are bred on the first Sunday of a month, and shadows are brought up to date."""
    return order.as_of.day <= LAST_DAY_OF_FIRST_WEEK


def _examination(evidence: Evidence, *, taken_in: bool, policy: Policy) -> Examination:
    return Examination(
        strategy=evidence.strategy,
        trials=evidence.trials,
        windows=len(evidence.windows),
        unseen_trades=len(evidence.unseen.trades),
        unseen_expectancy=evidence.unseen.expectancy,
        baseline_percentile=evidence.baseline_percentile,
        holdout_shown=evidence.holdout is not None,
        taken_in=taken_in,
        promotion=verdict(evidence, policy),
    )


def _candidate(child: Newborn, exam: Examination | None) -> Candidate:
    if exam is None:
        return Candidate(strategy=child.strategy.name, lineage=child.lineage)
    return Candidate(
        strategy=child.strategy.name,
        lineage=child.lineage,
        windows=exam.windows,
        unseen_trades=exam.unseen_trades,
        unseen_expectancy=exam.unseen_expectancy,
        baseline_percentile=exam.baseline_percentile,
        taken_in=exam.taken_in,
        verdict=exam.promotion,
    )


def _mean_scores(weeks: Mapping[str, Sequence[StrategyWeek]]) -> list[Decimal]:
    """The mean score of each week before, oldest first; weeks in which nothing traded have none."""
    by_period: dict[str, list[Decimal]] = {}
    for row in chain.from_iterable(weeks.values()):
        if row.score is not None:
            by_period.setdefault(row.period, []).append(row.score)
    return [sum(scores, Decimal(0)) / len(scores) for _, scores in sorted(by_period.items())]
