"""Ledger against venue: equal books are silent, each kind of damage has one name."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from trading.ledger.balances import balances
from trading.ledger.differences import LedgerOrder, LedgerView, VenueView, compare, foreign_orders
from trading.ledger.positions import position_of
from trading.orders.models import Fill, OrderStatus, OrderType, Side, VenueOrder
from trading.orders.venue_account import Balance

NOON = datetime(2020, 3, 12, 12, tzinfo=UTC)
D = Decimal
OURS = "a" * 32


def a_fill(**changes: Any) -> Fill:
    facts: dict[str, Any] = {
        "trade_id": "7",
        "venue_order_id": "70",
        "client_order_id": OURS,
        "symbol": "BTC/USDT",
        "side": Side.BUY,
        "price": D("5000"),
        "quantity": D("0.1"),
        "commission": D("0.0001"),
        "commission_asset": "BTC",
        "is_maker": False,
        "filled_at": NOON,
    }
    return Fill(**(facts | changes))


def a_venue_order(**changes: Any) -> VenueOrder:
    facts: dict[str, Any] = {
        "venue_order_id": "70",
        "client_order_id": OURS,
        "symbol": "BTC/USDT",
        "side": Side.BUY,
        "type": OrderType.MARKET,
        "status": OrderStatus.FILLED,
        "quantity": D("0.1"),
        "executed_quantity": D("0.1"),
        "executed_quote": D("500"),
        "created_at": NOON,
        "updated_at": NOON,
    }
    return VenueOrder(**(facts | changes))


def books(
    *,
    order: dict[str, Any] | None = None,
    fills: tuple[Fill, ...] = (a_fill(),),
    venue_fills: tuple[Fill, ...] = (a_fill(),),
    venue_orders: tuple[VenueOrder, ...] = (a_venue_order(),),
    stored: tuple[Fill, ...] | None = None,
) -> tuple[LedgerView, VenueView]:
    facts: dict[str, Any] = {
        "client_order_id": OURS,
        "symbol": "BTC/USDT",
        "status": OrderStatus.FILLED,
        "executed_quantity": D("0.1"),
        "executed_quote": D("500"),
        "venue_order_id": "70",
        "sends": 1,
    }
    held = fills if stored is None else stored
    ours = LedgerView(
        account="main",
        orders=(LedgerOrder(**(facts | (order or {}))),),
        fills=fills,
        opening=(("USDT", D("1000")),),
        positions=(position_of("main", "BTC/USDT", held),),
    )
    at_venue = balances({"USDT": D("1000")}, venue_fills)
    venue = VenueView(
        account="main",
        orders=venue_orders,
        fills=venue_fills,
        balances=tuple(Balance(asset=a, free=v, locked=D(0)) for a, v in at_venue.items()),
    )
    return ours, venue


def kinds(ours: LedgerView, venue: VenueView) -> list[str]:
    return [difference.kind for difference in compare(ours, venue)]


def test_equal_books_are_silent() -> None:
    assert compare(*books()) == ()


@pytest.mark.parametrize(
    ("damage", "names"),
    [
        ({"order": {"status": OrderStatus.NEW}}, ["order_status"]),
        ({"order": {"executed_quantity": D("0.2")}}, ["order_executed_quantity"]),
        ({"order": {"executed_quote": D("501")}}, ["order_executed_quote"]),
        ({"venue_orders": ()}, ["order_missing"]),
        ({"venue_orders": (a_venue_order(), a_venue_order(venue_order_id="71"))}, ["order_duplicate"]),
        (
            {"fills": ()},
            ["fill_missing", "balance", "balance", "invariant_quantity", "invariant_average_price", "invariant_ids"],
        ),
        ({"fills": (a_fill(commission=D("0.0002")),), "stored": (a_fill(),)}, ["fill_commission", "balance"]),
        (
            {"fills": (a_fill(price=D("5001")),), "stored": (a_fill(),)},
            ["fill_price", "balance"],
        ),
        (
            {"fills": (a_fill(quantity=D("0.11")),), "stored": (a_fill(),)},
            ["fill_quantity", "balance", "balance"],
        ),
        ({"stored": ()}, ["invariant_quantity", "invariant_average_price"]),
        (
            {"stored": (a_fill(), a_fill(trade_id="8", side=Side.SELL, commission=D(0)))},
            ["invariant_quantity", "invariant_average_price", "invariant_pnl"],
        ),
        ({"fills": (a_fill(client_order_id="b" * 32),), "stored": (a_fill(),)}, ["fill_order"]),
    ],
)
def test_each_damage_has_its_name(damage: dict[str, Any], names: list[str]) -> None:
    assert kinds(*books(**damage)) == names


def test_a_difference_names_both_sides() -> None:
    (difference,) = compare(*books(order={"executed_quote": D("501.50")}))
    assert (difference.id, difference.ours, difference.venue) == (OURS, "501.5", "500")


def test_an_order_that_never_left_is_no_difference_and_one_that_may_have_is() -> None:
    nothing = {"executed_quantity": D(0), "executed_quote": D(0), "venue_order_id": None}
    silent = {"fills": (), "venue_fills": (), "venue_orders": ()}
    assert compare(*books(order=nothing | {"status": OrderStatus.INTENDED, "sends": 0}, **silent)) == ()
    assert compare(*books(order=nothing | {"status": OrderStatus.REFUSED, "sends": 1}, **silent)) == ()
    assert kinds(*books(order=nothing | {"status": OrderStatus.FROZEN, "sends": 2}, **silent)) == ["order_unresolved"]


def test_foreign_orders_stand_apart_and_their_trades_explain_balances() -> None:
    theirs = a_fill(trade_id="9", client_order_id="web_1", venue_order_id="90")
    ours, venue = books(
        venue_fills=(a_fill(), theirs),
        venue_orders=(a_venue_order(), a_venue_order(client_order_id="web_1", venue_order_id="90")),
    )
    assert compare(ours, venue) == ()
    assert foreign_orders(ours, venue) == ("web_1",)


def test_an_unexplained_change_of_a_balance_is_reported() -> None:
    ours, venue = books()
    moved = venue.model_copy(update={"balances": (*venue.balances, Balance(asset="ETH", free=D(1), locked=D(2)))})
    (difference,) = compare(ours, moved)
    assert (difference.kind, difference.id, difference.ours, difference.venue) == ("balance", "main:ETH", "0", "3")
