"""Several sources of one venue as one: the best answers, and who does not is left for the next (C64, C68)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from activities.market.port import MarketData, MarketRefused, MarketUnavailable
from trading.candles import CandleSeries, bucket_start, step_of
from trading.orders.symbols import BookTop
from trading.watching.quality import Answer, SourceQuality, judged, ranked

log = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE_S = 2.0
"""A source that has not answered by then is left: two silent ones cost less than the five seconds of C64."""

STALE_CANDLES = 2
"""A source whose newest candle is more than this many behind is asked about again elsewhere."""


class Source(MarketData, Protocol):
    """A source that also says what time it is in its market."""

    async def market_time(self) -> datetime: ...


class RankedSources:
    """`MarketData` of one venue over several addresses of it, asked in the order of their scores.

    A source that is dead, slow or behind loses score and the next one is asked in the same call. Refusals are answers
    and final. Where nobody answers, `MarketUnavailable`: nothing remembered takes the place of an answer, so nothing
    old opens a position. Scores are this process's own.
    """

    def __init__(self, sources: Sequence[tuple[str, Source]], *, patience_s: float = PATIENCE_S) -> None:
        if not sources:
            raise ValueError("market data needs at least one source")
        self._sources = dict(sources)
        if len({(source.venue, source.base_timeframe) for source in self._sources.values()}) != 1:
            raise ValueError(f"sources of one venue and timeframe are allowed, not {', '.join(self._sources)}")
        self._patience_s = patience_s
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
            return _behind(series, timeframe, as_of) > STALE_CANDLES

        def less_stale(one: CandleSeries, other: CandleSeries) -> CandleSeries:
            return min(one, other, key=lambda series: _behind(series, timeframe, as_of))

        return await self._first(
            lambda source: source.candles(symbol, timeframe, as_of=as_of, limit=limit), is_stale, less_stale
        )

    async def check(self, symbol: str, *, as_of: datetime) -> tuple[SourceQuality, ...]:
        """Ask every source for its newest candles, so that one that was left can come back; the scores after it."""
        for name in self._sources:
            try:
                series = await self._asked(
                    name, lambda source: source.candles(symbol, self.base_timeframe, as_of=as_of, limit=2)
                )
            except MarketUnavailable as error:
                log.warning("%s: %s", name, error)
                continue
            except MarketRefused:  # it answers, and has no such symbol
                self._judge(name, Answer.GOOD)
                continue
            is_behind = _behind(series, self.base_timeframe, as_of) > STALE_CANDLES
            self._judge(name, Answer.STALE if is_behind else Answer.GOOD)
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
        for name in [one.name for one in self.quality]:
            try:
                answer = await self._asked(name, ask)
            except MarketUnavailable as error:
                log.warning("%s is left for the next source: %s", name, error)
                silent = error
                continue
            if not is_stale(answer):
                self._judge(name, Answer.GOOD)
                return answer
            self._judge(name, Answer.STALE)
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
            self._judge(name, Answer.SLOW)
            raise MarketUnavailable(f"{name}: no answer within {self._patience_s:g} s") from None
        except MarketUnavailable:
            self._judge(name, Answer.FAILED)
            raise

    def _judge(self, name: str, answer: Answer) -> None:
        self._quality[name] = judged(self._quality[name], answer)


def _behind(series: CandleSeries, timeframe: str, as_of: datetime) -> int:
    """How many closed candles the series lacks at `as_of`."""
    if not series.candles:
        return STALE_CANDLES + 1
    step = step_of(timeframe)
    return (bucket_start(as_of, step) - step - series.candles[-1].open_time) // step
