"""Plans of whole days, and the numbers of the day before that they are made from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

from sqlalchemy import and_, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.blobs import RecentTexts, keep_blob, load_blob
from activities.store.engine import Database
from activities.store.ports.plans import KeptPlan, PlanInForce
from activities.store.tables import DecisionRow, EquityRow, FillRow, OrderRow, PlanRow, TradeOutcomeRow
from trading.ids import canonical_json, content_hash
from trading.money import ZERO
from trading.orders.models import Leg, Side
from trading.planning.hours import MarketHours, period_of_day
from trading.planning.models import AccountNumbers, DayNumbers, DayPlan

ALL = "all"
"""The account of the row that holds a day's whole plan."""

PLAN_TYPE = "application/json"
DAY_LENGTH = len("2024-01-31")
DUST_USD = 5


_NEWEST = (
    select(PlanRow.period, PlanRow.content_hash)
    .where(PlanRow.realm == bindparam("its_realm"), PlanRow.account == ALL, func.length(PlanRow.period) >= DAY_LENGTH)
    .order_by(PlanRow.as_of.desc(), PlanRow.period.desc())
    .limit(1)
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
        earlier = (
            select(PlanRow.content_hash)
            .where(
                PlanRow.realm == realm,
                PlanRow.account == ALL,
                PlanRow.period < period,
                func.length(PlanRow.period) == DAY_LENGTH,
            )
            .order_by(PlanRow.period.desc())
            .limit(1)
        )
        async with self._database.read() as connection:
            name = (await connection.execute(earlier)).scalar_one_or_none()
            text = None if name is None else await load_blob(connection, name)
        return None if text is None else DayPlan.model_validate_json(text)

    async def day_plan_in_force(self, realm: str, *, as_of: datetime | None) -> PlanInForce | None:
        made = _NEWEST if as_of is None else _NEWEST.where(PlanRow.as_of <= bindparam("by"))
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
                accounts=await _numbers(connection, realm, accounts, start, end),
                decisions=await _decisions(connection, realm, start, end),
                entries=await _entries(connection, realm, start, end),
            )

    async def account_numbers(
        self, realm: str, accounts: Sequence[str], *, start: datetime, end: datetime
    ) -> tuple[AccountNumbers, ...]:
        async with self._database.read() as connection:
            return await _numbers(connection, realm, accounts, start, end)

    async def held_symbols(self, realm: str, account: str, *, as_of: datetime) -> frozenset[str]:
        query = (
            select(FillRow.symbol, FillRow.side, FillRow.quantity, FillRow.commission, FillRow.commission_asset)
            .add_columns(FillRow.price)
            .where(FillRow.realm == realm, FillRow.account == account, FillRow.filled_at <= as_of)
            .order_by(FillRow.symbol, FillRow.filled_at, FillRow.trade_id)
        )
        held: dict[str, tuple[Decimal, Decimal]] = {}
        async with self._database.read() as connection:
            for row in await connection.execute(query):
                before, _ = held.get(row.symbol, (ZERO, ZERO))
                moved = row.quantity if row.side == Side.BUY.value else -row.quantity
                paid = row.commission if row.commission_asset == row.symbol.partition("/")[0] else ZERO
                held[row.symbol] = (before + moved - paid, row.price)
        return frozenset(symbol for symbol, (quantity, price) in held.items() if quantity * price >= DUST_USD)


async def _kept(connection: AsyncConnection, realm: str, period: str) -> KeptPlan | None:
    query = (
        select(PlanRow.account, PlanRow.as_of, PlanRow.content_hash)
        .where(PlanRow.realm == realm, PlanRow.period == period)
        .order_by(PlanRow.account)
    )
    rows = (await connection.execute(query)).all()
    whole = next((row for row in rows if row.account == ALL), None)
    if whole is None:
        return None
    return KeptPlan(
        period=period,
        as_of=whole.as_of,
        plan_hash=whole.content_hash,
        accounts=tuple((row.account, row.content_hash) for row in rows if row.account != ALL),
    )


async def _numbers(
    connection: AsyncConnection, realm: str, accounts: Sequence[str], start: datetime, end: datetime
) -> tuple[AccountNumbers, ...]:
    return tuple([await _account_numbers(connection, realm, account, start, end) for account in accounts])


async def _account_numbers(
    connection: AsyncConnection, realm: str, account: str, start: datetime, end: datetime
) -> AccountNumbers:
    """Equity from the last mark up to the day's start, or the first within it, to the last one within it."""
    mine = and_(EquityRow.realm == realm, EquityRow.account == account)
    before = select(EquityRow.equity_usd).where(mine, EquityRow.as_of <= start).order_by(EquityRow.as_of.desc())
    opening = (await connection.execute(before.limit(1))).scalar_one_or_none()
    within = select(EquityRow.equity_usd).where(mine, EquityRow.as_of > start, EquityRow.as_of <= end)
    marks = list((await connection.execute(within.order_by(EquityRow.as_of))).scalars())
    closed = select(TradeOutcomeRow.pnl_usd).where(
        TradeOutcomeRow.realm == realm,
        TradeOutcomeRow.account == account,
        TradeOutcomeRow.closed_at >= start,
        TradeOutcomeRow.closed_at < end,
    )
    gains = list((await connection.execute(closed.order_by(TradeOutcomeRow.closed_at))).scalars())
    return AccountNumbers(
        account=account,
        equity_start_usd=opening if opening is not None else next(iter(marks), None),
        equity_end_usd=marks[-1] if marks else opening,
        equity_low_usd=min([*marks, *([opening] if opening is not None else [])], default=None),
        closed_trades=len(gains),
        winning_trades=sum(1 for gain in gains if gain > 0),
        pnl_usd=sum(gains, ZERO),
    )


async def _decisions(connection: AsyncConnection, realm: str, start: datetime, end: datetime) -> int:
    query = (
        select(func.count())
        .select_from(DecisionRow)
        .where(DecisionRow.realm == realm, DecisionRow.as_of >= start, DecisionRow.as_of < end)
    )
    return int((await connection.execute(query)).scalar_one())


async def _entries(connection: AsyncConnection, realm: str, start: datetime, end: datetime) -> int:
    """Entry orders of the day that were filled, at least in part."""
    query = select(func.count(func.distinct(FillRow.client_order_id))).where(
        FillRow.realm == realm,
        FillRow.filled_at >= start,
        FillRow.filled_at < end,
        FillRow.client_order_id.in_(
            select(OrderRow.client_order_id).where(OrderRow.realm == realm, OrderRow.leg == Leg.ENTRY.value)
        ),
    )
    return int((await connection.execute(query)).scalar_one())
