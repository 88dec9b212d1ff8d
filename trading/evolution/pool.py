"""The gene pool as immutable data: who is in it, where it came from, what became of it, and every trial (C50).

Each change returns a new pool and adds to its history; nothing is ever removed. A culled strategy runs on in shadow and
stays in the statistics, and every strategy that was ever tested counts as a trial for those that come after.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from trading.contract import Contract, Fraction, Utc
from trading.evolution.cull import CullVerdict, Fate
from trading.evolution.models import Reason, reason
from trading.evolution.promotion import Promotion
from trading.evolution.vary import Lineage, Newborn
from trading.ids import canonical_json, content_hash
from trading.money import ONE, ZERO, plain
from trading.policy.model import Policy
from trading.strategies.models import Strategy


class Status(StrEnum):
    """`TRIAL` trades small until promoted, `WARNED` trades smaller; the others do not trade.

    `SHADOW` is culled and runs on, watched; `RETIRED` was on trial and not promoted: what it did stays on record.
    """

    TRIAL = "trial"
    ACTIVE = "active"
    WARNED = "warned"
    SHADOW = "shadow"
    RETIRED = "retired"


class PoolEntry(Contract):
    """One strategy of the pool. `weekly_scores` are oldest first; `budget_factor` is the share of its size it gets."""

    strategy: Strategy
    lineage: Lineage
    status: Status
    born_at: Utc
    budget_factor: Fraction
    weekly_scores: tuple[Decimal, ...] = ()

    @property
    def trades(self) -> bool:
        return self.status not in (Status.SHADOW, Status.RETIRED)


class PoolEvent(Contract):
    """One thing that happened to the pool (`kind`: create, mutation, crossover, wild, warn, cull, ...) and why."""

    at: Utc
    kind: str
    strategy: str
    lineage: Lineage | None = None
    reasons: tuple[Reason, ...] = ()


class HoldoutUse(Contract):
    """A strategy that was shown a holdout; nobody of its line may be shown any part of it again."""

    strategy: str
    start: Utc
    end: Utc
    at: Utc


class HoldoutUsed(ValueError):
    """The strategy, or one that it descends from, has been shown part of this holdout before."""


class Pool(Contract):
    """A state of the gene pool. `trials` counts every strategy that was ever tested."""

    entries: tuple[PoolEntry, ...]
    history: tuple[PoolEvent, ...] = ()
    holdouts: tuple[HoldoutUse, ...] = ()
    trials: int = 0

    def entry(self, name: str) -> PoolEntry:
        """The entry of `name`, or `LookupError` that names the known ones."""
        for row in self.entries:
            if row.strategy.name == name:
                return row
        raise LookupError(
            f"strategy {name!r} is not in the pool: allowed are {', '.join(e.strategy.name for e in self.entries)}"
        )

    @property
    def trading(self) -> tuple[PoolEntry, ...]:
        """Those that propose trades."""
        return tuple(row for row in self.entries if row.trades)

    @property
    def version(self) -> str:
        """A hash of the whole state: equal versions are equal pools. A strategy's name stands for its genes."""
        state = {
            "entries": [
                [row.strategy.name, row.status, plain(row.budget_factor), [plain(score) for score in row.weekly_scores]]
                for row in self.entries
            ],
            "history": [[event.at, event.kind, event.strategy] for event in self.history],
            "holdouts": sorted([use.strategy, use.start.isoformat(), use.end.isoformat()] for use in self.holdouts),
            "trials": self.trials,
        }
        return content_hash(canonical_json(state))[:12]


def first_pool(strategies: Iterable[Strategy], *, at: datetime) -> Pool:
    """The pool of a fresh account: the presets, active, each a trial of its own."""
    rows = tuple(strategies)
    preset = Lineage(origin="preset")
    return Pool(
        entries=tuple(
            PoolEntry(strategy=row, lineage=preset, status=Status.ACTIVE, born_at=at, budget_factor=ONE) for row in rows
        ),
        history=tuple(PoolEvent(at=at, kind="create", strategy=row.name, lineage=preset) for row in rows),
        trials=len(rows),
    )


def with_newborns(pool: Pool, born: Iterable[Newborn], *, at: datetime, policy: Policy) -> Pool:
    """The pool with new strategies on trial, small; one whose name is known already changes nothing (idempotent)."""
    known = {row.strategy.name for row in pool.entries}
    fresh = tuple(child for child in born if child.strategy.name not in known)
    return pool.model_copy(
        update={
            "entries": (
                *pool.entries,
                *(
                    PoolEntry(
                        strategy=child.strategy,
                        lineage=child.lineage,
                        status=Status.TRIAL,
                        born_at=at,
                        budget_factor=policy.trial_budget_factor,
                    )
                    for child in fresh
                ),
            ),
            "history": (
                *pool.history,
                *(
                    PoolEvent(at=at, kind=child.lineage.origin, strategy=child.strategy.name, lineage=child.lineage)
                    for child in fresh
                ),
            ),
            "trials": pool.trials + len(fresh),
        }
    )


def with_rejected_trials(pool: Pool, born: Iterable[Newborn], *, at: datetime) -> Pool:
    """The pool that remembers strategies tested and not taken in: they are trials all the same."""
    known = {event.strategy for event in pool.history}
    tried = tuple(child for child in born if child.strategy.name not in known)
    events = tuple(
        PoolEvent(at=at, kind="rejected", strategy=child.strategy.name, lineage=child.lineage) for child in tried
    )
    return pool.model_copy(update={"history": (*pool.history, *events), "trials": pool.trials + len(tried)})


