"""The leave to trade real money that stands now, and the account as that capital (venue.md, "Profiles")."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import RowMapping, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.tables import ArmingRow, EquityRow
from trading.risk.arming import armed_view
from trading.risk.models import Arming, Exposure

_STANDING = select(ArmingRow.__table__).where(
    ArmingRow.realm == bindparam("realm"), ArmingRow.account == bindparam("account"), ArmingRow.ended_by.is_(None)
)
"""Built once: putting a statement together costs more than running it."""


async def standing_arming(connection: AsyncConnection, realm: str, account: str) -> Arming | None:
    """The leave that nobody took back."""
    row = (await connection.execute(_STANDING, {"realm": realm, "account": account})).mappings().one_or_none()
    return None if row is None else arming_of(row)


async def as_armed(
    connection: AsyncConnection, realm: str, exposure: Exposure, *, midnight: datetime | None
) -> Exposure:
    """The account as its armed capital; where nobody armed it, as it is, and saying so."""
    exposure = exposure.model_copy(update={"must_be_armed": True})
    arming = await standing_arming(connection, realm, exposure.account)
    if arming is None:
        return exposure
    peak = await connection.execute(
        select(func.max(EquityRow.equity_usd)).where(
            EquityRow.realm == realm, EquityRow.account == exposure.account, EquityRow.as_of >= arming.since
        )
    )
    day_start = exposure.day_start_equity_usd if midnight is not None and arming.since <= midnight else None
    highest = peak.scalar_one_or_none()
    return armed_view(
        exposure, arming, day_start_usd=day_start, peak_usd=exposure.equity_usd if highest is None else highest
    )


def arming_of(row: RowMapping) -> Arming:
    names = Arming.model_fields.keys() - {"id"}
    return Arming(id=row["arming_id"], **{name: row[name] for name in names})
