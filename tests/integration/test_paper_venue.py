"""A paper venue: live quotes of a public one, our own fills, nothing filled where the quotes are old."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually
from exchange_process import GENERATED, ExchangeProcess, Trader

SYMBOLS = ["BTC/USDT", "ETH/USDT", "NONE/USDT"]


@pytest.fixture
def public(tmp_path: Path) -> Iterator[ExchangeProcess]:
    """The public venue; its clock stands, so that its quote is known."""
    venue = ExchangeProcess(tmp_path / "public.sqlite", **GENERATED)
    yield venue
    venue.close()


@pytest.fixture
def paper(public: ExchangeProcess, tmp_path: Path) -> Iterator[ExchangeProcess]:
    url = f"http://127.0.0.1:{public.port}"
    venue = ExchangeProcess(
        tmp_path / "paper.sqlite", quotes_from=url, quote_symbols=SYMBOLS, clock="realtime", rate_limits=False
    )
    yield venue
    venue.close()


def quote(venue: ExchangeProcess) -> dict[str, Any]:
    found: dict[str, Any] = venue.http.get("/api/v3/ticker/bookTicker", params={"symbol": "BTCUSDT"}).json()
    return found


def buy(trader: Trader, quantity: str, **more: Any) -> dict[str, Any]:
    kind = {"type": "MARKET"} if "price" not in more else {"type": "LIMIT", "timeInForce": "GTC"}
    answer = trader.ask("POST", "order", symbol="BTCUSDT", side="BUY", quantity=quantity, **kind, **more)
    told: dict[str, Any] = answer.json()
    return told


async def ended(trader: Trader, order: dict[str, Any]) -> dict[str, Any]:
    async def order_now() -> dict[str, Any] | None:
        told: dict[str, Any] = trader.ask("GET", "order", symbol="BTCUSDT", orderId=order["orderId"]).json()
        return told if told["status"] not in {"NEW", "PARTIALLY_FILLED"} else None

    found = await eventually(order_now, what="the order's end")
    assert found is not None
    return found


async def test_a_purchase_pays_the_public_ask_and_the_public_venue_hears_of_no_order(
    public: ExchangeProcess, paper: ExchangeProcess
) -> None:
    shown = quote(public)
    trader = paper.open("composite", USDT="1000000")
    listed = [row["symbol"] for row in paper.http.get("/api/v3/exchangeInfo").json()["symbols"]]
    assert listed == ["BTCUSDT", "ETHUSDT"], "what the public venue does not list is left out"
    done = await ended(trader, buy(trader, "0.01"))
    assert done["status"] == "FILLED"
    (fill,) = trader.ask("GET", "myTrades", symbol="BTCUSDT").json()
    assert (fill["price"], fill["qty"]) == (shown["askPrice"], "0.01000000")
    assert public.http.get("/sim/health").json()["status"] == "ok"
    assert Trader(public, "composite").ask("GET", "account").status_code == 401, "nobody has an account there"


async def test_no_more_is_filled_than_the_quote_offers(public: ExchangeProcess, paper: ExchangeProcess) -> None:
    offered = quote(public)["askQty"]
    trader = paper.open("composite", USDT="100000000")
    done = await ended(trader, buy(trader, f"{float(offered) + 1:.3f}"))
    assert (done["status"], done["executedQty"]) == ("EXPIRED", offered)


async def test_a_resting_order_fills_once_quotes_come_to_it(public: ExchangeProcess, paper: ExchangeProcess) -> None:
    trader = paper.open("composite", USDT="1000000")
    far = buy(trader, "0.01", price=f"{float(quote(public)['bidPrice']) * 0.9:.2f}")
    near = buy(trader, "0.01", price=f"{float(quote(public)['askPrice']) * 1.05:.2f}")
    assert (await ended(trader, near))["status"] == "FILLED"
    left = trader.ask("GET", "openOrders", symbol="BTCUSDT").json()
    assert [order["orderId"] for order in left] == [far["orderId"]]


async def test_old_quotes_fill_nothing_and_take_nothing(public: ExchangeProcess, paper: ExchangeProcess) -> None:
    trader = paper.open("composite", USDT="1000000")
    public.kill()

    async def refused() -> bool:
        return "Market is closed" in str(buy(trader, "0.00001"))

    await eventually(refused, timeout_s=15.0, what="quotes that have gone stale")
    assert trader.ask("GET", "account").status_code == 200, "what is held is still told"


def test_without_a_public_venue_it_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="before it was ready"):
        ExchangeProcess(
            tmp_path / "paper.sqlite", quotes_from="http://127.0.0.1:1", quote_symbols=SYMBOLS, clock="realtime"
        )