def with_scores(pool: Pool, scores: Mapping[str, Decimal]) -> Pool:
    """The pool with the week's scores added; a strategy without one keeps its record."""
    return _changed(
        pool,
        {
            row.strategy.name: {"weekly_scores": (*row.weekly_scores, scores[row.strategy.name])}
            for row in pool.entries
            if row.strategy.name in scores
        },
    )


def with_verdicts(pool: Pool, verdicts: Iterable[CullVerdict], *, at: datetime) -> Pool:
    """The pool after the week's judgement: culled ones go into shadow, warned ones get less, cleared ones all again.

    A trial stays a trial unless it is culled; nobody leaves the shadow by judgement.
    """
    changes: dict[str, dict[str, object]] = {}
    events: list[PoolEvent] = []
    for verdict in verdicts:
        row = pool.entry(verdict.strategy)
        status = _status_after(row, verdict)
        if status is row.status:
            continue
        budget = row.budget_factor if status is Status.TRIAL else verdict.budget_factor
        changes[verdict.strategy] = {"status": status, "budget_factor": budget}
        kind = {Status.SHADOW: "cull", Status.WARNED: "warn"}.get(status, "clear")
        events.append(PoolEvent(at=at, kind=kind, strategy=verdict.strategy, reasons=verdict.reasons))
    changed = _changed(pool, changes)
    return changed.model_copy(update={"history": (*changed.history, *events)})


def with_promotion(pool: Pool, promotion: Promotion, *, at: datetime) -> Pool:
    """The pool after a promotion's verdict: promoted on paper with its full size, or held back with the reasons."""
    kind = "promote" if promotion.promoted else "held_back"
    event = PoolEvent(at=at, kind=kind, strategy=promotion.strategy, reasons=promotion.against)
    pool.entry(promotion.strategy)
    update: dict[str, object] = {"status": Status.ACTIVE, "budget_factor": ONE}
    changed = _changed(pool, {promotion.strategy: update}) if promotion.promoted else pool
    return changed.model_copy(update={"history": (*changed.history, event)})


def with_retired(pool: Pool, name: str, *, at: datetime, reasons: tuple[Reason, ...]) -> Pool:
    """The pool after a trial that did not earn its promotion: it stays in the statistics, and counts as a trial."""
    pool.entry(name)
    changed = _changed(pool, {name: {"status": Status.RETIRED, "budget_factor": ZERO}})
    event = PoolEvent(at=at, kind="retire", strategy=name, reasons=reasons)
    return changed.model_copy(update={"history": (*changed.history, event)})


def trading_set(pool: Pool) -> tuple[Strategy, ...]:
    """Those that propose trades, in the pool's order, each with the size that its budget leaves it."""
    return tuple(
        row.strategy
        if row.budget_factor == ONE
        else row.strategy.model_copy(update={"size_fraction": row.strategy.size_fraction * row.budget_factor})
        for row in pool.trading
    )


def with_rollback(pool: Pool, name: str, *, at: datetime, reasons: tuple[Reason, ...], policy: Policy) -> Pool:
    """The pool after a strategy that was deployed did not hold: on trial again, with the cause on record (C55)."""
    pool.entry(name)
    changed = _changed(pool, {name: {"status": Status.TRIAL, "budget_factor": policy.trial_budget_factor}})
    event = PoolEvent(at=at, kind="rollback", strategy=name, reasons=reasons)
    return changed.model_copy(update={"history": (*changed.history, event)})


def with_holdout_used(pool: Pool, name: str, *, start: datetime, end: datetime, at: datetime) -> Pool:
    """The pool that has shown `name` the holdout from `start` to `end`; to be called before it is looked at.

    Raises `HoldoutUsed` where the strategy or an ancestor was shown any part of it: what descends from one that was
    chosen by a holdout has seen it too. A repeated request for exactly the same use is refused as well.
    """
    line = {name, *_ancestors(pool, name)}
    for use in pool.holdouts:
        if use.strategy in line and use.start < end and start < use.end:
            raise HoldoutUsed(
                f"{name}: the holdout {start.isoformat()} to {end.isoformat()} was used by {use.strategy} at "
                f"{use.at.isoformat()}; allowed is one that begins at or after {use.end.isoformat()}"
            )
    used = HoldoutUse(strategy=name, start=start, end=end, at=at)
    event = PoolEvent(at=at, kind="holdout", strategy=name, reasons=(reason("holdout_used", "shown its holdout"),))
    return pool.model_copy(update={"holdouts": (*pool.holdouts, used), "history": (*pool.history, event)})


def _ancestors(pool: Pool, name: str) -> frozenset[str]:
    lineages = {event.strategy: event.lineage for event in pool.history if event.lineage is not None}
    found: set[str] = set()
    waiting = [name]
    while waiting:
        lineage = lineages.get(waiting.pop())
        for parent in lineage.parents if lineage is not None else ():
            if parent not in found:
                found.add(parent)
                waiting.append(parent)
    return frozenset(found)


def _status_after(row: PoolEntry, verdict: CullVerdict) -> Status:
    if row.status is Status.SHADOW or verdict.fate is Fate.CULLED:
        return Status.SHADOW
    if row.status is Status.TRIAL:
        return Status.TRIAL
    return Status.WARNED if verdict.fate is Fate.WARNED else Status.ACTIVE


def _changed(pool: Pool, changes: Mapping[str, Mapping[str, object]]) -> Pool:
    return pool.model_copy(
        update={
            "entries": tuple(
                row.model_copy(update=dict(changes[row.strategy.name])) if row.strategy.name in changes else row
                for row in pool.entries
            )
        }
    )
