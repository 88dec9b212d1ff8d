"""A client that others wrote must work against the simulated exchange: ccxt, limited by its options to spot."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import ccxt.async_support as ccxt
import pytest
from fakes.venue_process import venue_process

from activities.exchange.binance_session import simulated_credential
from activities.exchange.simulated_clock import SimulatedClock


@pytest.fixture(scope="module")
def venue_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with venue_process(tmp_path_factory.mktemp("venue")) as url:
        yield url


@pytest.fixture
async def client(venue_url: str) -> AsyncIterator[Any]:
    clock = SimulatedClock(realm="test-ccxt", base_url=venue_url)
    await clock.open_account("ccxt", {"USDT": Decimal(10_000), "BTC": Decimal(1)})
    await clock.aclose()
    key = simulated_credential("ccxt")
    client = ccxt.binance(
        {
            "apiKey": key.api_key,
            "secret": key.secret,
            "aiohttp_trust_env": False,
            "options": {
                "defaultType": "spot",
                "fetchMarkets": {"types": ["spot"]},
                "fetchMargins": False,
                "fetchCurrencies": False,
                "adjustForTimeDifference": True,
            },
        }
    )
    client.urls["api"] = client.urls["api"] | {"public": f"{venue_url}/api/v3", "private": f"{venue_url}/api/v3"}
    client.has["fetchCurrencies"] = False
    yield client
    await client.close()


async def test_ccxt_places_queries_and_cancels(client: Any) -> None:
    markets = await client.load_markets()
    assert markets["BTC/USDT"]["spot"]

    placed = await client.create_order("BTC/USDT", "limit", "buy", 0.1, 6900, {"newClientOrderId": "ccxt-1"})
    assert (placed["status"], placed["clientOrderId"]) == ("open", "ccxt-1")

    found = await client.fetch_order(placed["id"], "BTC/USDT")
    assert (found["side"], found["price"], found["amount"], found["filled"]) == ("buy", 6900, 0.1, 0)
    assert [order["id"] for order in await client.fetch_open_orders("BTC/USDT")] == [placed["id"]]

    await client.cancel_order(placed["id"], "BTC/USDT")
    assert (await client.fetch_order(placed["id"], "BTC/USDT"))["status"] == "canceled"
    assert await client.fetch_open_orders("BTC/USDT") == []


async def test_ccxt_reads_balances_candles_and_book(client: Any) -> None:
    balance = await client.fetch_balance()
    assert balance["USDT"]["total"] == 10_000
    candles = await client.fetch_ohlcv("BTC/USDT", "1h", limit=5)
    assert [candle[4] for candle in candles] == [7000.0] * 5
    ticker = await client.fetch_bids_asks(["BTC/USDT"])
    assert ticker["BTC/USDT"]["bid"] < ticker["BTC/USDT"]["ask"]


async def test_ccxt_hears_the_venue_s_refusals(client: Any) -> None:
    with pytest.raises(ccxt.InsufficientFunds):
        await client.create_order("BTC/USDT", "limit", "sell", 5, 7100)
    with pytest.raises(ccxt.OrderNotFound):
        await client.fetch_order("999999", "BTC/USDT")
