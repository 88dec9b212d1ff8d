"""The ports of the weekly evolution: what is kept of it, and who computes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from pydantic import Field

from trading.candles import Candle
from trading.contract import Contract, Utc
from trading.evolution.models import Record
from trading.evolution.pool import HoldoutUse, Pool
from trading.evolution.promotion import Promotion
from trading.policy.model import Policy


class EvolutionQuestion(Contract):
    """Which week of a realm is meant, and which playbook; without one the realm's active version."""

    realm: str
    period: str
    playbook_hash: str | None = None


class EvolutionOrder(Contract):
    """A week to be evolved: everything up to `as_of` may be known, nothing later."""

    realm: str
    venue: str
    period: str
    as_of: Utc
    symbols: tuple[str, ...] = Field(min_length=1)
    playbook_hash: str


class KeptEvolution(Contract):
    """What a week came to, as a workflow carries it. `story` is the few lines that the Web UI shows."""

    period: str
    as_of: Utc
    report_hash: str
    pool_version: str
    playbook_hash: str
    story: str


class EvolutionState(Contract):
    """`kept` is the result of the week where there is one: then nothing is left to compute."""

    kept: KeptEvolution | None = None
    playbook_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyWeek:
    """What one strategy did in one period, and where its next run begins for each symbol."""

    period: str
    record: Record
    score: Decimal | None = None
    pending: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What a candidate showed over history, the verdict on it, and whether the pool took it in."""

    strategy: str
    trials: int
    windows: int
    unseen_trades: int
    unseen_expectancy: Decimal | None
    baseline_percentile: Decimal | None
    holdout_shown: bool
    taken_in: bool
    promotion: Promotion


@dataclass(frozen=True, slots=True)
class PoolRecords:
    """The pool, all that its strategies did, oldest first, and the verdicts of their examinations."""

    pool: Pool
    weeks: Mapping[str, Sequence[StrategyWeek]]
    verdicts: Mapping[str, Promotion]


class GenePool(Protocol):
    """The gene pool of a realm in the database. Everything is deterministic; nothing is ever removed."""

    async def find_evolution(self, realm: str, period: str) -> KeptEvolution | None: ...

    async def gene_pool(self, realm: str, *, before: str) -> PoolRecords | None:
        """The pool as the periods before `before` left it; `None` where the realm has none yet.

        Raises `StoreRefused` where `before` or a later period has been evolved: weeks are evolved in order.
        """
        ...

    async def evolution_reports(self, realm: str, *, until: datetime) -> tuple[str, ...]:
        """The hashes of the reports of all weeks up to a time, oldest first."""
        ...

    async def use_holdout(self, realm: str, use: HoldoutUse, *, period: str) -> None:
        """Durable when it returns: from then on the holdout counts as shown. The same use again changes nothing."""
        ...

    async def keep_evolution(
        self,
        realm: str,
        kept: KeptEvolution,
        *,
        pool: Pool,
        weeks: Sequence[StrategyWeek],
        exams: Sequence[Examination],
        report: str,
    ) -> KeptEvolution:
        """Store a week's whole result in one transaction, or return what is kept for the week already."""
        ...


class ComputeFailed(Exception):
    """A computing process ended before it answered: the same work may be asked for again."""


class Calculators(Protocol):
    """Processes that compute beside the worker. What they know of a market is what they were told."""

    async def learn(self, symbol: str, timeframe: str, candles: Sequence[Candle], *, first: datetime) -> None:
        """Tell each of them candles of a symbol, oldest first. They forget what opened before `first`, and what they
        have already changes nothing."""
        ...

    def known_until(self, symbol: str, *, first: datetime) -> datetime | None:
        """The open time of the newest candle that all have; `None` where one has none, or has forgotten some since
        `first`."""
        ...

    async def run(self, job: str, *arguments: Any, **keywords: Any) -> Any:
        """The result of the workbench's `job`; jobs run beside each other. Cancelled, the process is ended.

        Raises `ComputeFailed` where the process died, and `ValueError` where the job refuses its arguments.
        """
        ...

    async def aclose(self) -> None: ...


class Evolver(Protocol):
    """Who makes a week's evolution out of candles and records, and keeps it."""

    async def evolved(self, order: EvolutionOrder, *, policy: Policy) -> KeptEvolution: ...
