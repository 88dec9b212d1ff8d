"""Who let real money trade: kept with its audit line, until a person takes it back (venue.md, "Profiles")."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import RowMapping, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.armed import arming_of
from activities.store.audit import note
from activities.store.engine import Database
from activities.store.ports.accounts import KeptArming
from activities.store.ports.faults import StoreRefused
from activities.store.tables import AccountRow, ArmingRow
from activities.store.valuing import marked_account
from trading.money import plain
from trading.risk.arming import ARMED_REALMS, must_be_armed


class ArmingRows:
    """`Armings` over the tables."""

    _database: Database

    async def arm(
        self, realm: str, account: str, *, operation_id: str, capital_usd: Decimal, who: str, reason: str
    ) -> None:
        if not must_be_armed(realm):
            raise StoreRefused(f"realm {realm} needs no arming: it is for {', '.join(sorted(ARMED_REALMS))}")
        if not capital_usd.is_finite() or capital_usd <= 0:
            raise StoreRefused(f"capital {capital_usd} must be above 0 USD")
        now = datetime.now(UTC)
        names = {"realm": realm, "account": account}
        async with self._database.write() as connection:
            await self._database.serialise(connection, realm, account)
            whole = (await marked_account(connection, realm, account, {})).equity_usd
            known = select(AccountRow.account).where(AccountRow.realm == realm, AccountRow.account == account)
            if (await connection.execute(known)).scalar_one_or_none() is None:
                raise StoreRefused(f"account {account} of {realm} is unknown: `perennial up` opens it")
            if await _row(connection, realm, account, operation_id) is not None:
                return
            if capital_usd > whole:
                raise StoreRefused(f"capital {plain(capital_usd)} is more than the {plain(whole)} USD of {account}")
            await _end(connection, realm, account, who=who, reason=reason, at=now)
            said = {"capital_usd": capital_usd, "offset_usd": capital_usd - whole, "who": who, "reason": reason}
            ended = {"ended_by": None, "ended_because": None, "ended_at": None}
            row = {**names, "arming_id": operation_id, "since": now, **said, **ended}
            await self._database.add(connection, ArmingRow, row)
            what = f"arm {plain(capital_usd)} USD"
            await note(self._database, connection, realm, operation_id, account, what=what, who=who, reason=reason)

    async def disarm(self, realm: str, account: str, *, operation_id: str, who: str, reason: str) -> None:
        async with self._database.write() as connection:
            await self._database.serialise(connection, realm, account)
            await _end(connection, realm, account, who=who, reason=reason, at=datetime.now(UTC))
            await note(self._database, connection, realm, operation_id, account, what="disarm", who=who, reason=reason)

    async def armings(self, realm: str) -> tuple[KeptArming, ...]:
        found = select(ArmingRow.__table__).where(ArmingRow.realm == realm)
        async with self._database.read() as connection:
            rows = (await connection.execute(found.order_by(ArmingRow.since.desc(), ArmingRow.account))).mappings()
            return tuple(
                KeptArming(
                    account=row["account"],
                    arming=arming_of(row),
                    ended_by=row["ended_by"],
                    ended_because=row["ended_because"],
                )
                for row in rows
            )


async def _row(connection: AsyncConnection, realm: str, account: str, arming_id: str) -> RowMapping | None:
    found = select(ArmingRow.__table__).where(
        ArmingRow.realm == realm, ArmingRow.account == account, ArmingRow.arming_id == arming_id
    )
    return (await connection.execute(found)).mappings().one_or_none()


async def _end(connection: AsyncConnection, realm: str, account: str, *, who: str, reason: str, at: datetime) -> None:
    standing = update(ArmingRow).where(
        ArmingRow.realm == realm, ArmingRow.account == account, ArmingRow.ended_by.is_(None)
    )
    await connection.execute(standing.values(ended_by=who, ended_because=reason, ended_at=at))
