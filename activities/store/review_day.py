"""What a day's review reads of all accounts: the day's own records, and the lessons as they stood before it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.review_data import equity_of, models_of, opened_accounts, tally_of
from activities.store.review_trades import buy_and_hold, closed_trades, past_trades, reviewed_orders
from activities.store.tables import AccountRow, LessonRow, OrderRow, TradeOutcomeRow
from trading.review.comparison import AccountPeriod
from trading.review.day import AccountRecords, DayRecords
from trading.review.lessons import Lesson, lesson_book
from trading.review.period import Period

if TYPE_CHECKING:
    from activities.store.open import Store

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


async def day_records(store: Store, realm: str, accounts: Sequence[str], period: Period) -> DayRecords:
    """One day of `accounts`, as one moment of the database shows it; `KeyError` where the realm has no such account."""
    start, end = period.start, period.end
    async with store.database.read() as connection:
        opened = await opened_accounts(connection, realm)
        for name in accounts:
            if name not in opened:
                known = ", ".join(sorted(opened)) or "none"
                raise KeyError(f"account {name!r} is unknown in realm {realm}: known are {known}")
        mine = [await _account(connection, opened[name], start=start, end=end) for name in accounts]
        return DayRecords(
            realm=realm,
            accounts=tuple(mine),
            periods=tuple(
                [
                    AccountPeriod(
                        account=each.account,
                        equity=await equity_of(connection, opened[each.account], start=start, end=end),
                        trades=each.trades,
                    )
                    for each in mine
                ]
            ),
            buy_and_hold_return=(await buy_and_hold(connection, realm, start=start, end=end)).change,
            models=await models_of(connection, realm, start=start, end=end),
        )


async def _account(connection: AsyncConnection, row: AccountRow, *, start: datetime, end: datetime) -> AccountRecords:
    realm, account = row.realm, row.account
    trades = await closed_trades(connection, realm, account, start=start, end=end)
    ours = and_(OrderRow.realm == realm, OrderRow.account == account, OrderRow.as_of >= start, OrderRow.as_of < end)
    return AccountRecords(
        account=account,
        opened_at=row.opened_as_of,
        opening_equity_usd=row.opening_equity_usd,
        trades=trades,
        orders=await reviewed_orders(connection, ours),
        tally=await tally_of(connection, realm, account, start=start, end=end),
        trades_before=await _count_before(connection, realm, account, start),
        book=await book_before(connection, realm, account, start) if trades else (),
    )


async def _count_before(connection: AsyncConnection, realm: str, account: str, start: datetime) -> int:
    query = (
        select(func.count())
        .select_from(TradeOutcomeRow)
        .where(TradeOutcomeRow.realm == realm, TradeOutcomeRow.account == account, TradeOutcomeRow.closed_at < start)
    )
    return int((await connection.execute(query)).scalar_one())


async def book_before(connection: AsyncConnection, realm: str, account: str, start: datetime) -> tuple[Lesson, ...]:
    """The account's lessons at `start`, by title. Trades of days that nobody reviewed are learned from here."""
    mine = and_(LessonRow.realm == realm, LessonRow.account == account, LessonRow.as_of <= start)
    newest = (
        select(LessonRow.lesson_id, func.max(LessonRow.as_of).label("as_of"))
        .where(mine)
        .group_by(LessonRow.lesson_id)
        .subquery()
    )
    rows = await connection.execute(
        select(LessonRow.lesson, LessonRow.as_of)
        .join(newest, and_(newest.c.lesson_id == LessonRow.lesson_id, newest.c.as_of == LessonRow.as_of))
        .where(mine)
    )
    kept = [(Lesson.model_validate_json(text), as_of) for text, as_of in rows]
    known_until = max((as_of for _, as_of in kept), default=_BEGINNING)
    missed = await past_trades(connection, realm, account, since=known_until, until=start)
    book = lesson_book(missed, known=[lesson for lesson, _ in kept])
    return tuple(sorted(book, key=lambda lesson: lesson.title))
