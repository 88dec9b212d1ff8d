"""Closed trades with their plans, orders and decision chains, and what holding the same symbols would have come to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.blobs import load_blob
from activities.store.tables import (
    DecisionRow,
    FillRow,
    FindingRow,
    GateAnswerRow,
    OrderRow,
    TradeOutcomeRow,
    VerificationRow,
)
from trading.decision.models import Action, Stance
from trading.facts.models import MarketSnapshot
from trading.money import ZERO
from trading.review.models import ClosedTrade, DecisionChain, EntryPlan, ReviewedOrder, in_order
from trading.review.opposition import opposing_ids

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
    connection: AsyncConnection, realm: str, account: str, *, start: datetime, end: datetime
) -> tuple[ClosedTrade, ...]:
    """Trades closed in the period with all that is on record of them."""
    every = await past_trades(connection, realm, account, until=end)
    return tuple(
        [
            await _whole(connection, realm, trade, after=_closed_before(trade, every))
            for trade in every
            if trade.closed_at >= start
        ]
    )


def _closed_before(trade: ClosedTrade, every: Sequence[ClosedTrade]) -> datetime:
    """When the trade before this one in the same symbol ended: its own orders come after that."""
    earlier = [t.closed_at for t in every if t.symbol == trade.symbol and t.closed_at < trade.closed_at]
    return max(earlier, default=_BEGINNING)


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


async def _whole(connection: AsyncConnection, realm: str, trade: ClosedTrade, *, after: datetime) -> ClosedTrade:
    orders = await reviewed_orders(
        connection,
        and_(
            OrderRow.realm == realm,
            OrderRow.account == trade.account,
            OrderRow.symbol == trade.symbol,
            OrderRow.as_of > after,
            OrderRow.as_of <= trade.closed_at,
        ),
    )
    whole = trade.model_copy(update={"orders": orders})
    fills = [order.first_fill_at for order in whole.entries if order.first_fill_at is not None]
    chain = await _chain(connection, realm, trade, orders)
    plan = trade.plan
    if plan.entry_price is None and whole.entries:
        plan = plan.model_copy(update={"entry_price": whole.entries[0].reference_price})
    if chain is not None:
        plan = await _with_market(connection, realm, plan, chain)
    return whole.model_copy(update={"opened_at": min(fills, default=None), "plan": plan, "chain": chain})


async def reviewed_orders(connection: AsyncConnection, where: ColumnElement[bool]) -> tuple[ReviewedOrder, ...]:
    """Orders by time, with when they began and ended to fill."""
    fills = (
        select(
            FillRow.realm,
            FillRow.account,
            FillRow.client_order_id,
            func.min(FillRow.filled_at).label("first_fill_at"),
            func.max(FillRow.filled_at).label("last_fill_at"),
        )
        .group_by(FillRow.realm, FillRow.account, FillRow.client_order_id)
        .subquery()
    )
    rows = await connection.execute(
        select(OrderRow.__table__, fills.c.first_fill_at, fills.c.last_fill_at)
        .outerjoin(
            fills,
            and_(
                fills.c.realm == OrderRow.realm,
                fills.c.account == OrderRow.account,
                fills.c.client_order_id == OrderRow.client_order_id,
            ),
        )
        .where(where)
    )
    orders = [_order(row) for row in rows.mappings()]
    return tuple(sorted(orders, key=lambda order: (order.as_of, order.symbol, order.client_order_id)))


def _order(row: RowMapping) -> ReviewedOrder:
    executed, quote = row["executed_quantity"], row["executed_quote"]
    price = quote / executed if executed else ZERO
    return ReviewedOrder(
        **{name: value for name, value in row.items() if name in ReviewedOrder.model_fields},
        commission_usd=row["commission_quote"] + row["commission_base"] * price,
    )


async def _chain(
    connection: AsyncConnection, realm: str, trade: ClosedTrade, orders: Sequence[ReviewedOrder]
) -> DecisionChain | None:
    decision = trade.decision_id
    query = select(DecisionRow.__table__).where(DecisionRow.realm == realm, DecisionRow.decision_id == decision)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        return None
    answers = await connection.execute(
        select(VerificationRow.answer_hash)
        .where(VerificationRow.realm == realm, VerificationRow.decision_id == decision)
        .order_by(VerificationRow.role, VerificationRow.step)
    )
    findings = await connection.execute(
        select(FindingRow.code)
        .where(FindingRow.realm == realm, FindingRow.decision_id == decision)
        .order_by(FindingRow.role, FindingRow.step, FindingRow.place)
    )
    gates = await connection.execute(
        select(GateAnswerRow.request_id)
        .where(
            GateAnswerRow.realm == realm,
            GateAnswerRow.decision_id == decision,
            GateAnswerRow.account == trade.account,
        )
        .order_by(GateAnswerRow.request_id)
    )
    return DecisionChain(
        decision_id=decision,
        cause=row["cause"],
        as_of=row["as_of"],
        playbook_version=row["playbook_version"],
        recall_hash=row["recall_hash"],
        snapshot_hash=row["snapshot_hash"],
        answer_hashes=tuple(name for name in answers.scalars() if name is not None),
        finding_codes=tuple(dict.fromkeys(findings.scalars())),
        gate_request_ids=tuple(gates.scalars()),
        client_order_ids=tuple(order.client_order_id for order in orders),
    )


async def _with_market(connection: AsyncConnection, realm: str, plan: EntryPlan, chain: DecisionChain) -> EntryPlan:
    """`plan` with the 24 h change at the entry, and how many opposing facts there were and were cited."""
    text = None if chain.snapshot_hash is None else await load_blob(connection, chain.snapshot_hash)
    if text is None:
        return plan
    snapshot = MarketSnapshot.model_validate_json(text)
    against = opposing_ids(snapshot)
    cited = await _cited(connection, realm, chain.decision_id)
    change = snapshot.by_id().get("change_24h")
    return plan.model_copy(
        update={
            "change_24h": change.value if change is not None and isinstance(change.value, Decimal) else None,
            "opposing_facts": len(against),
            "opposing_cited": len(against & cited),
        }
    )


async def _cited(connection: AsyncConnection, realm: str, decision: str) -> frozenset[str]:
    """What the accepted purchases of a decision cite."""
    rows = await connection.execute(
        select(VerificationRow.answer_hash, VerificationRow.stance).where(
            VerificationRow.realm == realm, VerificationRow.decision_id == decision
        )
    )
    cited: set[str] = set()
    for answer_hash, text in rows:
        stance = Stance.model_validate_json(text)
        if answer_hash is not None and stance.speaks and stance.action is Action.BUY:
            cited |= _cites_of(await load_blob(connection, answer_hash))
    return frozenset(cited)


def _cites_of(answer: str | None) -> set[str]:
    """The fact ids that a model's answer cites; an answer that is no JSON object cites nothing."""
    try:
        said = json.loads(answer or "null")
    except ValueError:
        return set()
    claims = said.get("claims", []) if isinstance(said, dict) else []
    return {str(cite) for claim in claims if isinstance(claim, dict) for cite in claim.get("cites", [])}


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
    prices: dict[str, list[Decimal]] = {}
    for symbol, _, snapshot_hash, _, _ in rows:
        if (price := await _price(connection, snapshot_hash)) is not None:
            prices.setdefault(symbol, []).append(price)
    changes = {symbol: seen[-1] / seen[0] - 1 for symbol, seen in sorted(prices.items()) if len(seen) > 1}
    mean = sum(changes.values(), ZERO) / len(changes) if changes else None
    return Held(change=mean, symbols=tuple(changes), last_prices={name: seen[-1] for name, seen in prices.items()})


async def _price(connection: AsyncConnection, snapshot_hash: str) -> Decimal | None:
    text = await load_blob(connection, snapshot_hash)
    if text is None:
        return None
    price = Decimal(json.loads(text)["last_price"])
    return price if price > 0 else None
