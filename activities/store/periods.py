"""Plans and period reports: the first of a period is the one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.engine import Database
from activities.store.tables import PlanRow, ReportRow


class PeriodRows:
    """`Periods` over the tables."""

    _database: Database

    async def keep_plan(self, realm: str, *, account: str, period: str, as_of: datetime, content_hash: str) -> str:
        key = {"realm": realm, "account": account, "period": period}
        return await self._keep(PlanRow, key, {"as_of": as_of, "content_hash": content_hash})

    async def find_plan(self, realm: str, *, account: str, period: str) -> str | None:
        async with self._database.read() as connection:
            return await _find(connection, PlanRow, {"realm": realm, "account": account, "period": period})

    async def keep_report(
        self, realm: str, *, kind: str, account: str, period: str, as_of: datetime, content_hash: str
    ) -> str:
        key = {"realm": realm, "kind": kind, "account": account, "period": period}
        return await self._keep(ReportRow, key, {"as_of": as_of, "content_hash": content_hash})

    async def find_report(self, realm: str, *, kind: str, account: str, period: str) -> str | None:
        key = {"realm": realm, "kind": kind, "account": account, "period": period}
        async with self._database.read() as connection:
            return await _find(connection, ReportRow, key)

    async def is_behind(self, realm: str, *, kind: str, account: str, period: str, until: datetime) -> bool:
        later = or_(and_(ReportRow.kind == kind, ReportRow.period > period), ReportRow.as_of >= until)
        query = select(ReportRow.period).where(ReportRow.realm == realm, ReportRow.account == account, later).limit(1)
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar_one_or_none() is not None

    async def _keep(self, table: type[PlanRow] | type[ReportRow], key: dict[str, str], values: dict[str, Any]) -> str:
        async with self._database.write() as connection:
            await self._database.add(connection, table, {**key, **values})
            kept = await _find(connection, table, key)
            assert kept is not None, "a row that was inserted or was in the way is there"
            return kept


async def _find(connection: AsyncConnection, table: type[PlanRow] | type[ReportRow], key: dict[str, str]) -> str | None:
    where = and_(*(table.__table__.c[name] == value for name, value in key.items()))
    return (await connection.execute(select(table.content_hash).where(where))).scalar_one_or_none()
