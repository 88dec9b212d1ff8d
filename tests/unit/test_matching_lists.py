"""Take-profits, trailing stops, icebergs and pairs in one candle. Rows are open, high, low, close; the tick is 0.01.

The path of every candle is open, low, high, close.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from trading.matching.candle_run import CandleRun, run_candle
from trading.matching.fills import FillModel, Venue, held_target
from trading.matching.filters import check_order, check_pair, derive_filters
from trading.matching.model import Bar, Kind, Leg, Order, Phase, Refusal, Side, Status, Tif

HOUR = 3_600_000
MODEL = FillModel(seed=7)
VENUE = Venue(symbol="BTC/USDT", base="BTC", quote="USDT", filters=derive_filters(Decimal(100)))
Candle = tuple[str, str, str, str]
CALM: Candle = ("100", "100.1", "99.9", "100")


def bar(candle: Candle, *, at: int = 0, volume: str = "100000") -> Bar:
    open_, high, low, close = map(Decimal, candle)
    return Bar(at, at + HOUR, open_, high, low, close, Decimal(volume))


def order(
    kind: Kind,
    side: Side = Side.SELL,
    *,
    price: str | None = None,
    stop: str | None = None,
    bips: int | None = None,
    iceberg: str = "0",
    quantity: str = "1",
    list_id: int = -1,
    leg: Leg = Leg.ALONE,
    sent_ms: int = 0,
) -> Order:
    return Order(
        account="a",
        symbol="BTC/USDT",
        order_id=1 + list(Kind).index(kind),
        client_id=str(kind),
        side=side,
        kind=kind,
        quantity=Decimal(quantity),
        price=None if price is None else Decimal(price),
        stop_price=None if stop is None else Decimal(stop),
        tif=Tif.GTC if kind not in (Kind.LIMIT_MAKER, Kind.STOP_LOSS, Kind.TAKE_PROFIT, Kind.MARKET) else None,
        created_ms=sent_ms,
        effective_ms=sent_ms + 1000,
        updated_ms=sent_ms,
        trailing_bips=bips,
        iceberg=Decimal(iceberg),
        list_id=list_id,
        leg=leg,
    )


def play(orders: list[Order], *candles: Candle, volume: str = "100000") -> CandleRun:
    """The orders through a calm candle, in which they arrive, and then through `candles`."""
    done = run_candle(orders, bar(CALM, volume=volume), model=MODEL, venue=VENUE)
    for number, candle in enumerate(candles, start=1):
        later = bar(candle, at=number * HOUR, volume=volume)
        done = run_candle(done.orders, later, model=MODEL, venue=VENUE)
    return done


@pytest.mark.parametrize(
    ("side", "stop", "candle", "reference"),
    [
        (Side.SELL, "103", ("100", "104", "99", "101"), "103"),  # rises through it
        (Side.SELL, "103", ("105", "106", "104", "105"), "105"),  # opens beyond it: the better open
        (Side.SELL, "103", ("100", "102.99", "99", "101"), None),  # not reached
        (Side.BUY, "97", ("100", "101", "96", "99"), "97"),  # falls through it
        (Side.BUY, "97", ("95", "96", "94", "95"), "95"),  # opens beyond it
        (Side.BUY, "97", ("100", "101", "97.01", "99"), None),
    ],
)
def test_a_take_profit_sells_at_market_where_the_price_gets_better(
    side: Side, stop: str, candle: Candle, reference: str | None
) -> None:
    done = play([order(Kind.TAKE_PROFIT, side, stop=stop)], candle)
    if reference is None:
        assert done.orders[0].is_open
        return
    (fill,) = done.fills
    assert abs(fill.price / Decimal(reference) - 1) < Decimal("0.002")
    assert done.orders[0].status is Status.FILLED


def test_a_take_profit_limit_rests_at_its_limit_once_triggered() -> None:
    target = order(Kind.TAKE_PROFIT_LIMIT, price="104", stop="103")
    triggered = play([target], ("100", "103.5", "99", "101"))
    assert triggered.orders[0].triggered
    assert triggered.fills == ()
    filled = play([target], ("100", "103.5", "99", "101"), ("101", "105", "100", "104"))
    assert [fill.price for fill in filled.fills] == [Decimal(104)]


@pytest.mark.parametrize(
    ("side", "bips", "candles", "reference"),
    [
        # sells 2 % below the best price since it tracks
        (Side.SELL, 200, [("100", "110", "99", "109")], None),  # 1.1 % down from 100.1, then up: not yet
        (Side.SELL, 200, [("100", "110", "99", "105")], "107.8"),  # from the high of this candle
        (Side.SELL, 200, [("100", "110", "99", "109"), ("109", "109.5", "107", "108")], "107.8"),  # of the last one
        (Side.SELL, 200, [("100", "110", "99", "109"), ("105", "106", "104", "105")], "105"),  # a gap: the open
        (Side.SELL, 200, [("100", "101", "97", "100")], "98.098"),  # 2 % below the calm candle's high of 100.1
        # buys 2 % above the lowest
        (Side.BUY, 200, [("100", "101", "90", "100")], "91.8"),  # 90 and up again
        (Side.BUY, 200, [("100", "100.5", "99", "100")], None),
        (Side.BUY, 200, [("100", "100.5", "99", "100"), ("103", "104", "102", "103")], "103"),  # a gap: the open
    ],
)
def test_a_trailing_stop_follows_the_best_price(
    side: Side, bips: int, candles: list[Candle], reference: str | None
) -> None:
    done = play([order(Kind.STOP_LOSS, side, bips=bips)], *candles)
    if reference is None:
        assert done.orders[0].is_open
        return
    (fill,) = done.fills
    assert abs(fill.price / Decimal(reference) - 1) < Decimal("0.002")


@pytest.mark.parametrize(
    ("candles", "reference"),
    [
        ([("100", "101", "96.5", "98")], None),  # reaches 97 and tracks from there; 98 was its best
        ([("100", "101", "97", "98"), ("98", "99", "90", "95")], "95.95"),  # best 101 in the candle it began: 5 % below
        ([("100", "105", "98", "104"), ("104", "105", "97.5", "100")], None),  # never tracks
    ],
)
def test_a_trailing_stop_with_a_stop_price_tracks_only_from_there(candles: list[Candle], reference: str | None) -> None:
    done = play([order(Kind.STOP_LOSS, stop="97", bips=500)], *candles)
    assert len(done.fills) == (reference is not None)
    for fill in done.fills:
        assert abs(fill.price / Decimal(str(reference)) - 1) < Decimal("0.002")


def test_a_resting_iceberg_fills_one_part_a_candle_and_a_plain_order_all_it_finds() -> None:
    plain = play([order(Kind.LIMIT, price="102", quantity="30")], ("100", "104", "99", "101"))
    iceberg = play([order(Kind.LIMIT, price="102", quantity="30", iceberg="5")], ("100", "104", "99", "101"))
    assert plain.fills[0].quantity == 30
    assert iceberg.fills[0].quantity == 5
    assert iceberg.orders[0].status is Status.PARTIALLY_FILLED


def pair(target: Kind = Kind.LIMIT_MAKER, side: Side = Side.SELL, *, bips: int | None = None) -> list[Order]:
    """Target at 103 and stop at 98 of a seller; target at 97 and stop at 102 of a buyer."""
    at, stop = ("103", "98") if side is Side.SELL else ("97", "102")
    is_limit = target is Kind.LIMIT_MAKER
    return [
        order(
            target,
            side,
            price=None if target is Kind.TAKE_PROFIT else at,
            stop=None if is_limit else at,
            list_id=1,
            leg=Leg.ABOVE,
        ),
        order(Kind.STOP_LOSS, side, stop=None if bips else stop, bips=bips, list_id=1, leg=Leg.BELOW),
    ]


@pytest.mark.parametrize("target", [Kind.LIMIT_MAKER, Kind.TAKE_PROFIT])
@pytest.mark.parametrize(
    ("side", "candle", "filled"),
    [
        (Side.SELL, ("100", "105", "99", "104"), "target"),
        (Side.SELL, ("100", "101", "97", "99"), "stop"),
        (Side.SELL, ("100", "105", "97", "104"), "stop"),  # both: the stop, which the path meets first
        (Side.BUY, ("100", "101", "96", "99"), "target"),
        (Side.BUY, ("100", "103", "99", "101"), "stop"),
        (Side.BUY, ("100", "103", "96", "101"), "stop"),  # both: the stop, though the low comes first
        (Side.SELL, ("100", "102", "99", "101"), None),
    ],
)
def test_one_leg_of_a_pair_fills_the_other_expires_and_the_stop_goes_first(
    target: Kind, side: Side, candle: Candle, filled: str | None
) -> None:
    done = play(pair(target, side), candle)
    statuses = {"target": done.orders[0].status, "stop": done.orders[1].status}
    if filled is None:
        assert set(statuses.values()) == {Status.NEW}
        return
    other = "stop" if filled == "target" else "target"
    assert (statuses[filled], statuses[other]) == (Status.FILLED, Status.EXPIRED)
    assert len(done.fills) == 1


def test_a_pair_that_comes_after_the_low_is_stopped_on_the_way_down_though_the_high_comes_first() -> None:
    candle = bar(("100", "105", "97", "97.5"))
    sent_ms = HOUR // 3 + HOUR // 10  # on the way up, at 99.4
    legs = [replace(leg, created_ms=sent_ms, effective_ms=sent_ms + 1000) for leg in pair()]
    done = run_candle(legs, candle, model=MODEL, venue=VENUE, after_ms=sent_ms)
    assert [fill.client_id for fill in done.fills] == ["STOP_LOSS"]
    assert done.fills[0].at_ms > 2 * HOUR // 3


def test_a_candle_with_both_legs_in_reach_is_counted_as_ambiguous() -> None:
    assert play(pair(), ("100", "105", "97", "104")).ambiguous
    assert not play(pair(), ("100", "101", "97", "99")).ambiguous


def test_a_trailing_stop_beside_a_target_goes_first_too() -> None:
    done = play(pair(bips=300), ("100", "104", "99.5", "100"))  # 104 reaches the target, 100.88 the trailing stop
    assert [fill.client_id for fill in done.fills] == ["STOP_LOSS"]


def test_a_partly_filled_target_ends_the_stop() -> None:
    legs = [order(Kind.LIMIT_MAKER, price="103", quantity="20", list_id=1), pair()[1]]
    done = play(legs, ("100", "105", "99", "104"), volume="50")
    assert (done.orders[0].status, done.orders[1].status) == (Status.PARTIALLY_FILLED, Status.EXPIRED)


def test_a_pending_leg_does_nothing_before_its_working_order_is_full() -> None:
    waiting = replace(pair()[1], phase=Phase.WAITING, status=Status.PENDING_NEW)
    done = run_candle([waiting], bar(("100", "101", "90", "91")), model=MODEL, venue=VENUE)
    assert done.orders == (waiting,)


def test_a_take_profit_target_keeps_out_of_the_candle_of_its_entry() -> None:
    candle = bar(("100", "105", "95", "104"))
    sent = order(Kind.TAKE_PROFIT, stop="103", sent_ms=HOUR // 3)
    held = held_target(sent, candle, entry_price=Decimal(98))
    here = run_candle([held], candle, model=MODEL, venue=VENUE, after_ms=HOUR // 3)
    assert here.fills == ()
    after = run_candle(here.orders, bar(("104", "106", "103.5", "105"), at=HOUR), model=MODEL, venue=VENUE)
    assert [fill.at_ms for fill in after.fills] == [HOUR]


@pytest.mark.parametrize(
    ("side", "target", "stop", "is_right"),
    [
        (Side.SELL, "101", "99", True),
        (Side.SELL, "100", "99", False),  # the target must be above the last price
        (Side.SELL, "101", "100", False),  # and the stop below it
        (Side.SELL, "101", None, True),  # a trailing stop has no price
        (Side.BUY, "99", "101", True),
        (Side.BUY, "101", "99", False),
    ],
)
def test_the_market_lies_between_target_and_stop(side: Side, target: str, stop: str | None, is_right: bool) -> None:
    def check() -> None:
        check_pair(
            side=side,
            target_price=Decimal(target),
            stop_price=None if stop is None else Decimal(stop),
            known_price=Decimal(100),
            traded_price=Decimal(100),
        )

    if is_right:
        check()
        return
    with pytest.raises(Refusal, match="relationship of the prices"):
        check()


@pytest.mark.parametrize(
    ("iceberg", "bips", "failure"),
    [
        ("0.09", None, "ICEBERG_PARTS"),  # 12 parts
        ("0.0000001", None, "LOT_SIZE"),
        ("0", 9, "TRAILING_DELTA"),
        ("0", 2001, "TRAILING_DELTA"),
        ("0.1", 10, None),  # ten parts, the smallest delta
    ],
)
def test_parts_and_deltas_have_filters(iceberg: str, bips: int | None, failure: str | None) -> None:
    def check() -> None:
        check_order(
            VENUE.filters,
            side=Side.SELL,
            kind=Kind.STOP_LOSS_LIMIT,
            quantity=Decimal(1),
            price=Decimal(95),
            stop_price=Decimal(96),
            known_price=Decimal(100),
            iceberg=Decimal(iceberg),
            trailing_bips=bips,
        )

    if failure is None:
        check()
        return
    with pytest.raises(Refusal, match=failure):
        check()
