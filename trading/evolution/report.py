"""What a week of evolution came to, in the words and numbers that its report, pages and plots are made from (C11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from pydantic import Field

from trading.contract import Contract, Utc
from trading.evolution.counterfactual import Counterfactual
from trading.evolution.cull import CullVerdict, Fate
from trading.evolution.growth import GrowthMetric, LearningCurve, growth, learning_curve
from trading.evolution.models import Record
from trading.evolution.pool import Pool, PoolEvent, Status, trading_set
from trading.evolution.promotion import Promotion
from trading.evolution.score import Scored
from trading.evolution.vary import Lineage
from trading.evolution.week import Week
from trading.money import plain
from trading.strategies.models import Strategy


class Member(Contract):
    """A strategy of the pool after the week; `score` is its newest weekly one."""

    strategy: str
    kind: str
    status: Status
    origin: str
    born_at: Utc
    budget_factor: Decimal
    score: Decimal | None


class Candidate(Contract):
    """A variant that was bred: from whom, what was changed, and what its walk-forward examination showed.

    `verdict` is `None` where the history is too short for an examination.
    """

    strategy: str
    lineage: Lineage
    windows: int = 0
    unseen_trades: int = 0
    unseen_expectancy: Decimal | None = None
    baseline_percentile: Decimal | None = None
    taken_in: bool = False
    verdict: Promotion | None = None


class EvolutionReport(Contract):
    """One week: `start` to `as_of`. `events` are what happened to the pool in it, `principles` what it says to do."""

    period: str
    start: Utc
    as_of: Utc
    symbols: tuple[str, ...]
    trials: int
    ranking: tuple[Scored, ...]
    verdicts: tuple[CullVerdict, ...]
    candidates: tuple[Candidate, ...]
    events: tuple[PoolEvent, ...]
    members: tuple[Member, ...]
    counterfactual: Counterfactual | None
    growth: tuple[GrowthMetric, ...]
    learning: LearningCurve
    principles: tuple[str, ...]
    trading: tuple[Strategy, ...] = Field(description="those that propose trades, each with the size of its budget")

    def strategies_after(self, active: Sequence[Strategy]) -> tuple[Strategy, ...]:
        """The set for a playbook that has `active`: what the pool never knew stays, the pool's part is the week's."""
        pooled = {member.strategy for member in self.members}
        return (*(row for row in active if row.name not in pooled), *self.trading)

    @property
    def culled(self) -> tuple[CullVerdict, ...]:
        return tuple(verdict for verdict in self.verdicts if verdict.fate is Fate.CULLED)

    @property
    def warned(self) -> tuple[CullVerdict, ...]:
        return tuple(verdict for verdict in self.verdicts if verdict.fate is Fate.WARNED)


def report_of(
    week: Week,
    pool: Pool,
    *,
    period: str,
    start: datetime,
    as_of: datetime,
    symbols: Sequence[str],
    known_events: int,
    candidates: Sequence[Candidate],
    ever: Mapping[str, Record],
    past_means: Sequence[Decimal],
    principles: Sequence[str],
) -> EvolutionReport:
    """The report of a week that left `pool`; its events are those after the first `known_events`.

    `past_means` are the mean scores of the weeks before, oldest first: the learning curve goes through them and this
    week's.
    """
    scores = [row.score for row in week.ranking]
    mean = [] if not scores else [sum(scores, Decimal(0)) / len(scores)]
    return EvolutionReport(
        period=period,
        start=start,
        as_of=as_of,
        symbols=tuple(symbols),
        trials=pool.trials,
        ranking=week.ranking,
        verdicts=week.verdicts,
        candidates=tuple(candidates),
        events=pool.history[known_events:],
        members=tuple(
            Member(
                strategy=row.strategy.name,
                kind=row.strategy.kind,
                status=row.status,
                origin=row.lineage.origin,
                born_at=row.born_at,
                budget_factor=row.budget_factor,
                score=row.weekly_scores[-1] if row.weekly_scores else None,
            )
            for row in pool.entries
        ),
        counterfactual=week.counterfactual,
        growth=growth(pool, ever),
        learning=learning_curve([*past_means, *mean]),
        principles=tuple(principles),
        trading=trading_set(pool),
    )


def story_of(report: EvolutionReport) -> str:
    """The few lines that the Web UI shows."""
    best = f"best {report.ranking[0].strategy} at {_short(report.ranking[0].score)}" if report.ranking else "no trades"
    names = {
        kind: [event.strategy for event in report.events if event.kind == kind]
        for kind in ("cull", "promote", "retire")
    }
    taken = [row.strategy for row in report.candidates if row.taken_in]
    return (
        f"**{report.period}** {best}; culled {_listed(names['cull'])}; promoted {_listed(names['promote'])}; "
        f"retired {_listed(names['retire'])}; on trial {_listed(taken)} of {len(report.candidates)} bred; "
        f"{report.trials} trials so far"
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "none"


def _short(value: Decimal) -> str:
    return plain(value.quantize(Decimal("0.1")))
