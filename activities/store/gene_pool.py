"""The gene pool and its weeks: entries, events, records, examinations, and one row for each evolution."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.evolution.port import Examination, KeptEvolution, PoolRecords, StrategyWeek
from activities.store.blobs import keep_blob
from activities.store.engine import Database
from activities.store.gene_rows import (
    changing_values,
    entry_of,
    event_of,
    event_values,
    exam_values,
    lasting_values,
    reasons_of,
    record_of,
    week_values,
)
from activities.store.ports.faults import StoreRefused
from activities.store.tables import (
    EvolutionRow,
    ExaminationRow,
    HoldoutRow,
    PoolEntryRow,
    PoolEventRow,
    ReportRow,
    StrategyWeekRow,
)
from trading.evolution.pool import HoldoutUse, Pool
from trading.evolution.promotion import Promotion

KIND = "weekly-evolution"
ALL = "all"
REPORT_TYPE = "application/json"


class GenePoolRows:
    """`GenePool` over the tables."""

    _database: Database

    async def find_evolution(self, realm: str, period: str) -> KeptEvolution | None:
        async with self._database.read() as connection:
            return await _kept(connection, realm, period)

    async def gene_pool(self, realm: str, *, before: str) -> PoolRecords | None:
        async with self._database.read() as connection:
            newest = select(EvolutionRow.period).where(EvolutionRow.realm == realm).order_by(EvolutionRow.period.desc())
            latest = (await connection.execute(newest.limit(1))).scalar_one_or_none()
            if latest is None:
                return None
            if latest >= before:
                raise StoreRefused(f"{before} cannot be evolved after {latest}: weeks are evolved in their order")
            return PoolRecords(
                pool=await _pool(connection, realm, before),
                weeks=await _weeks(connection, realm),
                verdicts=await _verdicts(connection, realm),
            )

    async def evolution_reports(self, realm: str, *, until: datetime) -> tuple[str, ...]:
        query = (
            select(EvolutionRow.report_hash)
            .where(EvolutionRow.realm == realm, EvolutionRow.as_of <= until)
            .order_by(EvolutionRow.as_of)
        )
        async with self._database.read() as connection:
            return tuple((await connection.execute(query)).scalars())

    async def use_holdout(self, realm: str, use: HoldoutUse, *, period: str) -> None:
        row = {
            "realm": realm,
            "strategy": use.strategy,
            "starts_at": use.start,
            "ends_at": use.end,
            "period": period,
            "at": use.at,
        }
        async with self._database.write() as connection:
            await self._database.add(connection, HoldoutRow, row)

    async def keep_evolution(
        self,
        realm: str,
        kept: KeptEvolution,
        *,
        pool: Pool,
        weeks: Sequence[StrategyWeek],
        exams: Sequence[Examination],
        report: str,
    ) -> KeptEvolution:
        async with self._database.write() as connection:
            await self._database.serialise(connection, realm, "evolution")
            before = await _kept(connection, realm, kept.period)
            if before is not None:
                return before
            await keep_blob(self._database, connection, kept.report_hash, report, media_type=REPORT_TYPE)
            await self._keep_pool(connection, realm, kept.period, pool)
            for week in weeks:
                await self._database.add(connection, StrategyWeekRow, week_values(realm, week))
            for exam in exams:
                await self._database.add(connection, ExaminationRow, exam_values(realm, kept.period, exam))
            key = {"realm": realm, "period": kept.period}
            fields = {"as_of": kept.as_of, "report_hash": kept.report_hash, "pool_version": kept.pool_version}
            about = {"playbook_hash": kept.playbook_hash, "trials": pool.trials, "story": kept.story}
            await self._database.add(connection, EvolutionRow, {**key, **fields, **about})
            report_row = {"kind": KIND, "account": ALL, "as_of": kept.as_of, "content_hash": kept.report_hash}
            await self._database.add(connection, ReportRow, {**key, **report_row})
            return kept

    async def _keep_pool(self, connection: AsyncConnection, realm: str, period: str, pool: Pool) -> None:
        known = {row.strategy: row for row in await _entry_rows(connection, realm)}
        upsert = self._database.upsert(PoolEntryRow, ("realm", "strategy"))
        for place, entry in enumerate(pool.entries):
            row = known.get(entry.strategy.name)
            changing = changing_values(place, entry)
            if row is None or any(getattr(row, name) != value for name, value in changing.items()):
                await connection.execute(upsert, {**lasting_values(realm, entry), **changing})
        counted = select(func.count()).select_from(PoolEventRow).where(PoolEventRow.realm == realm)
        stored = (await connection.execute(counted)).scalar_one()
        for number, event in enumerate(pool.history[stored:], start=stored):
            await self._database.add(connection, PoolEventRow, event_values(realm, period, number, event))


async def _kept(connection: AsyncConnection, realm: str, period: str) -> KeptEvolution | None:
    query = select(EvolutionRow.__table__).where(EvolutionRow.realm == realm, EvolutionRow.period == period)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else KeptEvolution.model_validate({**row})


async def _entry_rows(connection: AsyncConnection, realm: str) -> Sequence[Any]:
    query = select(PoolEntryRow.__table__).where(PoolEntryRow.realm == realm).order_by(PoolEntryRow.place)
    return (await connection.execute(query)).all()


async def _event_rows(connection: AsyncConnection, realm: str) -> Sequence[Any]:
    query = select(PoolEventRow.__table__).where(PoolEventRow.realm == realm).order_by(PoolEventRow.number)
    return (await connection.execute(query)).all()


async def _pool(connection: AsyncConnection, realm: str, before: str) -> Pool:
    events = tuple(event_of(row) for row in await _event_rows(connection, realm))
    shown = (
        select(HoldoutRow.__table__)
        .where(and_(HoldoutRow.realm == realm, HoldoutRow.period < before))
        .order_by(HoldoutRow.at, HoldoutRow.strategy)
    )
    return Pool(
        entries=tuple(entry_of(row) for row in await _entry_rows(connection, realm)),
        history=events,
        holdouts=tuple(
            HoldoutUse(strategy=row.strategy, start=row.starts_at, end=row.ends_at, at=row.at)
            for row in await connection.execute(shown)
        ),
        trials=sum(event.lineage is not None for event in events),
    )


async def _weeks(connection: AsyncConnection, realm: str) -> Mapping[str, Sequence[StrategyWeek]]:
    query = (
        select(
            StrategyWeekRow.strategy,
            StrategyWeekRow.period,
            StrategyWeekRow.starts_at,
            StrategyWeekRow.ends_at,
            StrategyWeekRow.score,
            StrategyWeekRow.record,
            StrategyWeekRow.pending,
        )
        .where(StrategyWeekRow.realm == realm)
        .order_by(StrategyWeekRow.strategy, StrategyWeekRow.starts_at)
    )
    found: dict[str, list[StrategyWeek]] = {}
    for row in await connection.execute(query):
        found.setdefault(row.strategy, []).append(
            StrategyWeek(
                period=row.period,
                record=record_of(row.strategy, row.starts_at, row.ends_at, row.record),
                score=row.score,
                pending={symbol: datetime.fromisoformat(at) for symbol, at in json.loads(row.pending).items()},
            )
        )
    return found


async def _verdicts(connection: AsyncConnection, realm: str) -> Mapping[str, Promotion]:
    query = (
        select(ExaminationRow.strategy, ExaminationRow.promoted, ExaminationRow.against, ExaminationRow.figures)
        .where(ExaminationRow.realm == realm)
        .order_by(ExaminationRow.strategy, ExaminationRow.period)
    )
    return {
        row.strategy: Promotion(
            strategy=row.strategy,
            promoted=row.promoted,
            against=reasons_of(row.against),
            figures=json.loads(row.figures),
        )
        for row in await connection.execute(query)
    }
