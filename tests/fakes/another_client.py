"""Another program with the account's key: it trades at the venue past us, as its owner may."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Any
from urllib.parse import urlencode

import httpx
from fakes.told_market import ACCOUNT, SYMBOL

from activities.exchange.binance_session import simulated_credential

VENUE = "http://venue"


async def asked(transport: httpx.AsyncBaseTransport, method: str, path: str, *, at: str = VENUE, **fields: str) -> Any:
    """One signed request; its answer. Raises `AssertionError` where the venue refuses it."""
    credential = simulated_credential(ACCOUNT)
    text = urlencode({**fields, "recvWindow": "5000", "timestamp": str(int(time.time() * 1000))})
    signature = hmac.new(credential.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    async with httpx.AsyncClient(transport=transport, base_url=at) as client:
        answer = await client.request(
            method,
            f"{path}?{text}&signature={signature}",
            headers={"X-MBX-APIKEY": credential.api_key},
        )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def ordered(transport: httpx.AsyncBaseTransport, name: str, **fields: str) -> Any:
    """An order under a client id of its own making; a market buy of 0.1 unless told otherwise."""
    usual = {"symbol": SYMBOL.replace("/", ""), "side": "BUY", "type": "MARKET", "quantity": "0.1"}
    return await asked(transport, "POST", "/api/v3/order", **usual | {"newClientOrderId": name} | fields)


async def cancelled(transport: httpx.AsyncBaseTransport, name: str) -> Any:
    fields = {"symbol": SYMBOL.replace("/", ""), "origClientOrderId": name}
    return await asked(transport, "DELETE", "/api/v3/order", **fields)
