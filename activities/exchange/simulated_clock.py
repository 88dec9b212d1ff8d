"""The market clock of the simulated exchange, over its own small HTTP interface beside the venue's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx

from activities.exchange.port import ClockEvent, ClockStop, Level, VenueRefused, VenueUnavailable
from trading.contract import Contract, Utc
from trading.money import plain
from trading.orders.venue_account import Balance

_TIMEOUT = httpx.Timeout(60.0, connect=2.0)
"""An advance over weeks of candles computes for seconds before it answers: only connecting is expected to be quick."""


class _Now(Contract):
    now: Utc


class _Stop(Contract):
    now: Utc
    events: tuple[ClockEvent, ...] = ()


class _Held(Contract):
    free: Decimal
    locked: Decimal


class _Opened(Contract):
    balances: dict[str, _Held]


class SimulatedClock:
    """`MarketClock` over `/sim`.

    Raises `VenueUnavailable` where the exchange cannot be reached, `VenueRefused` where it says no (back in time).
    """

    def __init__(self, *, realm: str, base_url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.realm = realm
        self._http = httpx.AsyncClient(base_url=base_url, timeout=_TIMEOUT, trust_env=False, transport=transport)

    async def now(self) -> datetime:
        """The market's time (UTC)."""
        return _Now.model_validate(await self._call("GET", "/sim/clock")).now

    async def advance(self, to: datetime, levels: tuple[Level, ...], *, request_id: str) -> ClockStop:
        """Run to `to` or to the first event before it; the same `request_id` is answered with the same stop."""
        body = {
            "to": _iso(to),
            "levels": [
                {
                    "id": level.id,
                    "symbol": level.symbol,
                    "direction": level.direction,
                    "price": plain(level.price),
                    "fall_fraction": None if level.fall_fraction is None else plain(level.fall_fraction),
                    "after_candle_of": None if level.after_candle_of is None else _iso(level.after_candle_of),
                }
                for level in levels
            ],
            "request_id": request_id,
        }
        stop = _Stop.model_validate(await self._call("POST", "/sim/clock", body))
        return ClockStop(now=stop.now, events=stop.events)

    async def open_account(self, account: str, balances: Mapping[str, Decimal]) -> tuple[Balance, ...]:
        """Create the account with these balances, or return what it has where it exists."""
        body = {"account": account, "balances": {asset: plain(amount) for asset, amount in balances.items()}}
        answer = _Opened.model_validate(await self._call("POST", "/sim/accounts", body))
        return tuple(
            Balance(asset=asset, free=held.free, locked=held.locked) for asset, held in answer.balances.items()
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        try:
            response = await self._http.request(method, path, json=body)
        except httpx.TransportError as error:
            raise VenueUnavailable(f"{method} {path}: the simulated exchange does not answer ({error!r})") from error
        if response.status_code >= 500:
            raise VenueUnavailable(f"{method} {path} answered {response.status_code}: {response.text[:200]}")
        if response.status_code >= 400:
            raise VenueRefused(f"{method} {path} answered {response.status_code}: {response.text[:200]}")
        return response.json()


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
