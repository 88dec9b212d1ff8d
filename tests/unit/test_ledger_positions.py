"""Fills to positions and balances: what a trader can recompute on paper, and what holds for every order of arrival."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.ledger.balances import balances, cash_usd
from trading.ledger.marks import mark, max_drawdown
from trading.ledger.positions import Position, extended, fifo_gains, follows, position_of
from trading.orders.models import Fill, Side

NOON = datetime(2020, 3, 12, 12, tzinfo=UTC)
D = Decimal


def fill(number: int, side: str, quantity: str, price: str, fee: str = "0", asset: str = "USDT") -> Fill:
    return Fill(
        trade_id=str(number),
        venue_order_id=str(number),
        client_order_id=f"{number:032x}",
        symbol="BTC/USDT",
        side=Side(side),
        price=D(price),
        quantity=D(quantity),
        commission=D(fee),
        commission_asset=asset,
        is_maker=False,
        filled_at=NOON + timedelta(seconds=number),
    )


def position(*fills: Fill) -> Position:
    return position_of("main", "BTC/USDT", fills)


def test_commission_in_the_base_asset_makes_the_position_smaller_than_the_fill() -> None:
    held = position(fill(1, "BUY", "1", "5000", "0.001", "BTC"))
    assert held.quantity == D("0.999")
    assert held.cost == D("5000")
    assert held.average_price == D("5000") / D("0.999")
    assert held.fees == D("5")


def test_average_cost_and_fifo_differ_when_two_lots_are_half_sold() -> None:
    #            side   quantity price   fee
    fills = (
        fill(1, "BUY", "1", "4000", "4"),  # cost 4004
        fill(2, "BUY", "1", "6000", "6"),  # cost 6006, average (4004 + 6006) / 2 = 5005
        fill(3, "SELL", "1", "7000", "7"),  # proceeds 6993
    )
    held = position(*fills)
    assert held.realised_pnl == D("6993") - D("5005")
    assert held.fifo_pnl == D("6993") - D("4004")
    assert held.quantity == 1
    assert held.average_price == D("5005")
    assert [lot.trade_id for lot in held.lots] == ["2"]
    assert [gain.gain for gain in fifo_gains("BTC/USDT", fills)] == [D("2989")]


def test_a_closed_position_leaves_no_cost_behind() -> None:
    held = position(fill(1, "BUY", "0.3", "5000.01"), fill(2, "SELL", "0.1", "5000"), fill(3, "SELL", "0.2", "4999"))
    assert held.quantity == 0
    assert held.cost == 0
    assert held.average_price is None
    assert held.lots == ()
    assert held.realised_pnl == D("500") + D("999.8") - D("1500.003")


def test_a_commission_in_a_third_asset_is_named_until_it_is_valued() -> None:
    bought = fill(1, "BUY", "1", "5000", "0.02", "BNB")
    assert position(bought).unvalued_fees == (("BNB", D("0.02")),)
    valued = position_of("main", "BTC/USDT", [bought], fee_prices={"1": D("10")})
    assert valued.cost == D("5000.2")
    assert valued.unvalued_fees == ()


def test_selling_beyond_the_position_is_a_negative_quantity_and_the_next_buy_closes_it() -> None:
    held = position(fill(1, "BUY", "1", "100"), fill(2, "SELL", "3", "110"))
    assert (held.quantity, held.cost, held.realised_pnl) == (D("-2"), D("-220"), D("10"))
    back = extended(held, [fill(3, "BUY", "2", "100")])
    assert (back.quantity, back.cost, back.realised_pnl, back.lots) == (0, 0, D("30"), ())


def test_one_trade_id_with_two_stories_is_refused() -> None:
    with pytest.raises(ValueError, match="told twice"):
        position(fill(1, "BUY", "1", "100"), fill(1, "BUY", "1", "101"))


def test_a_fill_that_does_not_follow_must_be_recomputed() -> None:
    held = position(fill(2, "BUY", "1", "100"))
    assert not follows(held, [fill(1, "BUY", "1", "99")])
    with pytest.raises(ValueError, match="recompute"):
        extended(held, [fill(1, "BUY", "1", "99")])


def test_equity_is_cash_and_positions_at_their_marks() -> None:
    held = position(fill(1, "BUY", "2", "100"))
    assert mark(D("800"), [held], {"BTC/USDT": D("90")}).equity_usd == D("980")
    unmarked = mark(D("800"), [held], {})
    assert unmarked.equity_usd == D("1000")
    assert unmarked.unmarked == ("BTC/USDT",)


def test_max_drawdown_is_the_deepest_fall_from_a_peak() -> None:
    assert max_drawdown([D(100), D(80), D(120), D(90), D(130)]) == D("0.25")
    assert max_drawdown([D(1), D(2), D(3)]) == 0


numbers = st.decimals(min_value="0.00001", max_value="5", places=5)
prices = st.decimals(min_value="0.01", max_value="9999", places=2)
trades = st.lists(
    st.tuples(st.sampled_from(["BUY", "SELL"]), numbers, prices, st.sampled_from(["BTC", "USDT", "BNB"])), max_size=25
)


def history(rows: list[tuple[str, Decimal, Decimal, str]]) -> list[Fill]:
    made = []
    for number, (side, quantity, price, asset) in enumerate(rows, start=1):
        fee = quantity * D("0.001") if asset == "BTC" else D("0.001")
        made.append(fill(number, side, str(quantity), str(price), str(fee), asset))
    return made


@given(trades, st.randoms(use_true_random=False))
def test_any_order_and_duplication_of_fills_is_the_same_position(
    rows: list[tuple[str, Decimal, Decimal, str]], rng: random.Random
) -> None:
    fills = history(rows)
    told = fills + [f for f in fills if rng.random() < 0.5]
    rng.shuffle(told)
    assert position(*told) == position(*fills)
    assert balances({}, told) == balances({}, fills)


@given(trades)
def test_one_by_one_is_the_same_as_all_at_once(rows: list[tuple[str, Decimal, Decimal, str]]) -> None:
    fills = history(rows)
    held = Position(account="main", symbol="BTC/USDT")
    for each in fills:
        assert follows(held, [each])
        held = extended(held, [each])
    assert held == position(*fills)


@given(trades)
def test_positions_and_balances_tell_one_story(rows: list[tuple[str, Decimal, Decimal, str]]) -> None:
    """Base balance is the position; cash plus cost is what was there plus what was realised, to the last digit."""
    fills = history(rows)
    held, total = position(*fills), balances({"USDT": D("100000")}, fills)
    assert total.get("BTC", D(0)) == held.quantity
    assert cash_usd(total) + held.cost == D("100000") + held.realised_pnl
    assert sum(lot.quantity for lot in held.lots) == held.quantity
    assert cash_usd(total) + sum(lot.cost for lot in held.lots) == D("100000") + held.fifo_pnl
