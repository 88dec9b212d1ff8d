"""What an account is worth, and what the venue's others have beside it: statements and their arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Executable, Row, RowMapping, and_, bindparam, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.holdings import position_from
from activities.store.tables import (
    AccountRow,
    BalanceRow,
    EquityRow,
    GateRow,
    MarkRow,
    OrderRow,
    PositionRow,
    PromiseRow,
)
from trading.ledger.balances import USD_ASSETS
from trading.ledger.marks import MarkedEquity, mark
from trading.ledger.positions import Position
from trading.money import ZERO
from trading.orders.models import OPEN, Leg
from trading.risk.models import ElsewhereUsd


def of_account(table: Any) -> ColumnElement[bool]:
    return and_(table.realm == bindparam("realm"), table.account == bindparam("account"))


ACCOUNT = (
    select(AccountRow.opening_equity_usd, GateRow.mode, GateRow.epoch, AccountRow.opened_as_of)
    .join(GateRow, and_(GateRow.realm == AccountRow.realm, GateRow.account == AccountRow.account))
    .where(of_account(AccountRow))
)
_POSITIONS = select(PositionRow.__table__).where(of_account(PositionRow))
_MARKED_POSITIONS = (
    select(*PositionRow.__table__.c, MarkRow.price.label("mark_price"), MarkRow.as_of.label("marked_as_of"))
    .outerjoin(MarkRow, and_(of_account(MarkRow), MarkRow.symbol == PositionRow.symbol))
    .where(of_account(PositionRow))
)
_OF_VENUE = AccountRow.venue == (select(AccountRow.venue).where(of_account(AccountRow)).scalar_subquery())
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
_VENUE_PROMISES = (
    select(PromiseRow.symbol, PromiseRow.notional_usd)
    .join(AccountRow, and_(AccountRow.realm == PromiseRow.realm, AccountRow.account == PromiseRow.account))
    .where(
        PromiseRow.realm == bindparam("realm"),
        PromiseRow.account != bindparam("account"),
        PromiseRow.holds_until >= bindparam("at"),
        _OF_VENUE,
        ~exists().where(
            OrderRow.realm == PromiseRow.realm,
            OrderRow.account == PromiseRow.account,
            OrderRow.symbol == PromiseRow.symbol,
            OrderRow.permit_id == PromiseRow.permit_id,
        ),
    )
)
_BALANCES = select(BalanceRow.asset, BalanceRow.opening, BalanceRow.flows).where(of_account(BalanceRow))
_EQUITY = (
    select(EquityRow.as_of, EquityRow.equity_usd, EquityRow.peak_equity_usd)
    .where(of_account(EquityRow))
    .order_by(EquityRow.as_of.desc())
    .limit(1)
)
EQUITY_AT = _EQUITY.where(EquityRow.as_of <= bindparam("at"))
EQUITY_BEFORE = _EQUITY.where(EquityRow.as_of < bindparam("at"))
"""Built once: putting a statement together costs more than running it."""


async def account_row(connection: AsyncConnection, realm: str, account: str) -> Row[Decimal, str, int, datetime] | None:
    return (await connection.execute(ACCOUNT, {"realm": realm, "account": account})).one_or_none()


async def equity_row(
    connection: AsyncConnection, statement: Executable, realm: str, account: str, at: datetime
) -> Row[datetime, Decimal, Decimal] | None:
    return (await connection.execute(statement, {"realm": realm, "account": account, "at": at})).one_or_none()


async def load_positions(connection: AsyncConnection, realm: str, account: str) -> tuple[Position, ...]:
    rows = (await connection.execute(_POSITIONS, {"realm": realm, "account": account})).mappings()
    return tuple(sorted((position_from(row) for row in rows), key=lambda held: held.symbol))


async def marked_with_others(
    connection: AsyncConnection, realm: str, account: str, *, promised_at: datetime | None
) -> tuple[MarkedEquity, tuple[ElsewhereUsd, ...], Decimal]:
    """The account at its newest marks; exposure by symbol and equity of the venue's other accounts.

    What others were promised counts from their intent on; before it where the promises of a time are asked for. What
    is read first turns into what is read later, so that nothing is missed on its way: it counts twice at most.
    """
    names = {"realm": realm, "account": account}
    usd: dict[str, Decimal] = {}
    if promised_at is not None:
        for promise in await connection.execute(_VENUE_PROMISES, {**names, "at": promised_at}):
            usd[promise.symbol] = usd.get(promise.symbol, ZERO) + promise.notional_usd
    for entry in await connection.execute(_VENUE_ENTRIES, names):
        price = entry.price if entry.price is not None else entry.expected_price
        rest = entry.quantity - entry.executed_quantity
        if price is not None and rest > 0:
            usd[entry.symbol] = usd.get(entry.symbol, ZERO) + rest * price
    cash: dict[str, Decimal] = {account: ZERO}
    for row in await connection.execute(_VENUE_BALANCES, names):
        if row.asset in USD_ASSETS:
            cash[row.account] = cash.get(row.account, ZERO) + row.opening + row.flows
    rows: dict[str, list[RowMapping]] = {}
    for mapped in (await connection.execute(_VENUE_POSITIONS, names)).mappings():
        rows.setdefault(mapped["account"], []).append(mapped)
    books = {name: _marked_rows(usd_of, rows.get(name, []), {}) for name, usd_of in sorted(cash.items())}
    mine = books.pop(account)
    for other in books.values():
        for held in other.holdings:
            usd[held.symbol] = usd.get(held.symbol, ZERO) + held.notional_usd
    elsewhere = tuple(ElsewhereUsd(symbol=symbol, usd=usd[symbol]) for symbol in sorted(usd) if usd[symbol] > 0)
    return mine, elsewhere, sum((max(other.equity_usd, ZERO) for other in books.values()), ZERO)


async def marked_account(
    connection: AsyncConnection, realm: str, account: str, given: dict[str, Decimal]
) -> MarkedEquity:
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
