"""What a person reads of the memory: lessons and experiences of a realm, newest first, and one of them whole."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select

from activities.store.open import Store
from activities.store.tables import ExperienceRow, LessonRow


async def memory_list(
    store: Store, realm: str, *, account: str | None = None, symbol: str | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """The newest `limit` of both kinds: id, kind, account, symbol, period, text, as_of. Ties by account and id."""
    rows: list[dict[str, Any]] = []
    async with store.database.read() as connection:
        for table, columns in (
            (LessonRow, (LessonRow.kind, LessonRow.text)),
            (ExperienceRow, (ExperienceRow.kind, ExperienceRow.text, ExperienceRow.title, ExperienceRow.is_lesson)),
        ):
            query = (
                select(table.memory_id, table.account, table.symbol, table.period, table.as_of, *columns)
                .where(table.realm == realm)
                .order_by(table.as_of.desc(), table.account, table.memory_id)
                .limit(limit)
            )
            if account is not None:
                query = query.where(table.account == account)
            if symbol is not None:
                query = query.where(table.symbol == symbol)
            rows += [_shown(dict(row)) for row in (await connection.execute(query)).mappings()]
    rows.sort(key=lambda row: (row["account"], row["id"]))
    rows.sort(key=lambda row: str(row["as_of"]), reverse=True)
    return rows[:limit]


async def memory_item(store: Store, realm: str, memory_id: str) -> dict[str, Any] | None:
    """One lesson or experience with its evidence, by the id that decisions quote (`les:` or not)."""
    name = memory_id.removeprefix("les:")
    async with store.database.read() as connection:
        for table in (LessonRow, ExperienceRow):
            query = select(table.__table__).where(table.realm == realm, table.memory_id == name)
            row = (await connection.execute(query)).mappings().one_or_none()
            if row is not None:
                return _whole(dict(row))
    return None


def _whole(row: dict[str, Any]) -> dict[str, Any]:
    whole = _shown(row)
    if "lesson" in row:
        lesson = json.loads(row["lesson"])
        kept = ("title", "sample_count", "confidence", "validation_trades", "validation_successes", "validated")
        whole |= {name: lesson[name] for name in kept}
        whole |= {"action": row["action"], "regime": row["regime"], "evidence": lesson["evidence"]}
    else:
        whole |= {"weight": format(row["weight"], "f"), "evidence": json.loads(row["evidence"])}
    return whole


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    shown = {
        "id": row["memory_id"],
        "memory": "experience" if "title" in row else "lesson",
        "kind": row["kind"],
        "account": row["account"],
        "symbol": row["symbol"],
        "period": row["period"],
        "as_of": row["as_of"].isoformat().replace("+00:00", "Z"),
        "text": row["text"],
    }
    if "title" in row:
        shown |= {"title": row["title"], "is_lesson_of_the_day": row["is_lesson"]}
    return shown
