"""Binance's user data stream: what wakes those who wait for an order. A hint and no more, for REST decides."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from contextlib import suppress
from urllib.parse import urlsplit

import aiohttp

from activities.exchange.binance_session import BinanceSession, CredentialSource, milliseconds
from activities.exchange.port import VenueRefused, VenueUnavailable

_HOSTS = {
    "api.binance.com": "ws-api.binance.com",
    "testnet.binance.vision": "ws-api.testnet.binance.vision",
    "demo-api.binance.com": "demo-ws-api.binance.com",
}
AGAIN_AFTER_S = 5.0
"""A stream that broke is tried again after this; meanwhile those who wait ask in turns, as without one."""


def stream_url(base_url: str) -> str:
    """The WebSocket address beside a REST address: Binance has hosts of its own for it, others answer on the same."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port is not None else ""
    scheme = "wss" if parts.scheme == "https" else "ws"
    return f"{scheme}://{_HOSTS.get(host, host)}{port}/ws-api/v3"


class UserStreams:
    """A stream for each account that somebody waits for, opened when first asked for and kept."""

    def __init__(self, *, base_url: str, credentials: CredentialSource, clock: BinanceSession) -> None:
        self._url = stream_url(base_url)
        self._credentials = credentials
        self._clock = clock
        self._heard: dict[str, asyncio.Event] = {}
        self._listening: dict[str, asyncio.Task[None]] = {}

    async def wait(self, account: str, within_s: float) -> None:
        """Until the account's stream tells anything, for at most `within_s`; without a stream as long as that."""
        heard = self._heard.setdefault(account, asyncio.Event())
        if account not in self._listening:
            self._listening[account] = asyncio.create_task(self._listen(account, heard))
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await heard.wait()
        heard.clear()

    async def aclose(self) -> None:
        for task in self._listening.values():
            task.cancel()
        await asyncio.gather(*self._listening.values(), return_exceptions=True)
        self._listening.clear()

    async def _listen(self, account: str, heard: asyncio.Event) -> None:
        while True:
            with suppress(aiohttp.ClientError, OSError, TimeoutError, VenueUnavailable, VenueRefused):
                await self._listen_once(account, heard)
            await asyncio.sleep(AGAIN_AFTER_S)

    async def _listen_once(self, account: str, heard: asyncio.Event) -> None:
        async with aiohttp.ClientSession(trust_env=False) as http, http.ws_connect(self._url) as socket:
            await socket.send_str(json.dumps(await self._subscription(account)))
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    heard.set()

    async def _subscription(self, account: str) -> dict[str, object]:
        source = self._credentials
        credential = source(account) if callable(source) else source[account]
        values = {
            "apiKey": credential.api_key,
            "recvWindow": "5000",
            "timestamp": str(milliseconds(await self._clock.venue_now())),
        }
        signed = "&".join(f"{name}={values[name]}" for name in sorted(values))
        signature = hmac.new(credential.secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
        return {
            "id": f"user-data-{account}",
            "method": "userDataStream.subscribe.signature",
            "params": values | {"signature": signature},
        }
