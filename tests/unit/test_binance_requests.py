"""What leaves for Binance and what comes back, without a network: parameters, signature, shapes, and hard answers."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from fakes.exchange import a_stop, an_order

from activities.exchange.binance import BinanceExchange
from activities.exchange.binance_session import Credential
from activities.exchange.port import RealmRefused, VenueAnswer, VenueRefused, VenueUnavailable
from trading.orders.models import OrderRequest, OrderStatus, OrderType, OutcomeClass, Side, TimeInForce

VENUE_MS = 1_583_999_999_000
SYMBOL = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "orderTypes": [
        "LIMIT",
        "LIMIT_MAKER",
        "MARKET",
        "STOP_LOSS",
        "STOP_LOSS_LIMIT",
        "TAKE_PROFIT",
        "PEGGED_OF_TOMORROW",
    ],
    "ocoAllowed": True,
    "opoAllowed": False,
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01000000"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000.00000000", "stepSize": "0.00001000"},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": "45.5", "stepSize": "0.00000000"},
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": "1.2",
            "bidMultiplierDown": "0.2",
            "askMultiplierUp": "5",
            "askMultiplierDown": "0.8",
            "avgPriceMins": 5,
        },
        {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 7},
        {"filterType": "A_FILTER_OF_TOMORROW"},
    ],
}
LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
]
ORDER = {
    "symbol": "BTCUSDT",
    "orderId": 42,
    "orderListId": -1,
    "clientOrderId": "c" * 32,
    "transactTime": VENUE_MS,
    "price": "0.00000000",
    "origQty": "0.10000000",
    "executedQty": "0.10000000",
    "cummulativeQuoteQty": "700.12345678",
    "status": "EXPIRED",
    "timeInForce": "GTC",
    "type": "MARKET",
    "side": "BUY",
}


class Wire:
    """A Binance of canned answers; every request is kept."""

    def __init__(self, order_answer: Callable[[httpx.Request], httpx.Response] | None = None) -> None:
        self.requests: list[httpx.Request] = []
        self.order_answer = order_answer or (lambda request: httpx.Response(200, json=ORDER))
        self.account_answer = httpx.Response(400, json={"code": -2015, "msg": "Invalid API-key."})

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        match request.url.path:
            case "/api/v3/time":
                return httpx.Response(200, json={"serverTime": VENUE_MS})
            case "/api/v3/exchangeInfo":
                return httpx.Response(200, json={"symbols": [SYMBOL], "rateLimits": LIMITS})
            case "/api/v3/order":
                return self.order_answer(request)
            case _:
                return self.account_answer

    @property
    def paths(self) -> list[str]:
        return [f"{request.method} {request.url.path}" for request in self.requests]

    def adapter(self, **options: Any) -> BinanceExchange:
        given: dict[str, Any] = {"credentials": {"composite": Credential(api_key="key", secret="the secret")}}
        return BinanceExchange(
            realm="paper",
            venue="sim",
            transport=httpx.MockTransport(self),
            **({"base_url": "https://venue.test"} | given | options),
        )


async def sent(wire: Wire, order: OrderRequest, *, protective: bool = False) -> VenueAnswer:
    adapter = wire.adapter()
    return await adapter.send(await adapter.prepare(order), protective=protective)


@pytest.mark.parametrize(
    ("order", "fields"),
    [
        (an_order(quantity=Decimal("1E-1")), {"type": "MARKET", "quantity": "0.1"}),
        (
            an_order(type=OrderType.LIMIT, price=Decimal("6900.019")),
            {"type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1", "price": "6900.01"},
        ),
        (
            an_order(type=OrderType.LIMIT, price=Decimal(7000), time_in_force=TimeInForce.FOK),
            {"type": "LIMIT", "timeInForce": "FOK", "quantity": "0.1", "price": "7000"},
        ),
        (
            an_order(type=OrderType.LIMIT_MAKER, price=Decimal(7000)),
            {"type": "LIMIT_MAKER", "quantity": "0.1", "price": "7000"},
        ),
        (a_stop(), {"side": "SELL", "type": "STOP_LOSS", "quantity": "0.1", "stopPrice": "6800"}),
        (
            a_stop(type=OrderType.STOP_LOSS_LIMIT, price=Decimal(6790)),
            {
                "side": "SELL",
                "type": "STOP_LOSS_LIMIT",
                "timeInForce": "GTC",
                "quantity": "0.1",
                "price": "6790",
                "stopPrice": "6800",
            },
        ),
    ],
)
async def test_the_parameters_of_an_order(order: OrderRequest, fields: dict[str, str]) -> None:
    prepared = await Wire().adapter().prepare(order)
    given = dict(prepared.fields)
    stamp = int(given.pop("timestamp"))
    assert given == {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "newClientOrderId": order.client_order_id,
        "newOrderRespType": "RESULT",
        "recvWindow": "3000",
        **fields,
    }
    assert 0 <= stamp - VENUE_MS < 5000, "the venue's time, not ours"
    assert (prepared.expires_at - prepared.signed_at).total_seconds() == 3
    assert (prepared.horizon_at - prepared.signed_at).total_seconds() == 18


async def test_exactly_what_was_prepared_is_sent_and_signed() -> None:
    wire = Wire()
    adapter = wire.adapter()
    prepared = await adapter.prepare(an_order())
    await adapter.send(prepared, protective=False)
    request = wire.requests[-1]
    body, _, signature = request.content.decode().rpartition("&signature=")
    assert parse_qsl(body) == list(prepared.fields)
    assert signature == hmac.new(b"the secret", body.encode(), hashlib.sha256).hexdigest()
    assert request.headers["X-MBX-APIKEY"] == "key"
    assert "the secret" not in prepared.model_dump_json()
    assert "the secret" not in repr(Credential(api_key="key", secret="the secret"))


async def test_an_answered_order_keeps_every_digit() -> None:
    answer = await sent(Wire(), an_order())
    assert answer.outcome is OutcomeClass.ACCEPTED
    assert answer.order is not None
    assert (answer.order.status, answer.order.price) == (OrderStatus.EXPIRED, None)
    assert answer.order.executed_quote == Decimal("700.12345678")
    assert answer.order.created_at == datetime.fromtimestamp(VENUE_MS / 1000, UTC)


async def test_a_cancel_is_told_by_the_order_s_own_id() -> None:
    cancelled = ORDER | {"origClientOrderId": "c" * 32, "clientOrderId": "the cancel's own", "status": "CANCELED"}
    wire = Wire(lambda request: httpx.Response(200, json=cancelled))
    answer = await wire.adapter().cancel(an_order(client_order_id="c" * 32).key)
    assert answer.order is not None
    assert (answer.order.client_order_id, answer.order.status) == ("c" * 32, OrderStatus.CANCELED)
    assert wire.paths[-1] == "DELETE /api/v3/order"


@pytest.mark.parametrize(
    ("response", "outcome"),
    [
        (httpx.Response(200, json={"orderId": 1}), OutcomeClass.UNKNOWN),  #            half an order
        (httpx.Response(200, json=ORDER | {"status": "OF_TOMORROW"}), OutcomeClass.UNKNOWN),
        (httpx.Response(200, json=ORDER | {"origQty": "many"}), OutcomeClass.UNKNOWN),
        (httpx.Response(200, text="<html>"), OutcomeClass.UNKNOWN),
        (httpx.Response(302, headers={"Location": "https://elsewhere.test"}), OutcomeClass.UNKNOWN),
        (httpx.Response(403, text="<html>forbidden</html>"), OutcomeClass.REFUSED),
        (httpx.Response(400, json={"code": -2011, "msg": "Unknown order sent."}), OutcomeClass.UNKNOWN),
    ],
)
async def test_an_answer_that_cannot_be_read_is_doubt(response: httpx.Response, outcome: OutcomeClass) -> None:
    assert (await sent(Wire(lambda request: response), an_order())).outcome is outcome


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (httpx.ConnectError("refused"), OutcomeClass.NOT_SENT),
        (httpx.ConnectTimeout("slow"), OutcomeClass.NOT_SENT),
        (httpx.PoolTimeout("full"), OutcomeClass.NOT_SENT),
        (httpx.ReadTimeout("slow"), OutcomeClass.UNKNOWN),
        (httpx.WriteTimeout("slow"), OutcomeClass.UNKNOWN),
        (httpx.ReadError("reset"), OutcomeClass.UNKNOWN),
        (httpx.WriteError("reset"), OutcomeClass.UNKNOWN),
        (httpx.RemoteProtocolError("half"), OutcomeClass.UNKNOWN),
        (httpx.DecodingError("garbled"), OutcomeClass.UNKNOWN),
    ],
)
async def test_only_what_failed_before_the_first_byte_is_not_sent(error: Exception, outcome: OutcomeClass) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error

    assert (await sent(Wire(fail), an_order())).outcome is outcome


async def test_a_key_that_is_refused_stops_entries_until_a_signed_question_is_answered() -> None:
    wire = Wire(lambda request: httpx.Response(401, json={"code": -2015, "msg": "Invalid API-key."}))
    adapter = wire.adapter()
    entry, stop = await adapter.prepare(an_order()), await adapter.prepare(a_stop())
    first = await adapter.send(entry, protective=False)
    reached = len(wire.requests)
    second = await adapter.send(entry, protective=False)
    assert (first.stops_venue, second.stops_venue, second.outcome) == (True, True, OutcomeClass.REFUSED)
    assert len(wire.requests) == reached, "nothing left"
    await adapter.send(stop, protective=True)
    assert len(wire.requests) == reached + 1, "protection still tries"
    wire.account_answer = httpx.Response(200, json=[])
    await adapter.open_orders("composite", "BTC/USDT")
    wire.order_answer = lambda request: httpx.Response(200, json=ORDER)
    assert (await adapter.send(entry, protective=False)).outcome is OutcomeClass.ACCEPTED


async def test_an_entry_is_held_back_at_the_reserve_and_a_stop_is_not() -> None:
    wire = Wire()
    adapter = wire.adapter()
    entry, stop = await adapter.prepare(an_order()), await adapter.prepare(a_stop())
    wire.account_answer = httpx.Response(200, json=[], headers={"X-MBX-USED-WEIGHT-1M": "4900"})
    await adapter.open_orders("composite", "BTC/USDT")
    held = await adapter.send(entry, protective=False)
    passed = await adapter.send(stop, protective=True)
    assert (held.outcome, passed.outcome) == (OutcomeClass.NOT_PROCESSED, OutcomeClass.ACCEPTED)
    assert held.retry_after_s is not None
    assert wire.paths.count("POST /api/v3/order") == 1


async def test_a_request_that_expired_here_is_not_sent() -> None:
    wire = Wire()
    adapter = wire.adapter()
    prepared = await adapter.prepare(an_order())
    late = prepared.model_copy(update={"expires_at": prepared.signed_at.replace(year=2019)})
    answer = await adapter.send(late, protective=True)
    assert (answer.outcome, answer.retry_after_s) == (OutcomeClass.NOT_PROCESSED, Decimal(0))
    assert "POST /api/v3/order" not in wire.paths


async def test_a_clock_that_is_refused_is_measured_again() -> None:
    wire = Wire(lambda request: httpx.Response(400, json={"code": -1021, "msg": "outside of the recvWindow"}))
    adapter = wire.adapter()
    await adapter.send(await adapter.prepare(an_order()), protective=False)
    await adapter.prepare(an_order())
    assert wire.paths.count("GET /api/v3/time") == 2


async def test_an_unknown_order_is_none_and_an_outage_is_not() -> None:
    key = an_order().key
    absent = Wire(lambda request: httpx.Response(400, json={"code": -2013, "msg": "Order does not exist."}))
    assert await absent.adapter().find(key) is None
    for response in (
        httpx.Response(502),
        httpx.Response(429, headers={"Retry-After": "9"}),
        httpx.Response(400, json={"code": -1007, "msg": "Timeout"}),
        httpx.Response(404, text="<html>"),
    ):
        with pytest.raises(VenueUnavailable):
            await Wire(lambda request, answer=response: answer).adapter().find(key)  # type: ignore[misc]
    wrong = Wire(lambda request: httpx.Response(400, json={"code": -2014, "msg": "API-key format invalid."}))
    with pytest.raises(VenueRefused):
        await wrong.adapter().find(key)


def no_key(account: str) -> Credential:
    raise ValueError(f"account {account} has no key: set BINANCE_API_KEY_{account.upper()}")


async def test_an_account_without_a_key_sends_nothing_and_says_what_to_set() -> None:
    wire = Wire()
    adapter = wire.adapter(credentials=no_key)
    answer = await adapter.send(await adapter.prepare(an_order()), protective=False)
    assert (answer.outcome, answer.order) == (OutcomeClass.NOT_SENT, None)
    with pytest.raises(VenueRefused, match="set BINANCE_API_KEY_COMPOSITE"):
        await adapter.find(an_order().key)
    assert [path for path in wire.paths if path.endswith("/order")] == []


async def test_what_cannot_be_sent_names_its_numbers() -> None:
    with pytest.raises(VenueRefused, match=r"below_min_notional: .* is 0\.7, below the least notional 5"):
        await Wire().adapter().prepare(an_order(quantity=Decimal("0.0001")))


async def test_rules_are_read_whole_and_asked_for_once() -> None:
    wire = Wire()
    adapter = wire.adapter()
    rules = await adapter.rules("BTC/USDT")
    assert await adapter.rules("BTC/USDT") is rules
    assert wire.paths == ["GET /api/v3/exchangeInfo"]
    assert (rules.tick_size, rules.step_size, rules.market_step_size) == (Decimal("0.01"), Decimal("0.00001"), 0)
    assert (rules.max_quantity, rules.max_market_quantity) == (9000, Decimal("45.5"))
    assert (rules.max_price_ratio_up, rules.sell_price_ratio_down) == (Decimal("1.2"), Decimal("0.8"))
    assert (rules.max_algo_orders, rules.oco_allowed, rules.opo_allowed) == (7, True, False)
    assert OrderType.TAKE_PROFIT_LIMIT not in rules.order_types


def test_a_window_beyond_three_seconds_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at most 3"):
        Wire().adapter(receive_window_s=Decimal(5))


async def test_a_sell_s_bounds_are_not_a_buy_s() -> None:
    adapter = Wire().adapter()
    far = an_order(side=Side.SELL, type=OrderType.LIMIT, price=Decimal(14_000))
    assert (await adapter.prepare(far)).price == Decimal(14_000)
    with pytest.raises(VenueRefused, match="price_out_of_bounds"):
        await adapter.prepare(far.model_copy(update={"side": Side.BUY}))


@pytest.mark.parametrize("host", ["api.binance.com", "testnet.binance.vision", "API.BINANCE.COM."])
def test_a_venue_without_hosts_of_its_own_never_speaks_to_a_real_one(host: str) -> None:
    with pytest.raises(RealmRefused, match="a host of a real venue"):
        Wire().adapter(base_url=f"https://{host}")


def test_a_real_venue_speaks_to_its_own_hosts_only() -> None:
    testnet = frozenset({"testnet.binance.vision"})
    with pytest.raises(RealmRefused, match=r"refuses api\.binance\.com: allowed are testnet\.binance\.vision"):
        Wire().adapter(base_url="https://api.binance.com", hosts=testnet)
    assert Wire().adapter(base_url="https://testnet.binance.vision", hosts=testnet).venue == "sim"
