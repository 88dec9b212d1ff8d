"""Order lists under every chopping of time: the same fills and ids, one leg only, money locked once and conserved."""

from __future__ import annotations

import contextlib
import random
from dataclasses import asdict, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.generator import generate_market
from trading.matching.fills import FillModel
from trading.matching.model import PRICED, TAKE_PROFITS, TIMED, ZERO, Kind, Leg, Refusal, Side, Status, Tif
from trading.matching.order_lists import Contingency
from trading.matching.wallet import Wallet
from workers.exchange_sim.engine import Engine
from workers.exchange_sim.market import Market, to_ms
from workers.exchange_sim.order_lists import ListDraft
from workers.exchange_sim.placing import Draft
from workers.exchange_sim.state import State
from workers.exchange_sim.store import Store

START = datetime(2024, 1, 1, tzinfo=UTC)
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
SYMBOLS = ("BTC/USDT", "ADA/USDT")
MARKETS = {
    symbol: Market(series)
    for symbol, series in generate_market(seed=9, symbols=SYMBOLS, start=START, days=10, crash_days=(1,)).items()
}
OPENING = {"USDT": Decimal(10_000_000), "BTC": Decimal(50), "ADA": Decimal(5_000_000)}
SHAPES = ("oco", "oto", "otoco", "opo", "opoco")

Action = tuple[int, str, str, str, Side, Kind, Kind, int, int, int | None]
"""Minute, account, symbol, shape, side of a pair or working order, target and stop type, distance in permille, size
class, trailing bips of the stop."""

actions: st.SearchStrategy[Action] = st.tuples(
    st.sampled_from([0, 37, 60, 605, 1441, 3000]),
    st.sampled_from(["a", "b"]),
    st.sampled_from(SYMBOLS),
    st.sampled_from(SHAPES),
    st.sampled_from(list(Side)),
    st.sampled_from([Kind.LIMIT_MAKER, Kind.TAKE_PROFIT, Kind.TAKE_PROFIT_LIMIT]),
    st.sampled_from([Kind.STOP_LOSS, Kind.STOP_LOSS_LIMIT]),
    st.integers(2, 40),
    st.integers(1, 300),
    st.sampled_from([None, None, 50, 300]),
)


def engine() -> Engine:
    state = State(Store(":memory:"), now_ms=to_ms(START))
    for account in ("a", "b"):
        state.put_wallet(account, Wallet.opened(OPENING))
    return Engine(MARKETS, state, FillModel(seed=4))


def draft_of(exchange: Engine, number: int, action: Action) -> tuple[Market, ListDraft]:
    _, _, symbol, shape, side, target_kind, stop_kind, permille, size, bips = action
    market = MARKETS[symbol]
    filters = market.venue.filters
    known = market.known(exchange.state.now_ms).price

    def price(share: Decimal) -> Decimal:
        return (known * share / filters.tick).to_integral_value() * filters.tick

    quantity = (Decimal(size * 200) / known / filters.step).to_integral_value() * filters.step + filters.step
    pays_other = shape.startswith("opo")
    working_side = Side.BUY if pays_other else side
    exit_side = side if shape == "oco" else Side.SELL if working_side is Side.BUY else Side.BUY
    away = Decimal(permille) / 1000
    up, down = price(1 + away), price(1 - away)
    beyond, short = (up, down) if exit_side is Side.SELL else (down, up)

    def exit_leg(kind: Kind, at: Decimal, name: str, *, trails: int | None = None) -> Draft:
        return Draft(
            side=exit_side,
            kind=kind,
            quantity=None if pays_other else quantity,
            price=at if kind in PRICED else None,
            stop_price=None if kind is Kind.LIMIT_MAKER or trails is not None else at,
            tif=Tif.GTC if kind in TIMED else None,
            client_id=f"{name}-{number}",
            trailing_bips=trails,
        )

    stop = exit_leg(stop_kind, short, "stop", trails=bips)
    target = exit_leg(target_kind, beyond, "target")
    is_pair = shape.endswith("oco")
    pair = ((Leg.BELOW, stop), (Leg.ABOVE, target)) if is_pair else ((Leg.PENDING, stop),)
    working = Draft(
        side=working_side,
        kind=Kind.LIMIT,
        quantity=quantity,
        price=price(1 + away / 4 if working_side is Side.BUY else 1 - away / 4),
        tif=Tif.GTC,
        client_id=f"working-{number}",
    )
    return market, ListDraft(
        pair=pair, working=None if shape == "oco" else working, client_id=f"list-{number}", pays_other=pays_other
    )


