"""Fills that no exit at the venue has answered: since when what was bought is held without one, in venue time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from activities.store.tables import FillRow, OrderRow, TradeOutcomeRow
from trading.orders.models import RESTING, Leg, Side

_EVER = datetime.max.replace(tzinfo=UTC)
_IN_LIST = aliased(OrderRow)


def _of_symbol(table: type[Any]) -> Iterator[ColumnElement[bool]]:
    return (getattr(table, name) == bindparam(name) for name in ("realm", "account", "symbol"))


_IS_SALE = and_(*_of_symbol(OrderRow), OrderRow.closed_with.is_(None), OrderRow.side == Side.SELL.value)

_EXITS = select(OrderRow.status, OrderRow.observed_at).where(_IS_SALE, OrderRow.accepted_at.is_not(None))
_ANSWERED_AT = select(func.max(OrderRow.accepted_at)).where(_IS_SALE, OrderRow.accepted_at <= bindparam("before"))
_FILLED_AT = (
    select(func.min(FillRow.filled_at))
    .join(
        OrderRow,
        (OrderRow.realm == FillRow.realm)
        & (OrderRow.account == FillRow.account)
        & (OrderRow.client_order_id == FillRow.client_order_id),
    )
    .where(
        *_of_symbol(FillRow),
        FillRow.closed_with.is_(None),
        FillRow.filled_at > bindparam("after"),
        FillRow.filled_at <= bindparam("before"),
        OrderRow.leg == Leg.ENTRY.value,
        OrderRow.side == Side.BUY.value,
        ~select(TradeOutcomeRow.decision_id)
        .where(*_of_symbol(TradeOutcomeRow), TradeOutcomeRow.decision_id == OrderRow.decision_id)
        .exists(),
        ~select(_IN_LIST.client_order_id)
        .where(
            _IN_LIST.realm == OrderRow.realm,
            _IN_LIST.account == OrderRow.account,
            _IN_LIST.led_by == OrderRow.client_order_id,
            _IN_LIST.accepted_at.is_not(None),
        )
        .exists(),
    )
)
"""Built once: putting a statement together costs more than running it."""


async def naked_since(connection: AsyncConnection, realm: str, account: str, symbol: str) -> datetime | None:
    """Since when no exit rests at the venue: the first unanswered fill, or the end of the newest exit.

    `None` while an exit rests, and where nothing was ever bought.
    """
    names = {"realm": realm, "account": account, "symbol": symbol}
    exits = (await connection.execute(_EXITS, names)).all()
    if any(status in RESTING for status, _ in exits):
        return None
    unanswered = await unanswered_since(connection, realm, account, symbol)
    return unanswered or max((ended for _, ended in exits), default=None)


async def unanswered_since(
    connection: AsyncConnection, realm: str, account: str, symbol: str, *, before: datetime = _EVER
) -> datetime | None:
    """The first fill of an entry after the newest exit that the venue has accepted; `None` where there is none.

    An exit answers every fill before it; an entry that brought its exits along in one list needs no answer, and what
    a closed trade has left is dust. With `before` the same as it was at that time.
    """
    names = {"realm": realm, "account": account, "symbol": symbol, "before": before}
    answered = (await connection.execute(_ANSWERED_AT, names)).scalar_one()
    after = answered or datetime.min.replace(tzinfo=UTC)
    found: datetime | None = (await connection.execute(_FILLED_AT, names | {"after": after})).scalar_one()
    return found
