"""Signed endpoints: account, orders and trades of the account behind the key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trading.matching.draws import draw
from trading.matching.model import Kind, Order, Refusal, Status
from trading.matching.order_lists import OrderList
from workers.exchange_sim import parameters
from workers.exchange_sim.endpoints import Call, Endpoint, by_symbol, fixed
from workers.exchange_sim.engine import cancel_id_of
from workers.exchange_sim.exchange import Exchange, compact
from workers.exchange_sim.market import Market
from workers.exchange_sim.rendering import accepted, cancelled, eight, listed, queried, traded


def new_order(exchange: Exchange, call: Call) -> str:
    """Accept an order. It is `NEW` in every answer: even a MARKET order fills only after its latency of market time."""
    market = exchange.market(parameters.required(call.values, "symbol"))
    draft = parameters.draft(call.values)
    detail = detail_of(call.values, draft.kind)
    exchange.limits.check_order(call.account, market_ms=exchange.now_ms, wall_ms=call.wall_ms)
    order = exchange.engine.place(call.account, market, draft)
    assert order is not None
    count_orders(exchange, call, 1)
    return compact(accepted(order, market, detail))


def count_orders(exchange: Exchange, call: Call, orders: int) -> None:
    """Count accepted orders and announce the counts in the answer's headers."""
    for _ in range(orders):
        ten_s, day = exchange.limits.count_order(call.account, market_ms=exchange.now_ms, wall_ms=call.wall_ms)
        call.headers |= {"x-mbx-order-count-10s": str(ten_s), "x-mbx-order-count-1d": str(day)}


def detail_of(values: Mapping[str, str], kind: Kind) -> str:
    """How much of the order the answer shows: what was asked for, else Binance's default for the type."""
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
    detail_of(call.values, draft.kind)
    exchange.engine.place(call.account, market, draft, only_test=True)
    if call.values.get("computeCommissionRates") == "true":
        return compact(_rates(exchange))
    return "{}"


def named_order(exchange: Exchange, call: Call, market: Market) -> Order | None:
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
    order = named_order(exchange, call, market)
    if order is None:
        raise Refusal(-2013, "Order does not exist.")
    return compact(queried(order, market))


def cancel_order(exchange: Exchange, call: Call) -> str:
    """Cancel an order; a leg of a list takes its whole list with it."""
    market = exchange.market(parameters.required(call.values, "symbol"))
    order = named_order(exchange, call, market)
    if order is None:
        raise Refusal(-2011, "Unknown order sent.")
    check_restriction(call.values, order)
    named = parameters.client_id(call.values, "newClientOrderId") or cancel_id_of(order)
    after = exchange.engine.cancel(order, cancel_id=named)
    return compact(cancelled(after, market, cancel_id=named))


def check_restriction(values: Mapping[str, str], order: Order) -> None:
    """Raise `Refusal` (-1145, -2011) where `cancelRestrictions` keeps the order from being cancelled."""
    asked = parameters.text(values, "cancelRestrictions")
    wanted = {"ONLY_NEW": Status.NEW, "ONLY_PARTIALLY_FILLED": Status.PARTIALLY_FILLED}
    if asked is not None and asked not in wanted:
        raise Refusal(-1145, "Invalid cancelRestrictions")
    if asked is not None and order.is_open and order.status is not wanted[asked]:
        raise Refusal(-2011, "Order was not canceled due to cancel restrictions.")


def cancel_open_orders(exchange: Exchange, call: Call) -> str:
    """Cancel every open order on the symbol; lists are answered as lists."""
    market = exchange.market(parameters.required(call.values, "symbol"))
    orders = exchange.state.open_of(call.account, market.symbol)
    if not orders:
        raise Refusal(-2011, "Unknown order sent.")
    answer: list[dict[str, Any]] = []
    for order in orders:
        if order.list_id < 0:
            answer.append(cancelled(exchange.engine.cancel(order), market, cancel_id=cancel_id_of(order)))
        elif (order_list := exchange.state.lists[order.list_id]).is_open:
            answer.append(cancelled_list(exchange, exchange.engine.cancel_list(order_list), market, None))
    return compact(answer)


def cancelled_list(exchange: Exchange, order_list: OrderList, market: Market, cancel_id: str | None) -> dict[str, Any]:
    """The answer to the cancel of a list, with a report for each of its orders."""
    legs = exchange.state.legs_of(order_list)
    reports = [cancelled(leg, market, cancel_id=cancel_id or cancel_id_of(leg)) for leg in legs]
    return listed(order_list, market, legs) | {"orderReports": reports}


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
    page = page_of(found, parameters.limit(call.values), from_start=from_id is not None or start_ms is not None)
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
    page = page_of(found, parameters.limit(call.values), from_start=from_id is not None or start_ms is not None)
    orders = exchange.state.orders
    shown = [traded(fill, market, list_id=orders[fill.symbol, fill.order_id].list_id) for fill in page]
    return compact(shown)


def page_of(found: list[Any], limit: int, *, from_start: bool) -> list[Any]:
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


def signed(
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
    signed("POST", "order", new_order, fixed(1), parameters.ORDER_PARAMETERS, changes=True),
    signed("POST", "order/test", check_order, fixed(1), parameters.ORDER_PARAMETERS),
    signed("GET", "order", query_order, fixed(4), _ONE_ORDER),
    signed(
        "DELETE", "order", cancel_order, fixed(1), _ONE_ORDER | {"newClientOrderId", "cancelRestrictions"}, changes=True
    ),
    signed("DELETE", "openOrders", cancel_open_orders, fixed(1), _SYMBOL, changes=True),
    signed("GET", "openOrders", open_orders, by_symbol(6, 80), _SYMBOL),
    signed("GET", "allOrders", all_orders, fixed(20), _PAGED),
    signed("GET", "myTrades", my_trades, lambda v: 5 if "orderId" in v else 20, _PAGED | {"fromId"}),
    signed("GET", "account", account, fixed(20), frozenset({"omitZeroBalances"})),
    signed("GET", "account/commission", commission, fixed(20), _SYMBOL),
    signed("GET", "rateLimit/order", order_counts, fixed(40)),
)
