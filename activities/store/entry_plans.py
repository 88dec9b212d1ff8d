"""Entries that are sent in slices: what is still to come, kept so that losing its execution does not lose the rest."""

from __future__ import annotations

from sqlalchemy import select, update

from activities.store.engine import Database
from activities.store.ports.journal import EntryPlan
from activities.store.tables import EntryPlanRow


class EntryPlanRows:
    """`EntryPlans` over the tables."""

    _database: Database

    async def keep_entry_plan(self, plan: EntryPlan) -> None:
        async with self._database.write() as connection:
            await self._database.add(connection, EntryPlanRow, {**plan.model_dump(), "ended_because": None})

    async def end_entry_plan(self, realm: str, account: str, client_order_id: str, *, because: str) -> None:
        async with self._database.write() as connection:
            ended = update(EntryPlanRow).where(
                EntryPlanRow.realm == realm,
                EntryPlanRow.account == account,
                EntryPlanRow.client_order_id == client_order_id,
                EntryPlanRow.ended_because.is_(None),
            )
            await connection.execute(ended.values(ended_because=because))

    async def open_entry_plans(self, realm: str) -> tuple[EntryPlan, ...]:
        found = (
            select(EntryPlanRow.__table__)
            .where(EntryPlanRow.realm == realm, EntryPlanRow.ended_because.is_(None))
            .order_by(EntryPlanRow.account, EntryPlanRow.client_order_id)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(found)).mappings().all()
        return tuple(EntryPlan(**{name: row[name] for name in EntryPlan.model_fields}) for row in rows)

    async def end_of_entry_plan(self, realm: str, account: str, client_order_id: str) -> str | None:
        found = select(EntryPlanRow.ended_because).where(
            EntryPlanRow.realm == realm,
            EntryPlanRow.account == account,
            EntryPlanRow.client_order_id == client_order_id,
        )
        async with self._database.read() as connection:
            return (await connection.execute(found)).scalar_one_or_none()
