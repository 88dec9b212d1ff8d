"""Binance's JSON as our models. Numbers come as text and become `Decimal`; a zero price means that there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from trading.money import plain
from trading.orders.models import Fill, OrderRequest, OrderStatus, OrderType, Side, TimeInForce, VenueOrder
from trading.orders.quantise import Quantised
from trading.orders.symbols import BookTop, SymbolRules
from trading.orders.venue_account import Balance, VenueAccount, VenueFees

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEEDS_TIME_IN_FORCE = frozenset({OrderType.LIMIT, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT_LIMIT})
_STATUSES = {"PENDING_CANCEL": OrderStatus.NEW}
"""A status that says no more than that the order is there and not filled."""

Json = Mapping[str, Any]


def venue_symbol(symbol: str) -> str:
    """`BTC/USDT` as the venue spells it."""
    return symbol.replace("/", "")


def venue_symbols(symbols: Sequence[str]) -> str:
    """Several symbols as the parameter `symbols` wants them."""
    return "[" + ",".join(f'"{venue_symbol(symbol)}"' for symbol in symbols) + "]"


def order_fields(order: OrderRequest, cut: Quantised) -> tuple[tuple[str, str], ...]:
    """The parameters of a new order, without window and timestamp, in sending order."""
    fields = [("symbol", venue_symbol(order.symbol)), ("side", order.side.value), ("type", order.type.value)]
    time_in_force = order.time_in_force
    if time_in_force is None and order.type in _NEEDS_TIME_IN_FORCE:
        time_in_force = TimeInForce.GTC
    if time_in_force is not None and order.type in _NEEDS_TIME_IN_FORCE:
        fields.append(("timeInForce", time_in_force.value))
    fields.append(("quantity", plain(cut.quantity)))
    if cut.price is not None:
        fields.append(("price", plain(cut.price)))
    if cut.stop_price is not None:
        fields.append(("stopPrice", plain(cut.stop_price)))
    if order.iceberg_quantity is not None and order.iceberg_quantity < cut.quantity:
        fields.append(("icebergQty", plain(order.iceberg_quantity)))
    fields += [("newClientOrderId", order.client_order_id), ("newOrderRespType", "RESULT")]
    return tuple(fields)


def order_list(order: OrderRequest, cuts: Sequence[Quantised]) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Path and parameters of the list that `order` leads, without window and timestamp; `cuts` in the list's order.

    An entry leads an OPO (stop) or OPOCO (stop and target): the venue sizes the exits by what the entry brought. A
    stop leads an OCO with its target.
    """
    fields = [("symbol", venue_symbol(order.symbol)), ("listClientOrderId", order.list_client_order_id or "")]
    legs = list(zip((order, *order.beside), cuts, strict=True))
    if order.raises_exposure:
        fields += _leg_fields("working", *legs[0], side=True, quantity=True)
        if len(legs) == 2:
            name, pair = "opo", []
            fields += _leg_fields("pending", *legs[1], side=True)
        else:
            name, pair = "opoco", [("pendingAbove", legs[2]), ("pendingBelow", legs[1])]
            fields.append(("pendingSide", legs[1][0].side.value))
    else:
        name, pair = "oco", [("above", legs[1]), ("below", legs[0])]
        fields += [("side", order.side.value), ("quantity", plain(legs[0][1].quantity))]
    for prefix, (leg, cut) in pair:
        fields += _leg_fields(prefix, leg, cut)
    return f"/api/v3/orderList/{name}", (*fields, ("newOrderRespType", "RESULT"))


def _leg_fields(
    prefix: str, leg: OrderRequest, cut: Quantised, *, side: bool = False, quantity: bool = False
) -> list[tuple[str, str]]:
    fields = [("Type", leg.type.value), ("ClientOrderId", leg.client_order_id)]
    if side:
        fields.append(("Side", leg.side.value))
    if quantity:
        fields.append(("Quantity", plain(cut.quantity)))
    if cut.price is not None:
        fields.append(("Price", plain(cut.price)))
    if cut.stop_price is not None:
        fields.append(("StopPrice", plain(cut.stop_price)))
    if leg.type in _NEEDS_TIME_IN_FORCE:
        fields.append(("TimeInForce", (leg.time_in_force or TimeInForce.GTC).value))
    return [(prefix + name, value) for name, value in fields]


def to_book(payload: Json, symbol: str, *, as_of: datetime) -> BookTop:
    return BookTop(
        symbol=symbol,
        bid=Decimal(payload["bidPrice"]),
        bid_quantity=Decimal(payload["bidQty"]),
        ask=Decimal(payload["askPrice"]),
        ask_quantity=Decimal(payload["askQty"]),
        as_of=as_of,
    )


