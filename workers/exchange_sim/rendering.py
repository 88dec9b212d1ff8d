"""Binance's JSON shapes for orders, trades and symbols."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_DOWN, Decimal
from typing import Any

from trading.matching.model import TRIGGERED, ZERO, Fill, Kind, Order, Phase, Side, Status, Tif
from trading.matching.order_lists import OrderList
from trading.matching.wallet import Holding, Wallet
from workers.exchange_sim.market import Market

_EIGHT = Decimal("0.00000001")


def eight(value: Decimal | None) -> str:
    """An amount with eight decimal places, cut, never rounded up."""
    return format((value or ZERO).quantize(_EIGHT, rounding=ROUND_DOWN), "f")


def _tif(order: Order) -> str:
    return str(order.tif or Tif.GTC)


def accepted(order: Order, market: Market, detail: str) -> dict[str, Any]:
    """The answer to a new order: ACK, RESULT or FULL. Nothing is filled before the order's latency has passed."""
    answer: dict[str, Any] = {
        "symbol": market.api_symbol,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_id,
        "transactTime": order.created_ms,
    }
    if detail == "ACK":
        return answer
    answer |= _progress(order)
    answer["workingTime"] = -1 if order.kind in TRIGGERED or order.phase is Phase.WAITING else order.created_ms
    answer["selfTradePreventionMode"] = "NONE"
    if detail == "FULL":
        answer["fills"] = []
    return answer


def _progress(order: Order) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "price": eight(order.price),
        "origQty": eight(order.quantity),
        "executedQty": eight(order.executed),
        "origQuoteOrderQty": eight(order.quote_quantity),
        "cummulativeQuoteQty": eight(order.executed_quote),
        "status": str(order.status),
        "timeInForce": _tif(order),
        "type": str(order.kind),
        "side": str(order.side),
    }
    if order.phase is Phase.WAITING and not order.quantity:
        del shown["origQty"]
    if order.stop_price is not None:
        shown["stopPrice"] = eight(order.stop_price)
    if order.iceberg:
        shown["icebergQty"] = eight(order.iceberg)
    if order.trailing_bips is not None:
        shown |= {"trailingDelta": order.trailing_bips, "trailingTime": order.tracking_since_ms}
    return shown


def queried(order: Order, market: Market) -> dict[str, Any]:
    """An order as GET order, openOrders and allOrders show it."""
    waits = order.phase is Phase.WAITING
    return {
        "symbol": market.api_symbol,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_id,
        **_progress(order),
        "stopPrice": eight(order.stop_price),
        "icebergQty": eight(order.iceberg),
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": not waits and not order.waits_for_stop,
        "workingTime": _working_ms(order),
        "selfTradePreventionMode": "NONE",
    }


def _working_ms(order: Order) -> int:
    if order.phase is Phase.WAITING or order.waits_for_stop:
        return -1
    return order.updated_ms if order.kind in TRIGGERED else order.effective_ms


def cancelled(order: Order, market: Market, *, cancel_id: str) -> dict[str, Any]:
    return {
        "symbol": market.api_symbol,
        "origClientOrderId": order.client_id,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "clientOrderId": cancel_id,
        "transactTime": order.updated_ms,
        **_progress(order),
        "selfTradePreventionMode": "NONE",
    }


def traded(fill: Fill, market: Market, *, list_id: int) -> dict[str, Any]:
    """A trade as myTrades shows it; `list_id` is -1 where its order is in no list."""
    return {
        "symbol": market.api_symbol,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "orderListId": list_id,
        "price": eight(fill.price),
        "qty": eight(fill.quantity),
        "quoteQty": eight(fill.quote),
        "commission": eight(fill.commission),
        "commissionAsset": fill.commission_asset,
        "time": fill.at_ms,
        "isBuyer": fill.side is Side.BUY,
        "isMaker": fill.is_maker,
        "isBestMatch": True,
    }


def listed(order_list: OrderList, market: Market, legs: Iterable[Order]) -> dict[str, Any]:
    """An order list as every answer shows it."""
    return {
        "orderListId": order_list.list_id,
        "contingencyType": str(order_list.contingency),
        "listStatusType": order_list.status_type,
        "listOrderStatus": str(order_list.status),
        "listClientOrderId": order_list.client_id,
        "transactionTime": order_list.updated_ms,
        "symbol": market.api_symbol,
        "orders": [
            {"symbol": market.api_symbol, "orderId": leg.order_id, "clientOrderId": leg.client_id} for leg in legs
        ],
    }


