"""What a back-tested account has: cash, base units with their cost, and both as facts."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trading.facts.bars import shortened
from trading.matching.model import Fill, Side
from trading.money import ZERO


@dataclass(slots=True, kw_only=True)
class Held:
    """Cash and base units of one account in one symbol; `cost_usd` is what the units cost, fees included.

    Commissions are taken as the venue takes them: a buy's from the units, a sell's from the proceeds.
    """

    cash_usd: Decimal
    quantity: Decimal = ZERO
    cost_usd: Decimal = ZERO
    dust_below_usd: Decimal = Decimal(5)
    realised_usd: Decimal = ZERO
    fees_usd: Decimal = ZERO
    traded_usd: Decimal = ZERO

    def book(self, fill: Fill) -> None:
        """Take one fill in."""
        self.traded_usd += fill.quote
        if fill.side is Side.BUY:
            self.cash_usd -= fill.quote
            self.quantity += fill.quantity - fill.commission
            self.cost_usd += fill.quote
            self.fees_usd += fill.commission * fill.price
            return
        cost = self.cost_usd * fill.quantity / self.quantity
        self.cash_usd += fill.quote - fill.commission
        self.quantity -= fill.quantity
        self.cost_usd -= cost
        self.realised_usd += fill.quote - fill.commission - cost
        self.fees_usd += fill.commission

    def equity_usd(self, price: Decimal) -> Decimal:
        return self.cash_usd + self.quantity * price

    def is_open(self, price: Decimal) -> bool:
        """Whether there is something to sell: what is worth less than the smallest order is dust."""
        return self.quantity * price >= self.dust_below_usd

    def fact(self, name: str, price: Decimal) -> tuple[Decimal | None, str]:
        """One of the account's facts, as the snapshot states it, and its unit."""
        equity = self.equity_usd(price)
        sellable = self.quantity if self.is_open(price) else ZERO
        if name == "position_quantity":
            return sellable, "base"
        if name == "equity_usd":
            return equity, "USD"
        if name == "unrealised_fraction":
            return (shortened(price * self.quantity / self.cost_usd - 1) if sellable else None), "fraction"
        if equity <= 0:
            return None, "fraction"
        share = sellable * price if name == "position_fraction" else self.cash_usd
        return shortened(share / equity), "fraction"
