"""`ReviewSource` over the one store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from activities.store.open import Store
from activities.store.playbooks import find_playbook
from activities.store.ports.proposals import KeptProposal
from activities.store.review_data import period_records
from activities.store.review_day import day_records
from trading.evolution.report import EvolutionReport
from trading.playbook import Playbook, from_json
from trading.review.day import DAILY_REVIEW, DayRecords, DayReview
from trading.review.period import Period, ReportKind
from trading.review.proposals import ReflectionProposal
from trading.review.review import ModelUse, PeriodRecords

_JOB = {ReportKind.MONTHLY: "monthly-reflection", ReportKind.QUARTERLY: "quarterly-reflection"}


class StoreSource:
    """Reads only. `knowledge` is until when models have read, by name, as their providers state it."""

    def __init__(self, store: Store, *, knowledge: Mapping[str, datetime] | None = None) -> None:
        self._store = store
        self._knowledge = knowledge or {}
        self._last_read: tuple[tuple[str, ...], tuple[EvolutionReport, ...]] = ((), ())

    async def period_records(self, realm: str, account: str, *, start: datetime, end: datetime) -> PeriodRecords:
        records = await period_records(self._store, realm, account, start=start, end=end)
        return records.model_copy(update={"models": self._stated(records.models)})

    async def day_records(self, realm: str, accounts: Sequence[str], period: Period) -> DayRecords:
        records = await day_records(self._store, realm, accounts, period)
        return records.model_copy(update={"models": self._stated(records.models)})

    def _stated(self, models: tuple[ModelUse, ...]) -> tuple[ModelUse, ...]:
        return tuple(each.model_copy(update={"knowledge_until": self._knowledge.get(each.name)}) for each in models)

    async def evolutions(self, realm: str, *, until: datetime) -> tuple[EvolutionReport, ...]:
        names = tuple(await self._store.evolution_reports(realm, until=until))
        if names != self._last_read[0]:  # a reflection asks once for each account, of all the weeks there were
            reports = [EvolutionReport.model_validate_json(await self._store.get(name)) for name in names]
            self._last_read = (names, tuple(reports))
        return self._last_read[1]

    async def day_review(self, realm: str, period: str) -> tuple[DayReview, str | None] | None:
        kept = await self._store.find_day_review(realm, period)
        if kept is None:
            return None
        made_by = f"{DAILY_REVIEW} {period}"
        versions = await self._store.playbooks(realm) if kept.review.applied else ()
        return kept.review, next((row.version for row in versions if row.created_from == made_by), None)

    async def asked(self, realm: str, *, kind: ReportKind, period: str) -> tuple[tuple[ReflectionProposal, str], ...]:
        rows = await self._store.proposals(realm)
        return tuple((row.proposal, _stands(row)) for row in rows if (row.job, row.period) == (_JOB[kind], period))

    async def playbook(self, version: str) -> Playbook | None:
        name = await find_playbook(self._store, version)
        return None if name is None else from_json(await self._store.get(name))


def _stands(kept: KeptProposal) -> str:
    """`open`, or how it ended and by whom."""
    if kept.who is None:
        return kept.status.value
    changed = "" if kept.answered_with is None else f" to {kept.answered_with}"
    return f"{kept.status.value}{changed} by {kept.who}: {kept.reason}"
