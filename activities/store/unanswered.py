"""Fills that no exit at the venue has answered: since when what was bought is held without one, in venue time."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from activities.store.tables import FillRow, OrderRow
from trading.orders.models import Leg, Side

_EVER = datetime.max.replace(tzinfo=UTC)
_IN_LIST = aliased(OrderRow)
_NAMES = ("realm", "account", "symbol")

_ANSWERED_AT = select(func.max(OrderRow.accepted_at)).where(
    *(getattr(OrderRow, name) == bindparam(name) for name in _NAMES),
    OrderRow.closed_with.is_(None),
    OrderRow.side == Side.SELL.value,
    OrderRow.accepted_at <= bindparam("before"),
)
_FILLED_AT = (
    select(func.min(FillRow.filled_at))
    .join(
        OrderRow,
        (OrderRow.realm == FillRow.realm)
        & (OrderRow.account == FillRow.account)
        & (OrderRow.client_order_id == FillRow.client_order_id),
    )
    .where(
        *(getattr(FillRow, name) == bindparam(name) for name in _NAMES),
        FillRow.closed_with.is_(None),
        FillRow.filled_at > bindparam("after"),
        FillRow.filled_at <= bindparam("before"),
        OrderRow.leg == Leg.ENTRY.value,
        OrderRow.side == Side.BUY.value,
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


async def unanswered_since(
    connection: AsyncConnection, realm: str, account: str, symbol: str, *, before: datetime = _EVER
) -> datetime | None:
    """The first fill of an entry after the newest exit that the venue has accepted; `None` where there is none.

    An exit answers every fill before it, and an entry that brought its exits along in one list needs no answer. With
    `before` the same as it was at that time.
    """
    names = {"realm": realm, "account": account, "symbol": symbol, "before": before}
    answered = (await connection.execute(_ANSWERED_AT, names)).scalar_one()
    after = answered or datetime.min.replace(tzinfo=UTC)
    found: datetime | None = (await connection.execute(_FILLED_AT, names | {"after": after})).scalar_one()
    return found
