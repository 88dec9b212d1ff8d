"""What a symbol's market demands of an order and offers it: filters, lots, quotes, the book's top."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from trading.contract import Contract, Utc
from trading.money import ceil_to_step, floor_to_step
from trading.orders.models import OrderType


class SymbolRules(Contract):
    """A symbol's filters, as the venue states them."""

    symbol: str
    base_asset: str
    quote_asset: str
    tick_size: Decimal
    step_size: Decimal
    market_step_size: Decimal
    min_quantity: Decimal
    max_quantity: Decimal
    min_notional_usd: Decimal
    max_market_quantity: Decimal | None = Field(
        default=None, description="the bound of market orders where it is tighter"
    )
    max_price_ratio_up: Decimal = Field(description="an order price may be at most this multiple of the last price")
    max_price_ratio_down: Decimal
    sell_price_ratio_up: Decimal | None = Field(
        default=None, description="a sell's bound where it differs from a buy's"
    )
    sell_price_ratio_down: Decimal | None = None
    max_algo_orders: int = 5
    order_types: frozenset[OrderType]
    is_trading: bool = True
    oco_allowed: bool = False
    opo_allowed: bool = False


class Lot(Contract):
    """What of a symbol's filters an exit needs: smaller than this is dust, which no order can carry."""

    step_size: Decimal
    min_quantity: Decimal
    min_notional_usd: Decimal
    has_stop_loss: bool = True
    tick_size: Decimal = Decimal("0.01")
    max_market_quantity: Decimal | None = Field(default=None, description="the most that one order at market may sell")

    def portion(self, quantity: Decimal) -> Decimal:
        """What one order at market takes of `quantity`: all of it, or the first of the fewest equal parts."""
        most = self.max_market_quantity
        if most is None or most <= 0 or quantity <= most:
            return quantity
        return floor_to_step(quantity / ceil_to_step(quantity / most, Decimal(1)), self.step_size)

    def tradable(self, quantity: Decimal, price: Decimal) -> Decimal:
        """`quantity` floored to the step, or zero where it is dust at `price`."""
        floored = floor_to_step(quantity, self.step_size)
        if floored < self.min_quantity or floored * price < self.min_notional_usd:
            return Decimal(0)
        return floored


class Quote(Contract):
    """What an order will meet: prices in quote units, the fee as a fraction of what is received."""

    symbol: str
    market_time: Utc
    bid: Decimal
    ask: Decimal
    spread_fraction: Decimal
    taker_fee: Decimal
    min_notional_usd: Decimal
    lot: Lot
    tick_size: Decimal = Field(default=Decimal(0), description="the grid of prices; 0 where it is not known")
    max_quantity: Decimal | None = Field(default=None, description="the largest order at market, in base units")
    opo_allowed: bool = False
    oco_allowed: bool = False


class BookTop(Contract):
    """Best bid and ask with their sizes in base units."""

    symbol: str
    bid: Decimal
    bid_quantity: Decimal
    ask: Decimal
    ask_quantity: Decimal
    as_of: Utc

    @property
    def mid(self) -> Decimal:
        return (self.bid + self.ask) / 2

    @property
    def spread_fraction(self) -> Decimal:
        return (self.ask - self.bid) / self.mid
