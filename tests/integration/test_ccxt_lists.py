"""ccxt's order lists, replaced orders and trailing stops against the simulated exchange."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import ccxt.async_support as ccxt
import pytest
from exchange_process import GENERATED, ExchangeProcess

from workers.exchange_sim.config import api_key, api_secret


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Any]:
    exchange = ExchangeProcess(tmp_path / "sim.db", **GENERATED)
    exchange.open("ccxt", USDT="100000", BTC="1")
    options = {
        "defaultType": "spot",
        "fetchMarkets": {"types": ["spot"]},
        "fetchMargins": False,
        "fetchCurrencies": False,
        "adjustForTimeDifference": True,
    }
    client = ccxt.binance(
        {"apiKey": api_key("ccxt"), "secret": api_secret("ccxt"), "aiohttp_trust_env": False, "options": options}
    )
    base = f"http://127.0.0.1:{exchange.port}/api/v3"
    client.urls["api"] = client.urls["api"] | {"public": base, "private": base}
    client.has["fetchCurrencies"] = False
    try:
        await client.load_markets()
        yield client
    finally:
        await client.close()
        exchange.close()


async def test_ccxt_replaces_an_order(client: Any) -> None:
    price = (await client.fetch_ticker("BTC/USDT"))["last"]
    placed = await client.create_order("BTC/USDT", "limit", "buy", 0.1, price * 0.9)
    replaced = await client.edit_order(placed["id"], "BTC/USDT", "limit", "buy", 0.1, price * 0.8)
    assert replaced["id"] != placed["id"]
    (left,) = await client.fetch_open_orders("BTC/USDT")
    assert (left["id"], left["amount"]) == (replaced["id"], 0.1)


async def test_ccxt_places_a_trailing_stop_and_a_take_profit(client: Any) -> None:
    price = (await client.fetch_ticker("BTC/USDT"))["last"]
    trailing = await client.create_order(
        "BTC/USDT", "market", "sell", 0.1, None, {"trailingPercent": 2, "stopLossOrTakeProfit": "stopLoss"}
    )
    target = await client.create_order("BTC/USDT", "market", "sell", 0.1, None, {"takeProfitPrice": price * 1.05})
    shown = {order["id"]: order["info"] for order in await client.fetch_open_orders("BTC/USDT")}
    assert shown[trailing["id"]]["trailingDelta"] == 200
    assert shown[target["id"]]["type"] == "TAKE_PROFIT"


async def test_ccxt_places_and_cancels_an_order_list(client: Any) -> None:
    price = (await client.fetch_ticker("BTC/USDT"))["last"]
    made = await client.private_post_orderlist_oco(
        {
            "symbol": "BTCUSDT",
            "side": "SELL",
            "quantity": "1",
            "aboveType": "LIMIT_MAKER",
            "abovePrice": client.price_to_precision("BTC/USDT", price * 1.05),
            "belowType": "STOP_LOSS",
            "belowStopPrice": client.price_to_precision("BTC/USDT", price * 0.95),
        }
    )
    assert len(await client.fetch_open_orders("BTC/USDT")) == 2
    await client.private_delete_orderlist({"symbol": "BTCUSDT", "orderListId": made["orderListId"]})
    assert await client.fetch_open_orders("BTC/USDT") == []
