"""Finished model answers: paid once, found again by (decision, step, model, prompt hash)."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.engine import Database
from activities.store.ports.decisions import StoredAnswer
from activities.store.tables import AnswerRow

_ANSWER = select(AnswerRow.__table__).where(
    *(
        AnswerRow.__table__.c[name] == bindparam(name)
        for name in ("realm", "decision_id", "step", "model", "prompt_hash")
    )
)
"""Built once: putting a statement together costs more than running it."""


class AnswerRows:
    """`Answers` over the tables."""

    _database: Database

    async def find_answer(
        self, realm: str, *, decision_id: str, step: str, model: str, prompt_hash: str
    ) -> StoredAnswer | None:
        async with self._database.read() as connection:
            return await _find(connection, realm, (decision_id, step, model, prompt_hash))

    async def keep_answer(self, realm: str, answer: StoredAnswer) -> StoredAnswer:
        async with self._database.write() as connection:
            values = {"realm": realm, **answer.model_dump(mode="python"), "finished_at": datetime.now(UTC)}
            if await self._database.add(connection, AnswerRow, values):
                return answer
            there = await _find(connection, realm, (answer.decision_id, answer.step, answer.model, answer.prompt_hash))
            return answer if there is None else there


async def _find(connection: AsyncConnection, realm: str, key: tuple[str, str, str, str]) -> StoredAnswer | None:
    decision_id, step, model, prompt_hash = key
    names = {"realm": realm, "decision_id": decision_id, "step": step, "model": model, "prompt_hash": prompt_hash}
    row = (await connection.execute(_ANSWER, names)).mappings().one_or_none()
    return None if row is None else StoredAnswer(**{name: row[name] for name in StoredAnswer.model_fields})
