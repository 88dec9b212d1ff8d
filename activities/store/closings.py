"""Books that a wiped venue ends: in doubt after one look, closed by the second, in one transaction (venue.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, and_, delete, insert, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.audit import note
from activities.store.engine import Database
from activities.store.holdings import position_values
from activities.store.order_rows import intent_of
from activities.store.ports.faults import StoreRefused
from activities.store.ports.journal import IntentRefused
from activities.store.tables import (
    AccountRow,
    BalanceRow,
    EntryPlanRow,
    EquityRow,
    FillRow,
    GateRow,
    LedgerClosingRow,
    MarkRow,
    OrderRow,
    PositionRow,
    PromiseRow,
)
from activities.store.valuing import load_positions, marked_account
from trading.ids import canonical_json, stamp
from trading.ledger.balances import USD_ASSETS
from trading.ledger.venue_reset import VENUE_RESET, LedgerClosing, may_be_wiped
from trading.money import ZERO, plain
from trading.orders.models import TERMINAL, Leg, OrderRequest, OrderStatus, Side
from trading.orders.slicing import first_order_id

WHO = "maintenance"
_UNFINISHED = sorted(status.value for status in set(OrderStatus) - TERMINAL)


class ClosingRows:
    """`LedgerClosings` over the tables."""

    _database: Database

    async def heed_wipe(
        self,
        realm: str,
        account: str,
        *,
        look: datetime,
        at: datetime,
        is_gone: bool,
        balances: Sequence[tuple[str, Decimal]],
    ) -> LedgerClosing | None:
        if not may_be_wiped(realm):
            raise StoreRefused(f"no ledger of {realm} is closed for a wiped venue: that is an alarm there")
        async with self._database.write() as connection:
            await self._database.serialise(connection, realm, account)
            rows = (await connection.execute(_of(realm, account))).mappings().all()
            done = next((row for row in rows if row["closed_by_look"] == look), None)
            if done is not None:
                return _closing(done)
            doubt = next((row for row in rows if row["closed_at"] is None), None)
            if not is_gone:
                if doubt is not None:
                    await self._dismiss(connection, doubt)
                return None
            if doubt is None:
                doubt = await self._doubt(connection, realm, account, look)
            if doubt["seen_at"] >= look:
                return _closing(doubt)
            return await self._close(connection, doubt, look=look, at=at, balances=balances)

    async def _doubt(self, connection: AsyncConnection, realm: str, account: str, look: datetime) -> RowMapping:
        empty = {"symbols": "[]", "executions": "[]", "books": "{}"}
        row = {"realm": realm, "account": account, "seen_at": look, "closed_as": VENUE_RESET, **empty}
        await connection.execute(insert(LedgerClosingRow), row)
        reason = "the venue knows none of the account's orders any more; nothing is sent before a second look"
        await self._note_closing(connection, realm, account, look, "ledger in doubt", reason)
        made: RowMapping = (await connection.execute(_of(realm, account).limit(1))).mappings().one()
        return made

    async def _dismiss(self, connection: AsyncConnection, doubt: RowMapping) -> None:
        realm, account, seen_at = doubt["realm"], doubt["account"], doubt["seen_at"]
        await connection.execute(delete(LedgerClosingRow).where(_is(doubt)))
        reason = "a second look found the account's orders"
        await self._note_closing(connection, realm, account, seen_at, "ledger stands", reason)

    async def _close(
        self,
        connection: AsyncConnection,
        doubt: RowMapping,
        *,
        look: datetime,
        at: datetime,
        balances: Sequence[tuple[str, Decimal]],
    ) -> LedgerClosing:
        """The old books to history, and new ones with what the venue says; permits of before are void."""
        realm, account = doubt["realm"], doubt["account"]
        names = {"realm": realm, "account": account}
        name = f"{VENUE_RESET}-{stamp(at)}"
        before = await marked_account(connection, realm, account, {})
        held = await load_positions(connection, realm, account)
        brought = select(BalanceRow.asset, BalanceRow.opening, BalanceRow.flows).where(
            BalanceRow.realm == realm, BalanceRow.account == account
        )
        old = (await connection.execute(brought)).mappings().all()
        executions, symbols = await _unfinished(connection, realm, account)
        symbols |= {position.symbol for position in held if position.quantity}
        cash = sum((amount for asset, amount in balances if asset in USD_ASSETS), ZERO)

        await _end_orders(connection, realm, account, name)
        for table in (PositionRow, BalanceRow, PromiseRow, MarkRow):
            await connection.execute(delete(table).where(table.realm == realm, table.account == account))
        if balances:
            new = [{**names, "asset": asset, "opening": amount, "flows": ZERO} for asset, amount in balances]
            await connection.execute(insert(BalanceRow), new)
        mine = and_(AccountRow.realm == realm, AccountRow.account == account)
        await connection.execute(update(AccountRow).where(mine).values(opened_as_of=at, opening_equity_usd=cash))
        equity = {**names, "as_of": at, "equity_usd": cash, "cash_usd": cash, "peak_equity_usd": cash}
        await connection.execute(self._database.upsert(EquityRow, ("realm", "account", "as_of")), equity)
        gate = and_(GateRow.realm == realm, GateRow.account == account)
        await connection.execute(update(GateRow).where(gate).values(epoch=GateRow.epoch + 1))

        books = {
            "balances": [dict(row) for row in old],
            "positions": [position_values(realm, position) for position in held],
        }
        values = {
            "closed_by_look": look,
            "closed_at": at,
            "equity_usd": before.equity_usd,
            "opened_with_usd": cash,
            "symbols": json.dumps(sorted(symbols)),
            "executions": json.dumps(sorted(executions)),
            "books": canonical_json(books),
        }
        await connection.execute(update(LedgerClosingRow).where(_is(doubt)).values(**values))
        reason = f"two looks found none of its orders; {plain(before.equity_usd)} USD were, {plain(cash)} USD are there"
        await self._note_closing(connection, realm, account, look, f"ledger closed as {VENUE_RESET}", reason)
        return _closing({**doubt, **values})

    async def _note_closing(
        self, connection: AsyncConnection, realm: str, account: str, look: datetime, what: str, reason: str
    ) -> None:
        name = f"{VENUE_RESET}:{account}:{stamp(look)}:{what}"
        await note(self._database, connection, realm, name, account, what=what, who=WHO, reason=reason)


async def venue_resets(connection: AsyncConnection, realm: str) -> list[dict[str, Any]]:
    """Books that a wiped test venue put in doubt (`closed_at` is null) or ended, the newest first."""
    names = ("account", "seen_at", "closed_at", "closed_as", "equity_usd", "opened_with_usd")
    rows = await connection.execute(
        select(*(getattr(LedgerClosingRow, name) for name in names))
        .where(LedgerClosingRow.realm == realm)
        .order_by(LedgerClosingRow.seen_at.desc(), LedgerClosingRow.account)
    )
    return [dict(row) for row in rows.mappings()]


async def check_books(database: Database, connection: AsyncConnection, request: OrderRequest) -> None:
    """Raise `IntentRefused` for an order that a wiped venue must not get: any in doubt, then exits of what is gone.

    A fresh account at a test venue holds base assets: an exit of a position that vanished would sell these.
    """
    if not may_be_wiped(request.realm):
        return
    await database.serialise(connection, request.realm, request.account)
    newest = (await connection.execute(_of(request.realm, request.account))).mappings().first()
    if newest is None:
        return
    if newest["closed_at"] is None:
        raise IntentRefused(VENUE_RESET, f"the venue knew no order of {request.account} at {newest['seen_at']}")
    bought = select(OrderRow.client_order_id).where(
        OrderRow.realm == request.realm,
        OrderRow.account == request.account,
        OrderRow.symbol == request.symbol,
        OrderRow.side == Side.BUY.value,
        OrderRow.closed_with.is_(None),
        or_(OrderRow.sends > 0, OrderRow.venue_order_id.is_not(None)),
    )
    if not request.raises_exposure and (await connection.execute(bought.limit(1))).first() is None:
        raise IntentRefused(VENUE_RESET, f"what {request.account} held of {request.symbol} is gone with the old ledger")


async def _unfinished(connection: AsyncConnection, realm: str, account: str) -> tuple[set[str], set[str]]:
    """Entries and plans that were still followed, by the ids their executions are named after; symbols with orders."""
    mine = and_(OrderRow.realm == realm, OrderRow.account == account, OrderRow.closed_with.is_(None))
    rows = (
        await connection.execute(select(OrderRow.__table__).where(mine, OrderRow.status.in_(_UNFINISHED)))
    ).mappings()
    orders = [intent_of(row).request for row in rows]
    plans = select(EntryPlanRow.client_order_id).where(
        EntryPlanRow.realm == realm, EntryPlanRow.account == account, EntryPlanRow.ended_because.is_(None)
    )
    planned = set((await connection.execute(plans)).scalars())
    entries = {first_order_id(order) for order in orders if order.leg is Leg.ENTRY}
    return planned | entries, {order.symbol for order in orders}


async def _end_orders(connection: AsyncConnection, realm: str, account: str, name: str) -> None:
    """Nothing is open any more; trade ids are told apart from those that the venue will give again."""
    orders = and_(OrderRow.realm == realm, OrderRow.account == account, OrderRow.closed_with.is_(None))
    ended = {"status": OrderStatus.EXPIRED.value, "reason": VENUE_RESET}
    await connection.execute(update(OrderRow).where(orders, OrderRow.status.in_(_UNFINISHED)).values(**ended))
    await connection.execute(update(OrderRow).where(orders).values(closed_with=name))
    fills = and_(FillRow.realm == realm, FillRow.account == account, FillRow.closed_with.is_(None))
    told_apart = literal(f"{name}:") + FillRow.trade_id
    await connection.execute(update(FillRow).where(fills).values(trade_id=told_apart, closed_with=name))
    plans = and_(EntryPlanRow.realm == realm, EntryPlanRow.account == account, EntryPlanRow.ended_because.is_(None))
    await connection.execute(update(EntryPlanRow).where(plans).values(ended_because=VENUE_RESET))


def _of(realm: str, account: str) -> Select[Any]:
    """The account's closings, the newest first."""
    mine = and_(LedgerClosingRow.realm == realm, LedgerClosingRow.account == account)
    return select(LedgerClosingRow.__table__).where(mine).order_by(LedgerClosingRow.seen_at.desc())


def _is(row: RowMapping) -> ColumnElement[bool]:
    return and_(
        LedgerClosingRow.realm == row["realm"],
        LedgerClosingRow.account == row["account"],
        LedgerClosingRow.seen_at == row["seen_at"],
    )


def _closing(row: Mapping[Any, Any]) -> LedgerClosing:
    return LedgerClosing(
        account=row["account"],
        seen_at=row["seen_at"],
        closed_at=row["closed_at"],
        symbols=tuple(json.loads(row["symbols"])),
        executions=tuple(json.loads(row["executions"])),
    )
