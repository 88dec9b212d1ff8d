"""What a day's review reads of all accounts: the day's own records, and the lessons as they stood before it.

A campaign asks this every day: the questions are put together once, and each is asked of all accounts at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import BindParameter, and_, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.kept_prices import kept_prices
from activities.store.review_trades import buy_and_hold, closed_trades, order_queries, orders_by, past_trades
from activities.store.tables import (
    AccountOutcomeRow,
    AccountRow,
    AnswerRow,
    DecisionRow,
    EquityRow,
    FindingRow,
    GateAnswerRow,
    LessonRow,
    OrderRow,
    TradeOutcomeRow,
)
from trading.money import ZERO
from trading.review.comparison import AccountPeriod
from trading.review.day import AccountRecords, DayRecords
from trading.review.lessons import Lesson, lesson_book
from trading.review.models import ClosedTrade, DecisionTally, EquityPoint, ReviewedOrder
from trading.review.period import Period
from trading.review.review import ModelUse
from trading.risk.models import GateAnswer

if TYPE_CHECKING:
    from activities.store.open import Store

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_REALM: BindParameter[str] = bindparam("realm")
_START: BindParameter[datetime] = bindparam("start")
_END: BindParameter[datetime] = bindparam("end")
_ACCOUNTS: BindParameter[list[str]] = bindparam("accounts", expanding=True)

_OPENED = select(AccountRow.__table__).where(AccountRow.realm == _REALM)
_CLOSED = (
    select(TradeOutcomeRow.account, func.count().label("trades"))
    .where(TradeOutcomeRow.realm == _REALM, TradeOutcomeRow.closed_at >= _START, TradeOutcomeRow.closed_at < _END)
    .group_by(TradeOutcomeRow.account)
)
_ORDERS = order_queries(
    and_(OrderRow.realm == _REALM, OrderRow.account.in_(_ACCOUNTS), OrderRow.as_of >= _START, OrderRow.as_of < _END)
)
_MARKS = (
    select(EquityRow.account, EquityRow.as_of, EquityRow.equity_usd)
    .where(EquityRow.realm == _REALM, EquityRow.account.in_(_ACCOUNTS))
    .where(EquityRow.as_of > _START, EquityRow.as_of <= _END)
    .order_by(EquityRow.account, EquityRow.as_of)
)
_MARK_BEFORE = (
    select(EquityRow.as_of, EquityRow.equity_usd)
    .where(EquityRow.realm == _REALM, EquityRow.account == bindparam("account"), EquityRow.as_of <= _START)
    .order_by(EquityRow.as_of.desc())
    .limit(1)
)
_DECIDED = and_(DecisionRow.realm == _REALM, DecisionRow.as_of >= _START, DecisionRow.as_of < _END)


def _of_decided(table: Any) -> Any:
    return and_(_DECIDED, table.realm == DecisionRow.realm, table.decision_id == DecisionRow.decision_id)


_ENDS = (
    select(AccountOutcomeRow.account, AccountOutcomeRow.outcome, DecisionRow.symbol, DecisionRow.trend_regime)
    .add_columns(func.count())
    .where(_of_decided(AccountOutcomeRow))
    .group_by(AccountOutcomeRow.account, AccountOutcomeRow.outcome, DecisionRow.symbol, DecisionRow.trend_regime)
)
_GATES = select(GateAnswerRow.account, GateAnswerRow.answer).where(_of_decided(GateAnswerRow))
_FINDINGS = select(FindingRow.code, func.count()).where(_of_decided(FindingRow)).group_by(FindingRow.code)
_ANSWERS = select(AnswerRow.model, AnswerRow.is_rule_based, AnswerRow.cost_usd).where(_of_decided(AnswerRow))

_MINE = and_(LessonRow.realm == _REALM, LessonRow.account == bindparam("account"), LessonRow.as_of <= _START)
_NEWEST = (
    select(LessonRow.lesson_id, func.max(LessonRow.as_of).label("as_of"))
    .where(_MINE)
    .group_by(LessonRow.lesson_id)
    .subquery()
)
_BOOK = (
    select(LessonRow.lesson, LessonRow.as_of)
    .join(_NEWEST, and_(_NEWEST.c.lesson_id == LessonRow.lesson_id, _NEWEST.c.as_of == LessonRow.as_of))
    .where(_MINE)
)


async def day_records(store: Store, realm: str, accounts: Sequence[str], period: Period) -> DayRecords:
    """One day of `accounts`, as one moment of the database shows it; `KeyError` where the realm has no such account."""
    names = {"realm": realm, "accounts": list(accounts), "start": period.start, "end": period.end}
    async with store.database.read() as connection:
        rows = (await connection.execute(_OPENED, names)).mappings()
        opened = {row["account"]: AccountRow(**row) for row in rows}
        for name in accounts:
            if name not in opened:
                known = ", ".join(sorted(opened)) or "none"
                raise KeyError(f"account {name!r} is unknown in realm {realm}: known are {known}")
        before = await _closed(connection, names | {"start": _BEGINNING, "end": period.start})
        today = await _closed(connection, names)
        trades = {
            name: await closed_trades(connection, realm, name, start=period.start, end=period.end)
            for name in accounts
            if today[name]
        }
        equity = await _equity(connection, opened, names)
        orders = await orders_by(connection, _ORDERS, names)
        day = await _Decided.loaded(connection, names)
        return DayRecords(
            realm=realm,
            accounts=tuple(
                [
                    AccountRecords(
                        account=name,
                        opened_at=opened[name].opened_as_of,
                        opening_equity_usd=opened[name].opening_equity_usd,
                        trades=trades.get(name, ()),
                        orders=_of(orders, name),
                        tally=day.tally(name),
                        trades_before=before[name],
                        book=await book_before(connection, realm, name, period.start) if name in trades else (),
                    )
                    for name in accounts
                ]
            ),
            periods=tuple(_period(name, equity[name], trades.get(name, ())) for name in accounts),
            buy_and_hold_return=(await buy_and_hold(connection, realm, start=period.start, end=period.end)).change,
            models=day.models(),
            prices=await kept_prices(connection, realm, since=_needed_since(trades, period), until=period.end),
        )


def _of(orders: Sequence[ReviewedOrder], account: str) -> tuple[ReviewedOrder, ...]:
    return tuple(order for order in orders if order.account == account)


def _needed_since(trades: Mapping[str, Sequence[ClosedTrade]], period: Period) -> datetime:
    """When the first of the day's trades was entered: only a day with trades needs prices."""
    opened = [trade.opened_at for each in trades.values() for trade in each if trade.opened_at is not None]
    return min(opened, default=period.end)


