"""The port to what is remembered of markets: recent candles, and how good each source was lately (C64)."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from trading.candles import CandleSeries
from trading.watching.quality import Answer, SourceQuality


class KeptCandles(Protocol):
    """The newest closed candles of a venue, shared by its realms; of what was not heard for seven days, none."""

    async def keep_candles(self, venue: str, series: CandleSeries) -> None:
        """Add to what is kept of the series; series that were not added to for seven days of market time are dropped.

        Adding the same candles again changes nothing.
        """
        ...

    async def kept_candles(self, venue: str, symbol: str, timeframe: str, *, as_of: datetime) -> CandleSeries | None:
        """What had closed at `as_of`; `None` where the newest of that is more than seven days old."""
        ...


class SourceScores(Protocol):
    """How good the sources of a venue's market data are, as all its workers found together."""

    async def judge_source(self, venue: str, name: str, answer: Answer, *, place: int) -> SourceQuality:
        """Count one more answer of a source; its quality after it. `place` is the caller's order among equals."""
        ...

    async def source_scores(self, venue: str) -> tuple[SourceQuality, ...]:
        """Every source that was ever judged, the best first."""
        ...
