"""The account as the gate sees it, and promises that desks make to each other (C16)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.armed import as_armed, standing_arming
from activities.store.engine import Database
from activities.store.ports.faults import StoreRefused
from activities.store.protections import standing_protections
from activities.store.tables import EquityRow, PromiseRow, TradeOutcomeRow
from activities.store.valuing import (
    ACCOUNT,
    EQUITY_AT,
    account_row,
    equity_row,
    marked_account,
    marked_with_others,
    of_account,
)
from trading.decision.models import PositionView
from trading.money import ZERO
from trading.risk.arming import must_be_armed
from trading.risk.models import Exposure, Mode
from trading.risk.promises import Promise, Promised

RECENT_TRADES = 40
"""So many of the newest closed trades make the win rate that shrinks positions (C22)."""

_RECENT = (
    select(TradeOutcomeRow.pnl_usd)
    .where(of_account(TradeOutcomeRow))
    .order_by(TradeOutcomeRow.closed_at.desc(), TradeOutcomeRow.decision_id, TradeOutcomeRow.symbol)
    .limit(RECENT_TRADES)
)
_NEWEST_AT = select(func.max(EquityRow.as_of)).where(of_account(EquityRow)).scalar_subquery()
_EXPOSED = ACCOUNT.add_columns(
    EquityRow.as_of,
    EquityRow.peak_equity_usd,
    select(func.count())
    .select_from(TradeOutcomeRow)
    .where(of_account(TradeOutcomeRow))
    .scalar_subquery()
    .label("closed"),
).outerjoin(EquityRow, and_(of_account(EquityRow), EquityRow.as_of == _NEWEST_AT))


class ExposureRows:
    """The reading side of `AccountBook`, and `Promises`, over the tables."""

    _database: Database

    async def exposure(self, realm: str, account: str) -> Exposure | None:
        async with self._database.read() as connection:
            return await _exposure(connection, realm, account)

    async def position_view(self, realm: str, account: str, symbol: str) -> PositionView | None:
        async with self._database.read() as connection:
            if await account_row(connection, realm, account) is None:
                return None
            marked = await marked_account(connection, realm, account, {})
            arming = await standing_arming(connection, realm, account) if must_be_armed(realm) else None
        beside = ZERO if arming is None else arming.offset_usd
        held = next((holding for holding in marked.holdings if holding.symbol == symbol), None)
        return PositionView(
            account=account,
            quantity=ZERO if held is None else held.quantity,
            average_price=None if held is None else held.average_price,
            equity_usd=marked.equity_usd + beside,
            cash_usd=marked.cash_usd + beside,
        )

    async def promise(self, realm: str, account: str, promise: Promise) -> Promised:
        async with self._database.write() as connection:
            await self._database.serialise(connection, realm, "promises", promise.symbol)
            ledger = await _exposure(connection, realm, account, promised_at=promise.made_at)
            if ledger is None:
                raise StoreRefused(f"account {account} of {realm} is unknown: open it before anything is promised")
            mine = and_(PromiseRow.realm == realm, PromiseRow.account == account)
            known = select(PromiseRow.permit_id).where(mine, PromiseRow.permit_id == promise.permit_id)
            if (await connection.execute(known)).scalar_one_or_none() is not None:
                return Promised(stands=True, ledger=ledger)
            if ledger.elsewhere_usd(promise.symbol) > promise.others_at_most_usd:
                return Promised(stands=False, ledger=ledger)
            over = or_(PromiseRow.holds_until < promise.made_at, PromiseRow.permit_id == (promise.replaces or ""))
            await connection.execute(delete(PromiseRow).where(mine, over))
            values = promise.model_dump(include={"permit_id", "symbol", "notional_usd", "holds_until"})
            await self._database.add(connection, PromiseRow, {"realm": realm, "account": account, **values})
            return Promised(stands=True, ledger=ledger)

    async def give_back(self, realm: str, account: str, permit_id: str) -> None:
        async with self._database.write() as connection:
            mine = and_(PromiseRow.realm == realm, PromiseRow.account == account)
            await connection.execute(delete(PromiseRow).where(mine, PromiseRow.permit_id == permit_id))


async def _exposure(
    connection: AsyncConnection, realm: str, account: str, *, promised_at: datetime | None = None
) -> Exposure | None:
    opened = (await connection.execute(_EXPOSED, {"realm": realm, "account": account})).one_or_none()
    if opened is None:
        return None
    marked, elsewhere, equity_elsewhere = await marked_with_others(connection, realm, account, promised_at=promised_at)
    wins = await _recent_results(connection, realm, account) if opened.closed else []
    day_start, peak = opened.opening_equity_usd, opened.opening_equity_usd
    midnight = None
    if opened.as_of is not None:
        peak = opened.peak_equity_usd
        midnight = opened.as_of.replace(hour=0, minute=0, second=0, microsecond=0)
        before = await equity_row(connection, EQUITY_AT, realm, account, midnight)
        if before is not None and before.as_of >= opened.opened_as_of:  # not of books that a wiped venue ended
            day_start = before.equity_usd
    known = Exposure(
        account=account,
        opened_at=opened.opened_as_of,
        mode=Mode(opened.mode),
        epoch=opened.epoch,
        cash_usd=marked.cash_usd,
        holdings=marked.holdings,
        day_start_equity_usd=day_start,
        peak_equity_usd=max(peak, marked.equity_usd),
        closed_trades=opened.closed,
        recent_trades=len(wins),
        recent_wins=sum(wins),
        elsewhere=elsewhere,
        equity_elsewhere_usd=equity_elsewhere,
        protections=await standing_protections(connection, realm, account),
    )
    return await as_armed(connection, realm, known, midnight=midnight) if must_be_armed(realm) else known


async def _recent_results(connection: AsyncConnection, realm: str, account: str) -> list[bool]:
    rows = await connection.execute(_RECENT, {"realm": realm, "account": account})
    return [row.pnl_usd > 0 for row in rows]
