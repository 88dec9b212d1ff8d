"""Invariants of the fill model: cutting time changes nothing, money is conserved, limits are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from trading.matching.candle_run import instant_of, run_candle, steps_at
from trading.matching.fills import FillModel, Step, Venue, lock_of_resting
from trading.matching.filters import derive_filters
from trading.matching.model import PRICED, TIMED, TRIGGERED, ZERO, Bar, Fill, Kind, Leg, Order, Side, Tif
from trading.matching.wallet import Wallet

HOUR = 3_600_000
VENUE = Venue(symbol="BTC/USDT", base="BTC", quote="USDT", filters=derive_filters(Decimal(100)))
MODEL = FillModel(seed=3)
cents = st.integers(9_000, 11_000).map(lambda value: Decimal(value) / 100)


@st.composite
def bars(draw: Callable[..., object]) -> Bar:
    four = [draw(cents) for _ in range(4)]
    volume = draw(st.sampled_from([ZERO, Decimal(3), Decimal(40), Decimal(10_000)]))
    return Bar(0, HOUR, four[0], max(four), min(four), four[3], volume)  # type: ignore[type-var, arg-type]


@st.composite
def orders(draw: Callable[..., object]) -> list[Order]:
    """Up to five orders of every type, trailing and iceberg ones among them, and up to two pairs that exclude."""
    made: list[Order] = []
    for number in range(draw(st.integers(1, 5))):  # type: ignore[call-overload]
        kind = draw(st.sampled_from(list(Kind)))
        sent_ms = draw(st.integers(0, HOUR - 2000))
        bips = draw(st.sampled_from([None, None, 30, 200])) if kind in TRIGGERED else None
        has_stop = kind in TRIGGERED and (bips is None or draw(st.booleans()))
        made.append(
            Order(
                account=draw(st.sampled_from(["a", "b"])),  # type: ignore[arg-type]
                symbol="BTC/USDT",
                order_id=number,
                client_id=f"order-{number}",
                side=draw(st.sampled_from(list(Side))),  # type: ignore[arg-type]
                kind=kind,  # type: ignore[arg-type]
                quantity=Decimal(draw(st.integers(1, 9000))) / 1000,  # type: ignore[call-overload]
                price=draw(cents) if kind in PRICED else None,  # type: ignore[arg-type]
                stop_price=draw(cents) if has_stop else None,  # type: ignore[arg-type]
                trailing_bips=bips,  # type: ignore[arg-type]
                iceberg=draw(st.sampled_from([ZERO, Decimal(1)])) if kind in PRICED else ZERO,  # type: ignore[arg-type]
                tif=draw(st.sampled_from(list(Tif))) if kind in TIMED else None,  # type: ignore[arg-type]
                created_ms=sent_ms,  # type: ignore[arg-type]
                effective_ms=sent_ms + 1000,  # type: ignore[operator]
                updated_ms=sent_ms,  # type: ignore[arg-type]
            )
        )
    for pair in range(draw(st.integers(0, 2))):  # type: ignore[call-overload]
        made += draw(pairs(pair))  # type: ignore[arg-type, operator]
    return made


@st.composite
def pairs(draw: Callable[..., object], number: int) -> list[Order]:
    """An OCO as the exchange holds it: a target and a stop that came together; the first leg holds the lock."""
    sent_ms = draw(st.integers(0, HOUR - 2000))
    quantity = Decimal(draw(st.integers(1, 9000))) / 1000  # type: ignore[call-overload]
    target = draw(st.sampled_from([Kind.LIMIT_MAKER, Kind.TAKE_PROFIT, Kind.TAKE_PROFIT_LIMIT]))
    stop = draw(st.sampled_from([Kind.STOP_LOSS, Kind.STOP_LOSS_LIMIT]))
    side, account = draw(st.sampled_from(list(Side))), draw(st.sampled_from(["a", "b"]))
    bips = draw(st.sampled_from([None, 30, 200]))
    return [
        Order(
            account=account,  # type: ignore[arg-type]
            symbol="BTC/USDT",
            order_id=100 + 10 * number + place,
            client_id=f"list-{number}-{place}",
            side=side,  # type: ignore[arg-type]
            kind=kind,  # type: ignore[arg-type]
            quantity=quantity,
            price=draw(cents) if kind in PRICED else None,  # type: ignore[arg-type]
            stop_price=draw(cents) if kind in TRIGGERED and not trails else None,  # type: ignore[arg-type]
            trailing_bips=bips if trails else None,  # type: ignore[arg-type]
            tif=Tif.GTC if kind in TIMED else None,
            created_ms=sent_ms,  # type: ignore[arg-type]
            effective_ms=sent_ms + 1000,  # type: ignore[operator]
            updated_ms=sent_ms,  # type: ignore[arg-type]
            list_id=number,
            leg=Leg.ABOVE if place == 0 else Leg.BELOW,
        )
        for place, kind in enumerate((target, stop))
        for trails in (kind in TRIGGERED and bips is not None and place == 1,)
    ]


@given(orders(), bars(), st.lists(st.integers(0, HOUR - 1), max_size=6), st.randoms())
def test_cutting_a_candle_into_pieces_and_shuffling_its_orders_changes_no_fill(
    made: list[Order], bar: Bar, cuts: list[int], random: object
) -> None:
    whole = run_candle(made, bar, model=MODEL, venue=VENUE)
    shuffled = list(made)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    now, used, fills = -1, {}, []
    for until in [*sorted(cuts), HOUR - 1]:
        piece = run_candle(shuffled, bar, model=MODEL, venue=VENUE, after_ms=now, until_ms=until, used=used)
        now, used, shuffled = until, dict(piece.used), list(piece.orders)
        fills += piece.fills
    assert tuple(fills) == whole.fills
    assert {o.order_id: o for o in shuffled} == {o.order_id: o for o in whole.orders}


@given(orders(), bars())
def test_fills_keep_limits_and_share_of_volume(made: list[Order], bar: Bar) -> None:
    done = run_candle(made, bar, model=MODEL, venue=VENUE)
    by_id = {order.order_id: order for order in made}
    for fill in done.fills:
        limit = by_id[fill.order_id].price
        if limit is not None:
            assert fill.price <= limit if fill.side is Side.BUY else fill.price >= limit
        assert fill.at_ms >= by_id[fill.order_id].created_ms + 1000
    for account in ("a", "b"):
        taken = sum((fill.quantity for fill in done.fills if fill.account == account), ZERO)
        assert taken <= bar.volume / 10


@settings(max_examples=150)
@given(orders(), bars(), st.integers(0, 900))
def test_money_is_conserved_never_negative_and_locked_is_what_open_orders_lock(
    made: list[Order], bar: Bar, quote: int
) -> None:
    opening = {"BTC": Decimal(20), "USDT": Decimal(quote)}
    wallets = {account: Wallet.opened(opening) for account in ("a", "b")}
    book: dict[int, Order] = {}
    refused: set[int] = set()
    for order in made:
        wallet = wallets[order.account]
        asset = "USDT" if order.side is Side.BUY else "BTC"
        legs = [o for o in made if o.list_id == order.list_id >= 0] or [order]
        wanted = max(
            lock_of_resting(leg) if leg.price is not None or leg.side is Side.SELL else wallet.free(asset) / 2
            for leg in legs
        )
        if any(other.list_id == order.list_id >= 0 for other in book.values()):
            book[order.order_id] = order  # the second leg of a list locks nothing
        elif wallet.free(asset) >= wanted and (order.list_id < 0 or order.list_id not in refused):
            wallet.lock(asset, wanted)
            book[order.order_id] = replace(order, locked=wanted)
        else:
            refused.add(order.list_id)
    fills: list[Fill] = []

    def settle(before: Order, step: Step) -> None:
        wallets[before.account].settle(before, step.order, step.fill, base="BTC", quote="USDT")
        book[before.order_id] = step.order
        fills.extend([step.fill] if step.fill is not None else [])

    def spendable(order: Order) -> Decimal:
        return wallets[order.account].spendable("USDT" if order.side is Side.BUY else "BTC", order)

    now, used = -1, dict[str, Decimal]()
    while True:
        opened = [order for order in book.values() if order.is_open]
        tick = VENUE.filters.tick
        due = [t for o in opened if (t := instant_of(o, opened, bar, after_ms=now, tick=tick)) is not None]
        if not due:
            break
        now = min(due)
        steps_at(opened, bar, now, model=MODEL, venue=VENUE, used=used, spendable=spendable, settle=settle)

    for account, wallet in wallets.items():
        mine = [fill for fill in fills if fill.account == account]
        base = sum((f.quantity if f.side is Side.BUY else -f.quantity for f in mine), ZERO)
        paid = sum((f.quote if f.side is Side.SELL else -f.quote for f in mine), ZERO)
        fees = {a: sum((f.commission for f in mine if f.commission_asset == a), ZERO) for a in ("BTC", "USDT")}
        for asset, moved in (("BTC", base), ("USDT", paid)):
            held = wallet.holdings[asset]
            assert held.free >= 0
            assert held.locked >= 0
            assert held.free + held.locked == opening[asset] + moved - fees[asset]
            side = Side.BUY if asset == "USDT" else Side.SELL
            mine_open = [o for o in book.values() if o.account == account and o.side is side]
            assert held.locked == sum((o.locked for o in mine_open), ZERO)
            assert all(o.locked == 0 for o in mine_open if not o.is_open)


@given(orders(), bars())
def test_only_one_leg_of_a_list_ever_fills_and_the_other_is_gone_before(made: list[Order], bar: Bar) -> None:
    done = run_candle(made, bar, model=MODEL, venue=VENUE)
    for number in {order.list_id for order in done.orders if order.list_id >= 0}:
        legs = [order for order in done.orders if order.list_id == number]
        assert sum(order.executed > 0 for order in legs) <= 1
        if any(order.executed > 0 or order.triggered for order in legs):
            assert sum(order.is_open for order in legs) <= 1


@given(orders(), bars())
def test_an_iceberg_that_rests_shows_one_part_a_candle(made: list[Order], bar: Bar) -> None:
    icebergs = {order.order_id: order.iceberg for order in made if order.iceberg}
    done = run_candle(made, bar, model=MODEL, venue=VENUE)
    for fill in done.fills:
        if fill.is_maker and fill.order_id in icebergs:
            assert fill.quantity <= icebergs[fill.order_id]
