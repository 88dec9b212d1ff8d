"""Invariants of the fill model: cutting time changes nothing, money is conserved, limits are kept."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from trading.matching.candle_run import run_candle, steps_at
from trading.matching.fills import FillModel, Step, Venue, lock_of_resting, next_instant
from trading.matching.filters import derive_filters
from trading.matching.model import PRICED, STOPS, ZERO, Bar, Fill, Kind, Order, Side, Tif
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
    made: list[Order] = []
    for number in range(draw(st.integers(1, 5))):  # type: ignore[call-overload]
        kind = draw(st.sampled_from(list(Kind)))
        sent_ms = draw(st.integers(0, HOUR - 2000))
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
                stop_price=draw(cents) if kind in STOPS else None,  # type: ignore[arg-type]
                tif=draw(st.sampled_from(list(Tif))) if kind in (Kind.LIMIT, Kind.STOP_LOSS_LIMIT) else None,  # type: ignore[arg-type]
                created_ms=sent_ms,  # type: ignore[arg-type]
                effective_ms=sent_ms + 1000,  # type: ignore[operator]
                updated_ms=sent_ms,  # type: ignore[arg-type]
            )
        )
    return made


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
    for order in made:
        wallet = wallets[order.account]
        asset = "USDT" if order.side is Side.BUY else "BTC"
        wanted = (
            lock_of_resting(order) if order.price is not None or order.side is Side.SELL else wallet.free(asset) / 2
        )
        if wallet.free(asset) >= wanted:
            wallet.lock(asset, wanted)
            book[order.order_id] = Order(**{f: getattr(order, f) for f in order.__slots__} | {"locked": wanted})
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
        due = [t for o in opened if (t := next_instant(o, bar, after_ms=now, tick=VENUE.filters.tick)) is not None]
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
