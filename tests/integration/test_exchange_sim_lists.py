"""Order lists and cancel-replace over HTTP, as a client of Binance meets them; also across kill -9."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from exchange_process import GENERATED, ExchangeProcess, Trader

DAYS = [f"2024-01-{day:02}T00:00:00Z" for day in range(16, 32)] + ["2024-02-08T00:00:00Z"]


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[ExchangeProcess]:
    running = ExchangeProcess(tmp_path / "sim.db", **GENERATED, rate_limits=False)
    try:
        yield running
    finally:
        running.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trader]:
    """An exchange whose clock stands still: for refusals, which change nothing."""
    running = ExchangeProcess(tmp_path_factory.mktemp("lists") / "sim.db", **GENERATED, rate_limits=False)
    try:
        yield running.open("a", USDT="100000", BTC="1")
    finally:
        running.close()


def at(price: float, share: float) -> str:
    return f"{price * share:.2f}"


def oco(price: float, **more: Any) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "quantity": "0.4",
        "aboveType": "LIMIT_MAKER",
        "abovePrice": at(price, 1.02),
        "belowType": "STOP_LOSS",
        "belowStopPrice": at(price, 0.98),
        **more,
    }


def opoco(price: float, **more: Any) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT",
        "workingType": "LIMIT",
        "workingSide": "BUY",
        "workingPrice": at(price, 1.02),
        "workingQuantity": "0.4",
        "workingTimeInForce": "FOK",
        "pendingSide": "SELL",
        "pendingAboveType": "LIMIT_MAKER",
        "pendingAbovePrice": at(price, 1.04),
        "pendingBelowType": "STOP_LOSS",
        "pendingBelowStopPrice": at(price, 0.96),
        **more,
    }


def without(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def send(trader: Trader, kind: str, values: dict[str, Any]) -> Any:
    answer = trader.ask("POST", f"orderList/{kind}", **values)
    assert answer.status_code == 200, answer.text
    return answer.json()


def run_until(exchange: ExchangeProcess, *clients: str) -> dict[str, Any]:
    """Advance until an event names one of the client ids; the event."""
    for day in DAYS:
        while True:
            stop = exchange.advance(day)
            for event in stop["events"]:
                if event["client_order_id"] in clients:
                    found: dict[str, Any] = event
                    return found
            if not stop["events"]:
                break
    raise AssertionError(f"none of {clients} ever changed")


def statuses(trader: Trader, *clients: str) -> list[str]:
    return [trader.get("order", symbol="BTCUSDT", origClientOrderId=one)["status"] for one in clients]


def test_an_oco_locks_once_and_one_leg_ends_the_other(exchange: ExchangeProcess) -> None:
    trader = exchange.open("a", BTC="0.4")
    made = send(
        trader,
        "oco",
        oco(exchange.price(), listClientOrderId="pair", aboveClientOrderId="up", belowClientOrderId="down"),
    )
    assert (made["contingencyType"], made["listStatusType"], made["listOrderStatus"]) == (
        "OCO",
        "EXEC_STARTED",
        "EXECUTING",
    )
    assert [order["clientOrderId"] for order in made["orders"]] == ["down", "up"]
    assert [(r["type"], r["status"], r["orderListId"]) for r in made["orderReports"]] == [
        ("STOP_LOSS", "NEW", made["orderListId"]),
        ("LIMIT_MAKER", "NEW", made["orderListId"]),
    ]
    assert trader.balances()["BTC"] == ("0.00000000", "0.40000000")
    assert trader.get("openOrderList") == [without(made, "orderReports")]
    event = run_until(exchange, "up", "down")
    assert event["list_client_order_id"] == "pair"
    assert sorted(statuses(trader, "up", "down")) == ["EXPIRED", "FILLED"]
    assert trader.get("openOrderList") == []
    done = trader.get("orderList", origClientOrderId="pair")
    assert (done["listStatusType"], done["listOrderStatus"]) == ("ALL_DONE", "ALL_DONE")
    assert trader.get("orderList", orderListId=made["orderListId"]) == done
    assert trader.get("allOrderList") == [done]
    assert {trade["orderListId"] for trade in trader.get("myTrades", symbol="BTCUSDT")} == {made["orderListId"]}
    assert trader.balances()["BTC"] == ("0.00000000", "0.00000000")


def test_an_opoco_sells_what_the_entry_brought_net_of_commission(exchange: ExchangeProcess) -> None:
    trader = exchange.open("a", USDT="100000")
    names = {"workingClientOrderId": "in", "pendingAboveClientOrderId": "up", "pendingBelowClientOrderId": "down"}
    made = send(trader, "opoco", opoco(exchange.price(), listClientOrderId="bracket", **names))
    assert made["contingencyType"] == "OTO"
    assert [report["status"] for report in made["orderReports"]] == ["NEW", "PENDING_NEW", "PENDING_NEW"]
    assert "origQty" not in made["orderReports"][1]
    placed = exchange.advance(DAYS[0])
    assert {event["client_order_id"] for event in placed["events"]} == {"in", "up", "down"}
    assert placed["now"].endswith("00:00:01Z")
    (fill,) = trader.get("myTrades", symbol="BTCUSDT")
    net = Decimal(fill["qty"]) - Decimal(fill["commission"])
    assert fill["commissionAsset"] == "BTC"
    for leg in ("up", "down"):
        order = trader.get("order", symbol="BTCUSDT", origClientOrderId=leg)
        assert order["status"] == "NEW"
        assert net - Decimal("0.00001") < Decimal(order["origQty"]) <= net
    free, locked = map(Decimal, trader.balances()["BTC"])
    assert free + locked == net
    assert locked == Decimal(order["origQty"])
    run_until(exchange, "up", "down")
    assert sorted(statuses(trader, "up", "down")) == ["EXPIRED", "FILLED"]
    assert len(trader.get("myTrades", symbol="BTCUSDT")) == 2


def test_an_entry_that_is_not_filled_ends_its_list(exchange: ExchangeProcess) -> None:
    trader = exchange.open("a", USDT="100000")
    price = exchange.price()
    names = {"workingClientOrderId": "in", "pendingAboveClientOrderId": "up", "pendingBelowClientOrderId": "down"}
    send(trader, "opoco", opoco(price, **names) | {"workingPrice": at(price, 0.9)})
    exchange.advance(DAYS[0])
    assert statuses(trader, "in", "up", "down") == ["EXPIRED"] * 3
    assert trader.get("openOrderList") == []
    assert trader.balances()["USDT"] == ("100000.00000000", "0.00000000")


def test_pending_legs_are_checked_when_they_are_placed_and_then_rejected(exchange: ExchangeProcess) -> None:
    """The entry stands without its stop: a client must look at its pending legs."""
    trader = exchange.open("a", USDT="100000")
    price = exchange.price()
    values = opoco(price, pendingBelowClientOrderId="down") | {"pendingBelowStopPrice": at(price, 1.03)}
    made = send(trader, "opoco", values)
    exchange.advance(DAYS[0])
    assert statuses(trader, "down") == ["REJECTED"]
    assert trader.get("orderList", orderListId=made["orderListId"])["listOrderStatus"] == "ALL_DONE"
    free, locked = map(Decimal, trader.balances()["BTC"])
    assert free > 0
    assert locked == 0


def test_an_oto_locks_for_both_and_its_pending_order_follows(exchange: ExchangeProcess) -> None:
    trader = exchange.open("a", USDT="100000", BTC="0.3")
    values = {
        "symbol": "BTCUSDT",
        "workingType": "LIMIT",
        "workingSide": "BUY",
        "workingPrice": at(exchange.price(), 1.02),
        "workingQuantity": "0.1",
        "workingTimeInForce": "GTC",
        "pendingType": "MARKET",
        "pendingSide": "SELL",
        "pendingQuantity": "0.3",
        "pendingClientOrderId": "out",
    }
    send(trader, "oto", values)
    assert trader.balances()["BTC"] == ("0.00000000", "0.30000000")
    exchange.advance(DAYS[0])
    assert statuses(trader, "out") == ["NEW"]
    run_until(exchange, "out")
    assert statuses(trader, "out") == ["FILLED"]


@pytest.mark.parametrize("way", ["list", "leg", "all", "replace"])
def test_cancelling_a_leg_or_the_list_cancels_the_list(exchange: ExchangeProcess, way: str) -> None:
    trader = exchange.open("a", BTC="0.4")
    price = exchange.price()
    send(
        trader,
        "oco",
        oco(price, listClientOrderId="pair", aboveClientOrderId="up", belowClientOrderId="down"),
    )
    if way == "list":
        gone = trader.ask("DELETE", "orderList", symbol="BTCUSDT", listClientOrderId="pair", newClientOrderId="bye")
        assert gone.json()["listOrderStatus"] == "ALL_DONE"
        assert {(r["status"], r["clientOrderId"]) for r in gone.json()["orderReports"]} == {("CANCELED", "bye")}
    elif way == "leg":
        gone = trader.ask("DELETE", "order", symbol="BTCUSDT", origClientOrderId="up")
        assert (gone.json()["origClientOrderId"], gone.json()["status"]) == ("up", "CANCELED")
    elif way == "all":
        gone = trader.ask("DELETE", "openOrders", symbol="BTCUSDT")
        assert [one["contingencyType"] for one in gone.json()] == ["OCO"]
    else:
        gone = trader.ask(
            "POST",
            "order/cancelReplace",
            symbol="BTCUSDT",
            side="SELL",
            type="STOP_LOSS",
            quantity="0.4",
            stopPrice=at(price, 0.99),
            cancelReplaceMode="STOP_ON_FAILURE",
            cancelOrigClientOrderId="down",
            newClientOrderId="tighter",
        )
    assert gone.status_code == 200, gone.text
    assert statuses(trader, "up", "down") == ["CANCELED", "CANCELED"]
    locked = "0.40000000" if way == "replace" else "0.00000000"
    assert trader.balances()["BTC"][1] == locked
    again = trader.ask("DELETE", "orderList", symbol="BTCUSDT", listClientOrderId="pair")
    assert (again.status_code, again.json()["code"]) == (400, -2011)


PRICES = "The relationship of the prices for the orders is not correct."


@pytest.mark.parametrize(
    ("kind", "changes", "code", "message"),
    [
        ("oco", {"abovePrice": 0.99}, -2010, PRICES),
        ("oco", {"belowStopPrice": 1.01}, -2010, PRICES),
        ("oco", {"belowType": "MARKET"}, -1158, "Order type not supported in OCO."),
        ("oco", {"belowType": "LIMIT_MAKER"}, -1168, "At least one OCO order must be contingent."),
        ("oco", {"side": "BUY"}, -1165, "A limit order in a buy OCO must be below."),
        ("oco", {"aboveType": "STOP_LOSS", "belowType": "LIMIT_MAKER"}, -1166, "A limit order in a sell OCO must be"),
        ("oco", {"aboveType": "STOP_LOSS", "abovePrice": None, "aboveStopPrice": 1.02}, -1158, "Order type not supp"),
        ("oco", {"quantity": "2"}, -2010, "Account has insufficient balance for requested action."),
        ("oco", {"quantity": "0.000001"}, -1013, "Filter failure: LOT_SIZE"),
        ("oco", {"belowStopPrice": None}, -1102, "Param 'belowStopPrice' or 'belowTrailingDelta' must be sent"),
        ("oco", {"abovePrice": None}, -1102, "Mandatory parameter 'abovePrice' was not sent"),
        ("oco", {"aboveClientOrderId": "x", "belowClientOrderId": "x"}, -2010, "Duplicate order sent."),
        ("oco", {"pendingSide": "SELL"}, -1104, "Not all sent parameters were read"),
        ("opoco", {"workingSide": "SELL"}, -1117, "Invalid side."),
        ("opoco", {"pendingSide": "BUY"}, -1165, "A limit order in a buy OCO must be below."),
        ("opoco", {"workingType": "MARKET"}, -1116, "Invalid orderType."),
        ("opoco", {"workingTimeInForce": None}, -1102, "Mandatory parameter 'workingTimeInForce' was not sent"),
        ("opoco", {"pendingQuantity": "0.4"}, -1104, "Not all sent parameters were read"),
        ("opoco", {"workingQuantity": "20"}, -2010, "Account has insufficient balance for requested action."),
        ("otoco", {}, -1102, "Mandatory parameter 'pendingQuantity' was not sent"),
        ("otoco", {"pendingQuantity": "2"}, -2010, "Account has insufficient balance for requested action."),
    ],
)
def test_a_list_is_refused_and_nothing_changes(
    shared: Trader, kind: str, changes: dict[str, Any], code: int, message: str
) -> None:
    price = shared.exchange.price()
    values = oco(price) if kind == "oco" else opoco(price)
    for name, value in changes.items():
        values[name] = at(price, value) if isinstance(value, float) else value
    before = shared.balances()
    answer = shared.ask("POST", f"orderList/{kind}", **{n: v for n, v in values.items() if v is not None})
    assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text
    assert answer.json()["msg"].startswith(message)
    assert shared.balances() == before
    assert shared.get("openOrders") == []


def test_an_unknown_list_is_said_to_be_unknown(shared: Trader) -> None:
    asked = shared.ask("GET", "orderList", origClientOrderId="nobody")
    assert (asked.status_code, asked.json()["msg"]) == (400, "Order list does not exist.")
    assert shared.ask("GET", "orderList").json()["code"] == -1102
    assert shared.ask("GET", "allOrderList", fromId=1, startTime=1).json()["code"] == -1128


@pytest.mark.parametrize(
    ("mode", "cancels", "quantity", "status", "code", "results"),
    [
        ("STOP_ON_FAILURE", "old", "0.1", 200, None, ("SUCCESS", "SUCCESS")),
        ("STOP_ON_FAILURE", "nobody", "0.1", 400, -2022, ("FAILURE", "NOT_ATTEMPTED")),
        ("STOP_ON_FAILURE", "old", "9", 409, -2021, ("SUCCESS", "FAILURE")),  # the protection is gone
        ("ALLOW_FAILURE", "nobody", "0.1", 409, -2021, ("FAILURE", "SUCCESS")),
        ("ALLOW_FAILURE", "nobody", "9", 400, -2022, ("FAILURE", "FAILURE")),
    ],
)
def test_cancel_replace_says_which_half_failed_and_keeps_the_other(
    tmp_path: Path, mode: str, cancels: str, quantity: str, status: int, code: int | None, results: tuple[str, str]
) -> None:
    exchange = ExchangeProcess(tmp_path / "sim.db", **GENERATED, rate_limits=False)
    try:
        trader = exchange.open("a", BTC="0.4")
        stop = at(exchange.price(), 0.9)
        trader.order("STOP_LOSS", "SELL", quantity="0.2", stopPrice=stop, newClientOrderId="old")
        answer = trader.ask(
            "POST",
            "order/cancelReplace",
            symbol="BTCUSDT",
            side="SELL",
            type="STOP_LOSS",
            quantity=quantity,
            stopPrice=stop,
            cancelReplaceMode=mode,
            cancelOrigClientOrderId=cancels,
            newClientOrderId="new",
        )
        body = answer.json()
        halves = body if code is None else body["data"]
        assert (answer.status_code, body.get("code")) == (status, code)
        assert (halves["cancelResult"], halves["newOrderResult"]) == results
        exchange.kill()
        exchange.restart()
        open_ids = {order["clientOrderId"] for order in trader.get("openOrders")}
        expected = {"old"} if results[0] == "FAILURE" else set()
        assert open_ids == expected | ({"new"} if results[1] == "SUCCESS" else set())
    finally:
        exchange.close()


def _script(exchange: ExchangeProcess, *, killed: bool) -> tuple[Any, ...]:
    """An entry with its bracket and a pair beside it to their ends; `killed` -9 after every step."""
    trader = exchange.open("a", USDT="100000", BTC="0.4")
    price = exchange.price()

    def die() -> None:
        if killed:
            exchange.kill()
            exchange.restart()

    send(trader, "opoco", opoco(price, listClientOrderId="bracket", pendingBelowTrailingDelta="300"))
    die()
    send(trader, "oco", oco(price, listClientOrderId="pair"))
    die()
    for day in DAYS[:6]:
        while exchange.advance(day)["events"]:
            die()
        die()
    return (
        trader.get("allOrderList"),
        trader.get("allOrders", symbol="BTCUSDT"),
        trader.get("myTrades", symbol="BTCUSDT"),
        trader.balances(),
    )


def test_kill_9_after_every_step_changes_nothing(tmp_path: Path) -> None:
    outcomes = []
    for killed in (False, True):
        exchange = ExchangeProcess(tmp_path / f"{killed}.db", **GENERATED, rate_limits=False)
        try:
            outcomes.append(_script(exchange, killed=killed))
        finally:
            exchange.close()
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][2]


def test_exchange_information_says_what_is_allowed(shared: Trader) -> None:
    answer = shared.exchange.http.get("/api/v3/exchangeInfo", params={"symbol": "BTCUSDT"})
    (symbol,) = answer.json()["symbols"]
    flags = ("ocoAllowed", "otoAllowed", "opoAllowed", "icebergAllowed", "allowTrailingStop", "cancelReplaceAllowed")
    assert all(symbol[flag] is True for flag in flags)
    assert {"TAKE_PROFIT", "TAKE_PROFIT_LIMIT"} <= set(symbol["orderTypes"])
    names = {row["filterType"] for row in symbol["filters"]}
    assert {"ICEBERG_PARTS", "TRAILING_DELTA", "MAX_NUM_ORDER_LISTS", "MAX_NUM_ICEBERG_ORDERS"} <= names
