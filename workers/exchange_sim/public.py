"""Public endpoints: clock, symbols, candles, book and tickers, all as known at market time."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from trading.matching.book import Quote, depth
from trading.matching.model import ZERO, Bar, Refusal
from workers.exchange_sim import parameters
from workers.exchange_sim.endpoints import Call, Endpoint, by_symbol, fixed
from workers.exchange_sim.exchange import Exchange, compact
from workers.exchange_sim.klines import quote_volume
from workers.exchange_sim.market import Market
from workers.exchange_sim.rendering import eight, symbol_information

_DAY_MS = 86_400_000


def ping(exchange: Exchange, call: Call) -> str:
    return "{}"


def wall_time(exchange: Exchange, call: Call) -> str:
    """The wall clock: with market time here every client would sign requests of another year."""
    return compact({"serverTime": call.wall_ms})


def exchange_information(exchange: Exchange, call: Call) -> str:
    config = exchange.config
    return compact(
        {
            "timezone": "UTC",
            "serverTime": call.wall_ms,
            "rateLimits": [
                _limit("REQUEST_WEIGHT", "MINUTE", 1, config.weight_per_minute),
                _limit("ORDERS", "SECOND", 10, config.orders_per_10s),
                _limit("ORDERS", "DAY", 1, config.orders_per_day),
            ],
            "exchangeFilters": [],
            "symbols": [
                symbol_information(
                    market,
                    exchange.now_ms,
                    takes_lists=market.symbol not in config.without_lists,
                    takes_stop_loss=market.symbol not in config.without_stop_loss,
                )
                for market in _asked_for(exchange, call.values)[0]
            ],
        }
    )


def _limit(kind: str, interval: str, count: int, limit: int) -> dict[str, Any]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": count, "limit": limit}


def _asked_for(exchange: Exchange, values: Mapping[str, str]) -> tuple[list[Market], bool]:
    """The markets of `symbol` or `symbols` (all listed ones without), and whether exactly one was asked for."""
    symbol, symbols = parameters.text(values, "symbol"), parameters.text(values, "symbols")
    if symbol is not None and symbols is not None:
        raise Refusal(-1128, "Combination of optional parameters invalid.")
    if symbol is not None:
        return [exchange.market(symbol)], True
    if symbols is None:
        return exchange.listed(), False
    try:
        names = json.loads(symbols)
    except json.JSONDecodeError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Refusal(
            -1100,
            "Illegal characters found in parameter 'symbols'; legal range is "
            '\'^\\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\\]$\'.',
        )
    return [exchange.market(name) for name in names], False


def klines(exchange: Exchange, call: Call) -> str:
    values = call.values
    market = exchange.market(parameters.required(values, "symbol"))
    rows = exchange.klines(market, parameters.required(values, "interval")).rows(
        now_ms=exchange.now_ms,
        start_ms=parameters.integer(values, "startTime"),
        end_ms=parameters.integer(values, "endTime"),
        limit=parameters.limit(values),
    )
    return "[" + ",".join(rows) + "]"


def order_book(exchange: Exchange, call: Call) -> str:
    market = exchange.market(parameters.required(call.values, "symbol"))
    levels = parameters.limit(call.values, default=100, most=5000)
    bids, asks = _depth(exchange, market, levels=min(levels, 100))
    return compact(
        {
            "lastUpdateId": exchange.now_ms,
            "bids": [[eight(quote.price), eight(quote.quantity)] for quote in bids],
            "asks": [[eight(quote.price), eight(quote.quantity)] for quote in asks],
        }
    )


def _depth(exchange: Exchange, market: Market, *, levels: int) -> tuple[tuple[Quote, ...], tuple[Quote, ...]]:
    """The book: a live quote's own best prices, else levels around what is known."""
    newest = market.bars[-1]
    if newest.bid is not None and newest.ask is not None:
        return (Quote(newest.bid, newest.bid_quantity),), (Quote(newest.ask, newest.ask_quantity),)
    known, filters = market.known(exchange.now_ms), market.venue.filters
    return depth(known, filters, seed=exchange.config.seed, symbol=market.symbol, levels=levels)


def _ticker(show: Callable[[Exchange, Market], dict[str, Any]]) -> Callable[[Exchange, Call], str]:
    def handle(exchange: Exchange, call: Call) -> str:
        markets, is_single = _asked_for(exchange, call.values)
        shown = [show(exchange, market) for market in markets]
        return compact(shown[0] if is_single else shown)

    return handle


