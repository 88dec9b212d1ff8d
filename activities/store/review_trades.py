"""Closed trades with their plans, orders and decision chains, and what holding the same symbols would have come to."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, RowMapping, Select, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.review_chains import Evidence, evidence_of, texts_of
from activities.store.tables import DecisionRow, FillRow, OrderRow, TradeOutcomeRow
from trading.money import ZERO
from trading.review.models import ClosedTrade, EntryPlan, ReviewedOrder, in_order

_PLANNED = (DecisionRow.fusion, DecisionRow.trend_regime, DecisionRow.risk_regime)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Held:
    """What equal parts of `symbols` came to; `change` is `None` where no symbol was observed twice.

    `last_prices` has the newest observed price of every symbol that was decided on.
    """

    change: Decimal | None
    symbols: tuple[str, ...]
    last_prices: dict[str, Decimal]


async def past_trades(
    connection: AsyncConnection, realm: str, account: str, *, until: datetime, since: datetime = _BEGINNING
) -> tuple[ClosedTrade, ...]:
    """Trades closed from `since` up to `until`, by time: result, regime and stated probability, without orders."""
    rows = await connection.execute(
        select(*_columns(TradeOutcomeRow, "realm"), *_PLANNED)
        .outerjoin(
            DecisionRow,
            and_(DecisionRow.realm == TradeOutcomeRow.realm, DecisionRow.decision_id == TradeOutcomeRow.decision_id),
        )
        .where(
            TradeOutcomeRow.realm == realm,
            TradeOutcomeRow.account == account,
            TradeOutcomeRow.closed_at >= since,
            TradeOutcomeRow.closed_at < until,
        )
    )
    return in_order(tuple(_trade(row) for row in rows.mappings()))


async def closed_trades(
    connection: AsyncConnection,
    realm: str,
    account: str,
    *,
    start: datetime,
    end: datetime,
    with_evidence: bool = True,
) -> tuple[ClosedTrade, ...]:
    """Trades closed in the period with all that is on record of them; the number of queries does not grow with them.

    Without evidence they have their orders only: what a comparison needs.
    """
    every = await past_trades(connection, realm, account, since=start, until=end)
    if not every:
        return ()
    spans = _spans(every, await _last_ends(connection, realm, account, before=start))
    orders = await reviewed_orders(
        connection,
        and_(
            OrderRow.realm == realm,
            OrderRow.account == account,
            OrderRow.as_of > min(span.after for span in spans),
            OrderRow.as_of < end,
        ),
    )
    by_symbol: dict[str, list[ReviewedOrder]] = {}
    for order in orders:
        by_symbol.setdefault(order.symbol, []).append(order)
    decisions = list(dict.fromkeys(span.trade.decision_id for span in spans)) if with_evidence else []
    evidence = await evidence_of(connection, realm, account, decisions)
    return tuple(
        _whole(span.trade, span.own(by_symbol.get(span.trade.symbol, [])), evidence.get(span.trade.decision_id))
        for span in spans
    )


@dataclass(frozen=True, slots=True)
class _Span:
    """A trade and when the one before it in its symbol ended: its own orders lie between."""

    trade: ClosedTrade
    after: datetime

    def own(self, orders: Sequence[ReviewedOrder]) -> tuple[ReviewedOrder, ...]:
        """Of `orders` of the symbol, by time, those of this trade."""
        first = bisect_right(orders, self.after, key=_when)
        return tuple(orders[first : bisect_right(orders, self.trade.closed_at, key=_when)])


def _when(order: ReviewedOrder) -> datetime:
    return order.as_of


async def _last_ends(connection: AsyncConnection, realm: str, account: str, *, before: datetime) -> dict[str, datetime]:
    """When the last trade of each symbol was closed before a time."""
    rows = await connection.execute(
        select(TradeOutcomeRow.symbol, func.max(TradeOutcomeRow.closed_at).label("last"))
        .where(TradeOutcomeRow.realm == realm, TradeOutcomeRow.account == account, TradeOutcomeRow.closed_at < before)
        .group_by(TradeOutcomeRow.symbol)
    )
    return {row.symbol: row.last for row in rows}


def _spans(every: Sequence[ClosedTrade], ends_before: dict[str, datetime]) -> list[_Span]:
    last = dict(ends_before)
    spans = []
    for trade in every:
        spans.append(_Span(trade, last.get(trade.symbol, _BEGINNING)))
        last[trade.symbol] = trade.closed_at
    return spans


def _columns(table: Any, *without: str) -> list[Any]:
    return [column for column in table.__table__.c if column.name not in without]


def _trade(row: RowMapping) -> ClosedTrade:
    fusion = json.loads(row["fusion"]) if row["fusion"] else {}
    return ClosedTrade(
        **{name: value for name, value in row.items() if name in ClosedTrade.model_fields},
        plan=EntryPlan(
            entry_price=fusion.get("entry_price"),
            stop_price=fusion.get("stop_price"),
            target_price=fusion.get("target_price"),
            horizon_hours=fusion.get("horizon_hours"),
            confidence=fusion.get("confidence"),
            win_probability=fusion.get("win_probability"),
            trend_regime=row["trend_regime"],
            risk_regime=row["risk_regime"],
        ),
    )


def _whole(trade: ClosedTrade, orders: tuple[ReviewedOrder, ...], evidence: Evidence | None) -> ClosedTrade:
    whole = trade.model_copy(update={"orders": orders})
    fills = [order.first_fill_at for order in whole.entries if order.first_fill_at is not None]
    plan = trade.plan
    if plan.entry_price is None and whole.entries:
        plan = plan.model_copy(update={"entry_price": whole.entries[0].reference_price})
    chain = None
    if evidence is not None:
        plan = evidence.completed(plan)
        chain = evidence.chain([order.client_order_id for order in orders])
    return whole.model_copy(update={"opened_at": min(fills, default=None), "plan": plan, "chain": chain})


class OrderQueries(NamedTuple):
    """When orders began and ended to fill, and the orders; put together once where they are asked often."""

    filled: Select[str, str, datetime, datetime]
    rows: Select[*tuple[Any, ...]]


def order_queries(where: ColumnElement[bool]) -> OrderQueries:
    """What `orders_by` asks of the orders that `where` is true of."""
    filled = (
        select(FillRow.account, FillRow.client_order_id, func.min(FillRow.filled_at), func.max(FillRow.filled_at))
        .join(
            OrderRow,
            and_(
                OrderRow.realm == FillRow.realm,
                OrderRow.account == FillRow.account,
                OrderRow.client_order_id == FillRow.client_order_id,
            ),
        )
        .where(where)
        .group_by(FillRow.account, FillRow.client_order_id)
    )
    return OrderQueries(filled, select(OrderRow.__table__).where(where))


async def orders_by(
    connection: AsyncConnection, queries: OrderQueries, names: dict[str, Any]
) -> tuple[ReviewedOrder, ...]:
    """Orders by time, with when they began and ended to fill."""
    found = (await connection.execute(queries.rows, names)).mappings().all()
    if not found:
        return ()
    filled = await connection.execute(queries.filled, names)
    spans = {(account, name): (first, last) for account, name, first, last in filled}
    orders = [_order(row, *spans.get((row["account"], row["client_order_id"]), (None, None))) for row in found]
    return tuple(sorted(orders, key=lambda order: (order.as_of, order.symbol, order.client_order_id)))


async def reviewed_orders(connection: AsyncConnection, where: ColumnElement[bool]) -> tuple[ReviewedOrder, ...]:
    """The orders that `where` is true of, by time."""
    return await orders_by(connection, order_queries(where), {})


def _order(row: RowMapping, first_fill_at: datetime | None, last_fill_at: datetime | None) -> ReviewedOrder:
    executed, quote = row["executed_quantity"], row["executed_quote"]
    price = quote / executed if executed else ZERO
    return ReviewedOrder(
        **{name: value for name, value in row.items() if name in ReviewedOrder.model_fields},
        commission_usd=row["commission_quote"] + row["commission_base"] * price,
        first_fill_at=first_fill_at,
        last_fill_at=last_fill_at,
    )


async def buy_and_hold(connection: AsyncConnection, realm: str, *, start: datetime, end: datetime) -> Held:
    """Equal parts of every symbol that was decided on, from its first to its last observed price of the period."""
    inside = and_(
        DecisionRow.realm == realm,
        DecisionRow.as_of >= start,
        DecisionRow.as_of < end,
        DecisionRow.snapshot_hash.is_not(None),
    )
    span = (
        select(
            DecisionRow.symbol, func.min(DecisionRow.as_of).label("first"), func.max(DecisionRow.as_of).label("last")
        )
        .where(inside)
        .group_by(DecisionRow.symbol)
        .subquery()
    )
    rows = await connection.execute(
        select(DecisionRow.symbol, DecisionRow.as_of, DecisionRow.snapshot_hash, span.c.first, span.c.last)
        .join(span, span.c.symbol == DecisionRow.symbol)
        .where(inside, (DecisionRow.as_of == span.c.first) | (DecisionRow.as_of == span.c.last))
        .order_by(DecisionRow.symbol, DecisionRow.as_of, DecisionRow.decision_id)
    )
    seen = [(symbol, name) for symbol, _, name, _, _ in rows]
    texts = await texts_of(connection, [name for _, name in seen])
    prices: dict[str, list[Decimal]] = {}
    for symbol, name in seen:
        if name in texts and (price := Decimal(json.loads(texts[name])["last_price"])) > 0:
            prices.setdefault(symbol, []).append(price)
    changes = {symbol: told[-1] / told[0] - 1 for symbol, told in sorted(prices.items()) if len(told) > 1}
    mean = sum(changes.values(), ZERO) / len(changes) if changes else None
    return Held(change=mean, symbols=tuple(changes), last_prices={name: told[-1] for name, told in prices.items()})
