"""`ReviewSource` over the one store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from activities.store.open import Store
from activities.store.playbooks import find_playbook
from activities.store.review_data import period_records
from activities.store.review_day import day_records
from trading.playbook import Playbook, from_json
from trading.review.day import DayRecords
from trading.review.period import Period
from trading.review.review import PeriodRecords


class StoreSource:
    """Reads only."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def period_records(self, realm: str, account: str, *, start: datetime, end: datetime) -> PeriodRecords:
        return await period_records(self._store, realm, account, start=start, end=end)

    async def day_records(self, realm: str, accounts: Sequence[str], period: Period) -> DayRecords:
        return await day_records(self._store, realm, accounts, period)

    async def playbook(self, version: str) -> Playbook | None:
        name = await find_playbook(self._store, version)
        return None if name is None else from_json(await self._store.get(name))
