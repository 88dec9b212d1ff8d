"""Plans of whole days, and the numbers of the day before that they are made from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.blobs import RecentTexts, keep_blob, load_blob
from activities.store.day_numbers import decisions_of, entries_of, held_at, numbers_of
from activities.store.engine import Database
from activities.store.ports.plans import KeptPlan, PlanInForce
from activities.store.tables import PlanRow
from trading.ids import canonical_json, content_hash
from trading.planning.hours import MarketHours, period_of_day
from trading.planning.models import AccountNumbers, DayNumbers, DayPlan

ALL = "all"
"""The account of the row that holds a day's whole plan."""

PLAN_TYPE = "application/json"
DAY_LENGTH = len("2024-01-31")


_NEWEST = (
    select(PlanRow.period, PlanRow.content_hash)
    .where(PlanRow.realm == bindparam("its_realm"), PlanRow.account == ALL, func.length(PlanRow.period) >= DAY_LENGTH)
    .order_by(PlanRow.as_of.desc(), PlanRow.period.desc())
    .limit(1)
)
_EARLIER = (
    select(PlanRow.content_hash)
    .where(
        PlanRow.realm == bindparam("its_realm"),
        PlanRow.account == ALL,
        PlanRow.period < bindparam("its_period"),
        func.length(PlanRow.period) == DAY_LENGTH,
    )
    .order_by(PlanRow.period.desc())
    .limit(1)
)
_IN_FORCE = _NEWEST.where(PlanRow.as_of <= bindparam("by"))
_KEPT = (
    select(PlanRow.account, PlanRow.as_of, PlanRow.content_hash)
    .where(PlanRow.realm == bindparam("its_realm"), PlanRow.period == bindparam("its_period"))
    .order_by(PlanRow.account)
)
"""Built once: putting a statement together costs more than running it. Weeks and months have shorter names."""


@lru_cache(maxsize=8)
def _parsed(text: str) -> DayPlan:
    """Every decision of a day asks for the same plan."""
    return DayPlan.model_validate_json(text)


class DayPlanRows:
    """`DayPlans` over the tables."""

    _database: Database
    _recent: RecentTexts

    async def find_day_plan(self, realm: str, period: str) -> KeptPlan | None:
        async with self._database.read() as connection:
            return await _kept(connection, realm, period)

    async def keep_day_plan(self, realm: str, plan: DayPlan) -> KeptPlan:
        period = period_of_day(plan.day, revision=plan.revision)
        async with self._database.write() as connection:
            await self._database.serialise(connection, realm, "plan", period)
            kept = await _kept(connection, realm, period)
            if kept is not None:
                return kept
            texts = {ALL: canonical_json(plan)} | {part.account: canonical_json(part) for part in plan.plans}
            for account, text in texts.items():
                name = content_hash(text)
                await keep_blob(self._database, connection, name, text, media_type=PLAN_TYPE)
                await self._database.add(
                    connection,
                    PlanRow,
                    {
                        "realm": realm,
                        "account": account,
                        "period": period,
                        "as_of": plan.as_of,
                        "content_hash": name,
                    },
                )
            kept = await _kept(connection, realm, period)
            assert kept is not None, "the plan was inserted in this transaction"
            return kept

    async def day_plans(self, realm: str, day: date) -> tuple[DayPlan, ...]:
        named = select(PlanRow.content_hash).where(
            PlanRow.realm == realm, PlanRow.account == ALL, PlanRow.period.startswith(period_of_day(day))
        )
        async with self._database.read() as connection:
            names = (await connection.execute(named.order_by(PlanRow.period))).scalars()
            texts = [await load_blob(connection, name) for name in names]
        return tuple(DayPlan.model_validate_json(text) for text in texts if text is not None)

    async def day_plan_before(self, realm: str, period: str) -> DayPlan | None:
        async with self._database.read() as connection:
            names = {"its_realm": realm, "its_period": period}
            name = (await connection.execute(_EARLIER, names)).scalar_one_or_none()
            if name is None:
                return None
            text = self._recent.get(name) or await load_blob(connection, name)
        return None if text is None else _parsed(text)

    async def day_plan_in_force(self, realm: str, *, as_of: datetime | None) -> PlanInForce | None:
        made = _NEWEST if as_of is None else _IN_FORCE
        asked = {"its_realm": realm} | ({} if as_of is None else {"by": as_of})
        async with self._database.read() as connection:
            row = (await connection.execute(made, asked)).one_or_none()
            if row is None:
                return None
            period, name = row
            text = self._recent.get(name) or await load_blob(connection, name)
        if text is None:
            raise KeyError(f"nothing is stored under {name}")
        self._recent.learn(name, text)
        plan = _parsed(text)
        is_over = as_of is not None and plan.valid_until is not None and as_of >= plan.valid_until
        return None if is_over else PlanInForce(period=period, plan_hash=name, plan=plan)

    async def day_numbers(self, realm: str, accounts: Sequence[str], *, day: date, hours: MarketHours) -> DayNumbers:
        start, end = hours.bounds(day)
        async with self._database.read() as connection:
            return DayNumbers(
                day=day,
                accounts=await numbers_of(connection, realm, accounts, start=start, end=end),
                decisions=await decisions_of(connection, realm, start=start, end=end),
                entries=await entries_of(connection, realm, start=start, end=end),
            )

    async def account_numbers(
        self, realm: str, accounts: Sequence[str], *, start: datetime, end: datetime
    ) -> tuple[AccountNumbers, ...]:
        async with self._database.read() as connection:
            return await numbers_of(connection, realm, accounts, start=start, end=end)

    async def held_symbols(self, realm: str, account: str, *, as_of: datetime) -> frozenset[str]:
        async with self._database.read() as connection:
            return await held_at(connection, realm, account, as_of=as_of)


async def _kept(connection: AsyncConnection, realm: str, period: str) -> KeptPlan | None:
    rows = (await connection.execute(_KEPT, {"its_realm": realm, "its_period": period})).all()
    whole = next((row for row in rows if row.account == ALL), None)
    if whole is None:
        return None
    return KeptPlan(
        period=period,
        as_of=whole.as_of,
        plan_hash=whole.content_hash,
        accounts=tuple((row.account, row.content_hash) for row in rows if row.account != ALL),
    )
