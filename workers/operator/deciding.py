"""One decision that a person asked for: started, followed to its end or its question, and read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from temporalio.common import WorkflowIDConflictPolicy

from trading.decision.models import DecisionHead
from trading.ids import decision_id
from workers.operator.place import Place
from workflows.names import TASK_TIMEOUT, QueueRole, decision_workflow, task_queue
from workflows.options import labels

if TYPE_CHECKING:
    from temporalio.client import WorkflowHandle

    from trading.decision.approval import ProposedTrade

SETTLES_WITHIN = timedelta(seconds=5)
POLL_S = 0.1
THINKS_FOR_S = 3.0
"""A decision that takes longer may wait for a person: it is asked."""


def head_of(place: Place, *, symbol: str, as_of: datetime, account: str, playbook_version: str) -> DecisionHead:
    """The head of a decision that a person asked for: asked twice for one time, it is one decision."""
    return DecisionHead(
        decision_id=decision_id(ledger=place.ledger, symbol=symbol, as_of=as_of, cause=f"person:{account}"),
        realm=place.realm,
        venue=place.venue,
        ledger=place.ledger,
        symbol=symbol,
        as_of=as_of,
        cause=f"person:{account}",
        accounts=(account,),
        playbook_version=playbook_version,
    )


async def decide(place: Place, head: DecisionHead, *, playbook_hash: str) -> tuple[str, ...]:
    """Take the decision, or find it taken; the client ids of the orders that it placed now."""
    from workflows.protocol import DecisionRequest
    from workflows.trade_decision import TradeDecision

    handle = await place.client.start_workflow(
        TradeDecision.run,
        DecisionRequest(head=head, playbook_hash=playbook_hash),
        id=decision_workflow(place.realm, head.decision_id),
        task_queue=task_queue(place.realm, QueueRole.DECISIONS),
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        task_timeout=TASK_TIMEOUT,
        static_summary=f"{head.symbol} at {head.as_of:%Y-%m-%d %H:%M}",
        search_attributes=labels(
            realm=head.realm,
            accounts=head.accounts,
            symbol=head.symbol,
            playbook=head.playbook_version,
            as_of=head.as_of,
        ),
    )
    result = await _end_or_question(handle)
    if result is None or result.already_decided:
        return ()
    return tuple(order for outcome in result.summary.outcomes for order in outcome.client_order_ids)


async def _end_or_question(handle: WorkflowHandle[Any, Any]) -> Any:
    """The decision's result; `None` once it waits for a person."""
    ending = asyncio.ensure_future(handle.result())
    try:
        while True:
            done, _ = await asyncio.wait({ending}, timeout=THINKS_FOR_S)
            if done:
                return ending.result()
            if await handle.query("proposals"):
                return None
    finally:
        ending.cancel()


async def waiting_proposals(place: Place) -> tuple[ProposedTrade, ...]:
    """All proposals of the realm that wait for a person now."""
    from trading.decision.approval import WAITING, ProposedTrade

    found = f"PerennialRealm = '{place.realm}' AND PerennialOutcome = '{WAITING}' AND ExecutionStatus = 'Running'"
    waiting: list[ProposedTrade] = []
    async for one in place.client.list_workflows(found):
        for trade in await place.client.get_workflow_handle(one.id).query("proposals"):
            waiting.append(ProposedTrade.model_validate(trade))
    return tuple(waiting)


async def waiting_in(place: Place, decision: str) -> tuple[ProposedTrade, ...]:
    """The proposals of one decision that wait for a person; none where it has ended."""
    from temporalio.service import RPCError

    from trading.decision.approval import ProposedTrade

    handle = place.client.get_workflow_handle(decision_workflow(place.realm, decision))
    try:
        if (await handle.describe()).close_time is not None:
            return ()
        return tuple(ProposedTrade.model_validate(one) for one in await handle.query("proposals"))
    except RPCError:
        return ()  # an old decision that the service has forgotten waits for nobody


async def card_of(place: Place, decision: str) -> dict[str, Any] | None:
    """The decision's card, with what happened since; `None` where it was never taken."""
    from activities.store.reading import decision_card

    return await decision_card(place.store, place.realm, decision)


async def protected(place: Place, orders: Sequence[str], *, within_s: float) -> bool:
    """Wait until each entry is final and what it filled has a stop at the venue; whether it came to that in time."""
    from activities.store.reading import order_list

    deadline = asyncio.get_running_loop().time() + within_s
    while True:
        rows = await order_list(place.store, place.realm)
        mine = [row for row in rows if row["client_order_id"] in orders]
        stops = [row for row in rows if row["leg"] == "stop" and row["status"] == "NEW"]
        final = all(row["status"] not in {"INTENDED", "NEW", "PARTIALLY_FILLED"} for row in mine)
        filled = any(Decimal(str(row["executed_quantity"])) > 0 for row in mine)
        if mine and final and (stops or not filled):
            return True
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(POLL_S)
