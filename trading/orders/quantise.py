"""An order cut to a symbol's grid before it is sent, or the reason why no order remains (C16).

Written from the venue's filter documentation for our side of the wire; it shares nothing with the simulated venue's
own checks, so that each proves the other.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from pydantic import Field

from trading.contract import Contract
from trading.money import ceil_to_step, floor_to_step, plain
from trading.orders.models import OrderRequest, OrderType, Side
from trading.orders.symbols import SymbolRules

_PRICED = frozenset({OrderType.LIMIT, OrderType.LIMIT_MAKER, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT_LIMIT})
_TRIGGERED = frozenset(
    {OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT}
)


class UnsendableCode(StrEnum):
    """Why an order cannot be sent at all."""

    NOT_TRADING = "not_trading"
    TYPE_NOT_ALLOWED = "type_not_allowed"
    PRICE_MISSING = "price_missing"
    STOP_PRICE_MISSING = "stop_price_missing"
    PRICE_OUT_OF_BOUNDS = "price_out_of_bounds"
    BELOW_MIN_QUANTITY = "below_min_quantity"
    ABOVE_MAX_QUANTITY = "above_max_quantity"
    BELOW_MIN_NOTIONAL = "below_min_notional"


class Unsendable(Contract):
    """The venue would refuse this order: the code, a sentence, and the numbers behind it."""

    code: UnsendableCode
    message: str
    numbers: dict[str, str] = Field(default_factory=dict)


class Quantised(Contract):
    """Quantity and prices on the symbol's grid: never more than was asked, never a worse price for us."""

    quantity: Decimal
    price: Decimal | None = None
    stop_price: Decimal | None = None


def quantise(
    order: OrderRequest, rules: SymbolRules, *, reference_price: Decimal | None = None
) -> Quantised | Unsendable:
    """Cut `order` to the grid of `rules`, or say why nothing sendable is left.

    Quantity is floored, so a sell never exceeds what is held and a buy never what was permitted. A buy's prices are
    floored, a sell's raised: a limit is not worse and a stop not looser than asked. `reference_price` is the recent
    price that the venue's price bounds and a market order's notional are measured against; without it those two
    checks are left to the venue.
    """
    if not rules.is_trading:
        return _unsendable(UnsendableCode.NOT_TRADING, f"{order.symbol} does not trade now")
    if order.type not in rules.order_types:
        allowed = ", ".join(sorted(rules.order_types))
        return _unsendable(
            UnsendableCode.TYPE_NOT_ALLOWED, f"{order.symbol} takes no {order.type} order; allowed: {allowed}"
        )
    if order.type in _PRICED and order.price is None:
        return _unsendable(UnsendableCode.PRICE_MISSING, f"a {order.type} order needs a price")
    if order.type in _TRIGGERED and order.stop_price is None:
        return _unsendable(UnsendableCode.STOP_PRICE_MISSING, f"a {order.type} order needs a stop price")
    cut = Quantised(
        quantity=floor_to_step(order.quantity, _quantity_step(order, rules)),
        price=_on_tick(order.price, order.side, rules) if order.type in _PRICED else None,
        stop_price=_on_tick(order.stop_price, order.side, rules) if order.type in _TRIGGERED else None,
    )
    return (
        _refused_by_price(order, cut, rules, reference_price)
        or _refused_by_size(order, cut, rules, reference_price)
        or cut
    )


def _quantity_step(order: OrderRequest, rules: SymbolRules) -> Decimal:
    if order.type is OrderType.MARKET:
        return max(rules.step_size, rules.market_step_size)
    return rules.step_size


def _on_tick(price: Decimal | None, side: Side, rules: SymbolRules) -> Decimal | None:
    if price is None:
        return None
    rounded = floor_to_step if side is Side.BUY else ceil_to_step
    return rounded(price, rules.tick_size)


def _refused_by_price(
    order: OrderRequest, cut: Quantised, rules: SymbolRules, reference_price: Decimal | None
) -> Unsendable | None:
    up, down = rules.max_price_ratio_up, rules.max_price_ratio_down
    if order.side is Side.SELL:
        up = rules.sell_price_ratio_up if rules.sell_price_ratio_up is not None else up
        down = rules.sell_price_ratio_down if rules.sell_price_ratio_down is not None else down
    for name, price in (("price", cut.price), ("stop_price", cut.stop_price)):
        if price is None:
            continue
        if price <= 0:
            return _unsendable(
                UnsendableCode.PRICE_OUT_OF_BOUNDS,
                f"{name} {plain(price)} must be above 0 after rounding to tick {plain(rules.tick_size)}",
                **{name: price, "tick_size": rules.tick_size},
            )
        if reference_price is None or name == "stop_price":
            continue
        lowest, highest = reference_price * down, reference_price * up
        if not lowest <= price <= highest:
            return _unsendable(
                UnsendableCode.PRICE_OUT_OF_BOUNDS,
                f"{name} {plain(price)} must lie between {plain(lowest)} and {plain(highest)} for a {order.side}",
                **{name: price, "lowest": lowest, "highest": highest, "reference_price": reference_price},
            )
    return None


def _refused_by_size(
    order: OrderRequest, cut: Quantised, rules: SymbolRules, reference_price: Decimal | None
) -> Unsendable | None:
    if cut.quantity <= 0 or cut.quantity < rules.min_quantity:
        return _unsendable(
            UnsendableCode.BELOW_MIN_QUANTITY,
            f"quantity {plain(order.quantity)} of {order.symbol}, {plain(cut.quantity)} on the grid, "
            f"is below the least quantity {plain(rules.min_quantity)}",
            quantity=order.quantity,
            on_grid=cut.quantity,
            min_quantity=rules.min_quantity,
        )
    most = rules.max_quantity
    if order.type is OrderType.MARKET and rules.max_market_quantity is not None:
        most = min(most, rules.max_market_quantity)
    if cut.quantity > most:
        return _unsendable(
            UnsendableCode.ABOVE_MAX_QUANTITY,
            f"quantity {plain(cut.quantity)} of {order.symbol} is above the greatest quantity {plain(most)}",
            quantity=cut.quantity,
            max_quantity=most,
        )
    price = cut.price or cut.stop_price or reference_price
    if price is not None and cut.quantity * price < rules.min_notional_usd:
        return _unsendable(
            UnsendableCode.BELOW_MIN_NOTIONAL,
            f"{plain(cut.quantity)} {order.symbol} at {plain(price)} is {plain(cut.quantity * price)}, "
            f"below the least notional {plain(rules.min_notional_usd)}",
            quantity=cut.quantity,
            price=price,
            notional_usd=cut.quantity * price,
            min_notional_usd=rules.min_notional_usd,
        )
    return None


def _unsendable(code: UnsendableCode, message: str, **numbers: Decimal) -> Unsendable:
    return Unsendable(code=code, message=message, numbers={name: plain(value) for name, value in numbers.items()})
