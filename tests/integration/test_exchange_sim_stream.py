"""The user data stream as a WebSocket client of Binance sees it: subscribed by signature, in market time order."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from exchange_process import GENERATED, ExchangeProcess

from workers.exchange_sim.config import api_key, api_secret


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[ExchangeProcess]:
    running = ExchangeProcess(tmp_path / "sim.db", **GENERATED, rate_limits=False)
    try:
        yield running
    finally:
        running.close()


class Stream:
    """One connection to the WebSocket API."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def ask(self, method: str, **params: Any) -> Any:
        await self.socket.send_json({"id": method, "method": method, "params": params})
        answer = await self.next()
        assert answer["id"] == method
        return answer

    async def next(self) -> Any:
        return json.loads(await self.socket.receive_str(timeout=10))

    async def subscribe(self, account: str, **changes: Any) -> Any:
        params = {"apiKey": api_key(account), "timestamp": int(time.time() * 1000)}
        text = "&".join(f"{name}={params[name]}" for name in sorted(params))
        signature = hmac.new(api_secret(account).encode(), text.encode(), hashlib.sha256).hexdigest()
        return await self.ask("userDataStream.subscribe.signature", **params, signature=signature, **changes)

    async def events_until(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        """Every event up to the first of `kind` with these fields."""
        found: list[dict[str, Any]] = []
        while not found or found[-1]["e"] != kind or any(found[-1][name] != value for name, value in fields.items()):
            found.append((await self.next())["event"])
        return found


async def connect(session: aiohttp.ClientSession, exchange: ExchangeProcess) -> Stream:
    return Stream(await session.ws_connect(f"ws://127.0.0.1:{exchange.port}/ws-api/v3"))


def bracket(price: float) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT",
        "listClientOrderId": "bracket",
        "workingType": "LIMIT",
        "workingSide": "BUY",
        "workingPrice": f"{price * 1.02:.2f}",
        "workingQuantity": "0.4",
        "workingTimeInForce": "FOK",
        "workingClientOrderId": "in",
        "pendingSide": "SELL",
        "pendingAboveType": "LIMIT_MAKER",
        "pendingAbovePrice": f"{price * 1.04:.2f}",
        "pendingAboveClientOrderId": "up",
        "pendingBelowType": "STOP_LOSS",
        "pendingBelowStopPrice": f"{price * 0.96:.2f}",
        "pendingBelowClientOrderId": "down",
    }


async def test_a_bracket_is_told_from_its_acceptance_to_its_exit(exchange: ExchangeProcess) -> None:
    trader = exchange.open("a", USDT="100000")
    exchange.open("b", USDT="100000").order("MARKET", quantity="1")  # nobody else's business
    async with aiohttp.ClientSession(trust_env=False) as session:
        stream = await connect(session, exchange)
        assert (await stream.subscribe("a"))["result"] == {"subscriptionId": 0}
        await asyncio.to_thread(trader.ask, "POST", "orderList/opoco", **bracket(exchange.price()))
        await asyncio.to_thread(exchange.advance, "2024-01-16T00:00:00Z")
        told = await stream.events_until("executionReport", c="up", X="NEW")
        orders = [(e["c"], e["x"], e["X"]) for e in told if e["e"] == "executionReport"]
        assert orders == [
            ("in", "NEW", "NEW"),
            ("down", "NEW", "PENDING_NEW"),
            ("up", "NEW", "PENDING_NEW"),
            ("in", "TRADE", "FILLED"),
            ("down", "NEW", "NEW"),
            ("up", "NEW", "NEW"),
        ]
        (placed,) = [e for e in told if e["e"] == "listStatus"]
        assert (placed["c"], placed["l"], placed["L"], placed["C"]) == ("OTO", "EXEC_STARTED", "EXECUTING", "bracket")
        for day in range(17, 32):
            while (await asyncio.to_thread(exchange.advance, f"2024-01-{day}T00:00:00Z"))["events"]:
                pass
        rest = await stream.events_until("listStatus", L="ALL_DONE")
        assert {(e["c"], e["X"]) for e in rest if e["e"] == "executionReport"} in (
            {("up", "FILLED"), ("down", "EXPIRED")},
            {("down", "FILLED"), ("up", "EXPIRED")},
        )
        last = (await stream.events_until("outboundAccountPosition"))[-1]
        held = {row["a"]: (row["f"], row["l"]) for row in last["B"]}
        assert held == {name: row for name, row in trader.balances().items() if name in held}
        times = [event["E"] for event in [*told, *rest]]
        assert times == sorted(times)
        await stream.socket.close()


