"""Who did what, when and why: the audit that people read after a hand was on the agent."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.engine import Database
from activities.store.ports.audit import AuditEntry
from activities.store.tables import AuditRow


async def note(
    database: Database,
    connection: AsyncConnection,
    realm: str,
    operation_id: str,
    subject: str,
    *,
    what: str,
    who: str,
    reason: str,
) -> None:
    """One line of the audit in the transaction of what it tells; the same operation again adds none."""
    row = {"realm": realm, "entry_id": operation_id, "subject": subject, "what": what, "who": who, "reason": reason}
    await database.add(connection, AuditRow, {**row, "at": datetime.now(UTC)})


class AuditRows:
    """`Audit` over the tables."""

    _database: Database

    async def record_hand(
        self, realm: str, *, operation_id: str, subject: str, what: str, who: str, reason: str
    ) -> None:
        async with self._database.write() as connection:
            await note(self._database, connection, realm, operation_id, subject, what=what, who=who, reason=reason)

    async def audit(self, realm: str, *, subject: str | None = None, limit: int = 100) -> tuple[AuditEntry, ...]:
        found = select(AuditRow.__table__).where(AuditRow.realm == realm)
        if subject is not None and subject.endswith("-"):
            found = found.where(AuditRow.subject.startswith(subject, autoescape=True))
        elif subject is not None:
            found = found.where(AuditRow.subject == subject)
        newest = found.order_by(AuditRow.at.desc(), AuditRow.entry_id).limit(limit)
        async with self._database.read() as connection:
            rows = (await connection.execute(newest)).mappings().all()
        return tuple(
            AuditEntry(
                operation_id=row["entry_id"],
                subject=row["subject"],
                what=row["what"],
                who=row["who"],
                reason=row["reason"],
                at=row["at"],
            )
            for row in rows
        )
