"""Klines as Binance renders them, resampled from the source's own candles; closed rows are rendered once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from decimal import Decimal

from trading.matching.model import ZERO, Bar, Refusal
from workers.exchange_sim.market import Market
from workers.exchange_sim.rendering import eight

_MINUTE = 60_000
INTERVALS_MS = {
    **{f"{n}m": n * _MINUTE for n in (1, 3, 5, 15, 30)},
    **{f"{n}h": n * 60 * _MINUTE for n in (1, 2, 4, 6, 8, 12)},
    **{f"{n}d": n * 1440 * _MINUTE for n in (1, 3)},
    "1w": 7 * 1440 * _MINUTE,
}
_MONDAY = 4 * 1440 * _MINUTE  # 1970-01-05: weeks open on Mondays


class Resampled:
    """One symbol on one interval: complete buckets over all data; `rows` shows only what is known at an instant."""

    def __init__(self, market: Market, interval: str) -> None:
        span = INTERVALS_MS.get(interval)
        if span is None or span % market.step_ms:
            raise Refusal(-1120, "Invalid interval.")
        self._market = market
        self._span = span
        self._offset = _MONDAY if interval == "1w" else 0
        self._buckets = market.bars if span == market.step_ms else self._merge(market.bars)
        self._opens = [bucket.open_ms for bucket in self._buckets]
        self._rendered: list[str | None] = [None] * len(self._buckets)

    def _open_of(self, at_ms: int) -> int:
        return (at_ms - self._offset) // self._span * self._span + self._offset

    def _merge(self, bars: Sequence[Bar]) -> list[Bar]:
        merged: list[Bar] = []
        group: list[Bar] = []
        for bar in bars:
            if group and self._open_of(bar.open_ms) != self._open_of(group[0].open_ms):
                merged.append(self._joined(group))
                group = []
            group.append(bar)
        return [*merged, self._joined(group)]

    def _joined(self, group: Sequence[Bar]) -> Bar:
        open_ms = self._open_of(group[0].open_ms)
        return Bar(
            open_ms,
            open_ms + self._span,
            group[0].open,
            max(bar.high for bar in group),
            min(bar.low for bar in group),
            group[-1].close,
            sum((bar.volume for bar in group), ZERO),
        )

    def rows(self, *, now_ms: int, start_ms: int | None, end_ms: int | None, limit: int) -> list[str]:
        """Rendered rows by open time, oldest first: the first `limit` from `start_ms`, else the last `limit`."""
        known = bisect_right(self._opens, now_ms)
        low = 0 if start_ms is None else bisect_left(self._opens, start_ms, 0, known)
        high = known if end_ms is None else bisect_right(self._opens, end_ms, 0, known)
        if start_ms is None:
            low = max(low, high - limit)
        else:
            high = min(high, low + limit)
        return [self._row(index, now_ms) for index in range(low, high)]

    def _row(self, index: int, now_ms: int) -> str:
        bucket = self._buckets[index]
        if bucket.end_ms > now_ms:
            return _render(self._forming(bucket, now_ms))
        row = self._rendered[index]
        if row is None:
            row = self._rendered[index] = _render(bucket)
        return row

    def _forming(self, bucket: Bar, now_ms: int) -> Bar:
        """The bucket as far as it is known: its closed candles, and of the forming one only the open."""
        bars = self._market.bars
        first = bisect_left(self._market.opens, bucket.open_ms)
        last = self._market.index_at(now_ms)
        parts = [
            bar if bar.end_ms <= now_ms else bar._replace(high=bar.open, low=bar.open, close=bar.open, volume=ZERO)
            for bar in bars[first : last + 1]
        ]
        return self._joined(parts)._replace(open_ms=bucket.open_ms, end_ms=bucket.end_ms)


def quote_volume(bar: Bar) -> Decimal:
    """A candle file holds no quote volume: the volume at the mean of its four prices."""
    return bar.volume * (bar.open + bar.high + bar.low + bar.close) / 4


def _render(bar: Bar) -> str:
    quote = quote_volume(bar)
    prices = ",".join(f'"{eight(price)}"' for price in (bar.open, bar.high, bar.low, bar.close, bar.volume))
    trades = 4 if bar.volume else 0
    return (
        f"[{bar.open_ms},{prices},{bar.end_ms - 1},"
        f'"{eight(quote)}",{trades},"{eight(bar.volume / 2)}","{eight(quote / 2)}","0"]'
    )
