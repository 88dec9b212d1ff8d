"""What a decision sees: the market at its time, what is remembered of others, and the lead account's position."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.market.calls import OBSERVE_CALL, REPLAYED_OBSERVE_CALL, MarketCalls
    from activities.market.port import Observation, ObserveRequest
    from trading.decision.models import PositionView
    from workflows.names import QueueRole, task_queue
    from workflows.options import at
    from workflows.protocol import DecisionRequest


class Scene(NamedTuple):
    """What both models are shown: the observation, what is remembered, and the lead account's position."""

    seen: Observation
    recall_hash: str
    position: PositionView


async def observe(
    request: DecisionRequest, position: PositionView, *, as_of: datetime | None = None
) -> Observation | None:
    """The market at the decision's time, or at a later one; `None` where it does not answer."""
    head = request.head
    call = REPLAYED_OBSERVE_CALL if request.coordinator else OBSERVE_CALL
    try:
        return await workflow.execute_activity_method(
            MarketCalls.observe_market,
            ObserveRequest(
                realm=head.realm,
                venue=head.venue,
                symbol=head.symbol,
                as_of=as_of or head.as_of,
                position=position,
            ),
            **at(task_queue(head.realm, QueueRole.MARKET), f"observe {head.symbol}", call),
        )
    except ActivityError as failed:
        if is_cancelled_exception(failed):
            raise
        workflow.logger.warning("the market could not be observed: %s", failed.cause)
        return None
