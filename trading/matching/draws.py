"""All that looks like chance at the venue: hashes of (seed, symbol, candle, client id), never of arrival order."""

from __future__ import annotations

import hashlib
from decimal import Decimal

_EPOCH_S = 946_684_800  # 2000-01-01: keeps 30 bits of hash below 2^63
_HASH_BITS = 30


def draw(*facts: object) -> int:
    """A 64-bit number that depends on nothing but `facts`."""
    text = "|".join(str(fact) for fact in facts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def unit(*facts: object) -> Decimal:
    """A number in [0, 1) with six places that depends on nothing but `facts`."""
    return Decimal(draw(*facts) % 1_000_000) / 1_000_000


def timed_id(at_ms: int, *facts: object) -> int:
    """An id that grows with market time (by second) and is otherwise a hash of `facts`: ids sort by time."""
    second = at_ms // 1000 - _EPOCH_S
    return (max(second, 0) << _HASH_BITS) | (draw(*facts) & ((1 << _HASH_BITS) - 1))


def order_id(*, seed: int, symbol: str, account: str, client_id: str, created_ms: int, use: int) -> int:
    """The venue's order id; `use` counts earlier orders of the account under the same client id."""
    return timed_id(created_ms, "order", seed, symbol, account, client_id, created_ms, use)


def list_id(*, seed: int, symbol: str, account: str, client_id: str, created_ms: int, use: int) -> int:
    """The venue's id of an order list; `use` counts earlier lists of the account under the same client id."""
    return timed_id(created_ms, "list", seed, symbol, account, client_id, created_ms, use)


def trade_id(*, seed: int, symbol: str, order: int, number: int, at_ms: int) -> int:
    """The id of the fill `number` (from 0) of one order."""
    return timed_id(at_ms, "trade", seed, symbol, order, number)


def queue_place(*, seed: int, symbol: str, candle_ms: int, client_id: str) -> int:
    """Who comes first among orders of one instant: smaller is earlier."""
    return draw("queue", seed, symbol, candle_ms, client_id)
