"""What looks like a wiped venue, and what does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from trading.ledger.differences import LedgerOrder, LedgerView, VenueView
from trading.ledger.venue_reset import may_be_wiped, vanished
from trading.orders.models import Fill, OrderStatus, OrderType, Side, VenueOrder
from trading.orders.venue_account import Balance

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ONE = Decimal(1)


def ours(*orders: str, filled: str = "", unsent: str = "") -> LedgerView:
    """Orders of one letter, one hour after the other, that the venue had accepted, but for `unsent`."""
    return LedgerView(
        account="main",
        opening=(("USDT", Decimal(1000)),),
        orders=tuple(
            LedgerOrder(
                client_order_id=name,
                symbol="BTC/USDT",
                status=OrderStatus.FILLED if name in filled else OrderStatus.NEW,
                executed_quantity=ONE if name in filled else Decimal(0),
                venue_order_id=None if name in unsent else f"v{name}",
                intended_for=NOON + timedelta(hours=hour),
            )
            for hour, name in enumerate(orders)
        ),
    )


def venue(*orders: str, fills: str = "", usdt: int = 1000) -> VenueView:
    return VenueView(
        account="main",
        orders=tuple(
            VenueOrder(
                venue_order_id=f"v{name}",
                client_order_id=name,
                symbol="BTC/USDT",
                side=Side.BUY,
                type=OrderType.MARKET,
                status=OrderStatus.NEW,
                quantity=ONE,
                executed_quantity=Decimal(0),
                executed_quote=Decimal(0),
                created_at=NOON,
                updated_at=NOON,
            )
            for name in orders
        ),
        fills=tuple(
            Fill(
                trade_id=name,
                venue_order_id=f"v{name}",
                client_order_id=name,
                symbol="BTC/USDT",
                side=Side.BUY,
                price=ONE,
                quantity=ONE,
                commission=Decimal(0),
                commission_asset="USDT",
                is_maker=False,
                filled_at=NOON,
            )
            for name in fills
        ),
        balances=(Balance(asset="USDT", free=Decimal(usdt), locked=Decimal(0)),),
    )


@pytest.mark.parametrize(
    ("what", "ledger", "told", "gone"),
    [
        ("nothing was ever accepted", ours("a", unsent="a"), venue(), ""),
        ("all are there", ours("a", "b", filled="a"), venue("a", "b"), ""),
        ("none is there", ours("a", "b", filled="a"), venue(usdt=5), "ab"),
        ("none is there, and one never left", ours("a", "b", filled="a", unsent="b"), venue(), "a"),
        ("none is listed, but trades of them are told", ours("a", "b", filled="a"), venue(fills="a"), ""),
        ("one is lost among others", ours("a", "b", "c", filled="ac"), venue("a", "c"), ""),
        ("the oldest alone is lost", ours("a", "b", "c", filled="a"), venue("b", "c", usdt=5), ""),
        ("the newest are lost", ours("a", "b", "c", filled="abc"), venue("a", usdt=5), ""),
        ("old ones never filled: a venue archives such", ours("a", "b", "c", filled="c"), venue("c", usdt=5), ""),
        ("all of before are gone, one was sent since", ours("a", "b", "c", filled="ac"), venue("c", usdt=5), "ab"),
        ("the same, but the balances are explained", ours("a", "b", "c", filled="ac"), venue("c"), ""),
    ],
)
def test_a_wipe_takes_all_orders_of_before_and_their_trades(
    what: str, ledger: LedgerView, told: VenueView, gone: str
) -> None:
    assert "".join(order.client_order_id for order in vanished(ledger, told)) == gone, what


def test_only_test_venues_are_wiped() -> None:
    assert [realm for realm in ("live", "paper", "simulated", "testnet", "demo", "demo-1") if may_be_wiped(realm)] == [
        "testnet",
        "demo",
    ]
