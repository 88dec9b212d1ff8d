"""A venue's own balances: free and locked per asset, moved by orders and fills only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from trading.matching.model import ZERO, Fill, Order, Refusal, Side


@dataclass(slots=True)
class Holding:
    free: Decimal = ZERO
    locked: Decimal = ZERO


@dataclass(slots=True)
class Wallet:
    """Balances of one account. No operation leaves an amount below zero; a breach raises `ArithmeticError`."""

    holdings: dict[str, Holding] = field(default_factory=dict)

    @classmethod
    def opened(cls, balances: Mapping[str, Decimal]) -> Wallet:
        return cls({asset: Holding(free=amount) for asset, amount in balances.items()})

    def free(self, asset: str) -> Decimal:
        holding = self.holdings.get(asset)
        return holding.free if holding is not None else ZERO

    def spendable(self, asset: str, order: Order) -> Decimal:
        """What a fill of `order` may use: what the order locks and what is free."""
        return order.locked + self.free(asset)

    def lock(self, asset: str, amount: Decimal) -> None:
        """Move `amount` from free to locked; raises `Refusal` (-2010) where there is not enough."""
        holding = self.holdings.get(asset)
        if holding is None or holding.free < amount:
            raise Refusal(-2010, "Account has insufficient balance for requested action.")
        holding.free -= amount
        holding.locked += amount

    def settle(self, before: Order, after: Order, fill: Fill | None, *, base: str, quote: str) -> None:
        """Book the step from `before` to `after`: release, pay, receive net of commission."""
        pays, receives = (quote, base) if before.side is Side.BUY else (base, quote)
        spent = received = ZERO
        if fill is not None:
            spent, received = (fill.quote, fill.quantity) if before.side is Side.BUY else (fill.quantity, fill.quote)
            received -= fill.commission
        paying = self.holdings.setdefault(pays, Holding())
        paying.locked += after.locked - before.locked
        paying.free += before.locked - after.locked - spent
        if paying.free < 0 or paying.locked < 0:
            raise ArithmeticError(
                f"order {before.client_id} of {before.account} would leave {pays} at free {paying.free}, "
                f"locked {paying.locked}: both must stay at or above 0"
            )
        if received:
            self.holdings.setdefault(receives, Holding()).free += received
