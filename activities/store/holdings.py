"""Positions and balances as rows: what new fills do to them, inside the transaction that stores the fills."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.engine import Database
from activities.store.tables import BalanceRow, FillRow, PositionRow
from trading.ids import canonical_json
from trading.ledger.balances import flows
from trading.ledger.positions import Lot, Position, extended, follows, position_of
from trading.money import ZERO
from trading.orders.models import Fill, OrderKey


async def take_fills(database: Database, connection: AsyncConnection, key: OrderKey, fresh: Sequence[Fill]) -> None:
    """Move the position and the balances of the account by fills that were stored just now.

    The stored position is carried on where the fills follow it; else it is recomputed from all stored fills.
    """
    query = select(PositionRow.__table__).where(
        PositionRow.realm == key.realm, PositionRow.account == key.account, PositionRow.symbol == key.symbol
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    held = Position(account=key.account, symbol=key.symbol) if row is None else position_from(row)
    if follows(held, fresh):
        held = extended(held, fresh)
    else:
        held = position_of(key.account, key.symbol, await _all_fills(connection, key))
    await _keep(database, connection, PositionRow, position_values(key.realm, held), ("realm", "account", "symbol"))
    await _move(database, connection, key, flows(fresh))


async def _all_fills(connection: AsyncConnection, key: OrderKey) -> list[Fill]:
    query = select(FillRow.__table__).where(
        FillRow.realm == key.realm, FillRow.account == key.account, FillRow.symbol == key.symbol
    )
    rows = (await connection.execute(query)).mappings()
    return [Fill(**{name: row[name] for name in Fill.model_fields}) for row in rows]


async def _move(database: Database, connection: AsyncConnection, key: OrderKey, moved: dict[str, Any]) -> None:
    query = select(BalanceRow.asset, BalanceRow.opening, BalanceRow.flows).where(
        BalanceRow.realm == key.realm, BalanceRow.account == key.account, BalanceRow.asset.in_(sorted(moved))
    )
    rows = {row.asset: row for row in await connection.execute(query)}
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
    statement = database.insert(BalanceRow).values(values)
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["realm", "account", "asset"], set_={"flows": statement.excluded.flows}
        )
    )


async def _keep(
    database: Database, connection: AsyncConnection, table: Any, values: dict[str, Any], key: tuple[str, ...]
) -> None:
    statement = database.insert(table).values(values)
    news = {name: statement.excluded[name] for name in values if name not in key}
    await connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=news))


def position_values(realm: str, position: Position) -> dict[str, Any]:
    plain = position.model_dump(mode="python", exclude={"lots", "unvalued_fees"})
    lots = canonical_json([lot.model_dump() for lot in position.lots])
    return {"realm": realm, **plain, "lots": lots, "unvalued_fees": canonical_json(position.unvalued_fees)}


def position_from(row: RowMapping) -> Position:
    values = {name: row[name] for name in Position.model_fields}
    values["lots"] = tuple(Lot(**lot) for lot in json.loads(row["lots"]))
    values["unvalued_fees"] = tuple((asset, amount) for asset, amount in json.loads(row["unvalued_fees"]))
    return Position(**values)
