"""What is held without an exit at the venue now, and how long what was bought has waited for one: venue time."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from activities.store.open import Store
from activities.store.open_trades import OpenTrade, open_trades
from activities.store.tables import OrderRow
from activities.store.unanswered import naked_since
from trading.orders.exits import PROTECTED_WITHIN_S


async def unprotected(store: Store, realm: str) -> list[dict[str, Any]]:
    """Open trades that filled and of which no exit rests at the venue: account, symbol, quantity, since when.

    The time is the venue's; where an exit has ended unfilled it is that end.
    """
    held = [trade for trade in await open_trades(store, realm) if _is_held(trade)]
    lines = []
    async with store.database.read() as connection:
        for trade in held:
            since = await naked_since(connection, realm, trade.account, trade.symbol)
            if since is not None:
                names = {"account": trade.account, "symbol": trade.symbol}
                lines.append(names | {"quantity": trade.quantity, "since": since})
    return lines


async def protection(store: Store, realm: str) -> dict[str, Any]:
    """Exits that answered a fill, how many of them came later than `PROTECTED_WITHIN_S`, and the longest wait."""
    query = select(OrderRow.unprotected_s).where(OrderRow.realm == realm, OrderRow.unprotected_s.is_not(None))
    async with store.database.read() as connection:
        waits = [wait for wait in (await connection.execute(query)).scalars() if wait is not None]
    late = sum(1 for wait in waits if wait > PROTECTED_WITHIN_S)
    return {"exits": len(waits), "late": late, "longest_s": max(waits, default=None)}


def _is_held(trade: OpenTrade) -> bool:
    """What an earlier trade has left is dust, until an entry of this one fills."""
    return trade.quantity > 0 and any(entry.is_filled for entry in trade.entries)
