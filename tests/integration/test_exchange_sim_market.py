"""The simulated exchange over real HTTP: orders through market time, kills, lost answers, look-ahead."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from eventually import eventually_now
from exchange_process import GENERATED, ExchangeProcess
from pyarrow import parquet

HOUR_MS = 3_600_000
START = datetime(2024, 3, 4, tzinfo=UTC)  # a Monday
Rows = list[tuple[str, str, str, str, str]]


def candle_file(path: Path, rows: Rows, *, start: datetime = START) -> str:
    """Hourly rows of open, high, low, close, volume as a CSV (or CSV.gz) file."""
    lines = ["timestamp,open,high,low,close,volume"]
    for hour, row in enumerate(rows):
        lines.append(",".join([(start + timedelta(hours=hour)).isoformat(), *row]))
    text = "\n".join(lines) + "\n"
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return str(path)


DAY: Rows = [
    ("100", "101", "99", "100", "5000"),  # 00:00 quiet
    ("100", "102", "96", "101", "5000"),  # 01:00 dips to 96, then 102
    ("101", "104", "100", "103", "5000"),  # 02:00 rises
    ("103", "103", "97", "98", "40"),  # 03:00 falls in a thin hour
    ("95", "97", "94", "96", "5000"),  # 04:00 opens lower: a gap
    ("96", "97", "95", "96", "5000"),  # 05:00 the last
]


def at(hour: int, minute: int = 0, second: int = 0) -> str:
    return (START + timedelta(hours=hour, minutes=minute, seconds=second)).isoformat().replace("+00:00", "Z")


@pytest.fixture
def hourly(tmp_path: Path) -> Iterator[ExchangeProcess]:
    data = f"BTC/USDT={candle_file(tmp_path / 'btc.csv.gz', DAY)}"
    exchange = ExchangeProcess(tmp_path / "sim.db", data=[data], seed=11)
    try:
        yield exchange
    finally:
        exchange.close()


def test_a_market_order_is_new_then_filled_one_second_later_and_pays_commission_in_base(
    hourly: ExchangeProcess,
) -> None:
    trader = hourly.open("a", USDT="10000")
    sent = trader.order("MARKET", quantity="10", newClientOrderId="entry")
    assert (sent["status"], sent["fills"]) == ("NEW", [])
    assert hourly.advance(at(6)) == {
        "now": at(0, 0, 1),
        "events": [
            {
                "kind": "order",
                "symbol": "BTC/USDT",
                "account": "a",
                "client_order_id": "entry",
                "level_id": None,
                "price": trader.get("myTrades", symbol="BTCUSDT")[0]["price"].rstrip("0"),
            }
        ],
    }
    found = trader.get("order", symbol="BTCUSDT", origClientOrderId="entry")
    (trade,) = trader.get("myTrades", symbol="BTCUSDT", orderId=found["orderId"])
    assert (found["status"], trade["commissionAsset"], trade["commission"]) == ("FILLED", "BTC", "0.01000000")
    assert trader.balances()["BTC"] == ("9.99000000", "0.00000000")
    assert Decimal(trader.balances()["USDT"][0]) == Decimal(10000) - Decimal(trade["quoteQty"])
    too_much = trader.ask(
        "POST", "order", symbol="BTCUSDT", side="SELL", type="STOP_LOSS", quantity="10", stopPrice="98"
    )
    assert too_much.json()["code"] == -2010  # the position is not the filled quantity


def test_an_entry_its_stop_and_its_target_level_through_one_day(hourly: ExchangeProcess) -> None:
    trader = hourly.open("a", USDT="10000")
    trader.order("LIMIT", quantity="1", price="98", timeInForce="GTC", newClientOrderId="entry")
    assert trader.balances()["USDT"] == ("9902.00000000", "98.00000000")
    filled = hourly.advance(at(6))
    assert filled["now"].startswith(at(1)[:13])
    assert [event["client_order_id"] for event in filled["events"]] == ["entry"]
    trader.order("STOP_LOSS", "SELL", quantity="0.999", stopPrice="97.5", newClientOrderId="stop")
    target = {"id": "target", "symbol": "BTC/USDT", "direction": "above", "price": "101.5", "after_candle_of": at(1)}
    stopped = hourly.advance(at(6), levels=[target])
    # 97.5 lies on the rest of the way to the low of 96: the stop, in the candle of its entry
    assert [event["client_order_id"] for event in stopped["events"]] == ["stop"]
    assert stopped["now"] < at(1, 20)
    clock = hourly.http.get("/sim/clock").json()
    assert clock["ambiguous_candles"] == 0  # not told before the candle has closed
    hourly.advance(at(2))
    assert hourly.http.get("/sim/clock").json()["ambiguous_candles"] == 1


def test_a_target_level_waits_for_the_candle_after_its_entry(hourly: ExchangeProcess) -> None:
    level = {"id": "target", "symbol": "BTC/USDT", "direction": "above", "price": "101.5"}
    same_candle = hourly.advance(at(1, 59), levels=[level])
    assert same_candle["now"].startswith(at(1)[:13])
    next_candle = hourly.advance(at(6), levels=[level | {"after_candle_of": at(1, 30)}])
    assert next_candle["events"][0]["level_id"] == "target"
    assert at(2) < next_candle["now"] < at(3)


def test_a_target_order_waits_for_the_candle_after_its_entry(hourly: ExchangeProcess) -> None:
    trader = hourly.open("a", USDT="10000")
    trader.order("LIMIT", quantity="1", price="98", timeInForce="GTC")
    hourly.advance(at(6))
    trader.order("LIMIT_MAKER", "SELL", quantity="0.999", price="101.5", newClientOrderId="target")
    reached = hourly.advance(at(6))
    # 01:00 goes on to 102, but the target can be reached in the next candle at the earliest
    assert reached["events"][0]["client_order_id"] == "target"
    assert at(2) <= reached["now"] < at(3)
    assert hourly.http.get("/sim/clock").json()["ambiguous_candles"] == 1


def test_a_thin_hour_fills_in_part_and_the_rest_of_a_stop_is_gone(hourly: ExchangeProcess) -> None:
    trader = hourly.open("a", BTC="50", USDT="0.01")
    hourly.advance(at(3))
    trader.order("STOP_LOSS", "SELL", quantity="50", stopPrice="98.5", newClientOrderId="stop")
    hourly.advance(at(6))
    stop = trader.get("order", symbol="BTCUSDT", origClientOrderId="stop")
    assert stop["status"] == "EXPIRED"
    assert 0 < Decimal(stop["executedQty"]) <= 4  # a tenth of 40
    assert trader.balances()["BTC"][1] == "0.00000000"


def test_a_stop_gapped_over_fills_at_the_next_open(hourly: ExchangeProcess) -> None:
    trader = hourly.open("a", BTC="1", USDT="0.01")
    hourly.advance(at(3))
    trader.order("STOP_LOSS", "SELL", quantity="1", stopPrice="96.5")
    gapped = hourly.advance(at(6))
    assert gapped["now"] == at(4)
    assert Decimal("94.5") < Decimal(trader.get("myTrades", symbol="BTCUSDT")[0]["price"]) < Decimal(95)


def test_at_the_end_of_its_data_a_symbol_trades_no_more(hourly: ExchangeProcess) -> None:
    trader = hourly.open("a", USDT="10000")
    trader.order("LIMIT", quantity="1", price="50", timeInForce="GTC", newClientOrderId="rests")
    ended = hourly.advance(at(30))
    assert ended["now"] == at(6)
    assert [(event["kind"], event["symbol"]) for event in ended["events"]] == [("end_of_data", "BTC/USDT")]
    assert hourly.advance(at(30)) == {"now": at(30), "events": []}
    refused = trader.ask("POST", "order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="1")
    assert (refused.json()["code"], refused.json()["msg"]) == (-1013, "Market is closed.")
    information = hourly.http.get("/api/v3/exchangeInfo").json()["symbols"][0]
    assert information["status"] == "BREAK"
    assert hourly.price() == 96
    assert trader.ask("DELETE", "order", symbol="BTCUSDT", origClientOrderId="rests").json()["status"] == "CANCELED"
    assert trader.balances()["USDT"] == ("10000.00000000", "0.00000000")


def test_nothing_public_tells_the_forming_candle(tmp_path: Path) -> None:
    scrambled = [*DAY[:2], ("101", "900", "1", "555", "77777"), *((("7", "9", "5", "6", "1"),) * 3)]
    answers: list[list[Any]] = []
    for name, rows in (("true", DAY), ("scrambled", scrambled)):
        data = f"BTC/USDT={candle_file(tmp_path / f'{name}.csv', rows)}"
        exchange = ExchangeProcess(tmp_path / f"{name}.db", data=[data], seed=1)
        try:
            exchange.advance(at(2, 30))
            asked = [
                "ticker/price",
                "ticker/bookTicker",
                "ticker/24hr",
                "depth?symbol=BTCUSDT",
                "avgPrice?symbol=BTCUSDT",
            ]
            asked += [f"klines?symbol=BTCUSDT&interval={interval}" for interval in ("1h", "4h", "1d")]
            answers.append([exchange.http.get(f"/api/v3/{path}").json() for path in asked])
            information = exchange.http.get("/api/v3/exchangeInfo").json()
            answers[-1].append(information["symbols"])
        finally:
            exchange.close()
    assert answers[0] == answers[1]


def test_klines_are_resampled_from_closed_candles_and_the_open_of_the_forming_one(hourly: ExchangeProcess) -> None:
    hourly.advance(at(3))
    hours = hourly.http.get("/api/v3/klines", params={"symbol": "BTCUSDT", "interval": "1h"}).json()
    opened = int(START.timestamp() * 1000)
    assert [row[0] for row in hours] == [opened + hour * HOUR_MS for hour in range(4)]
    assert [row[6] - row[0] for row in hours] == [HOUR_MS - 1] * 4
    assert [Decimal(price) for price in hours[-1][1:6]] == [103, 103, 103, 103, 0]
    (four,) = hourly.http.get("/api/v3/klines", params={"symbol": "BTCUSDT", "interval": "4h"}).json()
    assert [Decimal(price) for price in four[1:6]] == [100, 104, 96, 103, 15000]
    page = {"symbol": "BTCUSDT", "interval": "1h", "startTime": opened + HOUR_MS, "limit": 2}
    assert hourly.http.get("/api/v3/klines", params=page).json() == hours[1:3]
    assert hourly.http.get("/api/v3/klines", params={**page, "endTime": opened + HOUR_MS}).json() == hours[1:2]


def test_the_clock_never_goes_back_and_twice_is_once(hourly: ExchangeProcess) -> None:
    first = hourly.advance(at(2))
    assert hourly.advance(at(2)) == first
    assert hourly.advance(at(1)) == {"now": at(2), "events": []}
    assert hourly.http.get("/sim/clock").json()["now"] == at(2)


@pytest.mark.parametrize("way", ["request_id", "from"])
def test_an_advance_repeated_after_a_lost_answer_and_a_kill_gives_the_same_answer(
    hourly: ExchangeProcess, way: str
) -> None:
    trader = hourly.open("a", USDT="10000")
    trader.order("MARKET", quantity="1")
    again = {"request_id": "step-1"} if way == "request_id" else {"from": at(0)}
    first = hourly.advance(at(6), **again)
    assert first["events"]
    hourly.kill()
    hourly.restart()
    assert hourly.advance(at(6), **again) == first
    assert hourly.http.get("/sim/clock").json()["now"] == first["now"]
    if way == "from":
        lost = hourly.http.post("/sim/clock", json={"to": at(6), "from": at(3)})
        assert lost.status_code == 409


def everything(exchange: ExchangeProcess, accounts: list[str]) -> list[Any]:
    traders = [exchange.open(account) for account in accounts]
    return [
        [trader.get("allOrders", symbol=symbol) for trader in traders for symbol in ("BTCUSDT", "ETHUSDT")],
        [trader.get("myTrades", symbol=symbol) for trader in traders for symbol in ("BTCUSDT", "ETHUSDT")],
        [trader.balances() for trader in traders],
        exchange.http.get("/sim/clock").json(),
    ]


def campaign(exchange: ExchangeProcess, *, kill_on: tuple[int, ...] = (), accounts: list[str]) -> list[Any]:
    """Five days of entries, stops and cancels by rule; some days the process is killed in the middle."""
    for account in accounts:
        exchange.open(account, USDT="50000", BTC="3", ETH="20")
    start = datetime(2024, 1, 15, tzinfo=UTC)
    for day in range(5):
        for account in accounts:
            trader = exchange.open(account)
            for symbol in ("BTCUSDT", "ETHUSDT"):
                price = exchange.price(symbol)
                name = f"{account}-{symbol}-{day}"
                trader.order("MARKET", "BUY", symbol, quoteOrderQty="900", newClientOrderId=f"{name}-m")
                low = f"{price * 0.97:.2f}"
                trader.order(
                    "LIMIT", "BUY", symbol, quantity="0.05", price=low, timeInForce="GTC", newClientOrderId=f"{name}-l"
                )
                stop = f"{price * 0.9:.2f}"
                trader.ask(
                    *("POST", "order"),
                    **{"symbol": symbol, "side": "SELL", "type": "STOP_LOSS", "quantity": "0.1", "stopPrice": stop},
                    newClientOrderId=f"{name}-s",
                )
            if day in kill_on:
                exchange.kill()
                exchange.restart()
        to = (start + timedelta(days=day + 1)).isoformat()
        while exchange.advance(to)["events"]:
            if day in kill_on:
                exchange.kill()
                exchange.restart()
                kill_on = tuple(left for left in kill_on if left != day)
        for account in accounts:
            trader = exchange.open(account)
            for order in trader.get("openOrders", symbol="BTCUSDT"):
                if order["type"] == "LIMIT":
                    trader.ask("DELETE", "order", symbol="BTCUSDT", orderId=order["orderId"])
    return everything(exchange, accounts)


def test_killed_in_the_middle_or_not_and_accounts_in_any_order_the_same_fills(tmp_path: Path) -> None:
    results = []
    for name, kills, accounts in (("calm", (), ["a", "b"]), ("killed", (1, 3), ["b", "a"])):
        exchange = ExchangeProcess(tmp_path / f"{name}.db", **GENERATED, rate_limits=False)
        try:
            campaign(exchange, kill_on=kills, accounts=accounts)
            results.append(everything(exchange, ["a", "b"]))
        finally:
            exchange.close()
    assert results[0] == results[1]
    assert sum(map(len, results[0][1])) > 15


def test_sigterm_ends_it_cleanly_and_it_prints_one_line_only(tmp_path: Path) -> None:
    exchange = ExchangeProcess(tmp_path / "sim.db", **GENERATED)
    assert exchange.stop() == (0, "")


def test_a_database_of_another_market_is_refused(tmp_path: Path) -> None:
    ExchangeProcess(tmp_path / "sim.db", **GENERATED).close()
    with pytest.raises(AssertionError, match="ended with 1"):
        ExchangeProcess(tmp_path / "sim.db", **(GENERATED | {"generate_seed": 6}))


def test_a_running_clock_fills_when_somebody_looks_and_stops_with_the_process(tmp_path: Path) -> None:
    arguments = {**GENERATED, "clock": "realtime"}
    exchange = ExchangeProcess(tmp_path / "sim.db", **arguments)
    try:
        trader = exchange.open("a", USDT="10000")
        sent = trader.order("MARKET", quantity="0.01")

        def status() -> bool:
            return bool(trader.get("order", symbol="BTCUSDT", orderId=sent["orderId"])["status"] == "FILLED")

        eventually_now(status, what="the fill")
        before = datetime.fromisoformat(exchange.http.get("/sim/clock").json()["now"])
        exchange.kill()
        exchange.restart()
        after = datetime.fromisoformat(exchange.http.get("/sim/clock").json()["now"])
        assert timedelta(0) <= after - before < timedelta(seconds=3)  # the pause of the process is not market time
        jumped = exchange.advance("2024-01-16T00:00:00Z")
        assert jumped["now"] == "2024-01-16T00:00:00Z"
    finally:
        exchange.close()


def test_a_symbol_does_not_exist_before_its_first_candle(tmp_path: Path) -> None:
    late = candle_file(
        tmp_path / "ada.csv", [("0.1", "0.11", "0.09", "0.1", "50000")] * 3, start=START + timedelta(hours=2)
    )
    early = candle_file(tmp_path / "btc.csv", DAY)
    exchange = ExchangeProcess(tmp_path / "sim.db", data=[f"BTC/USDT={early}", f"ADA/USDT={late}"])
    try:
        listed = lambda: [s["symbol"] for s in exchange.http.get("/api/v3/exchangeInfo").json()["symbols"]]  # noqa: E731
        assert listed() == ["BTCUSDT"]
        assert exchange.http.get("/api/v3/depth", params={"symbol": "ADAUSDT"}).json()["code"] == -1121
        exchange.advance(at(2))
        assert listed() == ["ADAUSDT", "BTCUSDT"]
    finally:
        exchange.close()


def test_parquet_and_csv_give_the_same_market(tmp_path: Path) -> None:
    plain = candle_file(tmp_path / "btc.csv", DAY)
    with Path(plain).open() as file:
        rows = list(csv.DictReader(file))
    columns: dict[str, Any] = {name: [float(row[name]) for row in rows] for name in rows[0] if name != "timestamp"}
    columns["timestamp"] = [datetime.fromisoformat(row["timestamp"]) for row in rows]
    parquet.write_table(pyarrow.table(columns), tmp_path / "btc.parquet")
    klines = []
    for name in ("btc.csv", "btc.parquet"):
        exchange = ExchangeProcess(tmp_path / f"{name}.db", data=[f"BTC/USDT={tmp_path / name}"])
        try:
            exchange.advance(at(5))
            klines.append(exchange.http.get("/api/v3/klines", params={"symbol": "BTCUSDT", "interval": "1h"}).json())
        finally:
            exchange.close()
    assert klines[0] == klines[1]


def test_weights_are_announced_and_too_much_is_429_until_market_time_moves(tmp_path: Path) -> None:
    exchange = ExchangeProcess(tmp_path / "sim.db", **GENERATED)
    try:
        trader = exchange.open("a", USDT="10000")
        refused = None
        for _ in range(400):
            answer = exchange.http.get("/api/v3/ticker/24hr")
            if answer.status_code == 429:
                refused = answer
                break
            assert int(answer.headers["x-mbx-used-weight-1m"]) <= 6000
        assert refused is not None
        assert refused.json()["code"] == -1003
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        exchange.advance("2024-01-15T00:01:00Z")
        sent = trader.ask("POST", "order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
        assert sent.status_code == 200
        assert (sent.headers["x-mbx-order-count-10s"], sent.headers["x-mbx-order-count-1d"]) == ("1", "1")
    finally:
        exchange.close()