def execution_report(order: Order, market: Market, at_ms: int, *, execution: str, fill: Fill | None) -> dict[str, Any]:
    """The user data stream's event of one order. Times are market times."""
    report: dict[str, Any] = {
        "e": "executionReport",
        "E": at_ms,
        "s": market.api_symbol,
        "c": order.client_id,
        "S": str(order.side),
        "o": str(order.kind),
        "f": _tif(order),
        "q": eight(order.quantity),
        "p": eight(order.price),
        "P": eight(order.stop_price),
        "F": eight(order.iceberg),
        "g": order.list_id,
        "C": "",
        "x": execution,
        "X": str(order.status),
        "r": order.reject_reason,
        "i": order.order_id,
        "l": eight(fill.quantity if fill else None),
        "z": eight(order.executed),
        "L": eight(fill.price if fill else None),
        "n": eight(fill.commission) if fill else "0",
        "N": fill.commission_asset if fill else None,
        "T": at_ms,
        "t": fill.trade_id if fill else -1,
        "I": order.order_id,
        "w": order.is_open and order.phase is not Phase.WAITING and not order.waits_for_stop,
        "m": fill.is_maker if fill else False,
        "M": False,
        "O": order.created_ms,
        "Z": eight(order.executed_quote),
        "Y": eight(fill.quote if fill else None),
        "Q": eight(order.quote_quantity),
        "V": "NONE",
    }
    if execution == "TRADE" and order.status is Status.EXPIRED:
        report["X"] = str(Status.PARTIALLY_FILLED)
    if (working_ms := _working_ms(order)) >= 0:
        report["W"] = working_ms
    if order.trailing_bips is not None:
        report |= {"d": order.trailing_bips, "D": order.tracking_since_ms}
    return report


def list_status(order_list: OrderList, market: Market, legs: Iterable[Order], at_ms: int) -> dict[str, Any]:
    """The user data stream's event of one order list."""
    return {
        "e": "listStatus",
        "E": at_ms,
        "s": market.api_symbol,
        "g": order_list.list_id,
        "c": str(order_list.contingency),
        "l": order_list.status_type,
        "L": str(order_list.status),
        "r": "NONE",
        "C": order_list.client_id,
        "T": at_ms,
        "O": [{"s": market.api_symbol, "i": leg.order_id, "c": leg.client_id} for leg in legs],
    }


def account_position(wallet: Wallet, assets: Iterable[str], at_ms: int) -> dict[str, Any]:
    """The user data stream's event of an account's balances."""
    none = Holding()
    return {
        "e": "outboundAccountPosition",
        "E": at_ms,
        "u": at_ms,
        "B": [
            {"a": asset, "f": eight(held.free), "l": eight(held.locked)}
            for asset in assets
            for held in (wallet.holdings.get(asset, none),)
        ],
    }


def symbol_information(
    market: Market, now_ms: int, *, takes_lists: bool = True, takes_stop_loss: bool = True
) -> dict[str, Any]:
    """One entry of exchangeInfo: complete enough for clients that read all of it."""
    filters = market.venue.filters
    return {
        "symbol": market.api_symbol,
        "status": "BREAK" if market.has_ended(now_ms) else "TRADING",
        "baseAsset": market.venue.base,
        "baseAssetPrecision": 8,
        "quoteAsset": market.venue.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": [str(kind) for kind in Kind if takes_stop_loss or kind is not Kind.STOP_LOSS],
        "icebergAllowed": True,
        "ocoAllowed": takes_lists,
        "otoAllowed": takes_lists,
        "opoAllowed": takes_lists,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": False,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": eight(filters.min_price),
                "maxPrice": eight(filters.max_price),
                "tickSize": eight(filters.tick),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": eight(filters.min_quantity),
                "maxQty": eight(filters.max_quantity),
                "stepSize": eight(filters.step),
            },
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": eight(ZERO),
                "maxQty": eight(filters.max_market_quantity),
                "stepSize": eight(ZERO),
            },
            {
                "filterType": "PERCENT_PRICE_BY_SIDE",
                "bidMultiplierUp": str(filters.bid_up),
                "bidMultiplierDown": str(filters.bid_down),
                "askMultiplierUp": str(filters.ask_up),
                "askMultiplierDown": str(filters.ask_down),
                "avgPriceMins": filters.average_minutes,
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": eight(filters.min_notional),
                "applyMinToMarket": True,
                "maxNotional": eight(filters.max_notional),
                "applyMaxToMarket": False,
                "avgPriceMins": filters.average_minutes,
            },
            {"filterType": "ICEBERG_PARTS", "limit": filters.iceberg_parts},
            {
                "filterType": "TRAILING_DELTA",
                "minTrailingAboveDelta": filters.min_trailing_bips,
                "maxTrailingAboveDelta": filters.max_trailing_bips,
                "minTrailingBelowDelta": filters.min_trailing_bips,
                "maxTrailingBelowDelta": filters.max_trailing_bips,
            },
            {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": filters.max_order_lists},
            {"filterType": "MAX_NUM_ICEBERG_ORDERS", "maxNumIcebergOrders": filters.max_iceberg_orders},
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": filters.max_orders},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": filters.max_algo_orders},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    }
