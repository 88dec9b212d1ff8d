"""What a desk tells its guards: withdraw entries, leave, or sell a part. A desk orders nothing itself."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from workflows.names import Signal, guard_workflow
    from workflows.protocol import DeskRequest, Errand, LeaveRequest, ReduceRequest


async def tell_guard(desk: DeskRequest, symbol: str, errand: Errand) -> str | None:
    """The guard's workflow id; `None` where nobody guards the symbol: nothing of ours is at the venue then."""
    name = guard_workflow(desk.realm, desk.account, symbol)
    guard = workflow.get_external_workflow_handle(name)
    sold = dict(errand.sales)
    try:
        if errand.leaves:
            leave = LeaveRequest(operation_id=errand.operation_id, who=errand.who, reason=errand.reason)
            await guard.signal(Signal.LEAVE, leave)
            return name
        await guard.signal(Signal.WITHDRAW, errand.reason)
        if symbol in sold:
            less = ReduceRequest(
                request_id=f"{errand.operation_id}:{symbol}",
                decision_id=errand.operation_id,
                quantity=sold[symbol],
                reason=errand.reason,
            )
            await guard.signal(Signal.REDUCE, less)
    except ApplicationError:
        workflow.logger.info("nobody guards %s: nothing of ours is at the venue", symbol)
        return None
    return name
