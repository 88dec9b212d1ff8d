"""What reconciliation, a starting worker and the end of a run read; and the one hash over a realm."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import RowMapping, Table, and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.engine import Database
from activities.store.order_rows import fill_of, intent_of
from activities.store.ports.journal import Intent
from activities.store.ports.ledger import OpenItem
from activities.store.tables import BalanceRow, DecisionRow, FillRow, OrderRow, PositionRow, Row
from activities.store.valuing import load_positions
from trading.decision.models import Fusion
from trading.ids import canonical_json
from trading.ledger.positions import Position, fill_key
from trading.money import plain
from trading.orders.models import OPEN, Fill, Leg


class LedgerRows:
    """`LedgerReader` over the tables."""

    _database: Database

    async def ledger_orders(self, realm: str, account: str) -> tuple[Intent, ...]:
        async with self._database.read() as connection:
            mine = and_(OrderRow.realm == realm, OrderRow.account == account, OrderRow.closed_with.is_(None))
            query = select(OrderRow.__table__).where(mine)
            rows = (await connection.execute(query)).mappings().all()
        return tuple(intent_of(row) for row in sorted(rows, key=_when_intended))

    async def ledger_fills(self, realm: str, account: str) -> tuple[Fill, ...]:
        async with self._database.read() as connection:
            mine = and_(FillRow.realm == realm, FillRow.account == account, FillRow.closed_with.is_(None))
            query = select(FillRow.__table__).where(mine)
            rows = (await connection.execute(query)).mappings().all()
        return tuple(sorted((fill_of(row) for row in rows), key=lambda fill: (fill_key(fill), fill.symbol)))

    async def opening_balances(self, realm: str, account: str) -> tuple[tuple[str, Decimal], ...]:
        async with self._database.read() as connection:
            query = select(BalanceRow.asset, BalanceRow.opening).where(
                BalanceRow.realm == realm, BalanceRow.account == account
            )
            rows = (await connection.execute(query)).all()
        return tuple(sorted((asset, opening) for asset, opening in rows if opening))

    async def positions(self, realm: str, account: str) -> tuple[Position, ...]:
        async with self._database.read() as connection:
            return await load_positions(connection, realm, account)

    async def open_items(self, realm: str) -> tuple[OpenItem, ...]:
        async with self._database.read() as connection:
            return (*await _open_orders(connection, realm), *await _open_positions(connection, realm))

    async def digest(self, realm: str) -> str:
        whole = hashlib.sha256()
        async with self._database.read() as connection:
            for table in Row.metadata.sorted_tables:
                if "realm" in table.c and table.info.get("digest", True):
                    whole.update(f"{table.name}\n".encode())
                    for line in await _canonical_rows(connection, table, realm):
                        whole.update(line.encode())
        return whole.hexdigest()


def _when_intended(row: RowMapping) -> tuple[datetime, str]:
    return row["as_of"], row["client_order_id"]


async def _open_orders(connection: AsyncConnection, realm: str) -> list[OpenItem]:
    query = select(OrderRow.__table__).where(
        OrderRow.realm == realm, OrderRow.status.in_([status.value for status in OPEN])
    )
    rows = (await connection.execute(query)).mappings().all()
    ordered = sorted(rows, key=lambda row: (row["account"], row["symbol"], *_when_intended(row)))
    return [
        OpenItem(
            kind="order",
            account=row["account"],
            symbol=row["symbol"],
            client_order_id=row["client_order_id"],
            decision_id=row["decision_id"],
            quantity=row["quantity"],
            stop_price=row["stop_price"],
        )
        for row in ordered
    ]


async def _open_positions(connection: AsyncConnection, realm: str) -> list[OpenItem]:
    accounts = select(PositionRow.account).where(PositionRow.realm == realm).distinct()
    items = []
    for account in sorted((await connection.execute(accounts)).scalars()):
        for held in await load_positions(connection, realm, account):
            if held.quantity > 0:
                items.append(await _open_position(connection, realm, held))
    return items


async def _open_position(connection: AsyncConnection, realm: str, held: Position) -> OpenItem:
    """The position with the levels of the newest entry's decision; the newest stop order's price wins."""
    orders = (
        (
            await connection.execute(
                select(OrderRow.__table__).where(
                    OrderRow.realm == realm,
                    OrderRow.account == held.account,
                    OrderRow.symbol == held.symbol,
                    OrderRow.closed_with.is_(None),
                )
            )
        )
        .mappings()
        .all()
    )
    newest = {
        row["leg"]: row
        for row in sorted(orders, key=lambda row: (*_when_intended(row), row["revision"]))
        if row["leg"] != Leg.ENTRY.value or row["executed_quantity"]
    }
    entry, stop = newest.get(Leg.ENTRY.value), newest.get(Leg.STOP.value)
    item = OpenItem(kind="position", account=held.account, symbol=held.symbol, quantity=held.quantity)
    if entry is None:
        return item
    fusion = await _fusion(connection, realm, entry["decision_id"])
    stop_of_entry = stop is not None and stop["decision_id"] == entry["decision_id"]
    levels: dict[str, Any] = {"decision_id": entry["decision_id"], "client_order_id": entry["client_order_id"]}
    if fusion is not None:
        levels |= {
            "stop_price": fusion.stop_price,
            "target_price": fusion.target_price,
            "exit_at": entry["as_of"] + timedelta(hours=fusion.horizon_hours),
        }
    if stop is not None and stop_of_entry and stop["stop_price"] is not None:
        levels["stop_price"] = stop["stop_price"]
    return item.model_copy(update=levels)


async def _fusion(connection: AsyncConnection, realm: str, decision_id: str) -> Fusion | None:
    query = select(DecisionRow.fusion).where(DecisionRow.realm == realm, DecisionRow.decision_id == decision_id)
    text = (await connection.execute(query)).scalar_one_or_none()
    return None if text is None else Fusion.model_validate_json(text)


async def _canonical_rows(connection: AsyncConnection, table: Table, realm: str) -> list[str]:
    """Each row as one line, sorted by its key; sorted here, because databases order text by different rules."""
    columns = [column for column in table.c if column.name != "realm" and column.info.get("digest", True)]
    keys = [place for place, column in enumerate(columns) if column.primary_key]
    query = select(*columns).where(table.c.realm == realm)
    lines = []
    async for row in await connection.stream(query):
        values = [_canonical(value, realm) for value in row]
        lines.append((tuple(str(values[place]) for place in keys), canonical_json(values) + "\n"))
    return [line for _key, line in sorted(lines)]


def _canonical(value: Any, realm: str) -> Any:
    """Decimals in plain form, times in UTC, and the name of a single run's realm out of every text.

    Request ids begin with the workflow's id and that with the realm: two runs of one history differ in nothing else.
    """
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, str) and "-" in realm:
        return value.replace(realm, "REALM")
    return value
