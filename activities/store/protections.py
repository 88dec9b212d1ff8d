"""What breakers did to accounts: kept with its audit line, until its time comes or a person lifts it (C20)."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import RowMapping, bindparam, func, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.engine import Database
from activities.store.ports.accounts import KeptProtection
from activities.store.tables import AuditRow, DecisionRow, EquityRow, ProtectionRow
from trading.risk.models import Protection

_STANDING = (
    select(ProtectionRow.__table__)
    .where(
        ProtectionRow.realm == bindparam("realm"),
        ProtectionRow.account == bindparam("account"),
        ProtectionRow.lifted_by.is_(None),
    )
    .order_by(ProtectionRow.since, ProtectionRow.protection_id)
)
"""Built once: putting a statement together costs more than running it."""


class ProtectionRows:
    """`Protections` over the tables."""

    _database: Database

    async def keep_protection(self, realm: str, account: str, protection: Protection) -> None:
        values = protection.model_dump(exclude={"id"}) | {"kind": protection.kind.value}
        names = {"realm": realm, "account": account, "protection_id": protection.id}
        async with self._database.write() as connection:
            row = {**names, **values, "lifted_by": None, "lifted_because": None, "lifted_at": None}
            if not await self._database.add(connection, ProtectionRow, row):
                return
            what = f"{protection.kind.value} {protection.symbol or account}"
            await self._note(connection, realm, account, protection.id, what, protection.who, protection.reason)

    async def lift_protection(
        self, realm: str, account: str, protection_id: str, *, operation_id: str, who: str, reason: str
    ) -> None:
        async with self._database.write() as connection:
            lifted = update(ProtectionRow).where(
                ProtectionRow.realm == realm,
                ProtectionRow.account == account,
                ProtectionRow.protection_id == protection_id,
                ProtectionRow.lifted_by.is_(None),
            )
            values = {"lifted_by": who, "lifted_because": reason, "lifted_at": datetime.now(UTC)}
            await connection.execute(lifted.values(**values))
            await self._note(connection, realm, account, operation_id, f"lift {protection_id}", who, reason)

    async def protections(self, realm: str) -> tuple[KeptProtection, ...]:
        found = (
            select(ProtectionRow.__table__)
            .where(ProtectionRow.realm == realm)
            .order_by(ProtectionRow.since.desc(), ProtectionRow.account, ProtectionRow.protection_id)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(found)).mappings().all()
        return tuple(
            KeptProtection(
                account=row["account"],
                protection=_protection(row),
                lifted_by=row["lifted_by"],
                lifted_because=row["lifted_because"],
            )
            for row in rows
        )

    async def known_market_time(self, realm: str) -> datetime | None:
        newest = union_all(
            select(func.max(DecisionRow.as_of).label("at")).where(DecisionRow.realm == realm),
            select(func.max(EquityRow.as_of)).where(EquityRow.realm == realm),
            select(func.max(ProtectionRow.since)).where(ProtectionRow.realm == realm),
        )
        async with self._database.read() as connection:
            times = (await connection.execute(newest)).scalars().all()
        return max((at for at in times if at is not None), default=None)

    async def _note(
        self, connection: AsyncConnection, realm: str, account: str, entry_id: str, what: str, who: str, reason: str
    ) -> None:
        row = {"realm": realm, "entry_id": entry_id, "subject": account, "what": what, "who": who, "reason": reason}
        await self._database.add(connection, AuditRow, {**row, "at": datetime.now(UTC)})


async def standing_protections(connection: AsyncConnection, realm: str, account: str) -> tuple[Protection, ...]:
    """What nobody has lifted; whether its time has come is the reader's to say."""
    rows = (await connection.execute(_STANDING, {"realm": realm, "account": account})).mappings()
    return tuple(_protection(row) for row in rows)


def _protection(row: RowMapping) -> Protection:
    names = Protection.model_fields.keys() - {"id"}
    return Protection(id=row["protection_id"], **{name: row[name] for name in names})
