"""What reviews remember: each day's experiences and lessons, kept with the review's own row; the first one stays."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, bindparam, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.blobs import keep_blob, load_blob
from activities.store.engine import Database
from activities.store.ports.reviews import KeptReview
from activities.store.tables import ExperienceRow, LessonRow, ReportRow
from trading.ids import canonical_json, content_hash
from trading.review.day import DAILY_REVIEW, AccountDay, DayReview

ALL = "all"
"""The account of the row that holds a whole day's review."""

_ADD_EXPERIENCE, _ADD_LESSON = (insert(table) for table in (ExperienceRow, LessonRow))
_OF_PERIOD = and_(ReportRow.realm == bindparam("realm"), ReportRow.kind == DAILY_REVIEW, ReportRow.account == ALL)
_KEPT = select(ReportRow.content_hash).where(_OF_PERIOD, ReportRow.period == bindparam("period"))
_LATER = select(ReportRow.period).where(_OF_PERIOD, ReportRow.period > bindparam("period")).limit(1)
"""Built once: putting a statement together costs more than running it."""


class MemoryRows:
    """`Reviews` over the tables."""

    _database: Database

    async def find_day_review(self, realm: str, period: str) -> KeptReview | None:
        async with self._database.read() as connection:
            return await _kept(connection, realm, period)

    async def keep_day_review(self, realm: str, review: DayReview) -> KeptReview:
        text = canonical_json(review)
        name = content_hash(text)
        async with self._database.write() as connection:
            await self._database.serialise(connection, realm, DAILY_REVIEW, review.period)
            kept = await _kept(connection, realm, review.period)
            if kept is not None:
                return kept
            await keep_blob(self._database, connection, name, text, media_type="application/json")
            await self._database.add(
                connection,
                ReportRow,
                {
                    "realm": realm,
                    "kind": DAILY_REVIEW,
                    "account": ALL,
                    "period": review.period,
                    "as_of": review.as_of,
                    "content_hash": name,
                },
            )
            for statement, rows in (
                (_ADD_EXPERIENCE, [row for day in review.accounts for row in _experiences(realm, review, day)]),
                (_ADD_LESSON, [row for day in review.accounts for row in _lessons(realm, review, day)]),
            ):
                if rows:
                    await connection.execute(statement, rows)
            newest = await _is_newest(connection, realm, review.period)
        return KeptReview(content_hash=name, review=review, is_newest=newest)


def _experiences(realm: str, review: DayReview, day: AccountDay) -> list[dict[str, Any]]:
    return [
        {
            "realm": realm,
            "memory_id": "E" + content_hash("|".join((day.account, review.period, each.title)))[:11],
            "account": day.account,
            "period": review.period,
            "place": place,
            "is_lesson": each.title in day.lessons,
            "symbol": each.symbol,
            "kind": each.kind,
            "title": each.title,
            "text": each.text,
            "weight": each.weight,
            "evidence": canonical_json(each.evidence),
            "as_of": review.as_of,
        }
        for place, each in enumerate(day.experiences)
    ]


def _lessons(realm: str, review: DayReview, day: AccountDay) -> list[dict[str, Any]]:
    return [
        {
            "realm": realm,
            "memory_id": "L" + content_hash("|".join((day.account, review.period, lesson.title)))[:11],
            "account": day.account,
            "lesson_id": lesson.id,
            "period": review.period,
            "symbol": lesson.symbol,
            "action": lesson.action,
            "regime": lesson.regime,
            "kind": lesson.kind,
            "text": lesson.sentence,
            "lesson": canonical_json(lesson),
            "as_of": review.as_of,
        }
        for lesson in day.learned
    ]


async def _kept(connection: AsyncConnection, realm: str, period: str) -> KeptReview | None:
    name = (await connection.execute(_KEPT, {"realm": realm, "period": period})).scalar_one_or_none()
    text = None if name is None else await load_blob(connection, name)
    if name is None or text is None:
        return None
    return KeptReview(
        content_hash=name,
        review=DayReview.model_validate_json(text),
        was_kept_before=True,
        is_newest=await _is_newest(connection, realm, period),
    )


async def _is_newest(connection: AsyncConnection, realm: str, period: str) -> bool:
    later = await connection.execute(_LATER, {"realm": realm, "period": period})
    return later.scalar_one_or_none() is None
