"""The identity per asset: opening + trades - commissions + explained transfers = balance (venue.md, Accounting)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from trading.ledger.positions import assets_of, distinct_fills, quote_value
from trading.money import ZERO
from trading.orders.models import Fill, Side

USD_ASSETS = frozenset({"USD", "USDT", "USDC", "FDUSD", "TUSD", "BUSD", "DAI"})
"""Quote assets that count as US dollars one to one: an account's cash."""


def flows(fills: Iterable[Fill]) -> dict[str, Decimal]:
    """What the fills moved, by asset; a trade told twice moves once."""
    moved: dict[str, Decimal] = {}
    for fill in distinct_fills(fills):
        base, quote = assets_of(fill.symbol)
        sign = 1 if fill.side is Side.BUY else -1
        moved[base] = moved.get(base, ZERO) + sign * fill.quantity
        moved[quote] = moved.get(quote, ZERO) - sign * quote_value(fill)
        moved[fill.commission_asset] = moved.get(fill.commission_asset, ZERO) - fill.commission
    return moved


def balances(
    opening: Mapping[str, Decimal], fills: Iterable[Fill], *, transfers: Mapping[str, Decimal] | None = None
) -> dict[str, Decimal]:
    """The balance of each asset by the identity; `transfers` are the explained ones, signed."""
    total = dict(opening)
    for part in (flows(fills), transfers or {}):
        for asset, amount in part.items():
            total[asset] = total.get(asset, ZERO) + amount
    return total


def cash_usd(held: Mapping[str, Decimal]) -> Decimal:
    """The part of the balances that is US dollars."""
    return sum((amount for asset, amount in held.items() if asset in USD_ASSETS), ZERO)
