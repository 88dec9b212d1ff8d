"""What a decision remembers, from SQL alone: recent decisions, similar ones that worked or failed, lessons (C08)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import groupby
from operator import attrgetter
from typing import Any, Literal, NamedTuple

from sqlalchemy import Select, and_, bindparam, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.tables import AccountOutcomeRow, DecisionRow, ExperienceRow, LessonRow, TradeOutcomeRow
from trading.decision.models import DecisionHead, MemoryItem, Recall
from trading.money import ZERO, plain

RECENT = 10
SIMILAR = 5
SIMILAR_LOOKED_AT = 200
"""How many closed trades of one symbol and regime are looked at for the five that worked and the five that failed."""

LESSONS = 5
LESSONS_OF_THE_SYMBOL = 3
LESSONS_LOOKED_AT = 50
"""How many of the newest changes of a symbol's lessons are looked at for the three that fit best."""

_EARLIER = and_(
    DecisionRow.realm == bindparam("realm"),
    DecisionRow.ledger == bindparam("ledger"),
    DecisionRow.finished.is_(True),
    DecisionRow.as_of < bindparam("as_of"),
)
_NEWEST_FIRST = (DecisionRow.as_of.desc(), DecisionRow.symbol, DecisionRow.decision_id)
_SHOWN = (DecisionRow.decision_id, DecisionRow.symbol, DecisionRow.as_of, DecisionRow.fusion, DecisionRow.trend_regime)
_CLOSED = and_(TradeOutcomeRow.realm == bindparam("realm"), TradeOutcomeRow.closed_at < bindparam("as_of"))


