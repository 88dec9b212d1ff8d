"""What Binance, real or simulated, lists: over its public REST interface."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import httpx

from activities.market.port import MarketRefused, MarketUnavailable

_REFUSALS = {400, 401, 403, 404, 451}


class BinanceListing:
    """`MarketListing` of one venue. With `market_time_is_replayed` the market's clock is the simulated venue's."""

    def __init__(
        self,
        *,
        venue: str,
        base_url: str,
        market_time_is_replayed: bool = False,
        total_timeout_s: float = 10.0,
        transport: httpx.AsyncBaseTransport | None = None,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.venue = venue
        self._is_replayed = market_time_is_replayed
        self._wall_clock = wall_clock
        self._names: dict[str, str] = {}
        self._http = httpx.AsyncClient(
            base_url=base_url,
            timeout=httpx.Timeout(total_timeout_s, connect=min(2.0, total_timeout_s)),
            trust_env=False,
            follow_redirects=False,
            transport=transport,
        )

    async def market_time(self) -> datetime:
        """The wall's time, or the simulated clock's."""
        if not self._is_replayed:
            return self._wall_clock()
        answer = await self._ask("/sim/clock")
        try:
            return datetime.fromisoformat(answer["now"]).astimezone(UTC)
        except (KeyError, TypeError, ValueError) as error:
            raise MarketUnavailable(f"{self.venue} clock cannot be read: {answer!r:.200}") from error

    async def listed(self, quote_asset: str) -> tuple[str, ...]:
        """Every spot symbol that trades against `quote_asset` now."""
        answer = await self._ask("/api/v3/exchangeInfo")
        try:
            rows = [row for row in answer["symbols"] if row["status"] == "TRADING" and row["quoteAsset"] == quote_asset]
            self._names = {row["symbol"]: f"{row['baseAsset']}/{row['quoteAsset']}" for row in rows}
        except (KeyError, TypeError) as error:
            raise MarketUnavailable(f"{self.venue} symbols cannot be read: {answer!r:.200}") from error
        return tuple(sorted(self._names.values()))

    async def turnovers_usd(self) -> dict[str, Decimal]:
        """Turnover of the last 24 hours of the symbols that were listed last."""
        rows = await self._ask("/api/v3/ticker/24hr")
        try:
            return {
                self._names[row["symbol"]]: Decimal(row["quoteVolume"]) for row in rows if row["symbol"] in self._names
            }
        except (KeyError, TypeError, InvalidOperation) as error:
            raise MarketUnavailable(f"{self.venue} turnovers cannot be read: {rows!r:.200}") from error

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _ask(self, path: str) -> Any:
        try:
            response = await self._http.get(path)
        except httpx.TransportError as error:
            raise MarketUnavailable(f"{self.venue} {path}: no answer ({type(error).__name__})") from error
        said = f"{self.venue} {path} answered {response.status_code}: {response.text[:200]}"
        if response.status_code in _REFUSALS:
            raise MarketRefused(said)
        if response.status_code != httpx.codes.OK:
            text = response.headers.get("retry-after", "")
            raise MarketUnavailable(said, retry_after_s=Decimal(text) if text.isdigit() else None)
        try:
            return response.json()
        except ValueError as error:
            raise MarketUnavailable(f"{said} is no JSON") from error
