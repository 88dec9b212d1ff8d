"""What is already known of one symbol's candles, and which part of a wish must still be asked for. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from trading.candles import Candle, CandleSeries, bucket_start, step_of

KEEP_CANDLES = 600
"""A snapshot wants 500; a hundred more let `as_of` go back a little without asking again."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Open times to ask the source for: from `first` (or the newest `count`) to `last`, both included."""

    first: datetime | None
    last: datetime
    count: int


class CandleHistory:
    """The newest closed candles of one symbol and timeframe, without a hole that the source did not have.

    `wish` says what to ask for, `learn` takes the answer, `serve` gives what was known at a time. Candles may arrive
    late at the source, so what comes after the newest one received is asked for again, never assumed to be a gap.
    """

    def __init__(self, symbol: str, timeframe: str) -> None:
        self.symbol = symbol
        self.timeframe = timeframe
        self._step = step_of(timeframe)
        self._candles: tuple[Candle, ...] = ()
        self._holds_first = False

    def wish(self, *, as_of: datetime, limit: int) -> Wish | None:
        """What is missing for the newest `limit` candles closed at `as_of`, or `None` where nothing is."""
        last = bucket_start(as_of, self._step) - self._step
        whole = Wish(first=None, last=last, count=max(limit, KEEP_CANDLES))
        if not self._candles:
            return whole
        newest = self._candles[-1].open_time
        if newest >= last:
            enough = self._holds_first or len(self.serve(as_of=as_of, limit=limit).candles) >= limit
            return None if enough else whole
        absent = (last - newest) // self._step
        reaches = self._holds_first or len(self._candles) >= limit
        if not reaches or absent > KEEP_CANDLES:
            return whole
        return Wish(first=newest + self._step, last=last, count=absent)

    def learn(self, wish: Wish, candles: Sequence[Candle]) -> None:
        """Take the answer to `wish`: an extension is appended, the newest whole window replaces what was there.

        A window that ends earlier than what is held (an `as_of` far back) is not kept: the newest is what comes next.
        """
        if wish.first is not None:
            self._keep((*self._candles, *candles), holds_first=self._holds_first)
        elif candles and not (self._candles and candles[-1].open_time < self._candles[-1].open_time):
            self._keep(tuple(candles), holds_first=len(candles) < wish.count)

    def serve(self, *, as_of: datetime, limit: int) -> CandleSeries:
        """The newest `limit` held candles that had closed at `as_of`."""
        return CandleSeries(self.symbol, self.timeframe, self._candles).closed_at(as_of).last(limit)

    def _keep(self, candles: tuple[Candle, ...], *, holds_first: bool) -> None:
        self._candles = candles[-KEEP_CANDLES:]
        self._holds_first = holds_first and len(candles) <= KEEP_CANDLES
