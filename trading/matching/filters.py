"""A symbol's filters: derived from its price level, checked with Binance's codes and messages."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from trading.matching.model import TRIGGERED, ZERO, Kind, Refusal, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """The filters of one symbol; a market step or market minimum of 0 leaves the rule to LOT_SIZE, as at Binance."""

    tick: Decimal
    min_price: Decimal
    max_price: Decimal
    step: Decimal
    min_quantity: Decimal
    max_quantity: Decimal
    max_market_quantity: Decimal
    min_notional: Decimal
    max_notional: Decimal
    bid_up: Decimal = Decimal(5)
    bid_down: Decimal = Decimal("0.2")
    ask_up: Decimal = Decimal(5)
    ask_down: Decimal = Decimal("0.2")
    max_orders: int = 200
    max_algo_orders: int = 5
    max_iceberg_orders: int = 5
    max_order_lists: int = 20
    iceberg_parts: int = 10
    min_trailing_bips: int = 10
    max_trailing_bips: int = 2000
    average_minutes: int = 5


def derive_filters(price: Decimal, *, min_notional: Decimal = Decimal(5)) -> Filters:
    """Plausible filters for a symbol whose first known price is `price`, on the grids Binance uses at that level.

    8,000 gives tick 0.01 and step 0.00001; 0.14 gives tick 0.00001 and step 0.1. Tick times step never needs more than
    eight decimal places, so quote amounts are exact.
    """
    if price <= 0:
        raise ValueError(f"price {price} must be positive to derive filters")
    magnitude = price.adjusted()
    tick = Decimal(1).scaleb(max(-8, min(-2, magnitude - 4)))
    step = Decimal(1).scaleb(max(-5, min(0, -magnitude - 2)))
    if tick * step < Decimal("0.00000001"):
        step = Decimal("0.00000001") / tick
    return Filters(
        tick=tick,
        min_price=tick,
        max_price=Decimal(1).scaleb(magnitude + 3),
        step=step,
        min_quantity=step,
        max_quantity=step * 900_000_000,
        max_market_quantity=step * 100_000_000,
        min_notional=min_notional,
        max_notional=Decimal(9_000_000),
    )


def on_grid(value: Decimal, step: Decimal) -> bool:
    return step == 0 or value % step == 0


def down_to(value: Decimal, step: Decimal) -> Decimal:
    """The grid point at or below `value`."""
    return (value / step).to_integral_value(rounding=ROUND_FLOOR) * step


def up_to(value: Decimal, step: Decimal) -> Decimal:
    """The grid point at or above `value`."""
    return (value / step).to_integral_value(rounding=ROUND_CEILING) * step


def _failure(name: str, code: int = -1013) -> Refusal:
    return Refusal(code, f"Filter failure: {name}")


def check_order(
    filters: Filters,
    *,
    side: Side,
    kind: Kind,
    quantity: Decimal,
    price: Decimal | None,
    stop_price: Decimal | None,
    known_price: Decimal,
    iceberg: Decimal = ZERO,
    trailing_bips: int | None = None,
) -> None:
    """Check every filter of one order against the price known now; raises `Refusal` (-1013).

    A stop without a limit price is measured at its stop price, a market order (and a trailing one that has neither)
    at the known price.
    """
    for named in (price, stop_price):
        if named is not None and not (filters.min_price <= named <= filters.max_price and on_grid(named, filters.tick)):
            raise _failure("PRICE_FILTER")
    if price is not None:
        up, down = (filters.bid_up, filters.bid_down) if side is Side.BUY else (filters.ask_up, filters.ask_down)
        if not known_price * down <= price <= known_price * up:
            raise _failure("PERCENT_PRICE_BY_SIDE")
    if not (filters.min_quantity <= quantity <= filters.max_quantity and on_grid(quantity, filters.step)):
        raise _failure("LOT_SIZE")
    if kind is Kind.MARKET and quantity > filters.max_market_quantity:
        raise _failure("MARKET_LOT_SIZE")
    if iceberg:
        if iceberg < filters.min_quantity or not on_grid(iceberg, filters.step):
            raise _failure("LOT_SIZE")
        if up_to(quantity / iceberg, Decimal(1)) > filters.iceberg_parts:
            raise _failure("ICEBERG_PARTS")
    if trailing_bips is not None and not filters.min_trailing_bips <= trailing_bips <= filters.max_trailing_bips:
        raise _failure("TRAILING_DELTA")
    notional = quantity * (price if price is not None else stop_price if stop_price is not None else known_price)
    if notional < filters.min_notional or (kind is not Kind.MARKET and notional > filters.max_notional):
        raise _failure("NOTIONAL")


def check_counts(
    filters: Filters,
    *,
    kind: Kind,
    open_orders: int,
    open_algo_orders: int,
    is_iceberg: bool = False,
    open_iceberg_orders: int = 0,
) -> None:
    """Check how many orders the account has open on the symbol; raises `Refusal` (-2010: the engine refuses)."""
    if open_orders >= filters.max_orders:
        raise _failure("MAX_NUM_ORDERS", -2010)
    if kind in TRIGGERED and open_algo_orders >= filters.max_algo_orders:
        raise _failure("MAX_NUM_ALGO_ORDERS", -2010)
    if is_iceberg and open_iceberg_orders >= filters.max_iceberg_orders:
        raise _failure("MAX_NUM_ICEBERG_ORDERS", -2010)


def check_list_count(filters: Filters, *, open_lists: int) -> None:
    """Check how many order lists the account has open on the symbol; raises `Refusal` (-2010)."""
    if open_lists >= filters.max_order_lists:
        raise _failure("MAX_NUM_ORDER_LISTS", -2010)


def check_pair(
    *,
    side: Side,
    target_price: Decimal | None,
    stop_price: Decimal | None,
    known_price: Decimal,
    traded_price: Decimal,
) -> None:
    """Check that the market lies between the target and the stop of a pair; raises `Refusal` (-2010).

    The stop is wrong only where it is beyond both the known and the traded price. `None` trails and has no price.
    """
    selling = side is Side.SELL
    prices = (known_price, traded_price)
    wrong_target = target_price is not None and (
        target_price <= known_price if selling else target_price >= known_price
    )
    wrong_stop = stop_price is not None and all(stop_price >= p if selling else stop_price <= p for p in prices)
    if wrong_target or wrong_stop:
        raise Refusal(-2010, "The relationship of the prices for the orders is not correct.")


def check_notional_of_quote(filters: Filters, quote_quantity: Decimal) -> None:
    """A market order by quote amount must reach the minimum notional; raises `Refusal` (-1013)."""
    if quote_quantity <= ZERO or quote_quantity < filters.min_notional:
        raise _failure("NOTIONAL")
