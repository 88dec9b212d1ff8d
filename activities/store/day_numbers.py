"""What a stretch of time came to, and what is held at a time: the numbers that a morning's plan is made from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import BindParameter, Row, and_, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.tables import DecisionRow, EquityRow, FillRow, OrderRow, PositionRow, TradeOutcomeRow
from trading.money import ZERO
from trading.orders.models import Leg, Side
from trading.planning.models import AccountNumbers

DUST_USD = 5

_REALM: BindParameter[str] = bindparam("realm")
_ACCOUNT: BindParameter[str] = bindparam("account")
_ACCOUNTS: BindParameter[list[str]] = bindparam("accounts", expanding=True)
_START: BindParameter[datetime] = bindparam("start")
_END: BindParameter[datetime] = bindparam("end")

_OPENING = (
    select(EquityRow.equity_usd)
    .where(EquityRow.realm == _REALM, EquityRow.account == _ACCOUNT, EquityRow.as_of <= _START)
    .order_by(EquityRow.as_of.desc())
    .limit(1)
)
_MARKS = (
    select(EquityRow.account, EquityRow.equity_usd)
    .where(EquityRow.realm == _REALM, EquityRow.account.in_(_ACCOUNTS), EquityRow.as_of > _START)
    .where(EquityRow.as_of <= _END)
    .order_by(EquityRow.as_of)
)
_GAINS = (
    select(TradeOutcomeRow.account, TradeOutcomeRow.pnl_usd)
    .where(TradeOutcomeRow.realm == _REALM, TradeOutcomeRow.account.in_(_ACCOUNTS))
    .where(TradeOutcomeRow.closed_at >= _START, TradeOutcomeRow.closed_at < _END)
    .order_by(TradeOutcomeRow.closed_at)
)
_DECISIONS = (
    select(func.count())
    .select_from(DecisionRow)
    .where(DecisionRow.realm == _REALM, DecisionRow.as_of >= _START, DecisionRow.as_of < _END)
)
_ENTRIES = (
    select(func.count(func.distinct(FillRow.client_order_id)))
    .join(
        OrderRow,
        and_(
            OrderRow.realm == FillRow.realm,
            OrderRow.account == FillRow.account,
            OrderRow.client_order_id == FillRow.client_order_id,
        ),
    )
    .where(FillRow.realm == _REALM, FillRow.filled_at >= _START, FillRow.filled_at < _END)
    .where(OrderRow.leg == Leg.ENTRY.value)
)
_POSITIONS = select(PositionRow.symbol, PositionRow.quantity, PositionRow.last_price, PositionRow.last_fill_at).where(
    PositionRow.realm == _REALM, PositionRow.account == _ACCOUNT
)
_FILLS = (
    select(FillRow.side, FillRow.quantity, FillRow.commission, FillRow.commission_asset, FillRow.price)
    .where(FillRow.realm == _REALM, FillRow.account == _ACCOUNT, FillRow.symbol == bindparam("symbol"))
    .where(FillRow.filled_at <= _END, FillRow.closed_with.is_(None))
    .order_by(FillRow.filled_at, FillRow.trade_id)
)
"""Built once: putting a statement together costs more than running it."""


async def numbers_of(
    connection: AsyncConnection, realm: str, accounts: Sequence[str], *, start: datetime, end: datetime
) -> tuple[AccountNumbers, ...]:
    """Equity from the last mark up to the start, or the first one after it, to the last one within; and what closed."""
    names = {"realm": realm, "accounts": list(accounts), "start": start, "end": end}
    marks: dict[str, list[Decimal]] = {}
    for account, equity_usd in await connection.execute(_MARKS, names):
        marks.setdefault(account, []).append(equity_usd)
    gains: dict[str, list[Decimal]] = {}
    for account, pnl_usd in await connection.execute(_GAINS, names):
        gains.setdefault(account, []).append(pnl_usd)
    return tuple(
        [
            _numbers(
                account,
                (await connection.execute(_OPENING, names | {"account": account})).scalar_one_or_none(),
                marks.get(account, []),
                gains.get(account, []),
            )
            for account in accounts
        ]
    )


def _numbers(account: str, opening: Decimal | None, marks: list[Decimal], gains: list[Decimal]) -> AccountNumbers:
    return AccountNumbers(
        account=account,
        equity_start_usd=opening if opening is not None else next(iter(marks), None),
        equity_end_usd=marks[-1] if marks else opening,
        equity_low_usd=min([*marks, *([opening] if opening is not None else [])], default=None),
        closed_trades=len(gains),
        winning_trades=sum(1 for gain in gains if gain > 0),
        pnl_usd=sum(gains, ZERO),
    )


async def decisions_of(connection: AsyncConnection, realm: str, *, start: datetime, end: datetime) -> int:
    names = {"realm": realm, "start": start, "end": end}
    return int((await connection.execute(_DECISIONS, names)).scalar_one())


async def entries_of(connection: AsyncConnection, realm: str, *, start: datetime, end: datetime) -> int:
    """Entry orders that were filled in that time, at least in part."""
    return int((await connection.execute(_ENTRIES, {"realm": realm, "start": start, "end": end})).scalar_one())


async def held_at(connection: AsyncConnection, realm: str, account: str, *, as_of: datetime) -> frozenset[str]:
    """The symbols of which the fills up to `as_of` leave more than dust.

    The position as it is kept says it where its last fill is not later; only else the fills are gone through.
    """
    names = {"realm": realm, "account": account}
    held = set()
    for row in (await connection.execute(_POSITIONS, names)).all():
        if row.last_fill_at is None:
            continue
        if row.last_fill_at <= as_of:
            worth = row.quantity * row.last_price
        else:
            fills = await connection.execute(_FILLS, names | {"symbol": row.symbol, "end": as_of})
            worth = _worth(row.symbol, fills.all())
        if worth >= DUST_USD:
            held.add(row.symbol)
    return frozenset(held)


def _worth(symbol: str, fills: Sequence[Row[str, Decimal, Decimal, str, Decimal]]) -> Decimal:
    """What fills, by time, leave at the price of the last one."""
    base, _, _ = symbol.partition("/")
    left = price = ZERO
    for fill in fills:
        moved = fill.quantity if fill.side == Side.BUY.value else -fill.quantity
        left += moved - (fill.commission if fill.commission_asset == base else ZERO)
        price = fill.price
    return left * price
