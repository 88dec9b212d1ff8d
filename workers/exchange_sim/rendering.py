"""Binance's JSON shapes for orders, trades and symbols."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import Any

from trading.matching.model import STOPS, ZERO, Fill, Kind, Order, Phase, Side, Tif
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
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "transactTime": order.created_ms,
    }
    if detail == "ACK":
        return answer
    answer |= _progress(order)
    answer["workingTime"] = -1 if order.kind in STOPS else order.created_ms
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
    if order.stop_price is not None:
        shown["stopPrice"] = eight(order.stop_price)
    return shown


def queried(order: Order, market: Market) -> dict[str, Any]:
    """An order as GET order, openOrders and allOrders show it."""
    works = order.phase is Phase.WORKING and not order.waits_for_stop
    return {
        "symbol": market.api_symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        **_progress(order),
        "stopPrice": eight(order.stop_price),
        "icebergQty": eight(ZERO),
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": works or order.kind not in STOPS,
        "workingTime": order.effective_ms if order.kind not in STOPS else order.updated_ms if order.triggered else -1,
        "selfTradePreventionMode": "NONE",
    }


def cancelled(order: Order, market: Market, *, cancel_id: str) -> dict[str, Any]:
    return {
        "symbol": market.api_symbol,
        "origClientOrderId": order.client_id,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": cancel_id,
        "transactTime": order.updated_ms,
        **_progress(order),
        "selfTradePreventionMode": "NONE",
    }


def traded(fill: Fill, market: Market) -> dict[str, Any]:
    """A trade as myTrades shows it."""
    return {
        "symbol": market.api_symbol,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "orderListId": -1,
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


def symbol_information(market: Market, now_ms: int) -> dict[str, Any]:
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
        "orderTypes": [str(kind) for kind in Kind],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
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
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": filters.max_orders},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": filters.max_algo_orders},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    }
