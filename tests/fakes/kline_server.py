"""A local server that answers klines, book and market clock over real HTTP as a Binance venue does.

The forming candle is answered too, with a close that nobody may use, as the real venue answers it. Replies can be
scripted: the next one is taken from `script` where it is not empty. Every request is kept.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aiohttp import web

from trading.candle_quality import EPOCH
from trading.candles import TIMEFRAMES, Candle, CandleSeries, resample

MS = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Scripted:
    """One reply in place of the real one; `cut` closes the connection without an answer."""

    status: int = 200
    text: str = "{}"
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass
class KlineServer:
    """What the venue has (`series` by symbol, base timeframe), and its clock; change either between requests."""

    series: dict[str, CandleSeries]
    now: datetime
    url: str = ""
    bid: str = "27999.10000000"
    ask: str = "28000.90000000"
    clock_mode: str = "manual"
    timeframes: frozenset[str] = frozenset(TIMEFRAMES)
    script: deque[Scripted] = field(default_factory=deque)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def klines_asked(self, interval: str = "1h") -> list[dict[str, str]]:
        """The kline requests of one interval, in order."""
        return [query for path, query in self.requests if path.endswith("klines") and query["interval"] == interval]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.path, dict(request.query)))
        if self.script:
            reply = self.script.popleft()
            if reply.cut:
                assert request.transport is not None
                request.transport.abort()
            return web.Response(status=reply.status, text=reply.text, headers=reply.headers)
        if request.path == "/sim/clock":
            now = self.now.isoformat().replace("+00:00", "Z")
            return web.json_response({"now": now, "mode": self.clock_mode})
        series = next(
            (s for name, s in self.series.items() if name.replace("/", "") == request.query.get("symbol")), None
        )
        if series is None:
            return web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)
        if request.path == "/api/v3/klines":
            return self._klines(series, request)
        return web.json_response(
            {
                "symbol": request.query["symbol"],
                "bidPrice": self.bid,
                "bidQty": "1.00000000",
                "askPrice": self.ask,
                "askQty": "2.00000000",
            }
        )

    def _klines(self, series: CandleSeries, request: web.Request) -> web.Response:
        interval, limit = request.query["interval"], int(request.query.get("limit", "500"))
        if interval not in self.timeframes:
            return web.json_response({"code": -1120, "msg": "Invalid interval."}, status=400)
        frame = resample(series, interval).series
        first = int(request.query.get("startTime", "0"))
        last = int(request.query.get("endTime", str(2**62)))
        rows = [
            _row(candle, frame.step, is_forming=candle.open_time + frame.step > self.now)
            for candle in frame.candles
            if candle.open_time <= self.now and first <= (candle.open_time - EPOCH) // MS <= last
        ]
        return web.json_response(rows[:limit] if "startTime" in request.query else rows[-limit:])


def _row(candle: Candle, step: timedelta, *, is_forming: bool) -> list[object]:
    opened = (candle.open_time - EPOCH) // MS
    poisoned = ["1", "666666", "1", "666", "1"]
    numbers = poisoned if is_forming else [f"{value:.8f}" for value in candle[1:]]
    return [opened, *numbers, opened + step // MS - 1, "0", 1, "0", "0", "0"]


@contextlib.asynccontextmanager
async def kline_server(series: dict[str, CandleSeries], *, now: datetime) -> AsyncIterator[KlineServer]:
    """Serve on a free local port until the block ends."""
    server = KlineServer(series=series, now=now)
    application = web.Application()
    application.router.add_get("/{path:.*}", server.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