async def test_a_cancel_names_both_ids(exchange: ExchangeProcess) -> None:
    trader = exchange.open("a", BTC="1")
    async with aiohttp.ClientSession(trust_env=False) as session:
        stream = await connect(session, exchange)
        await stream.subscribe("a")
        stop = f"{exchange.price() * 0.9:.2f}"
        await asyncio.to_thread(
            trader.order, "STOP_LOSS", "SELL", quantity="1", stopPrice=stop, newClientOrderId="stop"
        )
        await asyncio.to_thread(
            trader.ask, "DELETE", "order", symbol="BTCUSDT", origClientOrderId="stop", newClientOrderId="bye"
        )
        told = await stream.events_until("executionReport", x="CANCELED")
        assert (told[-1]["c"], told[-1]["C"], told[-1]["X"]) == ("bye", "stop", "CANCELED")
        await stream.socket.close()


async def test_subscriptions_are_refused_listed_and_ended_as_binance_does(exchange: ExchangeProcess) -> None:
    trader = exchange.open("a", USDT="100000")
    async with aiohttp.ClientSession(trust_env=False) as session:
        stream = await connect(session, exchange)
        assert (await stream.ask("ping"))["result"] == {}
        assert (await stream.ask("listenKey"))["error"]["code"] == -1020
        assert (await stream.ask("userDataStream.unsubscribe"))["error"]["code"] == -2036
        unknown = await stream.subscribe("nobody")
        assert (unknown["status"], unknown["error"]["code"]) == (401, -2015)
        assert (await stream.subscribe("a", recvWindow=99))["error"]["code"] == -1022  # not what was signed
        assert (await stream.subscribe("a"))["status"] == 200
        assert (await stream.subscribe("a"))["error"]["code"] == -2035
        assert (await stream.ask("session.subscriptions"))["result"] == [{"subscriptionId": 0}]
        await stream.socket.send_json({"id": 1, "method": "userDataStream.unsubscribe"})
        assert (await stream.next())["event"]["e"] == "eventStreamTerminated"
        assert (await stream.next())["result"] == {}
        await asyncio.to_thread(trader.order, "MARKET", quantity="0.1")
        assert (await stream.ask("time"))["result"]["serverTime"] > 0  # and no event came before it
        await stream.socket.send_str("no json")
        assert (await stream.next())["error"]["code"] == -1135
        await stream.socket.close()
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(f"ws://127.0.0.1:{exchange.port}/ws/some-listen-key")


async def test_a_running_clock_tells_fills_without_being_asked(tmp_path: Path) -> None:
    exchange = ExchangeProcess(tmp_path / "sim.db", **GENERATED, rate_limits=False, clock="realtime")
    try:
        trader = exchange.open("a", USDT="100000")
        async with aiohttp.ClientSession(trust_env=False) as session:
            stream = await connect(session, exchange)
            await stream.subscribe("a")
            await asyncio.to_thread(trader.order, "MARKET", quantity="0.1")
            told = await stream.events_until("executionReport", x="TRADE")
            assert told[-1]["T"] - told[0]["T"] == 1000
            await stream.socket.close()
    finally:
        exchange.close()


async def test_a_listener_survives_the_others_and_the_exchange_ends_gracefully(exchange: ExchangeProcess) -> None:
    trader = exchange.open("a", USDT="100000")
    async with aiohttp.ClientSession(trust_env=False) as session:
        gone, stays = await connect(session, exchange), await connect(session, exchange)
        await gone.subscribe("a")
        await stays.subscribe("a")
        await gone.socket.close()
        await asyncio.to_thread(trader.order, "MARKET", quantity="0.1", newClientOrderId="one")
        assert (await stays.events_until("executionReport"))[-1]["c"] == "one"
        status, _ = await asyncio.to_thread(exchange.stop)
        assert status == 0
        while (message := await stays.socket.receive(timeout=10)).type is aiohttp.WSMsgType.TEXT:
            pass
        assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
