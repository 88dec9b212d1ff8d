"""A week of evolution in two pure steps: judge and breed, then take in what its back-test lets in (C11, C50 to C54).

Between the two steps the candidates are examined, each by `trading.evolution.examine`, wherever there is a processor.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from trading.contract import Contract
from trading.evolution.counterfactual import Counterfactual, counterfactual
from trading.evolution.cull import CullVerdict, Fate, judge
from trading.evolution.models import Record
from trading.evolution.pool import Pool, with_newborns, with_rejected_trials, with_scores, with_verdicts
from trading.evolution.promotion import Evidence
from trading.evolution.score import Scored, ranked
from trading.evolution.vary import Newborn, crossings, mutants, wild
from trading.policy.model import Policy
from trading.strategies.models import Strategy

BREEDING_SHARE = 2
"""One strategy in so many, the best by score, may breed; two at least, so that there is something to cross."""


class Week(Contract):
    """What the week's judgement came to. `pool` is judged but has not taken in the `candidates` yet."""

    pool: Pool
    ranking: tuple[Scored, ...]
    verdicts: tuple[CullVerdict, ...]
    candidates: tuple[Newborn, ...]
    counterfactual: Counterfactual | None

    @property
    def best(self) -> Scored | None:
        return self.ranking[0] if self.ranking else None

    @property
    def worst(self) -> Scored | None:
        return self.ranking[-1] if self.ranking else None

    @property
    def culled(self) -> tuple[CullVerdict, ...]:
        return tuple(verdict for verdict in self.verdicts if verdict.fate is Fate.CULLED)


def judged_week(
    pool: Pool,
    *,
    week: Mapping[str, Record],
    ever: Mapping[str, Record],
    used: str | None,
    seed: str,
    at: datetime,
    monthly: bool,
    policy: Policy,
    days_per_year: int = 365,
) -> Week:
    """Score the `week`, judge by what each strategy did `ever`, and breed candidates from the best that are left.

    Records are by name, of strategies in the pool; one that did not trade this week has no score for it. `used` names
    the strategy that the counterfactual is told against. Crossings and wild ones come with the `monthly` run. The same
    arguments give the same week: the candidates' seed is `seed` and the date.
    """
    ranking = ranked(
        (record for name, record in sorted(week.items()) if record.trades), policy=policy, days_per_year=days_per_year
    )
    scored = with_scores(pool, {row.strategy: row.score for row in ranking})
    verdicts = tuple(
        judge(ever[name], weekly_scores=scored.entry(name).weekly_scores, policy=policy, days_per_year=days_per_year)
        for name in sorted(ever)
        if scored.entry(name).trades
    )
    after = with_verdicts(scored, verdicts, at=at)
    return Week(
        pool=after,
        ranking=ranking,
        verdicts=verdicts,
        candidates=_bred(after, ever, seed=f"{seed}|{at:%Y-%m-%d}", monthly=monthly, policy=policy),
        counterfactual=_told(week, used),
    )


def leading(pool: Pool, ever: Mapping[str, Record], *, policy: Policy, days_per_year: int = 365) -> str | None:
    """The best of those that trade by all that they ever did: whom one would have followed; `None` without a trade."""
    names = {row.strategy.name for row in pool.trading}
    known = [record for name, record in sorted(ever.items()) if name in names and record.trades]
    rows = ranked(known, policy=policy, days_per_year=days_per_year)
    return rows[0].strategy if rows else None


def taken_in(week: Week, evidence: Mapping[str, Evidence], *, at: datetime, policy: Policy) -> Pool:
    """The pool with those candidates on trial that earned a trade in unseen windows; the others stay counted as trials.

    A candidate without evidence was not tested: it is neither taken in nor counted.
    """
    tested = [child for child in week.candidates if child.strategy.name in evidence]
    earning = [child for child in tested if _earns(evidence[child.strategy.name])]
    rest = [child for child in tested if child not in earning]
    return with_rejected_trials(with_newborns(week.pool, earning, at=at, policy=policy), rest, at=at)


def _earns(evidence: Evidence) -> bool:
    expectancy = evidence.unseen.expectancy
    return expectancy is not None and expectancy > 0


def _bred(pool: Pool, ever: Mapping[str, Record], *, seed: str, monthly: bool, policy: Policy) -> tuple[Newborn, ...]:
    parents = _parents(pool, ever, policy)
    born = list(mutants(parents, seed=seed, policy=policy))
    if monthly:
        everyone = [row.strategy for row in pool.entries]
        born += crossings(parents, seed=seed, policy=policy)
        born += wild(everyone, seed=seed, policy=policy)
    known = {event.strategy for event in pool.history}
    return tuple(child for child in born if child.strategy.name not in known)


def _parents(pool: Pool, ever: Mapping[str, Record], policy: Policy) -> list[Strategy]:
    """The best part of those that trade, by the score of all that they ever did; untried ones come last."""
    tried = [ever[row.strategy.name] for row in pool.trading if row.strategy.name in ever]
    scores = {row.strategy: row.score for row in ranked(tried, policy=policy)}
    rows = sorted((row.strategy for row in pool.trading), key=lambda row: (-scores.get(row.name, 0), row.name))
    return rows[: max(2, len(rows) // BREEDING_SHARE)]


def _told(week: Mapping[str, Record], used: str | None) -> Counterfactual | None:
    if used is None or used not in week:
        return None
    own = week[used]
    return counterfactual(own, [week[name] for name in sorted(week)], start=own.start, end=own.end)
