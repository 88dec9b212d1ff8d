"""What a review reads of one account and period: trades, orders, decisions, equity, positions, models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.kept_prices import kept_prices
from activities.store.review_trades import buy_and_hold, closed_trades, past_trades, reviewed_orders
from activities.store.tables import (
    AccountOutcomeRow,
    AccountRow,
    AnswerRow,
    DecisionRow,
    EquityRow,
    FillRow,
    FindingRow,
    GateAnswerRow,
    MarkRow,
    OrderRow,
)
from activities.store.valuing import load_positions
from trading.ledger.positions import Position, position_of
from trading.money import ZERO
from trading.orders.models import Fill
from trading.review.comparison import AccountPeriod
from trading.review.models import ClosedTrade, DecisionTally, EquityPoint
from trading.review.review import ModelUse, PeriodRecords, PricedPosition
from trading.risk.models import GateAnswer

if TYPE_CHECKING:
    from activities.store.open import Store

LONGEST_HELD = timedelta(days=7)
"""How far before a period prices are read: a trade that was closed in it may have been entered earlier."""


async def period_records(store: Store, realm: str, account: str, *, start: datetime, end: datetime) -> PeriodRecords:
    """The records from `start` up to `end`, as one moment of the database shows them; raises `KeyError` where the
    realm has no such account.

    Nothing that happened at or after `end` is in them, the equity mark at `end` itself excepted: it closes the period.
    """
    async with store.database.read() as connection:
        opened = await _accounts(connection, realm)
        if account not in opened:
            known = ", ".join(sorted(opened)) or "none"
            raise KeyError(f"account {account!r} is unknown in realm {realm}: known are {known}")
        trades = await closed_trades(connection, realm, account, start=start, end=end)
        benchmark = await buy_and_hold(connection, realm, start=start, end=end)
        mine = opened[account]
        return PeriodRecords(
            realm=realm,
            account=account,
            venue=mine.venue,
            opened_at=mine.opened_as_of,
            opening_equity_usd=mine.opening_equity_usd,
            trades=trades,
            trades_before=await past_trades(connection, realm, account, until=start),
            orders=await reviewed_orders(
                connection,
                and_(
                    OrderRow.realm == realm, OrderRow.account == account, OrderRow.as_of >= start, OrderRow.as_of < end
                ),
            ),
            tally=await _tally(connection, realm, account, start=start, end=end),
            accounts=tuple(
                [
                    await _account_period(connection, realm, row, start=start, end=end, known=trades, of=account)
                    for _, row in sorted(opened.items())
                ]
            ),
            positions=await _positions(connection, realm, account, end=end, observed=benchmark.last_prices),
            models=await _models(connection, realm, start=start, end=end),
            playbook_versions=await _playbook_versions(connection, realm, end=end),
            buy_and_hold_return=benchmark.change,
            buy_and_hold_symbols=benchmark.symbols,
            prices=await kept_prices(connection, realm, since=start - LONGEST_HELD, until=end),
            last_record_at=await _last_record(connection, realm, account),
        )


async def _accounts(connection: AsyncConnection, realm: str) -> dict[str, AccountRow]:
    rows = (await connection.execute(select(AccountRow.__table__).where(AccountRow.realm == realm))).mappings()
    return {row["account"]: AccountRow(**row) for row in rows}


async def _account_period(
    connection: AsyncConnection,
    realm: str,
    row: AccountRow,
    *,
    start: datetime,
    end: datetime,
    known: tuple[ClosedTrade, ...],
    of: str,
) -> AccountPeriod:
    trades = known
    if row.account != of:
        trades = await closed_trades(connection, realm, row.account, start=start, end=end, with_evidence=False)
    return AccountPeriod(
        account=row.account, equity=await _equity(connection, row, start=start, end=end), trades=trades
    )


async def _equity(
    connection: AsyncConnection, account: AccountRow, *, start: datetime, end: datetime
) -> tuple[EquityPoint, ...]:
    """From the last point at or before `start` (the opening, where nothing was marked) to the one at `end`."""
    mine = and_(EquityRow.realm == account.realm, EquityRow.account == account.account)
    columns = (EquityRow.as_of, EquityRow.equity_usd)
    before = await connection.execute(
        select(*columns).where(mine, EquityRow.as_of <= start).order_by(EquityRow.as_of.desc()).limit(1)
    )
    within = await connection.execute(
        select(*columns).where(mine, EquityRow.as_of > start, EquityRow.as_of <= end).order_by(EquityRow.as_of)
    )
    first = [EquityPoint(at=at, equity_usd=usd) for at, usd in before]
    rest = [EquityPoint(at=at, equity_usd=usd) for at, usd in within]
    if not first and account.opened_as_of < end:
        first = [EquityPoint(at=account.opened_as_of, equity_usd=account.opening_equity_usd)]
    return (*first, *(point for point in rest if not first or point.at > first[0].at))


async def _tally(
    connection: AsyncConnection, realm: str, account: str, *, start: datetime, end: datetime
) -> DecisionTally:
    inside = _decided(realm, start, end)
    mine = and_(
        inside,
        AccountOutcomeRow.realm == DecisionRow.realm,
        AccountOutcomeRow.decision_id == DecisionRow.decision_id,
        AccountOutcomeRow.account == account,
    )
    ends = await connection.execute(
        select(AccountOutcomeRow.outcome, func.count()).where(mine).group_by(AccountOutcomeRow.outcome)
    )
    outcomes = _ranked((code, count) for code, count in ends)
    regimes = await connection.execute(
        select(DecisionRow.symbol, DecisionRow.trend_regime, func.count())
        .where(mine, DecisionRow.trend_regime.is_not(None))
        .group_by(DecisionRow.symbol, DecisionRow.trend_regime)
    )
    answers = await connection.execute(
        select(GateAnswerRow.answer).where(
            inside,
            GateAnswerRow.realm == DecisionRow.realm,
            GateAnswerRow.decision_id == DecisionRow.decision_id,
            GateAnswerRow.account == account,
        )
    )
    denials = [denial.code for text in answers.scalars() for denial in GateAnswer.model_validate_json(text).denials]
    findings = await connection.execute(
        select(FindingRow.code, func.count())
        .where(inside, FindingRow.realm == DecisionRow.realm, FindingRow.decision_id == DecisionRow.decision_id)
        .group_by(FindingRow.code)
    )
    costs = await connection.execute(
        select(AnswerRow.cost_usd).where(
            inside, AnswerRow.realm == DecisionRow.realm, AnswerRow.decision_id == DecisionRow.decision_id
        )
    )
    paid = list(costs.scalars())
    return DecisionTally(
        decisions=sum(count for _, count in outcomes),
        outcomes=outcomes,
        denials=_ranked(Counter(denials).items()),
        findings=_ranked((code, count) for code, count in findings),
        regimes=tuple(sorted((symbol, regime, count) for symbol, regime, count in regimes)),
        model_calls=len(paid),
        models_cost_usd=sum(paid, ZERO),
    )


def _decided(realm: str, start: datetime, end: datetime) -> ColumnElement[bool]:
    return and_(DecisionRow.realm == realm, DecisionRow.as_of >= start, DecisionRow.as_of < end)


def _ranked(counts: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts, key=lambda pair: (-pair[1], pair[0])))


async def _positions(
    connection: AsyncConnection, realm: str, account: str, *, end: datetime, observed: dict[str, Decimal]
) -> tuple[PricedPosition, ...]:
    """What was held at `end`: the stored position, or one computed anew where later fills have changed it.

    Its mark is the stored one where that is not of a later time, else the last price observed in the period.
    """
    marks = observed | {
        row.symbol: row.price
        for row in await connection.execute(
            select(MarkRow.symbol, MarkRow.price).where(
                MarkRow.realm == realm, MarkRow.account == account, MarkRow.as_of <= end
            )
        )
    }
    held: list[Position] = []
    for position in await load_positions(connection, realm, account):
        if position.last_fill_at is not None and position.last_fill_at >= end:
            position = await _position_at(connection, realm, position, end)
        if position.quantity:
            held.append(position)
    return tuple(PricedPosition(position=each, mark=marks.get(each.symbol)) for each in held)


async def _position_at(connection: AsyncConnection, realm: str, later: Position, end: datetime) -> Position:
    columns = [FillRow.__table__.c[name] for name in Fill.model_fields]
    rows = await connection.execute(
        select(*columns).where(
            FillRow.realm == realm,
            FillRow.account == later.account,
            FillRow.symbol == later.symbol,
            FillRow.filled_at < end,
            FillRow.closed_with.is_(None),
        )
    )
    return position_of(later.account, later.symbol, [Fill(**row) for row in rows.mappings()])


async def _models(connection: AsyncConnection, realm: str, *, start: datetime, end: datetime) -> tuple[ModelUse, ...]:
    rows = await connection.execute(
        select(AnswerRow.model, AnswerRow.is_rule_based, func.count())
        .where(
            _decided(realm, start, end),
            AnswerRow.realm == DecisionRow.realm,
            AnswerRow.decision_id == DecisionRow.decision_id,
        )
        .group_by(AnswerRow.model, AnswerRow.is_rule_based)
        .order_by(AnswerRow.model)
    )
    return tuple(ModelUse(name=name, is_rule_based=rules, answers=count) for name, rules, count in rows)


async def _playbook_versions(connection: AsyncConnection, realm: str, *, end: datetime) -> tuple[str, ...]:
    """Every version that decided before `end`, in the order of first use: the last one was in force at `end`."""
    rows = await connection.execute(
        select(DecisionRow.playbook_version, func.max(DecisionRow.as_of))
        .where(DecisionRow.realm == realm, DecisionRow.as_of < end)
        .group_by(DecisionRow.playbook_version)
    )
    used: Sequence[tuple[datetime, str]] = sorted((last, version) for version, last in rows)
    return tuple(version for _, version in used)


async def _last_record(connection: AsyncConnection, realm: str, account: str) -> datetime | None:
    newest = select(func.max(EquityRow.as_of)).where(EquityRow.realm == realm, EquityRow.account == account)
    found: datetime | None = (await connection.execute(newest)).scalar_one_or_none()
    return found
