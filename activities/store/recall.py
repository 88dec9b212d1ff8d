"""What a decision remembers, from SQL alone: recent decisions, and similar ones that worked or failed (C08)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.tables import AccountOutcomeRow, DecisionRow, TradeOutcomeRow
from trading.decision.models import DecisionHead, MemoryItem, Recall
from trading.money import ZERO, plain

RECENT = 10
SIMILAR = 5
SIMILAR_LOOKED_AT = 200
"""How many closed trades of one symbol and regime are looked at for the five that worked and the five that failed."""


class _Past(NamedTuple):
    row: Any
    pnl_usd: Decimal | None
    return_fraction: Decimal | None
    outcomes: str
    traded: bool


async def gather(connection: AsyncConnection, head: DecisionHead) -> Recall:
    """Everything known strictly before the decision's time, newest first; the same facts give the same recall.

    Similar means: same symbol, and the trend regime of the symbol's newest finished decision.
    """
    earlier = and_(
        DecisionRow.realm == head.realm,
        DecisionRow.ledger == head.ledger,
        DecisionRow.finished.is_(True),
        DecisionRow.as_of < head.as_of,
    )
    newest_first = (DecisionRow.as_of.desc(), DecisionRow.symbol, DecisionRow.decision_id)
    recent = (
        await connection.execute(select(DecisionRow.__table__).where(earlier).order_by(*newest_first).limit(RECENT))
    ).all()
    regime = (
        await connection.execute(
            select(DecisionRow.trend_regime)
            .where(earlier, DecisionRow.symbol == head.symbol)
            .order_by(*newest_first)
            .limit(1)
        )
    ).scalar_one_or_none()
    similar = []
    if regime is not None:
        closed = select(TradeOutcomeRow.decision_id).where(
            TradeOutcomeRow.realm == head.realm, TradeOutcomeRow.closed_at < head.as_of
        )
        similar = list(
            await connection.execute(
                select(DecisionRow.__table__)
                .where(
                    earlier,
                    DecisionRow.symbol == head.symbol,
                    DecisionRow.trend_regime == regime,
                    DecisionRow.decision_id.in_(closed),
                    DecisionRow.decision_id.not_in([row.decision_id for row in recent]),
                )
                .order_by(*newest_first)
                .limit(SIMILAR_LOOKED_AT)
            )
        )
    past = await _with_outcomes(connection, head, [*recent, *similar])
    worked = [each for each in past[len(recent) :] if each.pnl_usd is not None and each.pnl_usd > 0][:SIMILAR]
    failed = [each for each in past[len(recent) :] if each.pnl_usd is not None and each.pnl_usd <= 0][:SIMILAR]
    return Recall(
        items=(
            *_items("decision", past[: len(recent)]),
            *_items("similar", worked),
            *_items("failure", failed),
        )
    )


async def _with_outcomes(connection: AsyncConnection, head: DecisionHead, rows: list[Any]) -> list[_Past]:
    ids = sorted({row.decision_id for row in rows})
    pnl: dict[str, Decimal] = {}
    returns: dict[str, list[Decimal]] = {}
    trades = await connection.execute(
        select(TradeOutcomeRow.decision_id, TradeOutcomeRow.pnl_usd, TradeOutcomeRow.return_fraction)
        .where(
            TradeOutcomeRow.realm == head.realm,
            TradeOutcomeRow.decision_id.in_(ids),
            TradeOutcomeRow.closed_at < head.as_of,
        )
        .order_by(TradeOutcomeRow.decision_id, TradeOutcomeRow.account, TradeOutcomeRow.symbol)
    )
    for decision_id, gain, fraction in trades:
        pnl[decision_id] = pnl.get(decision_id, ZERO) + gain
        returns.setdefault(decision_id, []).append(fraction)
    ends: dict[str, list[str]] = {}
    traded: set[str] = set()
    for decision_id, outcome, orders in await connection.execute(
        select(AccountOutcomeRow.decision_id, AccountOutcomeRow.outcome, AccountOutcomeRow.client_order_ids)
        .where(AccountOutcomeRow.realm == head.realm, AccountOutcomeRow.decision_id.in_(ids))
        .order_by(AccountOutcomeRow.decision_id, AccountOutcomeRow.place)
    ):
        ends.setdefault(decision_id, []).append(outcome)
        if json.loads(orders):
            traded.add(decision_id)
    return [
        _Past(
            row=row,
            pnl_usd=pnl.get(row.decision_id),
            return_fraction=_mean(returns.get(row.decision_id)),
            outcomes=", ".join(dict.fromkeys(ends.get(row.decision_id, []))),
            traded=row.decision_id in traded,
        )
        for row in rows
    ]


def _mean(values: list[Decimal] | None) -> Decimal | None:
    return sum(values, ZERO) / len(values) if values else None


def _items(kind: Literal["decision", "similar", "failure"], past: Iterable[_Past]) -> list[MemoryItem]:
    return [
        MemoryItem(id=f"dec:{each.row.decision_id}", kind=kind, text=_line(each), as_of=each.row.as_of) for each in past
    ]


def _line(past: _Past) -> str:
    """Time, symbol, action, size, outcome, and the result when known: `2020-03-12 10:00Z BTC/USDT open 4 %`."""
    fusion = json.loads(past.row.fusion) if past.row.fusion else {}
    size = Decimal(fusion.get("size_fraction", "0"))
    parts = [past.row.as_of.strftime("%Y-%m-%d %H:%MZ"), past.row.symbol, fusion.get("outcome", "abstain")]
    if size:
        parts.append(f"{_percent(size)} %")
    if past.outcomes:
        parts.append(f"({past.outcomes})")
    if past.pnl_usd is None or past.return_fraction is None:
        parts.append("result pending" if past.traded else "no trade")
    else:
        word = "won" if past.pnl_usd > 0 else "lost"
        parts.append(f"{word} {plain(past.pnl_usd.quantize(Decimal('0.01')))} USD")
        parts.append(f"({_percent(past.return_fraction)} %)")
    return " ".join(parts)


def _percent(fraction: Decimal) -> str:
    return plain((fraction * 100).quantize(Decimal("0.01")))
