"""One market, one valid proposal and one stance, every field open to a keyword: the ground of the decision tests."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from trading.decision.models import (
    Action,
    DecisionHead,
    Finding,
    MemoryItem,
    PositionView,
    Recall,
    Role,
    Stance,
    TrackRecord,
    Verdict,
)
from trading.decision.verify import verify_answer
from trading.facts.models import Fact, MarketSnapshot
from trading.policy.model import Policy

AS_OF = datetime(2020, 3, 5, 12, tzinfo=UTC)
PRICE = Decimal(9000)

NUMBERS: dict[str, tuple[str, str]] = {
    "last_price": ("9000", "USD"),
    "change_24h": ("-0.0213", "fraction"),
    "rsi_14@1h": ("34.27", "index"),
    "rsi_14@4h": ("51.8", "index"),
    "ema_fast@4h": ("9105.5", "USD"),
    "ema_slow@4h": ("9020.25", "USD"),
    "macd_histogram@1h": ("-12.4", "USD"),
    "adx_14@4h": ("27.9", "index"),
    "atr_14@1h": ("63", "USD"),
    "atr_fraction@1h": ("0.007", "fraction"),
    "bollinger_lower@1h": ("8985.1", "USD"),
    "support@1h": ("8950", "USD"),
    "position_quantity": ("0", "base"),
}
LABELS = {"trend_regime": "normal", "risk_regime": "normal", "ema_trend@4h": "up"}


def fact(fact_id: str, value: Decimal | str, unit: str = "USD", *, as_of: datetime = AS_OF) -> Fact:
    return Fact(id=fact_id, name=fact_id.partition("@")[0], value=value, unit=unit, as_of=as_of)


def facts(**changed: str | Decimal | None) -> tuple[Fact, ...]:
    """The market's facts; `changed` replaces values by id (`rsi_14__1h="20"`), `None` leaves the fact out."""
    wanted = {name.replace("__", "@"): value for name, value in changed.items()}
    rows = [fact(name, Decimal(wanted.get(name) or value), unit) for name, (value, unit) in NUMBERS.items()]
    rows += [fact(name, str(wanted.get(name) or value), "label") for name, value in LABELS.items()]
    absent = {name for name, value in wanted.items() if value is None}
    return tuple(row for row in rows if row.id not in absent)


def snapshot(**changed: Any) -> MarketSnapshot:
    fields: dict[str, Any] = {
        "symbol": "BTC/USDT",
        "as_of": AS_OF,
        "venue": "simulated",
        "facts": facts(),
        "last_price": PRICE,
        "atr_fraction": Decimal("0.007"),
        "bars": 500,
        "base_timeframe": "1h",
    }
    return MarketSnapshot(**{**fields, **changed})


RECALL = Recall(
    items=(
        MemoryItem(id="m-decision-1", kind="decision", text="Bought BTC/USDT at 9120, closed at 9301.5 for +1.99%."),
        MemoryItem(id="m-lesson-1", kind="lesson", text="Dips in an uptrend recovered in 64% of 25 cases."),
        MemoryItem(id="m-similar-1", kind="similar", text="A dip with RSI 33.1 was bought and earned 2.4%."),
    )
)


def proposal(**changed: Any) -> dict[str, Any]:
    """A buy that stands: every check accepts it without a note."""
    answer: dict[str, Any] = {
        "action": "buy",
        "size_fraction": 0.03,
        "entry_price": 8990,
        "stop_price": 8870,
        "target_price": 9230,
        "horizon_hours": 48,
        "confidence": 0.64,
        "win_probability": 0.48,
        "steps": [
            {
                "question": "What does the market do?",
                "conclusion": "The price 9000 fell 2.13% in 24 hours, ema_trend@4h is up.",
            },
            {
                "question": "What do the cases say?",
                "conclusion": "A similar dip with RSI 33.1 earned 2.4% (m-similar-1).",
            },
            {
                "question": "What is the trade?",
                "conclusion": "Entry 8990, stop 8870 and target 9230, a reward/risk of 2.",
            },
            {"question": "What follows?", "conclusion": "Buy the dip; a close below the stop would change the view."},
        ],
        "claims": [
            {"statement": "RSI is oversold, below 40", "cites": ["rsi_14@1h"], "value": "34.27"},
            {"statement": "the higher timeframe rises", "cites": ["ema_trend@4h"], "value": "up"},
            {"statement": "the day lost two percent", "cites": ["change_24h"], "value": "-2.13%"},
            {"statement": "such dips recovered in most cases", "cites": ["m-lesson-1"], "value": "64%"},
        ],
    }
    return {**answer, **changed}


def as_json(answer: dict[str, Any]) -> str:
    return json.dumps(answer)


def verified(text: str | dict[str, Any], **changed: Any) -> tuple[Stance, tuple[Finding, ...]]:
    """`verify_answer` with this market, this recall, default policy and no position."""
    fields: dict[str, Any] = {
        "role": Role.PRIMARY,
        "model": "test-model",
        "is_rule_based": False,
        "answer_hash": None,
        "snapshot": snapshot(),
        "recall": RECALL,
        "policy": Policy(),
        "position": position(),
    }
    return verify_answer(text if isinstance(text, str) else as_json(text), **{**fields, **changed})


def position(*, quantity: str = "0") -> PositionView:
    return PositionView(
        account="main",
        quantity=Decimal(quantity),
        average_price=None if quantity == "0" else Decimal(8800),
        equity_usd=Decimal(10_000),
        cash_usd=Decimal(10_000),
    )


def stance(role: Role = Role.PRIMARY, **changed: Any) -> Stance:
    """An accepted buy at market with a stop of 2 % and a target of 4 %."""
    fields: dict[str, Any] = {
        "role": role,
        "model": "test-model",
        "is_rule_based": False,
        "verdict": Verdict.ACCEPTED,
        "action": Action.BUY,
        "size_fraction": Decimal("0.04"),
        "stop_price": Decimal(8820),
        "target_price": Decimal(9360),
        "horizon_hours": 48,
        "confidence": Decimal("0.7"),
        "win_probability": Decimal("0.5"),
    }
    return Stance(**{**fields, **changed})


def record(role: Role, *, decisions: int = 0, failures: int = 0, brier: str | None = None) -> TrackRecord:
    score = None if brier is None else Decimal(brier)
    return TrackRecord(role=role, decisions=decisions, grounding_failures=failures, brier=score)


def head(**changed: Any) -> DecisionHead:
    fields: dict[str, Any] = {
        "decision_id": "d" + "0" * 23,
        "realm": "simulated",
        "venue": "simulated",
        "ledger": "test",
        "symbol": "BTC/USDT",
        "as_of": AS_OF,
        "cause": "test",
        "accounts": ("main",),
        "playbook_version": "test",
    }
    return DecisionHead(**{**fields, **changed})


def hours_before(hours: int) -> datetime:
    return AS_OF - timedelta(hours=hours)
