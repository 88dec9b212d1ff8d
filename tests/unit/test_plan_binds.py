"""The plan of the day at the gate: it shrinks and refuses, never enlarges; without one the policy alone applies."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.planning.binding import bound_of
from trading.planning.models import DayPlan, MemoryVerdict
from trading.policy.model import Policy
from trading.policy.table import changed
from trading.risk.gate import gate
from trading.risk.models import Exposure, GateRequest, Holding, Mode, PlanBound

D = Decimal
NOW = datetime(2024, 1, 31, 10, tzinfo=UTC)
FREE = changed(Policy(), bootstrap_trades=0, trade_risk_fraction="0.01")


def a_bound(**given: Any) -> PlanBound:
    fields: dict[str, Any] = {
        "period": "2024-01-31",
        "account": "composite",
        "max_trade_fraction": D("0.05"),
        "max_position_fraction": D("0.10"),
        "total_fraction": D("0.50"),
        "max_positions": 5,
        "max_entries": 6,
        "daily_loss_fraction": D("0.05"),
    }
    return PlanBound.model_validate(fields | given)


def an_account(**given: Any) -> Exposure:
    fields: dict[str, Any] = {
        "account": "composite",
        "mode": Mode.AUTO,
        "epoch": 1,
        "cash_usd": D(100_000),
        "day_start_equity_usd": D(100_000),
        "peak_equity_usd": D(100_000),
        "day_started_at": NOW.replace(hour=0),
    }
    return Exposure.model_validate(fields | given)


def a_wish(**given: Any) -> GateRequest:
    fields: dict[str, Any] = {
        "request_id": "r1",
        "account": "composite",
        "decision_id": "d1",
        "symbol": "BTC/USDT",
        "opens": True,
        "size_fraction": D("0.05"),
        "price": D(100),
        "stop_price": D(97),
        "target_price": D(110),
        "taker_fee": D("0.001"),
        "min_notional_usd": D(5),
        "risk_regime": "normal",
        "confidence": D("0.9"),
        "win_probability": D("0.7"),
        "observed_at": NOW,
        "now": NOW,
    }
    return GateRequest.model_validate(fields | given)


@pytest.mark.parametrize(
    ("bound", "account", "leaves", "binding"),
    [
        (None, {}, "5000", "proposed_size"),
        ({}, {}, "5000", "proposed_size"),
        ({"max_trade_fraction": "0.02"}, {}, "2000", "plan_trade_cap"),
        ({"max_position_fraction": "0.01"}, {}, "1000", "plan_position_cap"),
        ({"total_fraction": "0.03"}, {}, "3000", "plan_total_cap"),
    ],
)
def test_the_smaller_of_plan_and_policy_binds(
    bound: dict[str, Any] | None, account: dict[str, Any], leaves: str, binding: str
) -> None:
    wish = a_wish(plan=None if bound is None else a_bound(**bound))
    answer = gate(wish, an_account(**account), FREE)
    assert answer.permit is not None, answer.denials
    assert (answer.permit.notional_usd, answer.binding) == (D(leaves), binding)


HELD = Holding(symbol="ETH/USDT", quantity=D(10), average_price=D(100), mark_price=D(100))


@pytest.mark.parametrize(
    ("bound", "account", "code"),
    [
        ({"refuses": "memory_avoids"}, {}, "plan_not_here"),
        ({"max_trade_fraction": "0"}, {}, "plan_trade_cap"),
        ({"max_positions": 1}, {"cash_usd": D(99_000), "holdings": (HELD,)}, "plan_too_many_positions"),
        ({"max_entries": 2}, {"entries_today": 2}, "plan_too_many_entries"),
        ({"daily_loss_fraction": "0.02"}, {"cash_usd": D(97_900)}, "plan_daily_loss"),
    ],
)
def test_the_plan_refuses_with_its_own_code(bound: dict[str, Any], account: dict[str, Any], code: str) -> None:
    assert gate(a_wish(), an_account(**account), FREE).permit is not None, "the policy alone would permit it"
    answer = gate(a_wish(plan=a_bound(**bound)), an_account(**account), FREE)
    assert answer.permit is None
    assert code in {denial.code for denial in answer.denials}


shares = st.integers(0, 1000).map(lambda n: D(n) / 1000)


@given(trade=shares, position=shares, total=shares, size=shares, positions=st.integers(0, 5), entries=st.integers(0, 6))
def test_a_plan_never_permits_more_than_the_policy(
    trade: Decimal, position: Decimal, total: Decimal, size: Decimal, positions: int, entries: int
) -> None:
    account = an_account(cash_usd=D(99_000), holdings=(HELD,), entries_today=2)
    bound = a_bound(
        max_trade_fraction=trade,
        max_position_fraction=position,
        total_fraction=total,
        max_positions=positions,
        max_entries=entries,
    )
    alone = gate(a_wish(size_fraction=size), account, FREE)
    planned = gate(a_wish(size_fraction=size, plan=bound), account, FREE)
    if planned.permit is not None:
        assert alone.permit is not None
        assert planned.permit.notional_usd <= alone.permit.notional_usd


def test_a_reduction_asks_no_plan() -> None:
    holding = HELD.model_copy(update={"symbol": "BTC/USDT"})
    wish = a_wish(opens=False, size_fraction=D(1), plan=a_bound(refuses="memory_avoids", max_positions=0))
    assert gate(wish, an_account(cash_usd=D(99_000), holdings=(holding,)), FREE).permit is not None


def a_plan(**given: Any) -> DayPlan:
    part = {
        "account": "composite",
        "style": "composite",
        "limits": {
            "max_trade_fraction": "0.04",
            "max_position_fraction": "0.1",
            "total_fraction": "0.5",
            "max_positions": 4,
            "max_entries": 4,
            "daily_loss_fraction": "0.05",
        },
        "target": {"return_fraction": "0.01"},
        "tasks": (),
        "triggers": (),
        "ideas": (),
        "windows": (),
        "memory": (),
    }
    item = {
        "rank": 1,
        "symbol": "BTC/USDT",
        "reason": "active",
        "last_price": "100",
        "turnover_24h_usd": "1",
        "trend_regime": "normal",
        "risk_regime": "normal",
        "snapshot_hash": "x",
    }
    return DayPlan.model_validate(
        {
            "realm": "paper",
            "day": date(2024, 1, 31),
            "as_of": NOW - timedelta(hours=3),
            "final_at": NOW,
            "session_start": NOW,
            "playbook_version": "v",
            "trend_regime": "normal",
            "risk_regime": "normal",
            "yesterday": {"day": date(2024, 1, 30)},
            "watch": (item,),
            "unwatched": ({"symbol": "NEW/USDT", "reason": "too_few_bars"},),
            "plans": (part | given,),
        }
    )


def window(code: str, hours: tuple[int, int], factor: str) -> dict[str, Any]:
    return {
        "code": code,
        "start": NOW.replace(hour=hours[0]),
        "end": NOW.replace(hour=hours[1]),
        "size_factor": factor,
        "contingency": "smaller",
    }


def memory(verdict: MemoryVerdict) -> dict[str, Any]:
    return {"symbol": "BTC/USDT", "verdict": verdict}


@pytest.mark.parametrize(
    ("given", "symbol", "trade", "refuses"),
    [
        ({}, "BTC/USDT", "0.04", ""),
        ({"windows": (window("expiry", (9, 11), "0.5"),)}, "BTC/USDT", "0.02", ""),
        ({"windows": (window("expiry", (6, 9), "0.5"),)}, "BTC/USDT", "0.04", ""),
        ({"memory": (memory(MemoryVerdict.CAUTIOUS),)}, "BTC/USDT", "0.02", ""),
        (
            {"memory": (memory(MemoryVerdict.CAUTIOUS),), "windows": (window("weekend", (0, 23), "0.75"),)},
            *("BTC/USDT", "0.015", ""),
        ),
        (
            {
                "memory": (memory(MemoryVerdict.AVOID),),
                "dropped": ({"symbol": "BTC/USDT", "reason": "memory_avoids"},),
            },
            *("BTC/USDT", "0", "memory_avoids"),
        ),
        ({"dropped": ({"symbol": "BTC/USDT", "reason": "stop_too_wide"},)}, "BTC/USDT", "0.04", "stop_too_wide"),
        ({"dropped": ({"symbol": "BTC/USDT", "reason": "no_room_to_target"},)}, "BTC/USDT", "0.04", ""),
        ({}, "NEW/USDT", "0.04", "too_few_bars"),
        ({}, "DOGE/USDT", "0.04", "not_on_the_watch_list"),
    ],
)
def test_what_a_plan_leaves_in_a_symbol(given: dict[str, Any], symbol: str, trade: str, refuses: str) -> None:
    bound = bound_of(a_plan(**given), period="2024-01-31", account="composite", symbol=symbol, at=NOW)
    assert bound is not None
    assert (bound.max_trade_fraction, bound.refuses) == (D(trade), refuses)


def test_a_plan_for_others_binds_nobody_else() -> None:
    assert bound_of(a_plan(), period="2024-01-31", account="person", symbol="BTC/USDT", at=NOW) is None
