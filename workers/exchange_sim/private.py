"""Signed endpoints: account, orders and trades of the account behind the key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trading.matching.draws import draw
from trading.matching.model import Kind, Order, Refusal
from workers.exchange_sim import parameters
from workers.exchange_sim.endpoints import Call, Endpoint, by_symbol, fixed
from workers.exchange_sim.exchange import Exchange, compact
from workers.exchange_sim.market import Market
from workers.exchange_sim.rendering import accepted, cancelled, eight, queried, traded


def new_order(exchange: Exchange, call: Call) -> str:
    """Accept an order. It is `NEW` in every answer: even a MARKET order fills only after its latency of market time."""
    market = exchange.market(parameters.required(call.values, "symbol"))
    draft = parameters.draft(call.values)
    detail = _detail(call.values, draft.kind)
    times = {"market_ms": exchange.now_ms, "wall_ms": call.wall_ms}
    exchange.limits.check_order(call.account, **times)
    order = exchange.engine.place(call.account, market, draft)
    assert order is not None
    ten_s, day = exchange.limits.count_order(call.account, **times)
    call.headers |= {"x-mbx-order-count-10s": str(ten_s), "x-mbx-order-count-1d": str(day)}
    return compact(accepted(order, market, detail))


def _detail(values: Mapping[str, str], kind: Kind) -> str:
    asked = parameters.text(values, "newOrderRespType")
    if asked is None:
        return "FULL" if kind in (Kind.MARKET, Kind.LIMIT) else "ACK"
    if asked not in ("ACK", "RESULT", "FULL"):
        raise Refusal(
            -1100, "Illegal characters found in parameter 'newOrderRespType'; legal range is 'ACK, RESULT, FULL'."
        )
    return asked


def check_order(exchange: Exchange, call: Call) -> str:
    """Every check of a new order, without the order."""
    market = exchange.market(parameters.required(call.values, "symbol"))
    draft = parameters.draft(call.values)
    _detail(call.values, draft.kind)
    exchange.engine.place(call.account, market, draft, only_test=True)
    if call.values.get("computeCommissionRates") == "true":
        return compact(_rates(exchange))
    return "{}"


def _named_order(exchange: Exchange, call: Call, market: Market) -> Order | None:
    number = parameters.integer(call.values, "orderId")
    client_id = parameters.client_id(call.values, "origClientOrderId")
    if number is None and client_id is None:
        raise Refusal(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
    if number is None:
        assert client_id is not None
        return exchange.state.by_client(call.account, market.symbol, client_id)
    order = exchange.state.orders.get((market.symbol, number))
    if order is None or order.account != call.account or client_id not in (None, order.client_id):
        return None
    return order


def query_order(exchange: Exchange, call: Call) -> str:
    market = exchange.market(parameters.required(call.values, "symbol"))
    order = _named_order(exchange, call, market)
    if order is None:
        raise Refusal(-2013, "Order does not exist.")
    return compact(queried(order, market))


def cancel_order(exchange: Exchange, call: Call) -> str:
    market = exchange.market(parameters.required(call.values, "symbol"))
    order = _named_order(exchange, call, market)
    if order is None:
        raise Refusal(-2011, "Unknown order sent.")
    after = exchange.engine.cancel(order)
    named = parameters.client_id(call.values, "newClientOrderId")
    return compact(cancelled(after, market, cancel_id=named or _cancel_id(order)))


def _cancel_id(order: Order) -> str:
    return f"cancel{draw('cancel', order.symbol, order.order_id):016x}"


def cancel_open_orders(exchange: Exchange, call: Call) -> str:
    market = exchange.market(parameters.required(call.values, "symbol"))
    orders = exchange.state.open_of(call.account, market.symbol)
    if not orders:
        raise Refusal(-2011, "Unknown order sent.")
    gone = [exchange.engine.cancel(order) for order in orders]
    return compact([cancelled(order, market, cancel_id=_cancel_id(order)) for order in gone])


def open_orders(exchange: Exchange, call: Call) -> str:
    symbol = parameters.text(call.values, "symbol")
    market = None if symbol is None else exchange.market(symbol)
    orders = exchange.state.open_of(call.account, None if market is None else market.symbol)
    return compact([queried(order, exchange.markets[order.symbol]) for order in orders])


def all_orders(exchange: Exchange, call: Call) -> str:
    """By id: the first `limit` from `orderId` or `startTime`, else the latest."""
    market = exchange.market(parameters.required(call.values, "symbol"))
    orders = exchange.state.orders_of(call.account, market.symbol)
    from_id = parameters.integer(call.values, "orderId")
    start_ms, end_ms = parameters.integer(call.values, "startTime"), parameters.integer(call.values, "endTime")
    found = [
        order
        for order in orders
        if (from_id is None or order.order_id >= from_id)
        and (start_ms is None or order.created_ms >= start_ms)
        and (end_ms is None or order.created_ms <= end_ms)
    ]
    page = _page(found, parameters.limit(call.values), from_start=from_id is not None or start_ms is not None)
    return compact([queried(order, market) for order in page])


def my_trades(exchange: Exchange, call: Call) -> str:
    """By id: the first `limit` from `fromId` or `startTime`, else the latest; `orderId` keeps those of one order."""
    market = exchange.market(parameters.required(call.values, "symbol"))
    fills = exchange.state.trades.get((call.account, market.symbol), [])
    from_id, order_id = parameters.integer(call.values, "fromId"), parameters.integer(call.values, "orderId")
    start_ms, end_ms = parameters.integer(call.values, "startTime"), parameters.integer(call.values, "endTime")
    found = [
        fill
        for fill in fills
        if (from_id is None or fill.trade_id >= from_id)
        and (order_id is None or fill.order_id == order_id)
        and (start_ms is None or fill.at_ms >= start_ms)
        and (end_ms is None or fill.at_ms <= end_ms)
    ]
    page = _page(found, parameters.limit(call.values), from_start=from_id is not None or start_ms is not None)
    return compact([traded(fill, market) for fill in page])


def _page(found: list[Any], limit: int, *, from_start: bool) -> list[Any]:
    return found[:limit] if from_start else found[-limit:]


def _rates(exchange: Exchange) -> dict[str, Any]:
    return {
        "standardCommissionForOrder": {
            "maker": eight(exchange.config.maker_fee),
            "taker": eight(exchange.config.taker_fee),
        },
        "taxCommissionForOrder": {"maker": eight(None), "taker": eight(None)},
        "discount": {
            "enabledForAccount": False,
            "enabledForSymbol": False,
            "discountAsset": "BNB",
            "discount": eight(None),
        },
    }


def commission(exchange: Exchange, call: Call) -> str:
    market = exchange.market(parameters.required(call.values, "symbol"))
    none = {"maker": eight(None), "taker": eight(None), "buyer": eight(None), "seller": eight(None)}
    own = {"maker": eight(exchange.config.maker_fee), "taker": eight(exchange.config.taker_fee)}
    return compact(
        {
            "symbol": market.api_symbol,
            "standardCommission": none | own,
            "specialCommission": none,
            "taxCommission": none,
            "discount": _rates(exchange)["discount"],
        }
    )


def account(exchange: Exchange, call: Call) -> str:
    wallet = exchange.state.wallets[call.account]
    without_zeros = call.values.get("omitZeroBalances") == "true"
    maker, taker = exchange.config.maker_fee, exchange.config.taker_fee
    return compact(
        {
            "makerCommission": int(maker * 10_000),
            "takerCommission": int(taker * 10_000),
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": {
                "maker": eight(maker),
                "taker": eight(taker),
                "buyer": eight(None),
                "seller": eight(None),
            },
            "canTrade": True,
            "canWithdraw": False,
            "canDeposit": False,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": exchange.now_ms,
            "accountType": "SPOT",
            "balances": [
                {"asset": asset, "free": eight(held.free), "locked": eight(held.locked)}
                for asset, held in sorted(wallet.holdings.items())
                if held.free or held.locked or not without_zeros
            ],
            "permissions": ["SPOT"],
            "uid": draw("uid", call.account) >> 32,
        }
    )


def order_counts(exchange: Exchange, call: Call) -> str:
    ten_s, day = exchange.limits.order_counts(call.account, market_ms=exchange.now_ms, wall_ms=call.wall_ms)
    config = exchange.config
    rows = (("SECOND", 10, config.orders_per_10s, ten_s), ("DAY", 1, config.orders_per_day, day))
    return compact(
        [
            {"rateLimitType": "ORDERS", "interval": unit, "intervalNum": number, "limit": limit, "count": count}
            for unit, number, limit, count in rows
        ]
    )


_SYMBOL = frozenset({"symbol"})
_ONE_ORDER = frozenset({"symbol", "orderId", "origClientOrderId"})
_PAGED = frozenset({"symbol", "orderId", "startTime", "endTime", "limit"})


def _signed(
    method: str, path: str, handle: Any, weight: Any, names: frozenset[str] = frozenset(), *, changes: bool = False
) -> Endpoint:
    return Endpoint(
        method=method,
        path=f"/api/v3/{path}",
        handle=handle,
        weight=weight,
        signed=True,
        changes=changes,
        parameters=names,
    )


PRIVATE = (
    _signed("POST", "order", new_order, fixed(1), parameters.ORDER_PARAMETERS, changes=True),
    _signed("POST", "order/test", check_order, fixed(1), parameters.ORDER_PARAMETERS),
    _signed("GET", "order", query_order, fixed(4), _ONE_ORDER),
    _signed(
        "DELETE", "order", cancel_order, fixed(1), _ONE_ORDER | {"newClientOrderId", "cancelRestrictions"}, changes=True
    ),
    _signed("DELETE", "openOrders", cancel_open_orders, fixed(1), _SYMBOL, changes=True),
    _signed("GET", "openOrders", open_orders, by_symbol(6, 80), _SYMBOL),
    _signed("GET", "allOrders", all_orders, fixed(20), _PAGED),
    _signed("GET", "myTrades", my_trades, lambda v: 5 if "orderId" in v else 20, _PAGED | {"fromId"}),
    _signed("GET", "account", account, fixed(20), frozenset({"omitZeroBalances"})),
    _signed("GET", "account/commission", commission, fixed(20), _SYMBOL),
    _signed("GET", "rateLimit/order", order_counts, fixed(40)),
)
