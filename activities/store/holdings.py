"""Positions and balances as rows: what new fills do to them, inside the transaction that stores the fills."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.engine import Database
from activities.store.tables import BalanceRow, FillRow, PositionRow
from trading.ids import canonical_json
from trading.ledger.balances import flows
from trading.ledger.positions import Lot, Position, extended, follows, position_of
from trading.money import ZERO
from trading.orders.models import Fill, OrderKey

_POSITION = select(PositionRow.__table__).where(
    PositionRow.realm == bindparam("realm"),
    PositionRow.account == bindparam("account"),
    PositionRow.symbol == bindparam("symbol"),
)
_BALANCES = select(BalanceRow.asset, BalanceRow.opening, BalanceRow.flows).where(
    BalanceRow.realm == bindparam("realm"), BalanceRow.account == bindparam("account")
)
"""Built once: putting a statement together costs more than running it."""

POSITION_KEY = ("realm", "account", "symbol")
BALANCE_KEY = ("realm", "account", "asset")


async def take_fills(database: Database, connection: AsyncConnection, key: OrderKey, fresh: Sequence[Fill]) -> None:
    """Move the position and the balances of the account by fills that were stored just now.

    The stored position is carried on where the fills follow it; else it is recomputed from all stored fills.
    """
    names = {"realm": key.realm, "account": key.account, "symbol": key.symbol}
    row = (await connection.execute(_POSITION, names)).mappings().one_or_none()
    held = Position(account=key.account, symbol=key.symbol) if row is None else position_from(row)
    if follows(held, fresh):
        held = extended(held, fresh)
    else:
        held = position_of(key.account, key.symbol, await _all_fills(connection, key))
    await connection.execute(database.upsert(PositionRow, POSITION_KEY), position_values(key.realm, held))
    await _move(database, connection, key, flows(fresh))


async def _all_fills(connection: AsyncConnection, key: OrderKey) -> list[Fill]:
    query = select(FillRow.__table__).where(
        FillRow.realm == key.realm,
        FillRow.account == key.account,
        FillRow.symbol == key.symbol,
        FillRow.closed_with.is_(None),
    )
    rows = (await connection.execute(query)).mappings()
    return [Fill(**{name: row[name] for name in Fill.model_fields}) for row in rows]


async def _move(database: Database, connection: AsyncConnection, key: OrderKey, moved: dict[str, Any]) -> None:
    names = {"realm": key.realm, "account": key.account}
    rows = {row.asset: row for row in await connection.execute(_BALANCES, names)}
    values = [
        {
            "realm": key.realm,
            "account": key.account,
            "asset": asset,
            "opening": rows[asset].opening if asset in rows else ZERO,
            "flows": (rows[asset].flows if asset in rows else ZERO) + amount,
        }
        for asset, amount in sorted(moved.items())
    ]
    await connection.execute(database.upsert(BalanceRow, BALANCE_KEY), values)


def position_values(realm: str, position: Position) -> dict[str, Any]:
    plain = position.model_dump(mode="python", exclude={"lots", "unvalued_fees"})
    lots = canonical_json([lot.model_dump() for lot in position.lots])
    return {"realm": realm, **plain, "lots": lots, "unvalued_fees": canonical_json(position.unvalued_fees)}


def position_from(row: RowMapping) -> Position:
    values = {name: row[name] for name in Position.model_fields}
    values["lots"] = tuple(Lot(**lot) for lot in json.loads(row["lots"]))
    values["unvalued_fees"] = tuple((asset, amount) for asset, amount in json.loads(row["unvalued_fees"]))
    return Position(**values)