def run(script: list[Action], *, shuffle: random.Random, cuts: list[int]) -> Engine:
    """Play the script; `cuts` are extra stops of the clock, `shuffle` decides the order of calls within an instant."""
    exchange = engine()
    numbered = list(enumerate(script))
    start_ms = to_ms(START)
    stops = sorted({start_ms + action[0] * MINUTE_MS for action in script} | {start_ms + cut for cut in cuts})
    for at_ms in [*stops, start_ms + 72 * HOUR_MS]:
        while exchange.state.now_ms < at_ms:
            exchange.advance(at_ms)
            check_books(exchange)
        due = [(n, action) for n, action in numbered if start_ms + action[0] * MINUTE_MS == at_ms]
        shuffle.shuffle(due)
        for number, action in due:
            market, draft = draft_of(exchange, number, action)
            with contextlib.suppress(Refusal):
                exchange.place_list(action[1], market, draft)
            check_books(exchange)
    return exchange


def check_books(exchange: Engine) -> None:
    """At every instant: locked is what open orders lock, nothing is negative, and a pair locks once."""
    state = exchange.state
    for account, wallet in state.wallets.items():
        locked = dict.fromkeys(OPENING, ZERO)
        for order in state.open_of(account):
            asset = "USDT" if order.side is Side.BUY else order.symbol.partition("/")[0]
            locked[asset] += order.locked
        for asset, held in wallet.holdings.items():
            assert held.free >= 0
            assert held.locked == locked[asset]
    for order_list in state.lists.values():
        exits = [leg for leg in state.legs_of(order_list) if leg.leg is not Leg.WORKING and leg.is_open]
        if len(exits) == 2 and exits[0].side is Side.SELL:
            assert sum(leg.locked for leg in exits) <= max(
                [leg.quantity for leg in exits] + [state.legs_of(order_list)[0].quantity]
            )


def outcome(exchange: Engine) -> dict[str, Any]:
    state = exchange.state
    return {
        "orders": sorted((asdict(o) for o in state.orders.values()), key=lambda o: (o["symbol"], o["order_id"])),
        "lists": {number: asdict(one) for number, one in sorted(state.lists.items())},
        "trades": {key: [asdict(fill) for fill in fills] for key, fills in sorted(state.trades.items()) if fills},
        "wallets": {name: asdict(wallet) for name, wallet in sorted(state.wallets.items())},
        "ambiguous": sorted(state.ambiguous),
    }


scripts = st.lists(actions, max_size=6, unique_by=lambda action: (action[0], action[1], action[2]))


@settings(max_examples=60, deadline=None)
@given(scripts, st.lists(st.integers(0, 71 * HOUR_MS), max_size=12), st.integers(0, 1000))
def test_calls_in_any_order_and_time_in_any_pieces_give_the_same_fills_and_ids_of_lists(
    script: list[Action], cuts: list[int], seed: int
) -> None:
    calm = run(script, shuffle=random.Random(0), cuts=[])
    hectic = run(script, shuffle=random.Random(seed), cuts=cuts)
    assert outcome(calm) == outcome(hectic)


