"""Several sources of one venue as one: the best answers, and who does not is left for the next (C64, C68)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from activities.market.port import MarketData, MarketRefused, MarketUnavailable
from activities.store.ports.faults import StoreUnavailable
from activities.store.ports.market import SourceScores
from trading.candles import CandleSeries, bucket_start, step_of
from trading.orders.symbols import BookTop
from trading.watching.quality import Answer, SourceQuality, judged, ranked

log = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE_S = 2.0
"""A source that has not answered by then is left: two silent ones cost less than the five seconds of C64."""

STALE_CANDLES = 2
"""A source whose newest candle is more than this many behind is asked about again elsewhere."""


HEARD_EVERY_S = 30.0
"""How often a process asks what others found of the sources."""


class Source(MarketData, Protocol):
    """A source that also says what time it is in its market."""

    async def market_time(self) -> datetime: ...


class RankedSources:
    """`MarketData` of one venue over several addresses of it, asked in the order of their scores.

    A source that is dead, slow or behind loses score and the next one is asked in the same call. Refusals are answers
    and final. Where nobody answers, `MarketUnavailable`: nothing remembered takes the place of an answer, so nothing
    old opens a position. With `scores` all workers of the venue judge together: what one finds bad the others leave
    too within half a minute. While all is well nothing is written. Without, scores are this process's own.
    """

    def __init__(
        self,
        sources: Sequence[tuple[str, Source]],
        *,
        patience_s: float = PATIENCE_S,
        scores: SourceScores | None = None,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        if not sources:
            raise ValueError("market data needs at least one source")
        self._sources = dict(sources)
        if len({(source.venue, source.base_timeframe) for source in self._sources.values()}) != 1:
            raise ValueError(f"sources of one venue and timeframe are allowed, not {', '.join(self._sources)}")
        self._patience_s = patience_s
        self._scores = scores
        self._clock_s = clock_s
        self._heard_s: float | None = None
        self._quality = {name: SourceQuality(name=name, place=n) for n, name in enumerate(self._sources, 1)}
        first = next(iter(self._sources.values()))
        self.venue = first.venue
        self.base_timeframe = first.base_timeframe

    @property
    def quality(self) -> tuple[SourceQuality, ...]:
        """Every source, the best first."""
        return ranked(self._quality.values())

    async def market_time(self) -> datetime:
        return await self._first(lambda source: source.market_time())

    async def book_top(self, symbol: str, *, as_of: datetime) -> BookTop | None:
        return await self._first(lambda source: source.book_top(symbol, as_of=as_of))

    async def candles(self, symbol: str, timeframe: str, *, as_of: datetime, limit: int) -> CandleSeries:
        """As of `MarketData`; of sources that are all behind, the answer of the one that is least."""

        def is_stale(series: CandleSeries) -> bool:
            return behind(series, timeframe, as_of) > STALE_CANDLES

        def less_stale(one: CandleSeries, other: CandleSeries) -> CandleSeries:
            return min(one, other, key=lambda series: behind(series, timeframe, as_of))

        return await self._first(
            lambda source: source.candles(symbol, timeframe, as_of=as_of, limit=limit), is_stale, less_stale
        )

    async def check(self, symbol: str, *, as_of: datetime) -> tuple[SourceQuality, ...]:
        """Ask every source for its newest candles, so that one that was left can come back; the scores after it.

        Every answer counts in the shared scores, the good ones of a good source too.
        """
        await self._hear_others()
        for name in self._sources:
            try:
                series = await self._asked(
                    name, lambda source: source.candles(symbol, self.base_timeframe, as_of=as_of, limit=2)
                )
            except MarketUnavailable as error:
                log.warning("%s: %s", name, error)
                continue
            except MarketRefused:  # it answers, and has no such symbol
                await self._judge(name, Answer.GOOD, always=True)
                continue
            is_behind = behind(series, self.base_timeframe, as_of) > STALE_CANDLES
            await self._judge(name, Answer.STALE if is_behind else Answer.GOOD, always=True)
        return self.quality

    async def aclose(self) -> None:
        for source in self._sources.values():
            await source.aclose()

    async def _first(
        self,
        ask: Callable[[Source], Awaitable[T]],
        is_stale: Callable[[T], bool] = lambda answer: False,
        better: Callable[[T, T], T] = lambda one, other: one,
    ) -> T:
        """The first good answer by score; else the best of the stale ones."""
        stale: list[T] = []
        silent: MarketUnavailable | None = None
        await self._hear_others()
        for name in [one.name for one in self.quality]:
            try:
                answer = await self._asked(name, ask)
            except MarketUnavailable as error:
                log.warning("%s is left for the next source: %s", name, error)
                silent = error
                continue
            if not is_stale(answer):
                await self._judge(name, Answer.GOOD)
                return answer
            await self._judge(name, Answer.STALE)
            stale.append(answer)
        if stale:
            best = stale[0]
            for other in stale[1:]:
                best = better(best, other)
            return best
        assert silent is not None  # every source was asked, and none answered
        raise silent

    async def _asked(self, name: str, ask: Callable[[Source], Awaitable[T]]) -> T:
        """One answer of one source. The last one there is gets the time that it takes itself."""
        try:
            if len(self._sources) == 1:
                return await ask(self._sources[name])
            async with asyncio.timeout(self._patience_s):
                return await ask(self._sources[name])
        except TimeoutError:
            await self._judge(name, Answer.SLOW)
            raise MarketUnavailable(f"{name}: no answer within {self._patience_s:g} s") from None
        except MarketUnavailable:
            await self._judge(name, Answer.FAILED)
            raise

    async def _hear_others(self) -> None:
        """What other workers found, at most every half minute; where the database is away, what this one knows."""
        now_s = self._clock_s()
        if self._scores is None or (self._heard_s is not None and now_s - self._heard_s < HEARD_EVERY_S):
            return
        self._heard_s = now_s
        try:
            found = await self._scores.source_scores(self.venue)
        except StoreUnavailable as away:
            log.warning("scores of sources are this process's own: %s", away)
            return
        for one in found:
            if one.name in self._quality:
                self._quality[one.name] = one.model_copy(update={"place": self._quality[one.name].place})

    async def _judge(self, name: str, answer: Answer, *, always: bool = False) -> None:
        """Shared where it moves the score: a source that stays good, or dead, costs no write."""
        before, after = self._quality[name], judged(self._quality[name], answer)
        self._quality[name] = after
        if self._scores is None or (after.score == before.score and not always):
            return
        try:
            self._quality[name] = await self._scores.judge_source(self.venue, name, answer, place=before.place)
        except StoreUnavailable as away:
            log.warning("the score of %s is this process's own: %s", name, away)


def behind(series: CandleSeries, timeframe: str, as_of: datetime) -> int:
    """How many closed candles the series lacks at `as_of`."""
    if not series.candles:
        return STALE_CANDLES + 1
    step = step_of(timeframe)
    return (bucket_start(as_of, step) - step - series.candles[-1].open_time) // step
