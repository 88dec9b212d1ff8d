"""Accounts: what the owner brought, mode and epoch, marks and equity, closed trades."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Executable, Row, RowMapping, and_, bindparam, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.engine import Database
from activities.store.holdings import position_from
from activities.store.ports.faults import StoreRefused
from activities.store.protections import standing_protections
from activities.store.tables import (
    AccountRow,
    AuditRow,
    BalanceRow,
    EquityRow,
    GateRow,
    MarkRow,
    OrderRow,
    PositionRow,
    TradeOutcomeRow,
)
from trading.decision.models import PositionView
from trading.ids import content_hash
from trading.ledger.balances import USD_ASSETS
from trading.ledger.marks import MarkedEquity, mark
from trading.ledger.positions import Position
from trading.money import ZERO
from trading.orders.models import OPEN, Leg
from trading.risk.models import ElsewhereUsd, Exposure, Mode


def _of_account(table: Any) -> ColumnElement[bool]:
    return and_(table.realm == bindparam("realm"), table.account == bindparam("account"))


_ACCOUNT = (
    select(AccountRow.opening_equity_usd, GateRow.mode, GateRow.epoch)
    .join(GateRow, and_(GateRow.realm == AccountRow.realm, GateRow.account == AccountRow.account))
    .where(_of_account(AccountRow))
)
_POSITIONS = select(PositionRow.__table__).where(_of_account(PositionRow))
_MARKED_POSITIONS = (
    select(*PositionRow.__table__.c, MarkRow.price.label("mark_price"), MarkRow.as_of.label("marked_as_of"))
    .outerjoin(MarkRow, and_(_of_account(MarkRow), MarkRow.symbol == PositionRow.symbol))
    .where(_of_account(PositionRow))
)
_OF_VENUE = AccountRow.venue == (select(AccountRow.venue).where(_of_account(AccountRow)).scalar_subquery())
_VENUE_BALANCES = (
    select(BalanceRow.account, BalanceRow.asset, BalanceRow.opening, BalanceRow.flows)
    .join(AccountRow, and_(AccountRow.realm == BalanceRow.realm, AccountRow.account == BalanceRow.account))
    .where(BalanceRow.realm == bindparam("realm"), _OF_VENUE)
)
_VENUE_POSITIONS = (
    select(*PositionRow.__table__.c, MarkRow.price.label("mark_price"), MarkRow.as_of.label("marked_as_of"))
    .join(AccountRow, and_(AccountRow.realm == PositionRow.realm, AccountRow.account == PositionRow.account))
    .outerjoin(
        MarkRow,
        and_(
            MarkRow.realm == PositionRow.realm,
            MarkRow.account == PositionRow.account,
            MarkRow.symbol == PositionRow.symbol,
        ),
    )
    .where(PositionRow.realm == bindparam("realm"), _OF_VENUE)
)
_VENUE_ENTRIES = (
    select(OrderRow.symbol, OrderRow.quantity, OrderRow.executed_quantity, OrderRow.price, OrderRow.expected_price)
    .join(AccountRow, and_(AccountRow.realm == OrderRow.realm, AccountRow.account == OrderRow.account))
    .where(
        OrderRow.realm == bindparam("realm"),
        OrderRow.account != bindparam("account"),
        OrderRow.leg == Leg.ENTRY.value,
        OrderRow.status.in_(sorted(status.value for status in OPEN)),
        _OF_VENUE,
    )
)
RECENT_TRADES = 40
"""So many of the newest closed trades make the win rate that shrinks positions (C22)."""

_RECENT = (
    select(TradeOutcomeRow.pnl_usd)
    .where(_of_account(TradeOutcomeRow))
    .order_by(TradeOutcomeRow.closed_at.desc(), TradeOutcomeRow.decision_id, TradeOutcomeRow.symbol)
    .limit(RECENT_TRADES)
)
_BALANCES = select(BalanceRow.asset, BalanceRow.opening, BalanceRow.flows).where(_of_account(BalanceRow))
_NEWEST_AT = select(func.max(EquityRow.as_of)).where(_of_account(EquityRow)).scalar_subquery()
_EXPOSED = _ACCOUNT.add_columns(
    EquityRow.as_of,
    EquityRow.peak_equity_usd,
    select(func.count())
    .select_from(TradeOutcomeRow)
    .where(_of_account(TradeOutcomeRow))
    .scalar_subquery()
    .label("closed"),
).outerjoin(EquityRow, and_(_of_account(EquityRow), EquityRow.as_of == _NEWEST_AT))
_EQUITY = (
    select(EquityRow.as_of, EquityRow.equity_usd, EquityRow.peak_equity_usd)
    .where(_of_account(EquityRow))
    .order_by(EquityRow.as_of.desc())
    .limit(1)
)
_EQUITY_AT = _EQUITY.where(EquityRow.as_of <= bindparam("at"))
_EQUITY_BEFORE = _EQUITY.where(EquityRow.as_of < bindparam("at"))
"""Built once: putting a statement together costs more than running it."""


class AccountRows:
    """`AccountBook` over the tables."""

    _database: Database

    async def open_account(
        self,
        realm: str,
        *,
        venue: str,
        ledger: str,
        account: str,
        opening: Sequence[tuple[str, Decimal]],
        as_of: datetime,
    ) -> None:
        cash = sum((amount for asset, amount in opening if asset in USD_ASSETS), ZERO)
        who = {"realm": realm, "account": account}
        async with self._database.write() as connection:
            values = {"venue": venue, "ledger": ledger, "opened_as_of": as_of, "opening_equity_usd": cash}
            if not await self._database.add(connection, AccountRow, who | values):
                return
            if opening:
                rows = [{**who, "asset": asset, "opening": amount, "flows": ZERO} for asset, amount in opening]
                await connection.execute(insert(BalanceRow), rows)
            equity = {**who, "as_of": as_of, "equity_usd": cash, "cash_usd": cash, "peak_equity_usd": cash}
            await connection.execute(insert(EquityRow), equity)
            gate = {"mode": Mode.AUTO.value, "epoch": 0, "reason": "opened", "who": "ledger"}
            await connection.execute(insert(GateRow), {**who, **gate, "written_at": datetime.now(UTC)})

    async def exposure(self, realm: str, account: str) -> Exposure | None:
        async with self._database.read() as connection:
            opened = (await connection.execute(_EXPOSED, {"realm": realm, "account": account})).one_or_none()
            if opened is None:
                return None
            marked, elsewhere, equity_elsewhere = await _marked_with_others(connection, realm, account)
            wins = await _recent_results(connection, realm, account) if opened.closed else []
            day_start, peak = opened.opening_equity_usd, opened.opening_equity_usd
            if opened.as_of is not None:
                peak = opened.peak_equity_usd
                midnight = opened.as_of.replace(hour=0, minute=0, second=0, microsecond=0)
                before = await _equity(connection, _EQUITY_AT, realm, account, midnight)
                day_start = before.equity_usd if before is not None else day_start
            return Exposure(
                account=account,
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

    async def position_view(self, realm: str, account: str, symbol: str) -> PositionView | None:
        async with self._database.read() as connection:
            if await _account(connection, realm, account) is None:
                return None
            marked = await _marked(connection, realm, account, {})
        held = next((holding for holding in marked.holdings if holding.symbol == symbol), None)
        return PositionView(
            account=account,
            quantity=ZERO if held is None else held.quantity,
            average_price=None if held is None else held.average_price,
            equity_usd=marked.equity_usd,
            cash_usd=marked.cash_usd,
        )

    async def used_permits(self, realm: str, account: str, permit_ids: Sequence[str]) -> tuple[str, ...]:
        found = select(OrderRow.permit_id).where(
            OrderRow.realm == realm, OrderRow.account == account, OrderRow.permit_id.in_(permit_ids)
        )
        async with self._database.read() as connection:
            used = (await connection.execute(found)).scalars()
            return tuple(sorted({permit for permit in used if permit is not None}))

    async def accounts(self, realm: str) -> tuple[str, ...]:
        names = select(AccountRow.account).where(AccountRow.realm == realm).order_by(AccountRow.account)
        async with self._database.read() as connection:
            return tuple((await connection.execute(names)).scalars())

    async def write_gate(self, realm: str, account: str, *, mode: Mode, epoch: int, reason: str, who: str) -> None:
        now = datetime.now(UTC)
        values = {"realm": realm, "account": account, "mode": mode.value, "epoch": epoch, "reason": reason, "who": who}
        async with self._database.write() as connection:
            if await _account(connection, realm, account) is None:
                raise StoreRefused(f"account {account} of {realm} is unknown: open it before its gate is written")
            statement = self._database.insert(GateRow).values(**values, written_at=now)
            news = {name: statement.excluded[name] for name in ("mode", "epoch", "reason", "who", "written_at")}
            written = await connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["realm", "account"], set_=news, where=GateRow.epoch <= statement.excluded.epoch
                ).returning(GateRow.epoch)
            )
            if written.scalar_one_or_none() is None:
                return
            entry = content_hash("|".join(("gate", account, str(epoch), mode.value, reason, who)))[:32]
            await self._database.add(
                connection,
                AuditRow,
                {
                    "realm": realm,
                    "entry_id": entry,
                    "subject": account,
                    "what": f"gate {mode.value} epoch {epoch}",
                    "who": who,
                    "reason": reason,
                    "at": now,
                },
            )

    async def record_equity(
        self, realm: str, account: str, *, as_of: datetime, marks: Sequence[tuple[str, Decimal]]
    ) -> Decimal:
        async with self._database.write() as connection:
            await self._database.serialise(connection, realm, account)
            opened = await _account(connection, realm, account)
            if opened is None:
                raise StoreRefused(f"account {account} of {realm} is unknown: open it before its equity is recorded")
            if marks:
                await self._keep_marks(connection, realm, account, as_of, marks)
            marked = await _marked(connection, realm, account, dict(marks))
            before = await _equity(connection, _EQUITY_BEFORE, realm, account, as_of)
            peak = opened.opening_equity_usd if before is None else before.peak_equity_usd
            row = {
                "realm": realm,
                "account": account,
                "as_of": as_of,
                "equity_usd": marked.equity_usd,
                "cash_usd": marked.cash_usd,
                "peak_equity_usd": max(peak, marked.equity_usd),
            }
            await connection.execute(self._database.upsert(EquityRow, ("realm", "account", "as_of")), row)
            return marked.equity_usd

    async def _keep_marks(
        self,
        connection: AsyncConnection,
        realm: str,
        account: str,
        as_of: datetime,
        marks: Sequence[tuple[str, Decimal]],
    ) -> None:
        statement = self._database.upsert(MarkRow, ("realm", "account", "symbol"), unless_older_by="as_of")
        rows = [
            {"realm": realm, "account": account, "symbol": symbol, "price": price, "as_of": as_of}
            for symbol, price in sorted(dict(marks).items())
        ]
        await connection.execute(statement, rows)

    async def record_outcome(
        self,
        realm: str,
        account: str,
        symbol: str,
        decision_id: str,
        *,
        pnl_usd: Decimal,
        return_fraction: Decimal,
        exit_reason: str,
        closed_at: datetime,
    ) -> None:
        async with self._database.write() as connection:
            await self._database.add(
                connection,
                TradeOutcomeRow,
                {
                    "realm": realm,
                    "account": account,
                    "symbol": symbol,
                    "decision_id": decision_id,
                    "pnl_usd": pnl_usd,
                    "return_fraction": return_fraction,
                    "exit_reason": exit_reason,
                    "closed_at": closed_at,
                },
            )


async def _account(connection: AsyncConnection, realm: str, account: str) -> Row[Decimal, str, int] | None:
    return (await connection.execute(_ACCOUNT, {"realm": realm, "account": account})).one_or_none()


async def _equity(
    connection: AsyncConnection, statement: Executable, realm: str, account: str, at: datetime
) -> Row[datetime, Decimal, Decimal] | None:
    return (await connection.execute(statement, {"realm": realm, "account": account, "at": at})).one_or_none()


async def load_positions(connection: AsyncConnection, realm: str, account: str) -> tuple[Position, ...]:
    rows = (await connection.execute(_POSITIONS, {"realm": realm, "account": account})).mappings()
    return tuple(sorted((position_from(row) for row in rows), key=lambda held: held.symbol))


async def _recent_results(connection: AsyncConnection, realm: str, account: str) -> list[bool]:
    rows = await connection.execute(_RECENT, {"realm": realm, "account": account})
    return [row.pnl_usd > 0 for row in rows]


async def _marked_with_others(
    connection: AsyncConnection, realm: str, account: str
) -> tuple[MarkedEquity, tuple[ElsewhereUsd, ...], Decimal]:
    """The account at its newest marks; exposure by symbol and equity of the venue's other accounts.

    What others are promised counts from their intent on: a permit that is not ordered yet is known to their desk alone.
    """
    names = {"realm": realm, "account": account}
    cash: dict[str, Decimal] = {account: ZERO}
    for row in await connection.execute(_VENUE_BALANCES, names):
        if row.asset in USD_ASSETS:
            cash[row.account] = cash.get(row.account, ZERO) + row.opening + row.flows
    rows: dict[str, list[RowMapping]] = {}
    for mapped in (await connection.execute(_VENUE_POSITIONS, names)).mappings():
        rows.setdefault(mapped["account"], []).append(mapped)
    books = {name: _marked_rows(usd, rows.get(name, []), {}) for name, usd in sorted(cash.items())}
    mine = books.pop(account)
    usd: dict[str, Decimal] = {}
    for other in books.values():
        for held in other.holdings:
            usd[held.symbol] = usd.get(held.symbol, ZERO) + held.notional_usd
    for entry in await connection.execute(_VENUE_ENTRIES, names):
        price = entry.price if entry.price is not None else entry.expected_price
        rest = entry.quantity - entry.executed_quantity
        if price is not None and rest > 0:
            usd[entry.symbol] = usd.get(entry.symbol, ZERO) + rest * price
    elsewhere = tuple(ElsewhereUsd(symbol=symbol, usd=usd[symbol]) for symbol in sorted(usd) if usd[symbol] > 0)
    return mine, elsewhere, sum((max(other.equity_usd, ZERO) for other in books.values()), ZERO)


async def _marked(connection: AsyncConnection, realm: str, account: str, given: dict[str, Decimal]) -> MarkedEquity:
    """The account at the given marks; else each symbol at the newer of its newest mark and its last fill."""
    names = {"realm": realm, "account": account}
    balances = await connection.execute(_BALANCES, names)
    cash = sum((row.opening + row.flows for row in balances if row.asset in USD_ASSETS), ZERO)
    return _marked_rows(cash, (await connection.execute(_MARKED_POSITIONS, names)).mappings().all(), given)


def _marked_rows(cash: Decimal, rows: Sequence[RowMapping], given: dict[str, Decimal]) -> MarkedEquity:
    positions = tuple(sorted((position_from(row) for row in rows), key=lambda held: held.symbol))
    chosen = dict(given)
    for row in rows:
        marked_as_of, last_fill_at = row["marked_as_of"], row["last_fill_at"]
        if marked_as_of is not None and (last_fill_at is None or marked_as_of >= last_fill_at):
            chosen.setdefault(row["symbol"], row["mark_price"])
    return mark(cash, positions, chosen)
