"""How entries are cut: only big ones, never more than permitted, by the clock or by the volume of the hours."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from fakes.exchange import START, an_order
from hypothesis import given
from hypothesis import strategies as st

from trading.orders.entries import entry_times, rests_for
from trading.orders.models import OrderRequest, OrderType, TimeInForce
from trading.orders.sending import lapse
from trading.orders.slicing import Size, first_order_id, permitted_again, shown_part, sliced, slices_of
from trading.orders.symbols import Lot
from trading.policy.execution import ExecutionPolicy
from trading.risk.models import Permit

LOT = Lot(step_size=Decimal("0.00001"), min_quantity=Decimal("0.00001"), min_notional_usd=Decimal(5))
TERMS = ExecutionPolicy()
EVENLY = tuple([Decimal(1_000_000)] * 24)


def size(usd: str, hours: tuple[Decimal, ...] = EVENLY) -> Size:
    return Size(notional_usd=Decimal(usd), lot=LOT, hour_volumes_usd=hours)


def order_of(usd: str, **changes: object) -> OrderRequest:
    return an_order(quantity=Decimal(usd) / 7000, **changes)


@pytest.mark.parametrize(
    ("usd", "hours", "parts"),
    [
        # an hour trades 1,000,000; two percent of it is 20,000
        ("20000", EVENLY, 0),
        ("20001", EVENLY, 8),
        ("20001", (), 0),  #                            the usual volume is not known
        ("399", tuple([Decimal(1000)] * 24), 3),  #     each part is at least 20 x 5
        ("199", tuple([Decimal(1000)] * 24), 0),  #     one part would be all of it
    ],
)
def test_only_what_would_move_the_market_is_cut(usd: str, hours: tuple[Decimal, ...], parts: int) -> None:
    assert len(slices_of(order_of(usd), size(usd, hours), TERMS)) == parts


def test_within_an_hour_the_parts_are_equal_in_size_and_time() -> None:
    parts = slices_of(order_of("56000"), size("56000"), TERMS)
    assert [part.due_at - START for part in parts] == [timedelta(seconds=450 * n) for n in range(8)]
    assert {part.quantity for part in parts} == {Decimal(1)}


def test_over_several_hours_the_parts_follow_their_usual_volume() -> None:
    hours = tuple(Decimal(3_000_000 if hour == 11 else 1_000_000) for hour in range(24))
    terms = TERMS.model_copy(update={"slice_window_s": 4 * 3600, "slice_most": 4})
    parts = slices_of(order_of("42000"), size("42000", hours), terms)
    assert [part.quantity for part in parts] == [1, 3, 1, 1], "from 10:00: the second hour is the busy one"


def test_each_part_has_an_id_of_its_own_and_the_first_is_the_entry_s() -> None:
    order = order_of("56000")
    parts = slices_of(order, size("56000"), TERMS)
    children = [sliced(order, part) for part in parts]
    assert children[0].client_order_id == order.client_order_id
    assert len({child.client_order_id for child in children}) == len(parts)


def test_a_big_resting_entry_shows_a_part_and_a_market_one_none() -> None:
    resting = order_of("56000", type=OrderType.LIMIT, price=Decimal(6900))
    assert slices_of(resting, size("56000"), TERMS) == ()
    assert shown_part(resting, size("56000"), TERMS) == Decimal(1)
    assert shown_part(order_of("56000"), size("56000"), TERMS) is None
    assert shown_part(resting, size("100"), TERMS) is None
    many = TERMS.model_copy(update={"slice_most": 50})
    assert shown_part(resting, size("56000"), many) == Decimal("0.8"), "the venue takes ten parts at most"


@given(
    usd=st.decimals(1, 10_000_000, places=2),
    hours=st.lists(st.integers(0, 10**7).map(Decimal), min_size=24, max_size=24).map(tuple),
    window_s=st.integers(60, 86400),
    most=st.integers(2, 50),
)
def test_the_parts_are_the_whole_and_never_more(
    usd: Decimal, hours: tuple[Decimal, ...], window_s: int, most: int
) -> None:
    terms = TERMS.model_copy(update={"slice_window_s": window_s, "slice_most": most})
    order = order_of(str(usd))
    parts = slices_of(order, size(str(usd), hours), terms)
    if not parts:
        return
    total = sum((part.quantity for part in parts), Decimal(0))
    assert order.quantity - LOT.step_size < total <= order.quantity
    assert all(part.quantity > 0 for part in parts)
    assert all(part.due_at - START < timedelta(seconds=window_s) for part in parts)
    least = TERMS.algo_min_notional_multiple * LOT.min_notional_usd
    assert all(part.quantity * usd / order.quantity >= least - LOT.step_size * 7000 for part in parts)


def test_all_parts_and_revisions_name_the_same_execution() -> None:
    order = order_of("56000")
    names = {first_order_id(sliced(order, part)) for part in slices_of(order, size("56000"), TERMS)}
    assert names == {order.client_order_id}


ASK = Decimal(7001)
BOUND = ASK * (1 + TERMS.slippage_tolerance_fraction)
TAKES = {"type": OrderType.LIMIT, "time_in_force": TimeInForce.IOC, "price": BOUND, "worst_price": BOUND}
RESTS = {"type": OrderType.LIMIT, "time_in_force": TimeInForce.GTC, "price": Decimal(6900)}


@pytest.mark.parametrize(
    ("kind", "timeout_s", "window", "horizon_h", "rests_s"),
    [
        # what takes at once has the time-out, however long its idea lives
        ({}, 30, "0.25", 24, 30),
        (TAKES, 30, "0.25", 24, 30),
        (TAKES | {"time_in_force": TimeInForce.FOK}, 45, "0.25", 24, 45),
        # what rests has it too, unless the window says longer
        (RESTS, 30, "0", 24, 30),
        (RESTS, 30, "0.25", 24, 6 * 3600),
        (RESTS, 30, "1", 4, 4 * 3600),
        (RESTS, 600, "0.01", 1, 600),
        ({"type": OrderType.LIMIT_MAKER, "price": Decimal(6900)}, 30, "0.25", 8, 2 * 3600),
    ],
)
def test_an_entry_rests_for_its_time_out_or_its_window(
    kind: dict[str, object], timeout_s: int, window: str, horizon_h: int, rests_s: int
) -> None:
    terms = TERMS.model_copy(update={"order_timeout_s": timeout_s, "opportunity_window_fraction": Decimal(window)})
    order = an_order(**kind)
    assert rests_for(order, terms, horizon=timedelta(hours=horizon_h)) == timedelta(seconds=rests_s)
    times = entry_times(order, terms, horizon_hours=horizon_h)
    assert times.expires_at == START + timedelta(seconds=rests_s)


@pytest.mark.parametrize(
    ("kind", "ask", "why"),
    [
        (TAKES, "7001", None),
        (TAKES, "7015.01", "slippage"),  # the ask, not the bound it was given, is what it would meet
        (TAKES | {"collar_high": Decimal(7010)}, "7011", "collar"),
        (TAKES | {"time_in_force": TimeInForce.FOK}, "7016", "slippage"),
        (RESTS | {"worst_price": BOUND}, "7016", None),
    ],
)
def test_an_entry_that_takes_at_once_is_held_against_the_ask(
    kind: dict[str, object], ask: str, why: str | None
) -> None:
    said = lapse(an_order(**kind), now=START, ask=Decimal(ask))
    assert (said or "").partition(":")[0] == (why or "")


def test_an_entry_under_another_permit_is_bounded_anew() -> None:
    permit = Permit.model_validate(
        {
            "id": "next",
            "opens": True,
            "account": "composite",
            "decision_id": "d1",
            "symbol": "BTC/USDT",
            "quantity": Decimal("0.05"),
            "notional_usd": Decimal(350),
            "collar_low": Decimal(6950),
            "collar_high": Decimal(7050),
            "epoch": 3,
            "valid_until": START + timedelta(minutes=1),
        }
    )
    again = permitted_again(an_order(**TAKES), permit, ask=Decimal(7000), as_of=START + timedelta(minutes=15))
    bound = Decimal(7000) * (1 + TERMS.slippage_tolerance_fraction)
    assert (again.price, again.worst_price, again.quantity) == (bound, bound, Decimal("0.05"))
    rests = permitted_again(an_order(**RESTS), permit, ask=Decimal(7000), as_of=START)
    assert rests.price == Decimal(6900), "its own price stays"
