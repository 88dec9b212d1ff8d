"""What is remembered of markets, over two tables that no realm owns: candles and the scores of sources (C64)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import RowMapping, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.engine import Database
from activities.store.tables import MarketCandlesRow, MarketSourceRow
from trading.candles import CandleSeries
from trading.watching.kept_candles import KEPT_FOR, from_text, joined, newest_close, still_counts, to_text
from trading.watching.quality import Answer, SourceQuality, judged, ranked

_SERIES = ("venue", "symbol", "timeframe")
_SOURCE = ("venue", "name")


class MarketMemoryRows:
    """`KeptCandles` and `SourceScores` over the tables."""

    _database: Database

    async def keep_candles(self, venue: str, series: CandleSeries) -> None:
        if not series.candles:
            return
        async with self._database.write() as connection:
            await self._database.serialise(connection, "candles", venue, series.symbol, series.timeframe)
            whole = joined(await _series(connection, venue, series.symbol, series.timeframe), series)
            row = {
                "venue": venue,
                "symbol": series.symbol,
                "timeframe": series.timeframe,
                "newest_close": newest_close(whole),
                "candles": to_text(whole),
            }
            await connection.execute(self._database.upsert(MarketCandlesRow, _SERIES), row)
            old = MarketCandlesRow.newest_close < newest_close(whole) - KEPT_FOR
            await connection.execute(delete(MarketCandlesRow).where(MarketCandlesRow.venue == venue, old))

    async def kept_candles(self, venue: str, symbol: str, timeframe: str, *, as_of: datetime) -> CandleSeries | None:
        async with self._database.read() as connection:
            kept = await _series(connection, venue, symbol, timeframe)
        known = None if kept is None else kept.closed_at(as_of)
        return known if known is not None and still_counts(known, as_of=as_of) else None

    async def judge_source(self, venue: str, name: str, answer: Answer, *, place: int) -> SourceQuality:
        async with self._database.write() as connection:
            await self._database.serialise(connection, "source", venue, name)
            query = select(MarketSourceRow.__table__).where(
                MarketSourceRow.venue == venue, MarketSourceRow.name == name
            )
            row = (await connection.execute(query)).mappings().one_or_none()
            before = SourceQuality(name=name, place=place) if row is None else _quality(row)
            after = judged(before.model_copy(update={"place": place}), answer)
            values = {
                "venue": venue,
                "name": name,
                "place": place,
                "score": after.score,
                "answers": json.dumps({kind.value: count for kind, count in sorted(after.answers.items())}),
                "last": answer.value,
                "judged_at": datetime.now(UTC),
            }
            await connection.execute(self._database.upsert(MarketSourceRow, _SOURCE), values)
        return after

    async def source_scores(self, venue: str) -> tuple[SourceQuality, ...]:
        query = select(MarketSourceRow.__table__).where(MarketSourceRow.venue == venue)
        async with self._database.read() as connection:
            return ranked([_quality(row) for row in (await connection.execute(query)).mappings()])


async def _series(connection: AsyncConnection, venue: str, symbol: str, timeframe: str) -> CandleSeries | None:
    query = select(MarketCandlesRow.candles).where(
        MarketCandlesRow.venue == venue, MarketCandlesRow.symbol == symbol, MarketCandlesRow.timeframe == timeframe
    )
    text = (await connection.execute(query)).scalar_one_or_none()
    return None if text is None else from_text(text, symbol=symbol, timeframe=timeframe)


def _quality(row: RowMapping) -> SourceQuality:
    return SourceQuality(
        name=row["name"],
        place=row["place"],
        score=Decimal(row["score"]),
        answers={Answer(kind): count for kind, count in json.loads(row["answers"]).items()},
        last=Answer(row["last"]),
    )
