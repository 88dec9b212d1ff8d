"""Accounts: what the owner brought, mode and epoch, marks and equity, closed trades."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.engine import Database
from activities.store.ports.faults import StoreRefused
from activities.store.tables import (
    AccountRow,
    AuditRow,
    BalanceRow,
    EquityRow,
    GateRow,
    MarkRow,
    OrderRow,
    TradeOutcomeRow,
)
from activities.store.valuing import EQUITY_BEFORE, account_row, equity_row, marked_account
from trading.ids import content_hash
from trading.ledger.balances import USD_ASSETS
from trading.money import ZERO
from trading.risk.models import Mode


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
            if await account_row(connection, realm, account) is None:
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
            opened = await account_row(connection, realm, account)
            if opened is None:
                raise StoreRefused(f"account {account} of {realm} is unknown: open it before its equity is recorded")
            if marks:
                await self._keep_marks(connection, realm, account, as_of, marks)
            marked = await marked_account(connection, realm, account, dict(marks))
            before = await equity_row(connection, EQUITY_BEFORE, realm, account, as_of)
            is_first = before is None or before.as_of < opened.opened_as_of  # of these books: a wiped venue ends some
            peak = opened.opening_equity_usd if before is None or is_first else before.peak_equity_usd
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
