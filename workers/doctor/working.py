"""Whether the service works for us: who polls each queue, how long an activity waits, what is paused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from itertools import islice
from statistics import median
from typing import TYPE_CHECKING, Any

from workers.doctor.checks import Check, failed, passed, skipped
from workers.doctor.service import ANSWERS_WITHIN, Service

if TYPE_CHECKING:
    from config.settings import Settings

UNTUNED_ABOVE_S = 0.05
"""An untuned dev server starts an activity 50 to 100 ms after it is scheduled; a tuned one takes a few."""

DECISIONS_LOOKED_AT = 3


async def working_checks(service: Service, settings: Settings) -> AsyncIterator[Check]:
    """All of this family. Nothing is started: latency is read from histories that are there."""
    yield await _pollers(service, settings)
    yield await _latency(service)
    yield await _schedules(service, settings)


async def _pollers(service: Service, settings: Settings) -> Check:
    from workflows.names import QueueRole, exchange_queue, task_queue

    realm = service.realm
    roles = (QueueRole.DECISIONS, QueueRole.CALLS, QueueRole.MODELS, QueueRole.MARKET, QueueRole.COMPUTE)
    queues = {role.value: task_queue(realm, role) for role in roles}
    queues[QueueRole.EXCHANGE.value] = exchange_queue(realm, settings.venue_row.venue)
    counts = await asyncio.gather(*(_polled(service, queue) for queue in queues.values()))
    polled = dict(zip(queues, counts, strict=True))
    missing = [role for role, count in polled.items() if not count]
    shown = ", ".join(f"{queues[role]} {count}" for role, count in polled.items())
    if missing:
        return failed(
            "temporal.pollers",
            f"nobody polls {', '.join(queues[role] for role in missing)} ({shown})",
            fix=f"perennial worker --roles {','.join(missing)}",
        )
    return passed("temporal.pollers", shown)


async def _polled(service: Service, queue: str) -> int:
    from temporalio.api.enums.v1 import TaskQueueType
    from temporalio.api.taskqueue.v1 import TaskQueue
    from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest

    kinds = (
        (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,)
        if queue.endswith("/decisions")
        else (TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,)
    )
    seen = set()
    for kind in kinds:
        found = await service.client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=service.client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
            ),
            timeout=ANSWERS_WITHIN,
        )
        seen |= {poller.identity for poller in found.pollers}
    return len(seen)


async def _latency(service: Service) -> Check:
    """The time from scheduled to started of the activities of the newest decisions: measured where work was done."""
    name = "temporal.activity_latency"
    query = f'PerennialRealm = "{service.realm}" AND WorkflowType = "TradeDecision"'
    waits: list[float] = []
    async for execution in service.client.list_workflows(query, limit=DECISIONS_LOOKED_AT, rpc_timeout=ANSWERS_WITHIN):
        handle = service.client.get_workflow_handle(execution.id, run_id=execution.run_id)
        history = await handle.fetch_history(rpc_timeout=ANSWERS_WITHIN)
        waits += _waits_s(history.events)
    if not waits:
        return skipped(
            name,
            "measured on decisions that were taken, and none is there; a worker of our own would have to be started",
            fix="perennial decide BTC/USDT",
        )
    typical, worst = median(waits), max(waits)
    told = (
        f"{len(waits)} activities started {typical * 1000:.0f} ms after they were scheduled (worst {worst * 1000:.0f})"
    )
    if typical > UNTUNED_ABOVE_S:
        why = "an untuned dev server, a distant service or a busy machine"
        return failed(name, f"{told}: {why}", fix="perennial up")
    return passed(name, told)


def _waits_s(events: Any) -> list[float]:
    """Seconds between scheduled and started, of activities that ran at their first attempt."""
    scheduled: dict[int, datetime] = {}
    waits = []
    for event in islice(events, 500):
        if event.HasField("activity_task_scheduled_event_attributes"):
            scheduled[event.event_id] = event.event_time.ToDatetime()
        elif event.HasField("activity_task_started_event_attributes"):
            started = event.activity_task_started_event_attributes
            if started.attempt == 1 and started.scheduled_event_id in scheduled:
                waits.append((event.event_time.ToDatetime() - scheduled[started.scheduled_event_id]).total_seconds())
    return waits


async def _schedules(service: Service, settings: Settings) -> Check:
    """Paused ones, and missing ones where others were applied: a realm without any is run by hand."""
    from workers.schedules import listed, missing, plant_of

    name = "temporal.schedules"
    plant = plant_of(settings, service.client, realm=service.realm)
    rows = await listed(service.client, service.realm)
    paused = [row for row in rows if row["paused"]]
    if paused:
        shown = "; ".join(f"{row['id']} ({row['note'] or 'no note'})" for row in paused)
        fix = f"temporal schedule toggle --unpause --schedule-id {paused[0]['id']} --reason resumed {service.flags}"
        return failed(name, f"paused: {shown}", fix=fix)
    if not rows:
        return passed(name, "none in this realm; `perennial schedules apply` makes them")
    if absent := missing(rows, plant):
        return failed(name, f"missing: {', '.join(absent)}", fix="perennial schedules apply")
    return passed(name, f"{len(rows)}, none paused")