def _with_trades(chosen: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """The chosen decisions in their order, one row for each of their trades that had closed, or one without any."""
    each = chosen.subquery()
    return (
        select(*each.c, TradeOutcomeRow.pnl_usd, TradeOutcomeRow.return_fraction)
        .select_from(each)
        .outerjoin(TradeOutcomeRow, and_(TradeOutcomeRow.decision_id == each.c.decision_id, _CLOSED))
        .order_by(
            each.c.as_of.desc(), each.c.symbol, each.c.decision_id, TradeOutcomeRow.account, TradeOutcomeRow.symbol
        )
    )


_RECENT = _with_trades(select(*_SHOWN).where(_EARLIER).order_by(*_NEWEST_FIRST).limit(RECENT))
_REGIME = (
    select(DecisionRow.trend_regime)
    .where(_EARLIER, DecisionRow.symbol == bindparam("symbol"))
    .order_by(*_NEWEST_FIRST)
    .limit(1)
)
_SIMILAR = _with_trades(
    select(*_SHOWN)
    .where(
        _EARLIER,
        DecisionRow.symbol == bindparam("symbol"),
        DecisionRow.trend_regime == bindparam("regime"),
        DecisionRow.decision_id.in_(select(TradeOutcomeRow.decision_id).where(_CLOSED)),
    )
    .order_by(*_NEWEST_FIRST)
    .limit(RECENT + SIMILAR_LOOKED_AT)
)
_ENDS = (
    select(AccountOutcomeRow.decision_id, AccountOutcomeRow.outcome, AccountOutcomeRow.client_order_ids)
    .where(
        AccountOutcomeRow.realm == bindparam("realm"),
        AccountOutcomeRow.decision_id.in_(bindparam("decision_ids", expanding=True)),
    )
    .order_by(AccountOutcomeRow.decision_id, AccountOutcomeRow.place)
)
_LESSONS = (
    select(LessonRow.memory_id, LessonRow.lesson_id, LessonRow.regime, LessonRow.text, LessonRow.lesson)
    .add_columns(LessonRow.as_of)
    .where(
        LessonRow.realm == bindparam("realm"),
        LessonRow.account == bindparam("account"),
        LessonRow.symbol == bindparam("symbol"),
        LessonRow.as_of < bindparam("as_of"),
    )
    .order_by(LessonRow.as_of.desc(), LessonRow.memory_id)
    .limit(LESSONS_LOOKED_AT)
)
_LAST_DAY = (
    select(ExperienceRow.memory_id, ExperienceRow.title, ExperienceRow.text, ExperienceRow.as_of)
    .where(
        ExperienceRow.realm == bindparam("realm"),
        ExperienceRow.account == bindparam("account"),
        ExperienceRow.is_lesson.is_(True),
        or_(ExperienceRow.symbol.is_(None), ExperienceRow.symbol == bindparam("symbol")),
        ExperienceRow.as_of < bindparam("as_of"),
    )
    .order_by(ExperienceRow.as_of.desc(), ExperienceRow.place)
    .limit(LESSONS)
)
"""Built once: putting a statement together costs more than running it."""


class _Past(NamedTuple):
    row: Any
    pnl_usd: Decimal | None
    return_fraction: Decimal | None


class _Ends(NamedTuple):
    outcomes: dict[str, list[str]]
    traded: set[str]


async def gather(connection: AsyncConnection, head: DecisionHead) -> Recall:
    """Everything known strictly before the decision's time, newest first; the same facts give the same recall.

    Similar means: same symbol, and the trend regime of the symbol's newest finished decision.
    """
    names = {"realm": head.realm, "ledger": head.ledger, "symbol": head.symbol, "as_of": head.as_of}
    recent = _past(await connection.execute(_RECENT, names))
    regime = await _newest_regime(connection, names, recent)
    similar: list[_Past] = []
    if regime is not None:
        shown = {each.row.decision_id for each in recent}
        found = _past(await connection.execute(_SIMILAR, names | {"regime": regime}))
        similar = [each for each in found if each.row.decision_id not in shown][:SIMILAR_LOOKED_AT]
    worked = [each for each in similar if each.pnl_usd is not None and each.pnl_usd > 0][:SIMILAR]
    failed = [each for each in similar if each.pnl_usd is not None and each.pnl_usd <= 0][:SIMILAR]
    ends = await _ends(connection, head.realm, [*recent, *worked, *failed])
    return Recall(
        items=(
            *_items("decision", recent, ends),
            *_items("similar", worked, ends),
            *_items("failure", failed, ends),
            *await _lessons(connection, names | {"account": head.accounts[0]}, regime),
        )
    )


async def _lessons(connection: AsyncConnection, names: dict[str, Any], regime: str | None) -> list[MemoryItem]:
    """What reviews have taught the lead account: lessons on the symbol, those of its regime first, then the newest
    reviewed day's own. Five at most.
    """
    newest: dict[str, Any] = {}
    for row in await connection.execute(_LESSONS, names):
        newest.setdefault(row.lesson_id, row)
    ranked = sorted(newest.values(), key=lambda row: _fitness(row, regime))
    items = [
        MemoryItem(id=f"les:{row.memory_id}", kind="lesson", text=row.text, as_of=row.as_of)
        for row in ranked[:LESSONS_OF_THE_SYMBOL]
    ]
    day = (await connection.execute(_LAST_DAY, names)).all()
    items += [
        MemoryItem(id=f"les:{row.memory_id}", kind="lesson", text=f"{row.title}: {row.text}", as_of=row.as_of)
        for row in day
        if row.as_of == day[0].as_of
    ]
    return items[:LESSONS]


def _fitness(row: Any, regime: str | None) -> tuple[Any, ...]:
    """The best first: of this regime, validated, sure, often seen."""
    lesson = json.loads(row.lesson)
    return (
        row.regime != regime,
        not lesson["validated"],
        -Decimal(lesson["confidence"]),
        -lesson["sample_count"],
        row.lesson_id,
    )


async def _newest_regime(connection: AsyncConnection, names: dict[str, Any], recent: list[_Past]) -> str | None:
    """The trend regime of the symbol's newest finished decision; mostly that is one of the recent ones."""
    regimes: list[str | None] = [each.row.trend_regime for each in recent if each.row.symbol == names["symbol"]]
    if regimes or len(recent) < RECENT:
        return regimes[0] if regimes else None
    regime: str | None = (await connection.execute(_REGIME, names)).scalar_one_or_none()
    return regime


def _past(rows: Iterable[Any]) -> list[_Past]:
    """One for each decision, of the rows that `_with_trades` gives."""
    past: list[_Past] = []
    for _, group in groupby(rows, key=attrgetter("decision_id")):
        trades = list(group)
        gains = [row.pnl_usd for row in trades if row.pnl_usd is not None]
        fractions = [row.return_fraction for row in trades if row.return_fraction is not None]
        past.append(_Past(trades[0], sum(gains, ZERO) if gains else None, _mean(fractions)))
    return past


async def _ends(connection: AsyncConnection, realm: str, past: list[_Past]) -> _Ends:
    ends = _Ends({}, set())
    names = {"realm": realm, "decision_ids": [each.row.decision_id for each in past]}
    for decision_id, outcome, orders in await connection.execute(_ENDS, names):
        ends.outcomes.setdefault(decision_id, []).append(outcome)
        if json.loads(orders):
            ends.traded.add(decision_id)
    return ends


def _mean(values: list[Decimal]) -> Decimal | None:
    return sum(values, ZERO) / len(values) if values else None


def _items(kind: Literal["decision", "similar", "failure"], past: Iterable[_Past], ends: _Ends) -> list[MemoryItem]:
    return [
        MemoryItem(id=f"dec:{each.row.decision_id}", kind=kind, text=_line(each, ends), as_of=each.row.as_of)
        for each in past
    ]


def _line(past: _Past, ends: _Ends) -> str:
    """Time, symbol, action, size, outcome, and the result when known: `2020-03-12 10:00Z BTC/USDT open 4 %`."""
    fusion = json.loads(past.row.fusion) if past.row.fusion else {}
    size = Decimal(fusion.get("size_fraction", "0"))
    parts = [past.row.as_of.strftime("%Y-%m-%d %H:%MZ"), past.row.symbol, fusion.get("outcome", "abstain")]
    if size:
        parts.append(f"{_percent(size)} %")
    outcomes = ends.outcomes.get(past.row.decision_id)
    if outcomes:
        parts.append(f"({', '.join(dict.fromkeys(outcomes))})")
    if past.pnl_usd is None or past.return_fraction is None:
        parts.append("result pending" if past.row.decision_id in ends.traded else "no trade")
    else:
        word = "won" if past.pnl_usd > 0 else "lost"
        parts.append(f"{word} {plain(past.pnl_usd.quantize(Decimal('0.01'), rounding=ROUND_HALF_EVEN))} USD")
        parts.append(f"({_percent(past.return_fraction)} %)")
    return " ".join(parts)


def _percent(fraction: Decimal) -> str:
    return plain((fraction * 100).quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN))
