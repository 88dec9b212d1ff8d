"""`ReviewSource` over the one store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from activities.store.open import Store
from activities.store.playbooks import find_playbook
from activities.store.review_data import period_records
from activities.store.review_day import day_records
from trading.evolution.report import EvolutionReport
from trading.playbook import Playbook, from_json
from trading.review.day import DayRecords
from trading.review.period import Period
from trading.review.review import ModelUse, PeriodRecords


class StoreSource:
    """Reads only. `knowledge` is until when models have read, by name, as their providers state it."""

    def __init__(self, store: Store, *, knowledge: Mapping[str, datetime] | None = None) -> None:
        self._store = store
        self._knowledge = knowledge or {}

    async def period_records(self, realm: str, account: str, *, start: datetime, end: datetime) -> PeriodRecords:
        records = await period_records(self._store, realm, account, start=start, end=end)
        return records.model_copy(update={"models": self._stated(records.models)})

    async def day_records(self, realm: str, accounts: Sequence[str], period: Period) -> DayRecords:
        records = await day_records(self._store, realm, accounts, period)
        return records.model_copy(update={"models": self._stated(records.models)})

    def _stated(self, models: tuple[ModelUse, ...]) -> tuple[ModelUse, ...]:
        return tuple(each.model_copy(update={"knowledge_until": self._knowledge.get(each.name)}) for each in models)

    async def evolutions(self, realm: str, *, until: datetime) -> tuple[EvolutionReport, ...]:
        names = await self._store.evolution_reports(realm, until=until)
        return tuple([EvolutionReport.model_validate_json(await self._store.get(name)) for name in names])

    async def playbook(self, version: str) -> Playbook | None:
        name = await find_playbook(self._store, version)
        return None if name is None else from_json(await self._store.get(name))