def _period(account: str, equity: tuple[EquityPoint, ...], trades: tuple[ClosedTrade, ...]) -> AccountPeriod:
    return AccountPeriod(account=account, equity=equity, trades=trades)


async def _closed(connection: AsyncConnection, names: dict[str, Any]) -> Counter[str]:
    """How many trades each account closed."""
    return Counter({row.account: row.trades for row in await connection.execute(_CLOSED, names)})


async def _equity(
    connection: AsyncConnection, opened: dict[str, AccountRow], names: dict[str, Any]
) -> dict[str, tuple[EquityPoint, ...]]:
    """From the last point at or before the start (the opening, where nothing was marked) to the one at the end."""
    curves: dict[str, list[EquityPoint]] = {}
    for account in names["accounts"]:
        first = (await connection.execute(_MARK_BEFORE, names | {"account": account})).one_or_none()
        row = opened[account]
        points = [] if first is None else [EquityPoint(at=first.as_of, equity_usd=first.equity_usd)]
        if not points and row.opened_as_of < names["end"]:
            points = [EquityPoint(at=row.opened_as_of, equity_usd=row.opening_equity_usd)]
        curves[account] = points
    for mark in await connection.execute(_MARKS, names):
        points = curves[mark.account]
        if not points or mark.as_of > points[0].at:
            points.append(EquityPoint(at=mark.as_of, equity_usd=mark.equity_usd))
    return {account: tuple(points) for account, points in curves.items()}


class _Decided:
    """The day's decisions by how they ended, what they found and what they cost."""

    def __init__(self, ends: Sequence[Any], gates: Sequence[Any], findings: Sequence[Any], answers: Sequence[Any]):
        self._ends = ends
        self._denials: dict[str, Counter[str]] = {}
        for account, text in gates:
            codes = (denial.code for denial in GateAnswer.model_validate_json(text).denials)
            self._denials.setdefault(account, Counter()).update(codes)
        self._findings = ranked(Counter(dict(map(tuple, findings))))
        self._answers = answers

    @classmethod
    async def loaded(cls, connection: AsyncConnection, names: dict[str, Any]) -> _Decided:
        asked = [(await connection.execute(query, names)).all() for query in (_ENDS, _GATES, _FINDINGS, _ANSWERS)]
        return cls(*asked)

    def tally(self, account: str) -> DecisionTally:
        outcomes: Counter[str] = Counter()
        regimes: Counter[tuple[str, str]] = Counter()
        for whose, outcome, symbol, regime, count in self._ends:
            if whose == account:
                outcomes[outcome] += count
                if regime is not None:
                    regimes[(symbol, regime)] += count
        return DecisionTally(
            decisions=outcomes.total(),
            outcomes=ranked(outcomes),
            denials=ranked(self._denials.get(account, Counter())),
            findings=self._findings,
            regimes=tuple(sorted((symbol, regime, count) for (symbol, regime), count in regimes.items())),
            model_calls=len(self._answers),
            models_cost_usd=sum((cost for _, _, cost in self._answers), ZERO),
        )

    def models(self) -> tuple[ModelUse, ...]:
        used: Counter[tuple[str, bool]] = Counter((model, rules) for model, rules, _ in self._answers)
        return tuple(
            ModelUse(name=name, is_rule_based=rules, answers=count) for (name, rules), count in sorted(used.items())
        )


def ranked(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    """The most frequent first, ties by name."""
    return tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


async def book_before(connection: AsyncConnection, realm: str, account: str, start: datetime) -> tuple[Lesson, ...]:
    """The account's lessons at `start`, by title. Trades of days that nobody reviewed are learned from here."""
    rows = await connection.execute(_BOOK, {"realm": realm, "account": account, "start": start})
    kept = [(Lesson.model_validate_json(text), as_of) for text, as_of in rows]
    known_until = max((as_of for _, as_of in kept), default=_BEGINNING)
    missed = await past_trades(connection, realm, account, since=known_until, until=start)
    book = lesson_book(missed, known=[lesson for lesson, _ in kept])
    return tuple(sorted(book, key=lambda lesson: lesson.title))