def _price(exchange: Exchange, market: Market) -> dict[str, Any]:
    return {"symbol": market.api_symbol, "price": eight(market.known(exchange.now_ms).price)}


def _book_top(exchange: Exchange, market: Market) -> dict[str, Any]:
    bids, asks = _depth(exchange, market, levels=1)
    return {
        "symbol": market.api_symbol,
        "bidPrice": eight(bids[0].price),
        "bidQty": eight(bids[0].quantity),
        "askPrice": eight(asks[0].price),
        "askQty": eight(asks[0].quantity),
    }


def _day(exchange: Exchange, market: Market) -> dict[str, Any]:
    """Statistics of the last 24 hours of closed candles, ending in the price known now."""
    now_ms, known = exchange.now_ms, market.known(exchange.now_ms)
    first = market.index_at(now_ms - _DAY_MS) + 1
    window: list[Bar] = [
        bar for bar in market.bars[max(first, 0) : market.index_at(now_ms) + 1] if bar.end_ms <= now_ms
    ]
    opening = window[0].open if window else known.price
    volume = sum((bar.volume for bar in window), ZERO)
    quote = sum((quote_volume(bar) for bar in window), ZERO)
    change = known.price - opening
    return {
        **_book_top(exchange, market),
        "priceChange": eight(change) if change >= 0 else f"-{eight(-change)}",
        "priceChangePercent": format(
            (change / opening * 100).quantize(Decimal("0.001"), rounding=ROUND_HALF_EVEN), "f"
        ),
        "weightedAvgPrice": eight(quote / volume if volume else known.price),
        "prevClosePrice": eight(known.closed.close if known.closed is not None else known.price),
        "lastPrice": eight(known.price),
        "lastQty": eight(market.venue.filters.min_quantity),
        "openPrice": eight(opening),
        "highPrice": eight(max((bar.high for bar in window), default=known.price)),
        "lowPrice": eight(min((bar.low for bar in window), default=known.price)),
        "volume": eight(volume),
        "quoteVolume": eight(quote),
        "openTime": now_ms - _DAY_MS,
        "closeTime": now_ms,
        "firstId": 0,
        "lastId": 4 * len(window),
        "count": 4 * len(window),
    }


def average_price(exchange: Exchange, call: Call) -> str:
    """The price the percent and notional filters use: the one known now."""
    market = exchange.market(parameters.required(call.values, "symbol"))
    known = market.known(exchange.now_ms)
    return compact(
        {"mins": market.venue.filters.average_minutes, "price": eight(known.price), "closeTime": exchange.now_ms}
    )


def _depth_weight(values: Mapping[str, str]) -> int:
    wanted = values.get("limit", "100")
    levels = int(wanted) if wanted.isdigit() else 100
    return next((weight for most, weight in ((100, 5), (500, 25), (1000, 50)) if levels <= most), 250)


_SYMBOL = frozenset({"symbol"})
_SYMBOLS = frozenset({"symbol", "symbols", "symbolStatus"})
_INFORMATION = _SYMBOLS | {"permissions", "showPermissionSets"}
_KLINES = frozenset({"symbol", "interval", "startTime", "endTime", "timeZone", "limit"})

PUBLIC = (
    Endpoint(method="GET", path="/api/v3/ping", handle=ping, weight=fixed(1)),
    Endpoint(method="GET", path="/api/v3/time", handle=wall_time, weight=fixed(1)),
    Endpoint(
        method="GET",
        path="/api/v3/exchangeInfo",
        handle=exchange_information,
        weight=fixed(20),
        parameters=_INFORMATION,
    ),
    Endpoint(method="GET", path="/api/v3/klines", handle=klines, weight=fixed(2), parameters=_KLINES),
    Endpoint(
        method="GET", path="/api/v3/depth", handle=order_book, weight=_depth_weight, parameters=_SYMBOL | {"limit"}
    ),
    Endpoint(method="GET", path="/api/v3/avgPrice", handle=average_price, weight=fixed(2), parameters=_SYMBOL),
    Endpoint(
        method="GET",
        path="/api/v3/ticker/price",
        handle=_ticker(_price),
        weight=by_symbol(2, 4),
        parameters=_SYMBOLS,
    ),
    Endpoint(
        method="GET",
        path="/api/v3/ticker/bookTicker",
        handle=_ticker(_book_top),
        weight=by_symbol(2, 4),
        parameters=_SYMBOLS,
    ),
    Endpoint(
        method="GET",
        path="/api/v3/ticker/24hr",
        handle=_ticker(_day),
        weight=by_symbol(2, 80),
        parameters=_SYMBOLS | {"type"},
    ),
)