@settings(max_examples=60, deadline=None)
@given(scripts)
def test_only_one_exit_leg_fills_and_money_adds_up(script: list[Action]) -> None:
    exchange = run(script, shuffle=random.Random(1), cuts=[])
    state = exchange.state
    for order_list in state.lists.values():
        legs = state.legs_of(order_list)
        exits = [leg for leg in legs if leg.leg is not Leg.WORKING]
        assert sum(leg.executed > 0 for leg in exits) <= 1
        assert order_list.is_open is any(leg.is_open for leg in legs)
        if order_list.contingency is Contingency.OTO:
            bought = legs[0].status is Status.FILLED
            assert bought or all(leg.executed == 0 for leg in exits)
            assert not (bought and any(leg.status is Status.PENDING_NEW for leg in exits))
        if order_list.pays_other:
            sold = sum((leg.executed for leg in exits), ZERO)
            assert sold <= legs[0].executed
    for account, wallet in state.wallets.items():
        moved = dict.fromkeys(OPENING, ZERO)
        for (owner, symbol), fills in state.trades.items():
            base = symbol.partition("/")[0]
            for fill in fills if owner == account else []:
                sign = 1 if fill.side is Side.BUY else -1
                moved[base] += sign * fill.quantity
                moved["USDT"] -= sign * fill.quote
                moved[fill.commission_asset] -= fill.commission
        for asset, held in wallet.holdings.items():
            assert held.free + held.locked == OPENING[asset] + moved[asset]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_runs_to_its_end_in_a_market_that_moves(shape: str) -> None:
    """Guards the properties above: lists are accepted, and their exits do fill."""
    filled = 0
    for permille in (5, 15, 30):
        action: Action = (60, "a", "BTC/USDT", shape, Side.BUY, Kind.LIMIT_MAKER, Kind.STOP_LOSS, permille, 50, None)
        if shape == "oco":
            action = (*action[:4], Side.SELL, *action[5:])
        exchange = run([action], shuffle=random.Random(0), cuts=[])
        (order_list,) = exchange.state.lists.values()
        exits = [leg for leg in exchange.state.legs_of(order_list) if leg.leg is not Leg.WORKING]
        filled += any(leg.executed > 0 for leg in exits)
    assert filled >= 2


def test_a_restart_from_the_store_holds_the_same_lists(tmp_path: Any) -> None:
    path = str(tmp_path / "sim.db")
    store = Store(path)
    state = State(store, now_ms=to_ms(START))
    state.put_wallet("a", Wallet.opened(OPENING))
    exchange = Engine(MARKETS, state, FillModel(seed=4))
    for number, shape in enumerate(SHAPES):
        stop = Kind.STOP_LOSS_LIMIT if number % 2 else Kind.STOP_LOSS
        action: Action = (0, "a", "BTC/USDT", shape, Side.SELL, Kind.TAKE_PROFIT_LIMIT, stop, 30, 9, 300)
        market, draft = draft_of(exchange, number, action)
        exchange.place_list("a", market, draft)
    while exchange.advance(to_ms(START) + 30 * HOUR_MS):
        pass
    state.commit()
    store.close()
    again = State(Store(path), now_ms=0)
    for name in ("now_ms", "orders", "lists", "wallets", "taken", "entries", "ambiguous"):
        assert getattr(again, name) == getattr(state, name)
    assert again.lists_of("a") == state.lists_of("a")
    assert any(order.kind in TAKE_PROFITS for order in again.orders.values())


@pytest.mark.parametrize("shape", ["opo", "opoco"])
def test_cancelling_a_half_filled_entry_gives_back_what_it_brought(shape: str) -> None:
    """The received base is held for the pending legs until the list ends; then it is free again."""
    action: Action = (0, "a", "ADA/USDT", shape, Side.BUY, Kind.LIMIT_MAKER, Kind.STOP_LOSS, 20, 30, None)
    exchange = engine()
    market, draft = draft_of(exchange, 0, action)
    assert draft.working is not None
    huge = (market.bars[0].volume / 8).to_integral_value()  # more than the tenth that an account may take
    exchange.state.put_wallet("a", Wallet.opened({"USDT": huge * market.bars[0].open * 2}))
    draft = replace(draft, working=replace(draft.working, quantity=huge))
    order_list = exchange.place_list("a", market, draft)
    exchange.advance(to_ms(START) + 2000)
    working, first, *_ = exchange.state.legs_of(order_list)
    assert working.status is Status.PARTIALLY_FILLED
    (fill,) = exchange.state.trades["a", market.symbol]
    net = fill.quantity - fill.commission
    assert first.locked == net == exchange.state.wallets["a"].holdings["ADA"].locked
    check_books(exchange)
    exchange.cancel(first)
    assert {leg.status for leg in exchange.state.legs_of(order_list)} == {Status.CANCELED}
    held = exchange.state.wallets["a"].holdings
    assert (held["ADA"].free, held["ADA"].locked, held["USDT"].locked) == (net, 0, 0)
    check_books(exchange)
