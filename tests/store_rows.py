"""Builders of what the store is told: one per model, sensible defaults, overridden by keyword."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from activities.exchange.port import PreparedOrder
from activities.store.ports.decisions import StoredAnswer
from trading.decision.models import (
    AccountOutcome,
    Action,
    DecisionHead,
    DecisionSummary,
    Fusion,
    FusionOutcome,
    Role,
    Stance,
    Verdict,
)
from trading.facts.models import TrendRegime
from trading.ids import client_order_id, decision_id
from trading.orders.models import Fill, Leg, OrderRequest, OrderStatus, OrderType, Side, VenueOrder

NOON = datetime(2020, 3, 12, 12, tzinfo=UTC)
REALM = "test-store"
D = Decimal


def a_head(**changes: Any) -> DecisionHead:
    facts: dict[str, Any] = {
        "realm": REALM,
        "venue": "simulated",
        "ledger": "main",
        "symbol": "BTC/USDT",
        "as_of": NOON,
        "cause": "tick",
        "accounts": ("main",),
        "playbook_version": "v1",
    } | changes
    name = decision_id(ledger=facts["ledger"], symbol=facts["symbol"], as_of=facts["as_of"], cause=facts["cause"])
    return DecisionHead(**({"decision_id": name} | facts))


def a_stance(role: Role = Role.PRIMARY, **changes: Any) -> Stance:
    facts: dict[str, Any] = {
        "role": role,
        "model": f"rules-{role.value}",
        "is_rule_based": True,
        "verdict": Verdict.ACCEPTED,
        "action": Action.BUY,
        "size_fraction": D("0.04"),
        "confidence": D("0.7"),
        "win_probability": D("0.6"),
    }
    return Stance(**(facts | changes))


def a_fusion(**changes: Any) -> Fusion:
    facts: dict[str, Any] = {
        "outcome": FusionOutcome.OPEN,
        "size_fraction": D("0.04"),
        "entry_price": D("5000"),
        "stop_price": D("4900"),
        "target_price": D("5300"),
        "horizon_hours": 24,
        "confidence": D("0.7"),
        "win_probability": D("0.6"),
        "weights": {Role.PRIMARY: D("0.5"), Role.SECONDARY: D("0.5")},
    }
    return Fusion(**(facts | changes))


def a_summary(head: DecisionHead | None = None, **changes: Any) -> DecisionSummary:
    facts: dict[str, Any] = {
        "head": head or a_head(),
        "snapshot_hash": "5" * 64,
        "trend_regime": TrendRegime.BEAR_MARKET,
        "stances": (a_stance(Role.PRIMARY), a_stance(Role.SECONDARY, win_probability=D("0.8"))),
        "fusion": a_fusion(),
        "outcomes": (
            AccountOutcome(account="main", outcome="executed", notional_usd=D("400.10"), client_order_ids=("0" * 32,)),
        ),
    }
    return DecisionSummary(**(facts | changes))


def a_request(**changes: Any) -> OrderRequest:
    facts: dict[str, Any] = {
        "realm": REALM,
        "venue": "simulated",
        "ledger": "main",
        "account": "main",
        "symbol": "BTC/USDT",
        "decision_id": "d1",
        "leg": Leg.ENTRY,
        "side": Side.BUY,
        "type": OrderType.MARKET,
        "quantity": D("0.1"),
        "as_of": NOON,
        "permit_id": "p1",
        "revision": 0,
    } | changes
    name = client_order_id(
        ledger=facts["ledger"],
        account=facts["account"],
        decision=facts["decision_id"],
        leg=str(facts["leg"]),
        revision=facts["revision"],
    )
    return OrderRequest(**({"client_order_id": name} | facts))


def a_prepared(request: OrderRequest, **changes: Any) -> PreparedOrder:
    facts: dict[str, Any] = {
        "key": request.key,
        "fields": (("symbol", "BTCUSDT"), ("quantity", "0.1")),
        "signed_at": NOON,
        "receive_window_s": D(3),
        "expires_at": NOON + timedelta(seconds=3),
        "horizon_at": NOON + timedelta(seconds=18),
    }
    return PreparedOrder(**(facts | changes))


def a_fill(request: OrderRequest, **changes: Any) -> Fill:
    """A taker's fill; a buy pays 0.1 % in base, a sell half a dollar."""
    quantity = changes.get("quantity", request.quantity)
    facts: dict[str, Any] = {
        "trade_id": "1",
        "venue_order_id": "10",
        "client_order_id": request.client_order_id,
        "symbol": request.symbol,
        "side": request.side,
        "price": D("5000"),
        "quantity": quantity,
        "commission": quantity * D("0.001") if request.side is Side.BUY else D("0.5"),
        "commission_asset": "BTC" if request.side is Side.BUY else "USDT",
        "is_maker": False,
        "filled_at": NOON + timedelta(seconds=1),
    }
    return Fill(**(facts | changes))


def a_venue_order(request: OrderRequest, *fills: Fill, **changes: Any) -> VenueOrder:
    """The venue's view after `fills`: filled when they add up to the quantity."""
    executed = sum((fill.quantity for fill in fills), D(0))
    partly = OrderStatus.PARTIALLY_FILLED if executed else OrderStatus.NEW
    facts: dict[str, Any] = {
        "venue_order_id": "10",
        "client_order_id": request.client_order_id,
        "symbol": request.symbol,
        "side": request.side,
        "type": request.type,
        "status": OrderStatus.FILLED if executed == request.quantity else partly,
        "quantity": request.quantity,
        "executed_quantity": executed,
        "executed_quote": sum((fill.quantity * fill.price for fill in fills), D(0)),
        "created_at": NOON,
        "updated_at": max((fill.filled_at for fill in fills), default=NOON),
    }
    return VenueOrder(**(facts | changes))


def an_answer(**changes: Any) -> StoredAnswer:
    facts: dict[str, Any] = {
        "decision_id": a_head().decision_id,
        "step": "propose",
        "role": Role.PRIMARY,
        "provider": "rules",
        "model": "trend-rules",
        "is_rule_based": True,
        "prompt_hash": "a" * 64,
        "answer_hash": "b" * 64,
        "prompt_tokens": 900,
        "completion_tokens": 120,
        "cost_usd": D("0.00123"),
        "latency_ms": 40,
    }
    return StoredAnswer(**(facts | changes))
