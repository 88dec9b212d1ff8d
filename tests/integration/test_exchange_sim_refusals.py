"""What the simulated exchange refuses, with Binance's code and message for each."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from exchange_process import GENERATED, ExchangeProcess, Trader


@pytest.fixture(scope="module")
def trader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trader]:
    exchange = ExchangeProcess(tmp_path_factory.mktemp("refusals") / "sim.db", **GENERATED, rate_limits=False)
    try:
        yield exchange.open("a", USDT="100000", BTC="1")
    finally:
        exchange.close()


LIMIT: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "PRICE",
}
MARKET: dict[str, Any] = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
STOP: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "side": "SELL",
    "type": "STOP_LOSS",
    "quantity": "0.01",
    "stopPrice": "PRICE",
}


def without(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}


@pytest.mark.parametrize(
    ("values", "code", "message"),
    [
        (LIMIT | {"symbol": "DOGEUSDT"}, -1121, "Invalid symbol."),
        (without(LIMIT, "symbol"), -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."),
        (without(LIMIT, "price"), -1102, "Mandatory parameter 'price' was not sent, was empty/null, or malformed."),
        (without(LIMIT, "timeInForce"), -1102, "Mandatory parameter 'timeInForce' was not sent"),
        (without(MARKET, "quantity"), -1102, "Param 'quantity' or 'quoteOrderQty' must be sent"),
        (
            without(STOP, "stopPrice"),
            -1102,
            "Param 'stopPrice' or 'trailingDelta' must be sent, but both were empty/null!",
        ),
        (LIMIT | {"side": "LONG"}, -1117, "Invalid side."),
        (LIMIT | {"type": "ICEBERG"}, -1116, "Invalid orderType."),
        (LIMIT | {"timeInForce": "DAY"}, -1115, "Invalid timeInForce."),
        (LIMIT | {"stopPrice": "PRICE"}, -1106, "Parameter 'stopPrice' sent when not required."),
        (LIMIT | {"trailingDelta": "100"}, -1106, "Parameter 'trailingDelta' sent when not required."),
        (STOP | {"type": "TAKE_PROFIT", "stopPrice": "LOW"}, -2010, "Stop price would trigger immediately."),
        (STOP | {"stopPrice": "LOW", "trailingDelta": "9"}, -1013, "Filter failure: TRAILING_DELTA"),
        (STOP | {"stopPrice": "LOW", "trailingDelta": "2001"}, -1013, "Filter failure: TRAILING_DELTA"),
        (MARKET | {"icebergQty": "0.001"}, -1106, "Parameter 'icebergQty' sent when not required."),
        (LIMIT | {"icebergQty": "0.02"}, -2010, "IcebergQty exceeds QTY."),
        (LIMIT | {"icebergQty": "0.0009"}, -1013, "Filter failure: ICEBERG_PARTS"),
        (LIMIT | {"icebergQty": "0.001", "timeInForce": "IOC"}, -1160, "Parameter 'icebergQty' is only supported if"),
        (MARKET | {"timeInForce": "GTC"}, -1106, "Parameter 'timeInForce' sent when not required."),
        (MARKET | {"price": "1"}, -1106, "Parameter 'price' sent when not required."),
        (MARKET | {"quoteOrderQty": "10"}, -1128, "Combination of optional parameters invalid."),
        (LIMIT | {"quantity": "1e-2"}, -1100, "Illegal characters found in parameter 'quantity'; legal range is"),
        (LIMIT | {"quantity": ""}, -1105, "Parameter 'quantity' was empty."),
        (LIMIT | {"quantity": "0.000000001"}, -1111, "Parameter 'quantity' has too much precision."),
        (LIMIT | {"quantity": "0"}, -1013, "Invalid quantity."),
        (LIMIT | {"newClientOrderId": "a b"}, -1100, "Illegal characters found in parameter 'newClientOrderId'"),
        (LIMIT | {"newClientOrderId": "x" * 37}, -1100, "Illegal characters found in parameter 'newClientOrderId'"),
        (
            LIMIT | {"leverage": "3"},
            -1104,
            "Not all sent parameters were read; read '8' parameter(s) but was sent '9'.",
        ),
        (LIMIT | {"price": "1"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
        (LIMIT | {"price": "0.001"}, -1013, "Filter failure: PRICE_FILTER"),
        (LIMIT | {"quantity": "0.000001"}, -1013, "Filter failure: LOT_SIZE"),
        (MARKET | {"quantity": "0.00001"}, -1013, "Filter failure: NOTIONAL"),
        (MARKET | {"quantity": "90"}, -2010, "Account has insufficient balance for requested action."),
        (STOP | {"quantity": "1.5", "stopPrice": "LOW"}, -2010, "Account has insufficient balance"),
        (STOP | {"stopPrice": "HIGH"}, -2010, "Stop price would trigger immediately."),
        (
            without(LIMIT | {"type": "LIMIT_MAKER", "price": "HIGH"}, "timeInForce"),
            -2010,
            "Order would immediately match",
        ),
    ],
)
def test_an_order_is_refused(trader: Trader, values: dict[str, Any], code: int, message: str) -> None:
    price = trader.exchange.price()
    named = {"PRICE": f"{price:.2f}", "HIGH": f"{price * 1.05:.2f}", "LOW": f"{price * 0.95:.2f}"}
    before = trader.balances()
    sent = {name: named.get(str(value), value) for name, value in values.items()}
    for path in ("order/test", "order"):
        answer = trader.ask("POST", path, **sent)
        assert answer.status_code == 400
        assert answer.json()["code"] == code
        assert answer.json()["msg"].startswith(message)
    assert trader.balances() == before


def test_a_client_id_is_unique_among_open_orders_only(trader: Trader) -> None:
    resting = {"quantity": "0.001", "price": f"{trader.exchange.price() * 0.5:.2f}", "timeInForce": "GTC"}
    first = trader.order("LIMIT", newClientOrderId="again", **resting)
    refused = trader.ask(
        "POST", "order", symbol="BTCUSDT", side="BUY", type="LIMIT", newClientOrderId="again", **resting
    )
    assert (refused.json()["code"], refused.json()["msg"]) == (-2010, "Duplicate order sent.")
    trader.ask("DELETE", "order", symbol="BTCUSDT", orderId=first["orderId"])
    second = trader.order("LIMIT", newClientOrderId="again", **resting)
    assert second["orderId"] != first["orderId"]
    assert trader.get("order", symbol="BTCUSDT", origClientOrderId="again")["orderId"] == second["orderId"]
    trader.ask("DELETE", "openOrders", symbol="BTCUSDT")


def test_the_sixth_stop_is_one_too_many(trader: Trader) -> None:
    low = f"{trader.exchange.price() * 0.8:.2f}"
    for _ in range(5):
        trader.order("STOP_LOSS", "SELL", quantity="0.001", stopPrice=low)
    refused = trader.ask("POST", "order", **(STOP | {"quantity": "0.001", "stopPrice": low}))
    assert (refused.json()["code"], refused.json()["msg"]) == (-2010, "Filter failure: MAX_NUM_ALGO_ORDERS")
    gone = trader.ask("DELETE", "openOrders", symbol="BTCUSDT").json()
    assert [order["status"] for order in gone] == ["CANCELED"] * 5


@pytest.mark.parametrize(
    ("method", "path", "values", "code", "message"),
    [
        ("GET", "order", {"symbol": "BTCUSDT", "orderId": "1"}, -2013, "Order does not exist."),
        ("DELETE", "order", {"symbol": "BTCUSDT", "origClientOrderId": "gone"}, -2011, "Unknown order sent."),
        ("GET", "order", {"symbol": "BTCUSDT"}, -1102, "Param 'origClientOrderId' or 'orderId' must be sent"),
        ("GET", "allOrders", {}, -1102, "Mandatory parameter 'symbol' was not sent"),
        ("GET", "klines", {"symbol": "BTCUSDT", "interval": "7h"}, -1120, "Invalid interval."),
        ("GET", "klines", {"symbol": "BTCUSDT", "interval": "15m"}, -1120, "Invalid interval."),
        ("GET", "klines", {"interval": "1h"}, -1102, "Mandatory parameter 'symbol' was not sent"),
        ("GET", "depth", {"symbol": "BTCUSDT", "limit": "x"}, -1100, "Illegal characters found in parameter 'limit'"),
        ("GET", "ticker/price", {"symbol": "NOPE"}, -1121, "Invalid symbol."),
        ("GET", "exchangeInfo", {"symbols": "BTCUSDT"}, -1100, "Illegal characters found in parameter 'symbols'"),
    ],
)
def test_a_question_is_refused(
    trader: Trader, method: str, path: str, values: dict[str, str], code: int, message: str
) -> None:
    is_public = path in ("klines", "depth", "ticker/price", "exchangeInfo")
    answer = trader.send(method, path, urlencode(values)) if is_public else trader.ask(method, path, **values)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.json()["msg"].startswith(message)


def test_the_signature_covers_query_and_body_exactly(trader: Trader) -> None:
    query = "symbol=BTCUSDT&side=BUY&type=MARKET"
    body = f"quantity=0.001&timestamp={int(time.time() * 1000)}"
    good = trader.sign(query + body)
    assert trader.send("POST", "order/test", query, body=f"{body}&signature={good}").status_code == 200
    assert trader.send("POST", "order/test", f"{query}&signature={good}", body=body).status_code == 200
    upper = trader.send("POST", "order/test", query, body=f"{body}&signature={good.upper()}")
    assert upper.status_code == 200
    changed = trader.send("POST", "order/test", query.replace("BUY", "SELL"), body=f"{body}&signature={good}")
    assert (changed.status_code, changed.json()["code"]) == (400, -1022)


@pytest.mark.parametrize(
    ("age_ms", "window", "code"),
    [
        (0, None, None),
        (4000, None, None),  # the window is 5 s unless said
        (6000, None, -1021),
        (6000, "10000", None),
        (2500, "2000", -1021),
        (-500, None, None),  # a clock half a second ahead passes
        (-5000, None, -1021),  # five seconds ahead does not, whatever the window
        (-5000, "60000", -1021),
        (0, "60001", -1131),
    ],
)
def test_age_is_measured_in_wall_time_in_both_directions(
    trader: Trader, age_ms: int, window: str | None, code: int | None
) -> None:
    more = {} if window is None else {"recvWindow": window}
    answer = trader.ask("GET", "account", timestamp=int(time.time() * 1000) - age_ms, **more)
    assert answer.json().get("code") == code
    served = trader.exchange.http.get("/api/v3/time").json()["serverTime"]
    assert abs(served - time.time() * 1000) < 5000


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [("", 401, -2014), ("not a key!", 401, -2014), ("sim-nobody", 401, -2015), ("x", 401, -2015)],
)
def test_a_wrong_key_is_401(trader: Trader, key: str, status: int, code: int) -> None:
    answer = trader.send("GET", "account", "timestamp=1&signature=2", key=key)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_timestamp_and_signature_are_mandatory_and_nothing_comes_twice(trader: Trader) -> None:
    assert trader.send("GET", "account", "signature=1").json()["code"] == -1102
    assert trader.send("GET", "account", f"timestamp={int(time.time() * 1000)}").json()["code"] == -1102
    twice = trader.send("GET", "account", "timestamp=1&timestamp=2&signature=3").json()
    assert (twice["code"], twice["msg"]) == (-1101, "Duplicate values for a parameter detected.")


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({"to": "yesterday"}, "ISO 8601"),
        ({"to": "2024-02-01T00:00:00"}, "zone"),
        ({"to": "2024-02-01T00:00:00Z", "levels": [{"id": "x", "symbol": "X/Y"}]}, "none of BTC/USDT"),
        (
            {"to": "2024-02-01T00:00:00Z", "levels": [{"id": "x", "symbol": "BTC/USDT", "direction": "up"}]},
            "above or below",
        ),
    ],
)
def test_a_clock_request_that_cannot_be_is_explained(trader: Trader, body: dict[str, Any], part: str) -> None:
    answer = trader.exchange.http.post("/sim/clock", json=body)
    assert answer.status_code == 400
    assert part in answer.json()["error"]
