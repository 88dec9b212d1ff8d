"""The filters a symbol gets from its price, and the refusal each one gives."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trading.matching.book import Known, ask_at, bid_at, depth, known_at
from trading.matching.filters import check_counts, check_order, derive_filters
from trading.matching.model import Bar, Kind, Refusal, Side


@pytest.mark.parametrize(
    ("price", "tick", "step"),
    [
        ("8543.25", "0.01", "0.00001"),  # BTC in 2020
        ("387.51", "0.01", "0.0001"),  # ETH
        ("21.45", "0.001", "0.001"),  # BNB
        ("0.14451", "0.00001", "0.1"),  # ADA
        ("0.00001234", "0.00000001", "1"),
    ],
)
def test_filters_follow_the_price_level(price: str, tick: str, step: str) -> None:
    filters = derive_filters(Decimal(price))
    assert (filters.tick, filters.step) == (Decimal(tick), Decimal(step))
    assert filters.tick * filters.step >= Decimal("0.00000001")


FILTERS = derive_filters(Decimal(8000))


@pytest.mark.parametrize(
    ("quantity", "price", "stop", "failure"),
    [
        ("0.01", "8000.005", None, "PRICE_FILTER"),  # off the tick
        ("0.01", None, "7900.001", "PRICE_FILTER"),  # a stop price is a price
        ("0.01", "50000", None, "PERCENT_PRICE_BY_SIDE"),  # more than five times the last price
        ("0.01", "1000", None, "PERCENT_PRICE_BY_SIDE"),  # less than a fifth
        ("0.000001", "8000", None, "LOT_SIZE"),  # below the smallest lot
        ("0.010001", "8000", None, "LOT_SIZE"),  # off the step
        ("0.0005", "8000", None, "NOTIONAL"),  # 4 USDT
        ("0.0005", None, "8000", "NOTIONAL"),  # a stop is measured at its stop price
        ("2000", "8000", None, "NOTIONAL"),  # 16 million
    ],
)
def test_each_filter_refuses_with_its_name(quantity: str, price: str | None, stop: str | None, failure: str) -> None:
    with pytest.raises(Refusal) as refused:
        check_order(
            FILTERS,
            side=Side.BUY,
            kind=Kind.STOP_LOSS if stop else Kind.LIMIT,
            quantity=Decimal(quantity),
            price=None if price is None else Decimal(price),
            stop_price=None if stop is None else Decimal(stop),
            known_price=Decimal(8000),
        )
    assert (refused.value.code, refused.value.message) == (-1013, f"Filter failure: {failure}")


def test_market_orders_have_their_own_largest_lot() -> None:
    with pytest.raises(Refusal, match="MARKET_LOT_SIZE"):
        check_order(
            FILTERS,
            side=Side.SELL,
            kind=Kind.MARKET,
            quantity=Decimal(2000),
            price=None,
            stop_price=None,
            known_price=Decimal(8000),
        )


def test_five_stops_are_enough() -> None:
    check_counts(FILTERS, kind=Kind.LIMIT, open_orders=5, open_algo_orders=5)
    with pytest.raises(Refusal) as refused:
        check_counts(FILTERS, kind=Kind.STOP_LOSS, open_orders=5, open_algo_orders=5)
    assert (refused.value.code, refused.value.message) == (-2010, "Filter failure: MAX_NUM_ALGO_ORDERS")


BARS = (
    Bar(0, 100, Decimal(10), Decimal(12), Decimal(9), Decimal(11), Decimal(5000)),
    Bar(100, 200, Decimal("11.5"), Decimal(20), Decimal(2), Decimal(3), Decimal(9000)),
)


@pytest.mark.parametrize(
    ("index", "at_ms", "price"),
    [
        (1, 100, "11.5"),  # at its open the open is known
        (1, 199, "11.5"),  # and nothing more until it has closed
        (1, 200, "3"),  # then its close
    ],
)
def test_inside_a_candle_the_price_known_is_its_open(index: int, at_ms: int, price: str) -> None:
    assert known_at(BARS, index, at_ms).price == Decimal(price)


def test_the_book_never_shows_the_forming_candle() -> None:
    scrambled = (BARS[0], BARS[1]._replace(high=Decimal(99), low=Decimal(1), close=Decimal(50), volume=Decimal(1)))
    books = [
        depth(known_at(bars, 1, 150), derive_filters(Decimal(10)), seed=1, symbol="X/Y", levels=5)
        for bars in (BARS, scrambled)
    ]
    assert books[0] == books[1]


def test_the_book_is_ordered_around_the_known_price() -> None:
    filters = derive_filters(Decimal(8000))
    bids, asks = depth(Known(Decimal("8000.01"), 0, BARS[0]), filters, seed=1, symbol="X/Y", levels=5)
    assert bids[0].price == bid_at(Decimal("8000.01"), filters.tick) < Decimal("8000.01")
    assert asks[0].price == ask_at(Decimal("8000.01"), filters.tick) > Decimal("8000.01")
    assert [quote.price for quote in bids] == sorted((quote.price for quote in bids), reverse=True)
    assert all(quote.quantity % filters.step == 0 and quote.quantity > 0 for quote in (*bids, *asks))
