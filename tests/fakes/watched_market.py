"""A watch of a test: how it is started, what it is told of a plan, and what came of its ticks."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from fakes.sequence_house import SequenceHouse
from fakes.told_market import OPENS_AT, SYMBOL, VENUE
from temporalio.client import WorkflowHandle

from activities.store.ports.plans import KeptPlan
from activities.store.reading import decision_list
from trading.planning.models import DayPlan, Level, PriceTrigger, Style, TradeIdea, TriggerKind
from workflows.market_watch import MarketWatch
from workflows.names import TASK_TIMEOUT, QueueRole, Signal, watch_workflow
from workflows.protocol import DecisionResult, Planned, Settled, WatchRequest, WatchState

LIMITS = {
    "max_trade_fraction": "0.05",
    "max_position_fraction": "0.1",
    "total_fraction": "0.5",
    "max_positions": 5,
    "max_entries": 6,
    "daily_loss_fraction": "0.05",
}


async def start_watch(house: SequenceHouse, **given: Any) -> WorkflowHandle[Any, Any]:
    """The watch of the house's realm, ticked by its coordinator unless told otherwise."""
    fields: dict[str, Any] = {
        "realm": house.realm,
        "venue": VENUE,
        "ledger": house.ledger,
        "accounts": house.told.accounts,
        "symbols": house.told.symbols,
        "coordinator": house.coordinator_id,
        "playbook_hash": house.playbook_hash,
        "market_is_replayed": True,
    }
    return await house.client.start_workflow(
        MarketWatch.run,
        WatchRequest.model_validate(fields | given),
        id=watch_workflow(house.realm),
        task_queue=house.queue(QueueRole.DECISIONS),
        task_timeout=TASK_TIMEOUT,
    )


async def results(house: SequenceHouse, settled: Settled) -> list[DecisionResult]:
    """How the decisions of a tick ended, in their order."""
    handles = [house.client.get_workflow_handle(name, result_type=DecisionResult) for name in settled.started]
    return [await handle.result() for handle in handles]


def of_the_plan(settled: Settled) -> list[Any]:
    """The levels that the plan asks for; a crash is watched for beside them."""
    return [level for level in settled.watched.levels if level.fall_fraction is None]


async def keep_plan(house: SequenceHouse, *, as_of: datetime = OPENS_AT, **parts: Any) -> KeptPlan:
    """A plan with a pullback at 6900 for aggressive and composite, and a defence at 6800 where composite holds."""
    pullback = PriceTrigger(
        symbol=SYMBOL, kind=TriggerKind.PULLBACK, crosses="down_to", level=Level(fact="f1", price=Decimal(6900))
    )
    defend = PriceTrigger(
        symbol=SYMBOL, kind=TriggerKind.DEFEND, crosses="down_to", level=Level(fact="f2", price=Decimal(6800))
    )
    idea = TradeIdea(
        trigger=pullback,
        size_fraction=Decimal("0.02"),
        entry_price=Decimal(6900),
        stop_price=Decimal(6800),
        target_price=Decimal(7200),
        reward_risk=Decimal(3),
    )
    plans = [
        {
            "account": account,
            "style": Style(account),
            "limits": LIMITS,
            "target": {"return_fraction": "0.01"},
            "tasks": (),
            "triggers": (pullback, defend) if account == "composite" else (pullback,),
            "ideas": (idea,),
            "windows": (),
            "memory": (),
        }
        | parts.get(account, {})
        for account in house.told.accounts
    ]
    plan = DayPlan.model_validate(
        {
            "realm": house.realm,
            "day": as_of.date(),
            "as_of": as_of,
            "final_at": as_of,
            "session_start": as_of,
            "playbook_version": house.told.playbook.version,
            "trend_regime": "normal",
            "risk_regime": "normal",
            "yesterday": {"day": (as_of - timedelta(days=1)).date()},
            "valid_until": as_of + timedelta(days=1),
            "watch": tuple(
                {
                    "rank": place,
                    "symbol": symbol,
                    "reason": "active",
                    "last_price": "7000",
                    "turnover_24h_usd": "1",
                    "trend_regime": "normal",
                    "risk_regime": "normal",
                    "snapshot_hash": "x",
                }
                for place, symbol in enumerate(house.told.symbols, 1)
            ),
            "plans": plans,
        }
    )
    return await house.store.keep_day_plan(house.realm, plan)


async def tell_plan(house: SequenceHouse, watch: WorkflowHandle[Any, Any], **given: Any) -> None:
    """Keep a plan and signal it to the watch."""
    kept = await keep_plan(house, **given)
    await watch.signal(Signal.PLANNED, Planned(period=kept.period, plan_hash=kept.plan_hash))


async def knows(watch: WorkflowHandle[Any, Any], at: datetime) -> bool:
    """Whether the watch has seen this market time."""
    state: WatchState = await watch.query(MarketWatch.state)
    return state.now == at


async def decided(house: SequenceHouse, count: int) -> list[dict[str, Any]]:
    """The finished decisions once there are `count` of them, else none."""
    rows = [row for row in await decision_list(house.store, house.realm) if row["finished"]]
    return rows if len(rows) >= count else []
