"""The closes that reviews keep day by day: what the random baseline of any later report is drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from pydantic import TypeAdapter
from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.engine import Database
from activities.store.ports.reviews import PriceWish
from activities.store.tables import AccountRow, BlobRow, PositionRow, ReportRow, TradeOutcomeRow
from trading.review.baseline import PriceRun
from trading.review.period import Period

KIND, ALL = "prices", "all"
"""The row in the table of reports: one for each day that closes were loaded for."""

LONGEST = timedelta(days=31)
"""A month may be reported with one load: what is older is not asked for again."""

_RUNS = TypeAdapter(tuple[PriceRun, ...])
_KEPT = (
    select(BlobRow.text)
    .join(ReportRow, ReportRow.content_hash == BlobRow.content_hash)
    .where(ReportRow.realm == bindparam("realm"), ReportRow.kind == KIND, ReportRow.account == ALL)
    .where(ReportRow.as_of > bindparam("since"), ReportRow.as_of <= bindparam("until"))
    .order_by(ReportRow.as_of)
)
_CLOSED = select(func.count()).where(
    TradeOutcomeRow.realm == bindparam("realm"),
    TradeOutcomeRow.closed_at >= bindparam("since"),
    TradeOutcomeRow.closed_at < bindparam("until"),
)
_HELD = select(PositionRow.symbol).where(PositionRow.realm == bindparam("realm")).distinct()
_OPENED = select(func.min(AccountRow.opened_as_of)).where(AccountRow.realm == bindparam("realm"))


class PriceRows:
    """The part of `Reviews` about prices, over the tables."""

    _database: Database

    async def keep_prices(self, realm: str, period: str, *, as_of: datetime, prices_hash: str) -> None:
        async with self._database.write() as connection:
            await self._database.add(
                connection,
                ReportRow,
                {
                    "realm": realm,
                    "kind": KIND,
                    "account": ALL,
                    "period": period,
                    "as_of": as_of,
                    "content_hash": prices_hash,
                },
            )

    async def prices(self, realm: str, *, since: datetime, until: datetime) -> tuple[PriceRun, ...]:
        async with self._database.read() as connection:
            return await kept_prices(connection, realm, since=since, until=until)

    async def missing_prices(self, realm: str, period: Period, *, symbols: Sequence[str]) -> tuple[PriceWish, ...]:
        names = {"realm": realm, "since": period.start, "until": period.end}
        async with self._database.read() as connection:
            if not _ends_a_report(period) and not (await connection.execute(_CLOSED, names)).scalar_one():
                return ()
            wanted = symbols or sorted((await connection.execute(_HELD, names)).scalars())
            opened: datetime | None = (await connection.execute(_OPENED, names)).scalar_one_or_none()
            if opened is None:
                return ()
            earliest = max(opened, period.end - LONGEST)
            known = {
                run.symbol: run.until for run in await kept_prices(connection, realm, since=earliest, until=period.end)
            }
        wishes = [PriceWish(symbol=symbol, since=known.get(symbol, earliest)) for symbol in wanted]
        return tuple(wish for wish in wishes if wish.since < period.end)


async def kept_prices(
    connection: AsyncConnection, realm: str, *, since: datetime, until: datetime
) -> tuple[PriceRun, ...]:
    texts = (await connection.execute(_KEPT, {"realm": realm, "since": since, "until": until})).scalars()
    return tuple(run for text in texts for run in _RUNS.validate_json(text))


def _ends_a_report(period: Period) -> bool:
    """Whether a week or a month ends with the day: their reports want all of its closes."""
    after = period.last_day + timedelta(days=1)
    return after.isoweekday() == 1 or after.day == 1
