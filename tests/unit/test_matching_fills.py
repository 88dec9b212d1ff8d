"""What an order gets out of one candle. Rows are open, high, low, close; the tick is 0.01, half the spread one tick."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from trading.matching.candle_run import CandleRun, run_candle
from trading.matching.fills import FillModel, Venue, account_capacity, held_target, order_liquidity
from trading.matching.filters import derive_filters
from trading.matching.model import Bar, Kind, Order, Side, Status, Tif

HOUR = 3_600_000
MODEL = FillModel(seed=7)
VENUE = Venue(symbol="BTC/USDT", base="BTC", quote="USDT", filters=derive_filters(Decimal(100)))


def bar(open_: str, high: str, low: str, close: str, *, volume: str = "100000", at: int = 0) -> Bar:
    return Bar(at, at + HOUR, Decimal(open_), Decimal(high), Decimal(low), Decimal(close), Decimal(volume))


def order(
    kind: Kind = Kind.LIMIT,
    side: Side = Side.BUY,
    quantity: str = "1",
    price: str | None = None,
    stop: str | None = None,
    tif: Tif | None = Tif.GTC,
    *,
    name: str = "one",
    sent_ms: int = 0,
) -> Order:
    return Order(
        account="a",
        symbol="BTC/USDT",
        order_id=len(name) * 1000 + sum(map(ord, name)),
        client_id=name,
        side=side,
        kind=kind,
        quantity=Decimal(quantity),
        price=None if price is None else Decimal(price),
        stop_price=None if stop is None else Decimal(stop),
        tif=tif if kind in (Kind.LIMIT, Kind.STOP_LOSS_LIMIT) else None,
        created_ms=sent_ms,
        effective_ms=sent_ms + 1000,
        updated_ms=sent_ms,
    )


def run(one: Order, candle: Bar) -> CandleRun:
    return run_candle([one], candle, model=MODEL, venue=VENUE)


@pytest.mark.parametrize(
    ("side", "limit", "candle", "filled_at"),
    [
        (Side.BUY, "98", ("100", "101", "97", "99"), "98"),  # traded through: filled at the limit
        (Side.BUY, "97", ("100", "101", "97", "99"), None),  # touched, not through: the queue was longer
        (Side.BUY, "96", ("100", "101", "97", "99"), None),  # never reached
        (Side.SELL, "100.5", ("100", "101", "97", "99"), "100.5"),  # the way up trades through
        (Side.SELL, "101", ("100", "101", "97", "99"), None),  # only touched
    ],
)
def test_a_resting_limit_fills_only_when_price_trades_through_it(
    side: Side, limit: str, candle: tuple[str, str, str, str], filled_at: str | None
) -> None:
    done = run(order(side=side, price=limit), bar(*candle))
    assert [fill.price for fill in done.fills] == ([] if filled_at is None else [Decimal(filled_at)])
    assert all(fill.is_maker for fill in done.fills)


def test_a_resting_limit_fills_at_its_limit_after_a_gap_through_it() -> None:
    rested = run(order(price="95"), bar("100", "101", "97", "99")).orders[0]
    done = run(rested, bar("90", "92", "89", "91", at=HOUR))
    assert [(fill.price, fill.at_ms) for fill in done.fills] == [(Decimal(95), HOUR)]


def test_a_limit_that_crosses_the_book_takes_at_the_quoted_price() -> None:
    fill = run(order(price="105"), bar("100", "101", "97", "99")).fills[0]
    assert not fill.is_maker
    assert fill.at_ms == 1000
    assert Decimal(100) < fill.price < Decimal("100.2")


@pytest.mark.parametrize(
    ("stop", "candle", "reference"),
    [
        ("98", ("100", "101", "97", "99"), "98"),  # the path falls through the stop
        ("98", ("95", "96", "94", "95"), "95"),  # it opens below: the open, not the stop
    ],
)
def test_a_stop_fills_at_the_first_price_beyond_it_less_slippage(
    stop: str, candle: tuple[str, str, str, str], reference: str
) -> None:
    rested = run(order(Kind.STOP_LOSS, Side.SELL, stop=stop), bar("100", "101", "99", "100")).orders[0]
    done = run(rested, bar(*candle, at=HOUR))
    assert done.orders[0].status is Status.FILLED
    price = done.fills[0].price
    assert Decimal(reference) * Decimal("0.998") < price < Decimal(reference)


def test_a_stop_that_is_not_reached_rests() -> None:
    done = run(order(Kind.STOP_LOSS, Side.SELL, stop="96"), bar("100", "101", "97", "99"))
    assert done.fills == ()
    assert done.orders[0].is_open


def test_a_stop_limit_gapped_over_rests_at_its_limit_and_fills_on_the_way_back() -> None:
    rested = run(
        order(Kind.STOP_LOSS_LIMIT, Side.SELL, price="97.5", stop="98"), bar("100", "101", "99", "100")
    ).orders[0]
    gapped = run(rested, bar("95", "96", "94", "95", at=HOUR))
    assert gapped.fills == ()
    assert gapped.orders[0].triggered
    back = run(gapped.orders[0], bar("95", "98", "94", "97", at=2 * HOUR))
    assert [fill.price for fill in back.fills] == [Decimal("97.5")]


def test_stop_and_target_in_one_candle_is_the_stop_and_counted() -> None:
    stop = order(Kind.STOP_LOSS, Side.SELL, stop="98", name="stop")
    target = order(Kind.LIMIT_MAKER, Side.SELL, price="103", name="target")
    done = run_candle([target, stop], bar("100", "105", "97", "104"), model=MODEL, venue=VENUE)
    assert done.fills[0].client_id == "stop"
    assert done.ambiguous


def test_an_entry_filled_inside_a_candle_can_be_stopped_in_it() -> None:
    candle = bar("100", "101", "95", "99")
    entry = run(order(price="98"), candle).fills[0]
    stop = order(Kind.STOP_LOSS, Side.SELL, stop="96", name="stop", sent_ms=entry.at_ms)
    assert run_candle([stop], candle, model=MODEL, venue=VENUE, after_ms=entry.at_ms).orders[0].status is Status.FILLED


def test_an_entry_filled_inside_a_candle_reaches_its_target_at_the_earliest_in_the_next() -> None:
    candle = bar("100", "105", "95", "104")
    entry = run(order(price="98"), candle).fills[0]
    sent = order(Kind.LIMIT_MAKER, Side.SELL, price="103", name="target", sent_ms=entry.at_ms)
    target = held_target(sent, candle, entry_price=entry.price)
    here = run_candle([target], candle, model=MODEL, venue=VENUE, after_ms=entry.at_ms)
    assert here.fills == ()
    after = run(here.orders[0], bar("104", "106", "103.5", "105", at=HOUR))
    assert [(fill.price, fill.at_ms) for fill in after.fills] == [(Decimal(103), HOUR)]


def test_a_market_order_meets_the_price_one_second_later() -> None:
    fill = run(order(Kind.MARKET), bar("100", "101", "40", "99")).fills[0]
    falling = Decimal(100) - Decimal(60) / 1200  # one of the 1,200 seconds of the way down
    assert fill.at_ms == 1000
    assert falling < fill.price < falling * Decimal("1.002")


@pytest.mark.parametrize(
    ("kind", "tif", "status"),
    [
        (Kind.MARKET, None, Status.EXPIRED),  # takes what is there, the rest expires
        (Kind.LIMIT, Tif.IOC, Status.EXPIRED),
        (Kind.LIMIT, Tif.GTC, Status.PARTIALLY_FILLED),  # the rest rests
    ],
)
def test_more_than_the_candle_gives_is_a_partial_fill(kind: Kind, tif: Tif | None, status: Status) -> None:
    candle = bar("100", "101", "99", "100", volume="50")
    wanted = order(kind, quantity="20", price="105" if kind is Kind.LIMIT else None, tif=tif)
    done = run(wanted, candle)
    assert done.orders[0].status is status
    assert done.fills[0].quantity == order_liquidity(wanted, candle, model=MODEL, venue=VENUE)
    assert Decimal("1.5") <= done.fills[0].quantity <= Decimal(5)


def test_fill_or_kill_takes_all_or_nothing() -> None:
    done = run(order(quantity="20", price="105", tif=Tif.FOK), bar("100", "101", "99", "100", volume="50"))
    assert done.fills == ()
    assert done.orders[0].status is Status.EXPIRED


def test_an_account_takes_at_most_a_tenth_of_a_candle_and_accounts_do_not_compete() -> None:
    candle = bar("100", "101", "99", "100", volume="50")
    mine = [order(Kind.MARKET, quantity="4", name=f"mine-{n}") for n in range(3)]
    other = replace(order(Kind.MARKET, quantity="4", name="mine-0"), account="b", order_id=1)
    alone = run_candle([other], candle, model=MODEL, venue=VENUE)
    together = run_candle([*mine, other], candle, model=MODEL, venue=VENUE)
    assert together.used["a"] == account_capacity(candle, model=MODEL, venue=VENUE) == Decimal(5)
    assert together.used["b"] == alone.used["b"]


@pytest.mark.parametrize(("side", "asset"), [(Side.BUY, "BTC"), (Side.SELL, "USDT")])
def test_commission_comes_out_of_the_received_asset(side: Side, asset: str) -> None:
    fill = run(order(Kind.MARKET, side, quantity="2"), bar("100", "101", "99", "100")).fills[0]
    received = fill.quantity if side is Side.BUY else fill.quote
    assert fill.commission_asset == asset
    assert fill.commission == (received * Decimal("0.001")).quantize(Decimal("0.00000001"), rounding="ROUND_DOWN")


def test_a_candle_without_volume_fills_nothing() -> None:
    done = run(order(Kind.MARKET), bar("100", "101", "99", "100", volume="0"))
    assert done.fills == ()
    assert done.orders[0].status is Status.EXPIRED


def test_a_post_only_order_never_takes() -> None:
    late = order(Kind.LIMIT_MAKER, price="98", sent_ms=15 * 60_000)  # the path is below 98 by then
    done = run_candle([late], bar("100", "101", "90", "99"), model=MODEL, venue=VENUE, after_ms=15 * 60_000)
    assert done.fills == ()
    assert done.orders[0].status is Status.EXPIRED