def to_order(payload: Json, symbol: str) -> VenueOrder:
    """An order as answered to a create, a cancel or a query. Raises `KeyError` or `ValueError` for another shape.

    A leg that the venue sizes by what its working order brings has no quantity (zero) before that.
    """
    at = _time(payload.get("updateTime", payload.get("transactTime", payload.get("time"))))
    list_id = payload.get("orderListId", -1)
    is_leg = list_id not in (-1, None)
    return VenueOrder(
        venue_order_id=str(payload["orderId"]),
        client_order_id=str(payload.get("origClientOrderId") or payload["clientOrderId"]),
        symbol=symbol,
        side=Side(payload["side"]),
        type=OrderType(payload["type"]),
        status=_STATUSES.get(payload["status"]) or OrderStatus(payload["status"]),
        quantity=Decimal(payload.get("origQty", 0) if is_leg else payload["origQty"]),
        executed_quantity=Decimal(payload["executedQty"]),
        executed_quote=Decimal(payload["cummulativeQuoteQty"]),
        time_in_force=TimeInForce(payload["timeInForce"]) if payload.get("timeInForce") in set(TimeInForce) else None,
        price=_positive(payload.get("price")),
        stop_price=_positive(payload.get("stopPrice")),
        created_at=_time(payload["time"]) if "time" in payload else at,
        updated_at=at,
        order_list_id=str(list_id) if is_leg else None,
    )


def to_fill(payload: Json, *, symbol: str, client_order_id: str) -> Fill:
    return Fill(
        trade_id=str(payload["id"]),
        venue_order_id=str(payload["orderId"]),
        client_order_id=client_order_id,
        symbol=symbol,
        side=Side.BUY if payload["isBuyer"] else Side.SELL,
        price=Decimal(payload["price"]),
        quantity=Decimal(payload["qty"]),
        commission=Decimal(payload["commission"]),
        commission_asset=str(payload["commissionAsset"]),
        is_maker=bool(payload["isMaker"]),
        filled_at=_time(payload["time"]),
    )


def to_account(payload: Json, *, account: str) -> VenueAccount:
    """Balances above zero, commission rates, and what the venue lets the account do."""
    rates = payload.get("commissionRates")
    if rates is not None:
        fees = VenueFees(maker=Decimal(rates["maker"]), taker=Decimal(rates["taker"]))
    else:
        basis = Decimal(10_000)
        fees = VenueFees(
            maker=Decimal(payload["makerCommission"]) / basis, taker=Decimal(payload["takerCommission"]) / basis
        )
    balances = (
        Balance(asset=row["asset"], free=Decimal(row["free"]), locked=Decimal(row["locked"]))
        for row in payload["balances"]
    )
    return VenueAccount(
        account=account,
        balances=tuple(balance for balance in balances if balance.total != 0),
        fees=fees,
        can_trade=bool(payload["canTrade"]),
        can_withdraw=bool(payload["canWithdraw"]),
    )


def to_rules(payload: Json) -> SymbolRules:
    """A symbol's filters; a filter that the symbol does not have, or has switched off with a zero, does not bind."""
    filters = {row["filterType"]: row for row in payload["filters"]}
    lot = filters.get("LOT_SIZE", {})
    market_lot = filters.get("MARKET_LOT_SIZE", {})
    by_side = filters.get("PERCENT_PRICE_BY_SIDE", {})
    both_sides = filters.get("PERCENT_PRICE", {})
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}
    market_max = Decimal(market_lot.get("maxQty", "0"))
    sells_differ = bool(by_side)
    return SymbolRules(
        symbol=f"{payload['baseAsset']}/{payload['quoteAsset']}",
        base_asset=payload["baseAsset"],
        quote_asset=payload["quoteAsset"],
        tick_size=Decimal(filters.get("PRICE_FILTER", {}).get("tickSize", "0")),
        step_size=Decimal(lot.get("stepSize", "0")),
        market_step_size=Decimal(market_lot.get("stepSize", "0")),
        min_quantity=Decimal(lot.get("minQty", "0")),
        max_quantity=_positive(lot.get("maxQty")) or _UNBOUNDED,
        max_market_quantity=market_max if market_max > 0 else None,
        min_notional_usd=Decimal(notional.get("minNotional", "0")),
        max_price_ratio_up=Decimal(by_side.get("bidMultiplierUp") or both_sides.get("multiplierUp") or _UNBOUNDED),
        max_price_ratio_down=Decimal(by_side.get("bidMultiplierDown") or both_sides.get("multiplierDown") or 0),
        sell_price_ratio_up=Decimal(by_side["askMultiplierUp"]) if sells_differ else None,
        sell_price_ratio_down=Decimal(by_side["askMultiplierDown"]) if sells_differ else None,
        max_algo_orders=int(filters.get("MAX_NUM_ALGO_ORDERS", {}).get("maxNumAlgoOrders", 5)),
        order_types=frozenset(OrderType(name) for name in payload["orderTypes"] if name in set(OrderType)),
        is_trading=payload["status"] == "TRADING",
        oco_allowed=bool(payload.get("ocoAllowed", False)),
        opo_allowed=bool(payload.get("opoAllowed", False)),
    )


def to_limits(payload: Json) -> tuple[dict[str, int], dict[str, int]]:
    """Request weight and order counts by interval, such as `1M` and `10S`."""
    weight: dict[str, int] = {}
    orders: dict[str, int] = {}
    for row in payload.get("rateLimits", ()):
        interval = f"{row['intervalNum']}{row['interval'][0]}"
        if row["rateLimitType"] == "REQUEST_WEIGHT":
            weight[interval] = int(row["limit"])
        elif row["rateLimitType"] == "ORDERS":
            orders[interval] = int(row["limit"])
    return weight, orders


_UNBOUNDED = Decimal(10) ** 18


def _time(milliseconds: Any) -> datetime:
    return _EPOCH + timedelta(milliseconds=int(milliseconds))


def _positive(text: Any) -> Decimal | None:
    value = Decimal(text) if text is not None else Decimal(0)
    return value if value > 0 else None
