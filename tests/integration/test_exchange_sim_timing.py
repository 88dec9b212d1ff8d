"""One script of orders gives one result, however the calls are interleaved and the clock's way is cut into pieces."""

from __future__ import annotations

import contextlib
import random
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from trading.generator import generate_market
from trading.matching.fills import FillModel
from trading.matching.model import PRICED, STOPS, TIMED, TRIGGERED, ZERO, Kind, Refusal, Side, Tif
from trading.matching.wallet import Wallet
from workers.exchange_sim.engine import Engine, Level
from workers.exchange_sim.market import Market, to_ms
from workers.exchange_sim.placing import Draft
from workers.exchange_sim.state import State
from workers.exchange_sim.store import Store

START = datetime(2024, 1, 1, tzinfo=UTC)
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
SYMBOLS = ("BTC/USDT", "ADA/USDT")
MARKETS = {
    symbol: Market(series)
    for symbol, series in generate_market(seed=9, symbols=SYMBOLS, start=START, days=20, crash_days=(1,)).items()
}
OPENING = {"USDT": Decimal(10_000_000), "BTC": Decimal(50), "ADA": Decimal(5_000_000)}

Action = tuple[int, str, str, Side, Kind, int, int]
"""Minute, account, symbol, side, kind, price offset in permille, size class."""

actions: st.SearchStrategy[Action] = st.tuples(
    st.sampled_from([0, 37, 60, 605, 1441, 3000]),
    st.sampled_from(["a", "b"]),
    st.sampled_from(SYMBOLS),
    st.sampled_from(list(Side)),
    st.sampled_from(list(Kind)),
    st.integers(1, 60),
    st.integers(1, 40),
)


def engine() -> Engine:
    state = State(Store(":memory:"), now_ms=to_ms(START))
    for account in ("a", "b"):
        state.put_wallet(account, Wallet.opened(OPENING))
    return Engine(MARKETS, state, FillModel(seed=4))


def place(exchange: Engine, number: int, action: Action) -> None:
    _, account, symbol, side, kind, offset, size = action
    market = MARKETS[symbol]
    filters = market.venue.filters
    known = market.known(exchange.state.now_ms).price
    below = (side is Side.BUY) is not (kind in STOPS)
    moved = known * (1 + Decimal(-offset if below else offset) / 1000)
    price = (moved / filters.tick).to_integral_value() * filters.tick
    quantity = (Decimal(size * 200) / known / filters.step).to_integral_value() * filters.step + filters.step
    draft = Draft(
        side=side,
        kind=kind,
        quantity=quantity,
        price=price if kind in PRICED else None,
        stop_price=price if kind in TRIGGERED else None,
        tif=Tif.GTC if kind in TIMED else None,
        client_id=f"order-{number}",
    )
    exchange.place(account, market, draft)


def run(script: list[Action], *, shuffle: random.Random, cuts: list[int], with_levels: bool = False) -> dict[str, Any]:
    """Play the script; `cuts` are extra stops of the clock, `shuffle` decides the order of calls within an instant."""
    exchange = engine()
    numbered = list(enumerate(script))
    start_ms = to_ms(START)
    stops = sorted({start_ms + action[0] * MINUTE_MS for action in script} | {start_ms + cut for cut in cuts})
    for at_ms in [*stops, start_ms + 72 * HOUR_MS]:
        while exchange.state.now_ms < at_ms:
            known = MARKETS["BTC/USDT"].known(exchange.state.now_ms).price
            level = Level(id="x", symbol="BTC/USDT", above=True, price=known * 2)
            exchange.advance(at_ms, [level] if with_levels else [])
        due = [(n, action) for n, action in numbered if start_ms + action[0] * MINUTE_MS == at_ms]
        shuffle.shuffle(due)
        for number, action in due:
            if len(exchange.state.open_of(action[1], action[2])) < 5:
                place_or_refuse(exchange, number, action)
    state = exchange.state
    return {
        "orders": sorted(
            (asdict(order) for order in state.orders.values()), key=lambda o: (o["symbol"], o["order_id"])
        ),
        "trades": {key: [asdict(fill) for fill in fills] for key, fills in sorted(state.trades.items()) if fills},
        "wallets": {name: asdict(wallet) for name, wallet in sorted(state.wallets.items())},
        "ambiguous": sorted(state.ambiguous),
    }


