"""A market of live quotes: what a paper venue fills against (venue.md, "Profiles").

The public venue's best bid and ask are asked for every second. A quote holds until the next one, and `QUOTE_LIFE_MS` at
the most: after that nothing fills and nothing is taken. A taker pays the quoted price for at most the quoted size; an
order that rests fills once the other side of the quote has come to its price; a stop looks at the middle.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx

from trading.matching.fills import Venue
from trading.matching.filters import Filters
from trading.matching.model import Bar
from workers.exchange_sim.market import Market

if TYPE_CHECKING:
    from workers.exchange_sim.exchange import Exchange

log = logging.getLogger(__name__)

POLL_S = 1.0
QUOTE_LIFE_MS = 5_000
KEPT_QUOTES = 50
TIMEOUT_S = 4.0


class QuotedMarket(Market):
    """A symbol whose bars are quotes: flat at the middle, with bid, ask and their sizes."""

    def __init__(self, symbol: str, filters: Filters, row: dict[str, Any], *, at_ms: int) -> None:
        base, _, quote = symbol.partition("/")
        self.symbol = symbol
        self.api_symbol = base + quote
        self.timeframe = "quote"
        self.step_ms = QUOTE_LIFE_MS
        self.venue = Venue(symbol=symbol, base=base, quote=quote, filters=filters)
        self.bars: list[Bar] = []
        self.opens: list[int] = []
        self.first_ms = 0
        self.hear(row, at_ms=at_ms)

    def hear(self, row: dict[str, Any], *, at_ms: int) -> None:
        """Take the public venue's quote as the market from `at_ms` on."""
        bid, ask = Decimal(row["bidPrice"]), Decimal(row["askPrice"])
        if not 0 < bid <= ask:
            return
        middle = (bid + ask) / 2
        sizes = Decimal(row["bidQty"]), Decimal(row["askQty"])
        if self.bars:
            before = self.bars[-1]
            self.bars[-1] = before._replace(end_ms=min(before.end_ms, at_ms))
        self.bars.append(
            Bar(
                at_ms,
                at_ms + QUOTE_LIFE_MS,
                middle,
                middle,
                middle,
                middle,
                max(sizes),
                bid=bid,
                ask=ask,
                bid_quantity=sizes[0],
                ask_quantity=sizes[1],
            )
        )
        self.bars = self.bars[-KEPT_QUOTES:]
        self.opens = [bar.open_ms for bar in self.bars]
        self.end_ms = self.bars[-1].end_ms


def filters_of(row: dict[str, Any]) -> Filters:
    """The public venue's own filters of a symbol."""
    by_kind = {one["filterType"]: one for one in row["filters"]}
    price, lot = by_kind["PRICE_FILTER"], by_kind["LOT_SIZE"]
    market, notional = by_kind.get("MARKET_LOT_SIZE", lot), by_kind.get("NOTIONAL", {})
    return Filters(
        tick=Decimal(price["tickSize"]),
        min_price=Decimal(price["minPrice"]),
        max_price=Decimal(price["maxPrice"]),
        step=Decimal(lot["stepSize"]),
        min_quantity=Decimal(lot["minQty"]),
        max_quantity=Decimal(lot["maxQty"]),
        max_market_quantity=Decimal(market["maxQty"]) or Decimal(lot["maxQty"]),
        min_notional=Decimal(notional.get("minNotional", "5")),
        max_notional=Decimal(notional.get("maxNotional", "9000000")),
    )


def quoted_markets(url: str, symbols: Sequence[str], *, at_ms: int) -> dict[str, QuotedMarket]:
    """Filters and first quotes of the symbols that the public venue lists.

    Raises `ValueError` where it does not answer, or lists none of them.
    """
    try:
        with httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False) as http:
            listed = {
                f"{row['baseAsset']}/{row['quoteAsset']}": row
                for row in http.get("/api/v3/exchangeInfo").raise_for_status().json()["symbols"]
            }
            wanted = [name for name in symbols if name in listed]
            if not wanted:
                raise ValueError(f"{url} lists none of {', '.join(symbols)}")
            quotes = _by_symbol(http.get("/api/v3/ticker/bookTicker", params=_asked(wanted)).raise_for_status().json())
    except (httpx.HTTPError, KeyError, TypeError) as error:
        raise ValueError(f"{url} gives no quotes: {error!r}") from error
    return {
        name: QuotedMarket(name, filters_of(listed[name]), quotes[name.replace("/", "")], at_ms=at_ms)
        for name in sorted(wanted)
    }


async def follow_quotes(exchange: Exchange, url: str) -> None:
    """Ask for new quotes for ever; where none come the old ones go stale, and nothing fills."""
    markets = {m.api_symbol: m for m in exchange.markets.values() if isinstance(m, QuotedMarket)}
    asked = _asked([market.symbol for market in markets.values()])
    async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S, trust_env=False) as http:
        while True:
            await asyncio.sleep(POLL_S)
            try:
                answer = await http.get("/api/v3/ticker/bookTicker", params=asked)
                quotes = _by_symbol(answer.raise_for_status().json())
            except (httpx.HTTPError, ValueError, KeyError, TypeError) as silent:
                log.warning("no quotes from %s: %r", url, silent)
                continue
            exchange.catch_up()
            for name, market in markets.items():
                if name in quotes:
                    market.hear(quotes[name], at_ms=exchange.now_ms)


def _asked(symbols: Sequence[str]) -> dict[str, str]:
    return {"symbols": json.dumps([name.replace("/", "") for name in symbols], separators=(",", ":"))}


def _by_symbol(rows: Any) -> dict[str, dict[str, Any]]:
    return {row["symbol"]: row for row in rows}
