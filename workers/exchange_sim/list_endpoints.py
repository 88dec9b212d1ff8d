"""Signed endpoints of order lists, and the cancel that brings its own replacement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trading.matching.model import Kind, Order, Refusal
from trading.matching.order_lists import OrderList
from workers.exchange_sim import list_parameters, parameters
from workers.exchange_sim.endpoints import Call, fixed
from workers.exchange_sim.engine import cancel_id_of
from workers.exchange_sim.exchange import Exchange, compact
from workers.exchange_sim.order_lists import ListDraft
from workers.exchange_sim.private import (
    cancelled_list,
    check_restriction,
    count_orders,
    detail_of,
    page_of,
    signed,
)
from workers.exchange_sim.rendering import accepted, cancelled, listed

Handler = Callable[[Exchange, Call], str]


def _placing(read: Callable[[Mapping[str, str]], ListDraft]) -> Handler:
    def handle(exchange: Exchange, call: Call) -> str:
        """Accept a list; every leg is `NEW` or `PENDING_NEW` in the answer."""
        market = exchange.market(parameters.required(call.values, "symbol"))
        if market.symbol in exchange.config.without_lists:
            raise Refusal(-2010, "Order lists are not supported for this symbol.")
        draft = read(call.values)
        detail = detail_of(call.values, Kind.LIMIT)
        exchange.limits.check_order(call.account, market_ms=exchange.now_ms, wall_ms=call.wall_ms)
        order_list = exchange.engine.place_list(call.account, market, draft)
        count_orders(exchange, call, draft.size)
        legs = exchange.state.legs_of(order_list)
        shown = listed(order_list, market, legs)
        return compact(shown | {"orderReports": [accepted(leg, market, detail) for leg in legs]})

    return handle


def _shown(exchange: Exchange, order_list: OrderList) -> dict[str, Any]:
    return listed(order_list, exchange.markets[order_list.symbol], exchange.state.legs_of(order_list))


def _named_list(exchange: Exchange, call: Call, client_name: str) -> OrderList | None:
    """The list of `orderListId`, which goes first, or of the client id."""
    number, client_id = (
        parameters.integer(call.values, "orderListId"),
        parameters.client_id(call.values, client_name),
    )
    if number is None and client_id is None:
        raise Refusal(-1102, f"Param '{client_name}' or 'orderListId' must be sent, but both were empty/null!")
    if number is None:
        assert client_id is not None
        return exchange.state.list_by_client(call.account, client_id)
    found = exchange.state.lists.get(number)
    return found if found is not None and found.account == call.account else None


def query_list(exchange: Exchange, call: Call) -> str:
    order_list = _named_list(exchange, call, "origClientOrderId")
    if order_list is None:
        raise Refusal(-2013, "Order list does not exist.")
    return compact(_shown(exchange, order_list))


def all_lists(exchange: Exchange, call: Call) -> str:
    """By id: the first `limit` from `fromId` or `startTime`, else the latest."""
    values = call.values
    from_id = parameters.integer(values, "fromId")
    start_ms, end_ms = parameters.integer(values, "startTime"), parameters.integer(values, "endTime")
    if from_id is not None and (start_ms is not None or end_ms is not None):
        raise Refusal(-1128, "Combination of optional parameters invalid.")
    found = [
        one
        for one in exchange.state.lists_of(call.account)
        if (from_id is None or one.list_id >= from_id)
        and (start_ms is None or one.created_ms >= start_ms)
        and (end_ms is None or one.created_ms <= end_ms)
    ]
    page = page_of(found, parameters.limit(values), from_start=from_id is not None or start_ms is not None)
    return compact([_shown(exchange, one) for one in page])


def open_lists(exchange: Exchange, call: Call) -> str:
    return compact([_shown(exchange, one) for one in exchange.state.lists_of(call.account) if one.is_open])


def cancel_list(exchange: Exchange, call: Call) -> str:
    market = exchange.market(parameters.required(call.values, "symbol"))
    order_list = _named_list(exchange, call, "listClientOrderId")
    if order_list is None or order_list.symbol != market.symbol:
        raise Refusal(-2011, "Unknown order sent.")
    named = parameters.client_id(call.values, "newClientOrderId")
    return compact(cancelled_list(exchange, exchange.engine.cancel_list(order_list, cancel_id=named), market, named))


class Halves(Refusal):
    """A cancel-replace of which a half failed, or both: the answers to both halves go with it."""

    def __init__(self, cancel: dict[str, Any] | Refusal, new: dict[str, Any] | Refusal | None) -> None:
        partly = isinstance(cancel, dict) or isinstance(new, dict)
        message = "Order cancel-replace partially failed." if partly else "Order cancel-replace failed."
        limited = _is_limit(cancel) or _is_limit(new)
        super().__init__(-2021 if partly else -2022, message, http_status=429 if limited else 409 if partly else 400)
        self.data = {
            "cancelResult": _result(cancel),
            "newOrderResult": _result(new),
            "cancelResponse": _response(cancel),
            "newOrderResponse": _response(new),
        }


def _is_limit(half: object) -> bool:
    return isinstance(half, Refusal) and half.http_status == 429


def _result(half: dict[str, Any] | Refusal | None) -> str:
    return "NOT_ATTEMPTED" if half is None else "FAILURE" if isinstance(half, Refusal) else "SUCCESS"


def _response(half: dict[str, Any] | Refusal | None) -> dict[str, Any] | None:
    return {"code": half.code, "msg": half.message} if isinstance(half, Refusal) else half


def cancel_replace(exchange: Exchange, call: Call) -> str:
    """Cancel one order, then place another. What was done stays done where the other half fails (`Halves`)."""
    values = call.values
    market = exchange.market(parameters.required(values, "symbol"))
    mode = _one_of(values, "cancelReplaceMode", ("STOP_ON_FAILURE", "ALLOW_FAILURE"), None)
    exceeded = _one_of(values, "orderRateLimitExceededMode", ("DO_NOTHING", "CANCEL_ONLY"), "DO_NOTHING")
    draft = parameters.draft(values)
    detail = detail_of(values, draft.kind)
    number = parameters.integer(values, "cancelOrderId")
    client_id = parameters.client_id(values, "cancelOrigClientOrderId")
    if number is None and client_id is None:
        raise Refusal(
            -1102, "Param 'cancelOrigClientOrderId' or 'cancelOrderId' must be sent, but both were empty/null!"
        )
    times = {"market_ms": exchange.now_ms, "wall_ms": call.wall_ms}
    if exceeded == "DO_NOTHING":
        exchange.limits.check_order(call.account, **times)
    try:
        order = _to_cancel(exchange, call, market.symbol, number, client_id)
        check_restriction(values, order)
        cancel_id = parameters.client_id(values, "cancelNewClientOrderId") or cancel_id_of(order)
        gone = exchange.engine.cancel(order, cancel_id=cancel_id)
    except Refusal as refusal:
        if mode == "STOP_ON_FAILURE":
            raise Halves(refusal, None) from refusal
        cancel: dict[str, Any] | Refusal = refusal
    else:
        cancel = cancelled(gone, market, cancel_id=cancel_id)
    try:
        exchange.limits.check_order(call.account, **times)
        placed = exchange.engine.place(call.account, market, draft)
    except Refusal as refusal:
        raise Halves(cancel, refusal) from refusal
    assert placed is not None
    count_orders(exchange, call, 1)
    new = accepted(placed, market, detail)
    if isinstance(cancel, Refusal):
        raise Halves(cancel, new)
    return compact(
        {"cancelResult": "SUCCESS", "newOrderResult": "SUCCESS", "cancelResponse": cancel, "newOrderResponse": new}
    )


def _to_cancel(exchange: Exchange, call: Call, symbol: str, number: int | None, client_id: str | None) -> Order:
    """The order of the id, checked against the client id where both are given; raises `Refusal` (-2011)."""
    if number is not None:
        found = exchange.state.orders.get((symbol, number))
    else:
        assert client_id is not None
        found = exchange.state.by_client(call.account, symbol, client_id)
    if found is None or found.account != call.account or client_id not in (None, found.client_id):
        raise Refusal(-2011, "Unknown order sent.")
    return found


def _one_of(values: Mapping[str, str], name: str, allowed: tuple[str, ...], default: str | None) -> str:
    asked = parameters.text(values, name) or default
    if asked is None:
        raise parameters.missing(name)
    if asked not in allowed:
        raise Refusal(-1130, f"Data sent for parameter '{name}' is not valid.")
    return asked


_REPLACE = parameters.ORDER_PARAMETERS - {"computeCommissionRates"} | {
    *("cancelReplaceMode", "cancelNewClientOrderId", "cancelOrigClientOrderId", "cancelOrderId"),
    *("cancelRestrictions", "orderRateLimitExceededMode"),
}
_KINDS: tuple[tuple[str, Callable[[Mapping[str, str]], ListDraft], frozenset[str]], ...] = (
    ("oco", list_parameters.oco, list_parameters.OCO_PARAMETERS),
    ("oto", list_parameters.oto, list_parameters.OTO_PARAMETERS),
    ("otoco", list_parameters.otoco, list_parameters.OTOCO_PARAMETERS),
    ("opo", list_parameters.opo, list_parameters.OPO_PARAMETERS),
    ("opoco", list_parameters.opoco, list_parameters.OPOCO_PARAMETERS),
)
LISTS = (
    *(
        signed("POST", f"orderList/{name}", _placing(read), fixed(1), names, changes=True)
        for name, read, names in _KINDS
    ),
    signed("GET", "orderList", query_list, fixed(4), frozenset({"orderListId", "origClientOrderId"})),
    signed("GET", "allOrderList", all_lists, fixed(20), frozenset({"fromId", "startTime", "endTime", "limit"})),
    signed("GET", "openOrderList", open_lists, fixed(6)),
    signed(
        "DELETE",
        "orderList",
        cancel_list,
        fixed(1),
        frozenset({"symbol", "orderListId", "listClientOrderId", "newClientOrderId"}),
        changes=True,
    ),
    signed("POST", "order/cancelReplace", cancel_replace, fixed(1), frozenset(_REPLACE), changes=True),
)