def place_or_refuse(exchange: Engine, number: int, action: Action) -> None:
    """A crash moves prices past what a filter or the book allows: such an order is refused alike in every run."""
    with contextlib.suppress(Refusal):
        place(exchange, number, action)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(actions, max_size=8, unique_by=lambda action: (action[0], action[1], action[2])),
    st.lists(st.integers(0, 71 * HOUR_MS), max_size=12),
    st.integers(0, 1000),
)
def test_calls_in_any_order_and_time_in_any_pieces_give_the_same_fills_and_ids(
    script: list[Action], cuts: list[int], seed: int
) -> None:
    calm = run(script, shuffle=random.Random(0), cuts=[])
    hectic = run(script, shuffle=random.Random(seed), cuts=cuts, with_levels=True)
    assert calm == hectic


@settings(max_examples=60, deadline=None)
@given(st.lists(actions, max_size=8))
def test_the_ledger_of_the_venue_adds_up(script: list[Action]) -> None:
    result = run(script, shuffle=random.Random(1), cuts=[])
    for account, wallet in result["wallets"].items():
        moved = dict.fromkeys(OPENING, ZERO)
        for (owner, symbol), fills in result["trades"].items():
            base = symbol.partition("/")[0]
            for fill in fills if owner == account else []:
                sign = 1 if fill["side"] is Side.BUY else -1
                moved[base] += sign * fill["quantity"]
                moved["USDT"] -= sign * fill["quote"]
                moved[fill["commission_asset"]] -= fill["commission"]
        locked = dict.fromkeys(OPENING, ZERO)
        for order in result["orders"]:
            if order["account"] == account and order["status"] in ("NEW", "PARTIALLY_FILLED"):
                asset = "USDT" if order["side"] is Side.BUY else order["symbol"].partition("/")[0]
                locked[asset] += order["locked"]
        for asset, held in wallet["holdings"].items():
            assert held["free"] >= 0
            assert held["locked"] == locked[asset]
            assert held["free"] + held["locked"] == OPENING[asset] + moved[asset]


def test_an_account_never_waits_for_another_accounts_orders() -> None:
    mine: list[Action] = [
        (180, "a", "ADA/USDT", Side.BUY, Kind.MARKET, 1, 40),
        (300, "a", "BTC/USDT", Side.SELL, Kind.STOP_LOSS, 5, 9),
    ]
    alone = run(mine, shuffle=random.Random(0), cuts=[])
    crowd = run(
        [
            *mine,
            *((minute, "b", symbol, Side.BUY, Kind.MARKET, 1, 40) for minute in (180, 240, 300) for symbol in SYMBOLS),
        ],
        shuffle=random.Random(3),
        cuts=[],
    )
    assert alone["wallets"]["a"] == crowd["wallets"]["a"]
    assert {key: fills for key, fills in crowd["trades"].items() if key[0] == "a"} == alone["trades"]
    assert alone["trades"]


def test_a_restart_from_the_store_holds_the_same_state(tmp_path: Any) -> None:
    path = str(tmp_path / "sim.db")
    store = Store(path)
    state = State(store, now_ms=to_ms(START))
    state.put_wallet("a", Wallet.opened(OPENING))
    exchange = Engine(MARKETS, state, FillModel(seed=4))
    for number, kind in enumerate([Kind.MARKET, Kind.LIMIT, Kind.STOP_LOSS, Kind.STOP_LOSS_LIMIT]):
        place(exchange, number, (0, "a", "BTC/USDT", Side.BUY, kind, 20, 30))
    while exchange.advance(to_ms(START) + 30 * HOUR_MS):
        pass
    state.commit()
    store.close()
    again = State(Store(path), now_ms=0)
    for name in ("now_ms", "orders", "wallets", "taken", "entries", "ambiguous"):
        assert getattr(again, name) == getattr(state, name)
    assert {key: fills for key, fills in again.trades.items() if fills} == dict(state.trades)
