"""What the public sees at an instant: known price, book top and depth, from closed candles and the forming one's open.

The forming candle's high, low, close and volume are never read here (venue.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from trading.matching.draws import unit
from trading.matching.filters import Filters, down_to, up_to
from trading.matching.model import Bar

HALF_SPREAD = Decimal("0.0001")
"""Half of the quoted spread as a fraction of price; never less than one tick."""
TOP_SHARE = Decimal("0.002")
"""The size at the best price, as a share of the last closed candle's volume, before its draw."""


class Quote(NamedTuple):
    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a symbol at an instant: the last price, and the last closed candle where there is one."""

    price: Decimal
    candle_ms: int
    closed: Bar | None


def known_at(bars: Sequence[Bar], index: int, at_ms: int) -> Known:
    """What `bars` tell at `at_ms`; `index` is the last bar opened at or before it.

    Inside a candle the price is its open; after its end (a gap, or the end of data) it is its close.
    """
    bar = bars[index]
    if at_ms >= bar.end_ms:
        return Known(bar.close, bar.open_ms, bar)
    return Known(bar.open, bar.open_ms, bars[index - 1] if index else None)


def half_spread(price: Decimal, tick: Decimal) -> Decimal:
    """Half the spread around `price`, on the tick grid."""
    return max(tick, down_to(price * HALF_SPREAD, tick))


def bid_at(price: Decimal, tick: Decimal) -> Decimal:
    return max(tick, down_to(price - half_spread(price, tick), tick))


def ask_at(price: Decimal, tick: Decimal) -> Decimal:
    return up_to(price + half_spread(price, tick), tick)


def depth(
    known: Known, filters: Filters, *, seed: int, symbol: str, levels: int
) -> tuple[tuple[Quote, ...], tuple[Quote, ...]]:
    """Bids and asks, best first; sizes are draws around a share of the last closed candle's volume."""
    volume = known.closed.volume if known.closed is not None else filters.min_quantity * 1000
    size = max(volume * TOP_SHARE, filters.min_quantity)
    gap = half_spread(known.price, filters.tick)
    bid, ask = bid_at(known.price, filters.tick), ask_at(known.price, filters.tick)
    bids: list[Quote] = []
    asks: list[Quote] = []
    for level in range(levels):
        for side, quotes, price in (("bid", bids, bid - gap * level), ("ask", asks, ask + gap * level)):
            if price > 0:
                drawn = Decimal("0.5") + unit("depth", seed, symbol, known.candle_ms, side, level)
                quotes.append(Quote(price, max(down_to(size * drawn, filters.step), filters.min_quantity)))
    return tuple(bids), tuple(asks)
