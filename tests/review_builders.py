"""Builders of what a review is given: trades with a plan, orders, equity."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from trading.orders.models import Leg, OrderStatus, OrderType, Side
from trading.review.comparison import AccountPeriod
from trading.review.models import ClosedTrade, DecisionTally, EntryPlan, EquityPoint, ReviewedOrder
from trading.review.period import Period, ReportKind, period_of
from trading.review.review import ModelUse, PeriodRecords

D = Decimal
DAY = datetime(2024, 1, 24, tzinfo=UTC)
NOON = DAY + timedelta(hours=12)


def a_plan(**changes: Any) -> EntryPlan:
    """100 to 102 with a stop at 99: at even odds it expects half a percent."""
    facts: dict[str, Any] = {
        "entry_price": D(100),
        "stop_price": D(99),
        "target_price": D(102),
        "horizon_hours": 24,
        "confidence": D("0.7"),
        "win_probability": D("0.5"),
        "trend_regime": "sideways",
    }
    return EntryPlan(**(facts | changes))


def an_order(number: int = 1, **changes: Any) -> ReviewedOrder:
    """A market purchase of 10 at 100 that filled a second later, a tenth of a percent in fees."""
    facts: dict[str, Any] = {
        "client_order_id": f"{number:032x}",
        "decision_id": "d1",
        "account": "composite",
        "symbol": "BTC/USDT",
        "leg": Leg.ENTRY,
        "side": Side.BUY,
        "type": OrderType.MARKET,
        "status": OrderStatus.FILLED,
        "quantity": D(10),
        "executed_quantity": D(10),
        "executed_quote": D(1000),
        "commission_usd": D(1),
        "expected_price": D(100),
        "as_of": NOON,
        "first_fill_at": NOON + timedelta(seconds=1),
    }
    return ReviewedOrder(**(facts | changes))


def a_sale(number: int = 2, price: str = "102", **changes: Any) -> ReviewedOrder:
    facts: dict[str, Any] = {
        "leg": Leg.EXIT,
        "side": Side.SELL,
        "executed_quote": D(price) * 10,
        "expected_price": D(price),
        "as_of": NOON + timedelta(hours=2),
        "first_fill_at": NOON + timedelta(hours=2, seconds=1),
    }
    return an_order(number, **(facts | changes))


def a_trade(number: int = 1, *, pnl: str = "18", **changes: Any) -> ClosedTrade:
    """A closed trade of 1,000 USD; its return follows from `pnl`."""
    facts: dict[str, Any] = {
        "account": "composite",
        "symbol": "BTC/USDT",
        "decision_id": f"d{number}",
        "opened_at": NOON,
        "closed_at": NOON + timedelta(hours=2, minutes=number),
        "pnl_usd": D(pnl),
        "return_fraction": D(pnl) / 1000,
        "exit_reason": "target" if D(pnl) > 0 else "stop",
        "plan": a_plan(),
    }
    return ClosedTrade(**(facts | changes))


def an_equity(*values: int, start: datetime = DAY, step: timedelta = timedelta(hours=4)) -> tuple[EquityPoint, ...]:
    return tuple(EquityPoint(at=start + place * step, equity_usd=D(value)) for place, value in enumerate(values))


def an_account(name: str, *values: int, **changes: Any) -> AccountPeriod:
    return AccountPeriod(**({"account": name, "equity": an_equity(*values)} | changes))


def a_day() -> Period:
    return period_of(ReportKind.DAILY, DAY.date())


def some_records(**changes: Any) -> PeriodRecords:
    """A small day: one trade that gained, one that lost more than planned, and two that ended before."""
    gained = a_trade(1, pnl="18", orders=(an_order(1), a_sale(2, "101.9")))
    lost = a_trade(2, pnl="-31", symbol="ETH/USDT", orders=(an_order(3), a_sale(4, "97")))
    facts: dict[str, Any] = {
        "realm": "demo-small",
        "account": "composite",
        "venue": "simulated",
        "opened_at": DAY - timedelta(days=10),
        "opening_equity_usd": D(10000),
        "trades": (gained, lost),
        "trades_before": (
            a_trade(8, pnl="5", closed_at=DAY - timedelta(days=2)),
            a_trade(9, pnl="-4", closed_at=DAY - timedelta(days=1)),
        ),
        "orders": (*gained.orders, *lost.orders),
        "tally": DecisionTally(
            decisions=6,
            outcomes=(("held", 4), ("opened", 2)),
            denials=(("cash_floor", 1),),
            regimes=(("BTC/USDT", "sideways", 3), ("ETH/USDT", "bear_market", 3)),
            model_calls=12,
        ),
        "accounts": (
            an_account("composite", 10000, 10020, 10050, 10010, 9990, 9987, 9987, trades=(gained, lost)),
            an_account("conservative", 10000, 10001, 10002, 10003, 10004, 10004, 10004),
        ),
        "models": (ModelUse(name="rules-momentum", is_rule_based=True, answers=12),),
        "playbook_versions": ("abc123abc123",),
        "buy_and_hold_return": D("-0.01"),
        "buy_and_hold_symbols": ("BTC/USDT", "ETH/USDT"),
        "last_record_at": DAY + timedelta(days=1),
    }
    return PeriodRecords(**(facts | changes))
