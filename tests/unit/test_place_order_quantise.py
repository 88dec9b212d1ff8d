"""Orders on the symbol's grid: never more than was asked, never a worse price, and refusals that name numbers."""

from __future__ import annotations

from decimal import Decimal

import pytest
from fakes.exchange import RULES, a_stop, an_order
from hypothesis import given
from hypothesis import strategies as st

from trading.orders.models import OrderRequest, OrderType, Side
from trading.orders.quantise import Quantised, Unsendable, UnsendableCode, quantise
from trading.orders.symbols import SymbolRules

D = Decimal


def limit(side: Side, quantity: str, price: str) -> OrderRequest:
    return an_order(type=OrderType.LIMIT, side=side, quantity=D(quantity), price=D(price))


@pytest.mark.parametrize(
    ("order", "quantity", "price", "stop_price"),
    [
        # step 0.00001, tick 0.01
        (limit(Side.BUY, "0.123456", "7000.019"), "0.12345", "7000.01", None),  #   a buy never pays more
        (limit(Side.SELL, "0.123456", "7000.011"), "0.12345", "7000.02", None),  #  a sell never gets less
        (an_order(quantity=D("0.1")), "0.1", None, None),
        (a_stop(stop_price=D("6800.001")), "0.1", None, "6800.01"),  #              a stop is never looser
        (
            a_stop(type=OrderType.STOP_LOSS_LIMIT, stop_price=D("6800.001"), price=D("6790.001")),
            "0.1",
            "6790.01",
            "6800.01",
        ),
    ],
)
def test_on_the_grid(order: OrderRequest, quantity: str, price: str | None, stop_price: str | None) -> None:
    expected = Quantised(
        quantity=D(quantity), price=D(price) if price else None, stop_price=D(stop_price) if stop_price else None
    )
    assert quantise(order, RULES, reference_price=D(7000)) == expected


def rules(**changes: object) -> SymbolRules:
    return RULES.model_copy(update=changes)


BY_SIDE = rules(
    max_price_ratio_up=D("1.2"),
    max_price_ratio_down=D("0.2"),
    sell_price_ratio_up=D(5),
    sell_price_ratio_down=D("0.8"),
)


@pytest.mark.parametrize(
    ("order", "filters", "code"),
    [
        (an_order(), rules(is_trading=False), "not_trading"),
        (an_order(), rules(order_types=frozenset({OrderType.LIMIT})), "type_not_allowed"),
        (an_order(type=OrderType.LIMIT), RULES, "price_missing"),
        (a_stop(stop_price=None), RULES, "stop_price_missing"),
        (an_order(quantity=D("0.000009")), RULES, "below_min_quantity"),
        (an_order(quantity=D("0.001")), rules(min_quantity=D("0.01")), "below_min_quantity"),
        (an_order(quantity=D("9000.1")), RULES, "above_max_quantity"),
        (an_order(quantity=D(50)), rules(max_market_quantity=D(40)), "above_max_quantity"),
        (an_order(quantity=D("0.0007")), RULES, "below_min_notional"),  #          4.90 of 5
        (
            an_order(quantity=D("0.00149")),
            rules(market_step_size=D("0.001"), min_notional_usd=D(10)),
            "below_min_notional",
        ),
        (limit(Side.BUY, "0.001", "4999"), RULES, "below_min_notional"),  #        its own price counts
        (limit(Side.BUY, "0.1", "0.009"), RULES, "price_out_of_bounds"),  #        floored to nothing
        (limit(Side.BUY, "0.1", "8400.01"), BY_SIDE, "price_out_of_bounds"),
        (limit(Side.SELL, "0.1", "5599.99"), BY_SIDE, "price_out_of_bounds"),
    ],
)
def test_unsendable(order: OrderRequest, filters: SymbolRules, code: str) -> None:
    answer = quantise(order, filters, reference_price=D(7000))
    assert isinstance(answer, Unsendable)
    assert answer.code == UnsendableCode(code)


@pytest.mark.parametrize(
    "order", [limit(Side.BUY, "0.1", "8400"), limit(Side.BUY, "0.1", "1400"), limit(Side.SELL, "0.1", "35000")]
)
def test_prices_at_their_side_s_bounds_pass(order: OrderRequest) -> None:
    assert isinstance(quantise(order, BY_SIDE, reference_price=D(7000)), Quantised)


def test_a_refusal_names_its_numbers() -> None:
    answer = quantise(an_order(quantity=D("0.0007")), RULES, reference_price=D(7000))
    assert isinstance(answer, Unsendable)
    assert answer.numbers == {
        "quantity": "0.0007",
        "price": "7000",
        "notional_usd": "4.9",
        "min_notional_usd": "5",
    }


@given(
    side=st.sampled_from(Side),
    quantity=st.decimals("0.01", "100", places=9),
    price=st.decimals("2000", "20000", places=7),
)
def test_never_more_and_never_worse(side: Side, quantity: Decimal, price: Decimal) -> None:
    cut = quantise(an_order(type=OrderType.LIMIT, side=side, quantity=quantity, price=price), RULES)
    assert isinstance(cut, Quantised)
    assert cut.price is not None
    assert quantity - RULES.step_size < cut.quantity <= quantity
    assert cut.quantity % RULES.step_size == 0
    assert cut.price % RULES.tick_size == 0
    assert cut.price <= price if side is Side.BUY else cut.price >= price
    assert abs(cut.price - price) < RULES.tick_size
