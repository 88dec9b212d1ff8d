"""How a campaign is seen from outside while parts of it are killed: where it is, what runs, whether it has failed."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from temporalio.client import Client, WorkflowHandle

    from workflows.protocol import CampaignProgress, CampaignResult

ASK_AGAIN_S = 1.0
QUERY_WITHIN_S = 3.0
DECISION = "TradeDecision"
LASTING = frozenset({"MarketWatch", "AccountDesk"})
"""They run all the time: one is met in the middle of something while it has a workflow task, and decisions run."""


async def ended(handle: WorkflowHandle[Any, CampaignResult]) -> CampaignResult:
    """The campaign's result, waited for through restarts of the Temporal server too."""
    from temporalio.service import RPCError, RPCStatusCode

    cut_off = {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.UNKNOWN,  # a connection that breaks in the middle of an answer
        RPCStatusCode.CANCELLED,
        RPCStatusCode.DEADLINE_EXCEEDED,
    }
    while True:
        try:
            return await handle.result()
        except RPCError as error:
            if error.status not in cut_off:
                raise
            await asyncio.sleep(ASK_AGAIN_S)


async def raise_for_failures(client: Client) -> None:
    """A workflow that failed answers no tick, and its campaign would wait for ever: say which one, and stop."""
    from temporalio.service import RPCError

    with contextlib.suppress(RPCError):
        async for failed in client.list_workflows('ExecutionStatus = "Failed"', limit=1):
            raise RuntimeError(f"workflow {failed.id} failed: its history says why; the campaign was stopped")


async def types_that_run(client: Client, types: tuple[str, ...]) -> frozenset[str]:
    """Of these workflow types, those of which one is in the middle of its work; none while the service is away."""
    from temporalio.service import RPCError

    lasting = LASTING.intersection(types)
    named = ", ".join(f"'{name}'" for name in {*types, *({DECISION} if lasting else ())})
    query = f"ExecutionStatus = 'Running' AND WorkflowType IN ({named})"
    try:
        found = [(each.workflow_type, each.id) async for each in client.list_workflows(query)]
        met = {kind for kind, _ in found} - LASTING
        if DECISION in met:
            asked = [(kind, name) for kind, name in found if kind in lasting]
            works = await asyncio.gather(*(_is_in_a_task(client, name) for _, name in asked))
            met |= {kind for (kind, _), is_at_it in zip(asked, works, strict=True) if is_at_it}
    except RPCError:
        return frozenset()
    return frozenset(met.intersection(types))


async def _is_in_a_task(client: Client, workflow_id: str) -> bool:
    """Whether a worker has a task of the workflow in its hands now."""
    from temporalio.api.enums.v1 import PendingWorkflowTaskState

    described = (await client.get_workflow_handle(workflow_id).describe()).raw_description
    started = PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED
    return described.HasField("pending_workflow_task") and described.pending_workflow_task.state == started


async def progress_of(handle: Any) -> CampaignProgress | None:
    """Where the campaign is, or nothing while the worker that knows is down."""
    from temporalio.client import WorkflowQueryFailedError
    from temporalio.service import RPCError

    from workflows.replay_campaign import ReplayCampaign

    try:
        async with asyncio.timeout(QUERY_WITHIN_S):
            seen: CampaignProgress = await handle.query(ReplayCampaign.progress)
            return seen
    except (RPCError, WorkflowQueryFailedError, TimeoutError):
        return None
