"""Closed candles and the book's top over Binance's public REST interface, of a real or a simulated venue."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import httpx

from activities.market.history import CandleHistory, Wish
from activities.market.port import MarketRefused, MarketUnavailable, TimeframeNotOffered
from trading.candle_quality import EPOCH, inspect
from trading.candles import Candle, CandleSeries, step_of
from trading.orders.symbols import BookTop

MAX_KLINES = 1000
"""The venue answers no more rows at once."""

LIVE_BOOK_LAG_S = 120
"""A book cannot be asked for in the past: where the clock runs it is read now, and belongs to an `as_of` at most this
old. An older observation raises no exposure anyway (architecture §3)."""

_MS = timedelta(milliseconds=1)
_REFUSALS = {400, 401, 403, 404, 451}
_INVALID_INTERVAL = -1120


class BinanceMarketData:
    """`MarketData` of one venue, with the newest 600 candles a symbol and timeframe kept, so that only new ones travel.

    Only candles that had closed at `as_of` and by the market's clock are returned, whatever `as_of` was asked before.
    With `market_time_is_replayed` the market's clock is the simulated venue's, and the book is given only while that
    clock shows exactly `as_of`, unless that clock runs by itself: then as in a live market.
    One client may serve many tasks of one event loop.
    """

    def __init__(
        self,
        *,
        venue: str,
        base_url: str,
        base_timeframe: str = "1h",
        market_time_is_replayed: bool = False,
        total_timeout_s: float = 5.0,
        transport: httpx.AsyncBaseTransport | None = None,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        step_of(base_timeframe)
        self.venue = venue
        self.base_timeframe = base_timeframe
        self._is_replayed = market_time_is_replayed
        self._clock_runs = not market_time_is_replayed
        self._total_timeout_s = total_timeout_s
        self._wall_clock = wall_clock
        self._seen_market_time: datetime | None = None
        self._heard_market_time: datetime | None = None
        self._silent_until_s = 0.0
        self._histories: dict[tuple[str, str], CandleHistory] = {}
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}
        self._http = httpx.AsyncClient(
            base_url=base_url,
            timeout=httpx.Timeout(total_timeout_s, connect=min(2.0, total_timeout_s)),
            trust_env=False,
            follow_redirects=False,
            transport=transport,
        )

    async def candles(self, symbol: str, timeframe: str, *, as_of: datetime, limit: int) -> CandleSeries:
        """The newest `limit` (at most 1000) candles that had closed at `as_of`, oldest first; fewer where the market
        is younger. Raises `MarketUnavailable` and `MarketRefused`."""
        if not 1 <= limit <= MAX_KLINES:
            raise ValueError(f"limit {limit} is out of range: allowed are 1 to {MAX_KLINES} candles")
        known_at = await self._bounded(as_of)
        key = (symbol, timeframe)
        async with self._locks.setdefault(key, asyncio.Lock()):
            history = self._histories.setdefault(key, CandleHistory(symbol, timeframe))
            wish = history.wish(as_of=known_at, limit=limit)
            if wish is None:
                return history.serve(as_of=known_at, limit=limit)
            fetched = await self._klines(symbol, timeframe, wish)
            history.learn(wish, fetched)
            if wish.first is None:
                return CandleSeries(symbol, timeframe, fetched).closed_at(known_at).last(limit)
            return history.serve(as_of=known_at, limit=limit)

    async def book_top(self, symbol: str, *, as_of: datetime) -> BookTop | None:
        """The book as it stands, said to be of `as_of`; `None` where the market's clock is too far from `as_of`, a side
        of the book is empty, or the venue has no book for the symbol. Raises `MarketUnavailable`."""
        try:
            row = await self._ask("/api/v3/ticker/bookTicker", {"symbol": _venue_symbol(symbol)})
        except MarketRefused:
            return None
        # Of the same answer, or asked after the book: what the clock shows then, the book cannot be later than.
        distance = abs((self._heard_market_time or await self.market_time()) - as_of)
        if distance > timedelta(seconds=LIVE_BOOK_LAG_S if self._clock_runs else 0):
            return None
        try:
            bid, ask = Decimal(row["bidPrice"]), Decimal(row["askPrice"])
            sizes = Decimal(row["bidQty"]), Decimal(row["askQty"])
        except (KeyError, TypeError, InvalidOperation) as error:
            raise MarketUnavailable(f"{self.venue} book of {symbol} cannot be read: {row!r:.200}") from error
        if bid <= 0 or ask <= 0:
            return None
        return BookTop(symbol=symbol, bid=bid, bid_quantity=sizes[0], ask=ask, ask_quantity=sizes[1], as_of=as_of)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _bounded(self, as_of: datetime) -> datetime:
        """`as_of`, or the market's time where that is earlier: a candle still forming there is not closed."""
        if self._seen_market_time is None or self._seen_market_time < as_of:
            await self.market_time()
        assert self._seen_market_time is not None
        return min(as_of, self._seen_market_time)

    async def market_time(self) -> datetime:
        if not self._is_replayed:
            self._seen_market_time = self._wall_clock()
            return self._seen_market_time
        payload = await self._ask("/sim/clock", {})
        try:
            return self._learn_clock(payload["now"], payload.get("mode"))
        except (KeyError, TypeError, ValueError) as error:
            raise MarketUnavailable(f"{self.venue} clock cannot be read: {payload!r:.200}") from error

    def _learn_clock(self, shown: str, mode: str | None) -> datetime:
        self._seen_market_time = datetime.fromisoformat(shown).astimezone(UTC)
        self._clock_runs = mode == "realtime"
        return self._seen_market_time

    def _hear_clock(self, headers: httpx.Headers) -> None:
        """A simulated venue says with each answer what its market's clock shows: that need not be asked for then."""
        shown = headers.get("x-sim-now") if self._is_replayed else None
        self._heard_market_time = None if shown is None else self._learn_clock(shown, headers.get("x-sim-mode"))

    async def _klines(self, symbol: str, timeframe: str, wish: Wish) -> tuple[Candle, ...]:
        fields = {
            "symbol": _venue_symbol(symbol),
            "interval": timeframe,
            "endTime": str((wish.last - EPOCH) // _MS),
            "limit": str(min(wish.count, MAX_KLINES)),
        }
        if wish.first is not None:
            fields["startTime"] = str((wish.first - EPOCH) // _MS)
        rows = await self._ask("/api/v3/klines", fields)
        try:
            candles = tuple(_candle(row) for row in rows)
        except (IndexError, KeyError, TypeError, ValueError, InvalidOperation) as error:
            raise MarketUnavailable(f"{self.venue} klines of {symbol} cannot be read: {rows!r:.200}") from error
        return self._inspected(symbol, timeframe, candles, wish)

    def _inspected(self, symbol: str, timeframe: str, candles: Sequence[Candle], wish: Wish) -> tuple[Candle, ...]:
        inspection = inspect(candles, step=step_of(timeframe))
        if inspection.refused:
            raise MarketUnavailable(f"{self.venue} klines of {symbol} {timeframe}: {inspection.refused[0]}")
        first = wish.first or EPOCH
        return tuple(candle for candle in inspection.candles if first <= candle.open_time <= wish.last)

    async def _ask(self, path: str, fields: Mapping[str, str]) -> Any:
        wait_s = self._silent_until_s - time.monotonic()
        if wait_s > 0:
            raise MarketUnavailable(f"{self.venue} asked for silence", retry_after_s=Decimal(f"{wait_s:.3f}"))
        try:
            async with asyncio.timeout(self._total_timeout_s):
                response = await self._http.get(path, params=dict(fields))
        except (httpx.TransportError, TimeoutError) as error:
            raise MarketUnavailable(f"{self.venue} {path}: no answer ({type(error).__name__})") from error
        return self._payload(path, fields, response)

    def _payload(self, path: str, fields: Mapping[str, str], response: httpx.Response) -> Any:
        status = response.status_code
        try:
            payload = response.json()
        except ValueError:
            payload = None
        if status == httpx.codes.OK and payload is not None:
            self._hear_clock(response.headers)
            return payload
        said = f"{self.venue} {path} {fields.get('symbol', '')} answered {status}: {response.text[:200]}"
        if isinstance(payload, dict) and payload.get("code") == _INVALID_INTERVAL:
            raise TimeframeNotOffered(said)
        if status in (418, 429):
            retry_after_s = _retry_after_s(response)
            self._silent_until_s = time.monotonic() + float(retry_after_s)
            raise MarketUnavailable(said, retry_after_s=retry_after_s)
        if status in _REFUSALS:
            raise MarketRefused(said)
        raise MarketUnavailable(said)


def _venue_symbol(symbol: str) -> str:
    return symbol.replace("/", "")


def _candle(row: Sequence[Any]) -> Candle:
    opened, high, low, closed, volume = (Decimal(value) for value in row[1:6])
    return Candle(EPOCH + int(row[0]) * _MS, opened, high, low, closed, volume)


def _retry_after_s(response: httpx.Response) -> Decimal:
    """The venue's own Retry-After in seconds; a minute where it gives none, since its limits count by the minute."""
    text = response.headers.get("retry-after", "")
    return Decimal(text) if text.isdigit() else Decimal(60)
