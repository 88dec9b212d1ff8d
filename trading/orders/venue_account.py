"""An account as its venue tells it."""

from __future__ import annotations

from decimal import Decimal

from trading.contract import Contract


class Balance(Contract):
    asset: str
    free: Decimal
    locked: Decimal

    @property
    def total(self) -> Decimal:
        return self.free + self.locked


class VenueFees(Contract):
    """Commission rates as fractions of the received amount."""

    maker: Decimal
    taker: Decimal


class VenueAccount(Contract):
    """What the venue says of an account: balances, fees, and what its key may do."""

    account: str
    balances: tuple[Balance, ...]
    fees: VenueFees
    can_trade: bool
    can_withdraw: bool

    def balance(self, asset: str) -> Balance:
        for balance in self.balances:
            if balance.asset == asset:
                return balance
        return Balance(asset=asset, free=Decimal(0), locked=Decimal(0))
