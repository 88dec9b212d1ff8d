"""A worker process: one client, one worker a role, probes, and an orderly end at SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import Worker, WorkerDeploymentConfig

from workers.runtime.health import Health
from workers.runtime.site import Site
from workers.runtime.wiring import Room, furnished
from workflows.names import QueueRole

log = logging.getLogger(__name__)

STICKY_S = 0.5
"""A worker that was killed is noticed by its sticky queue after this long; the default of ten seconds is an age."""

SLOTS: dict[QueueRole, int] = {
    QueueRole.DECISIONS: 200,
    QueueRole.CALLS: 200,
    QueueRole.MODELS: 64,
    QueueRole.MARKET: 32,
    QueueRole.EXCHANGE: 64,
    QueueRole.COMPUTE: 4,
}


async def serve(client: Client, site: Site, *, stop: asyncio.Event | None = None) -> None:
    """Run the site's roles until SIGTERM, SIGINT or `stop`; a fatal worker error propagates and ends the process."""
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError, RuntimeError):
            loop.add_signal_handler(name, stop.set)
    async with furnished(site) as rooms:
        workers = [worker_of(client, site, room) for room in rooms]
        health = Health(is_ready=lambda: all(worker.is_running for worker in workers))
        async with health.listening(host=site.health_host, port=site.health_port):
            await _run(workers, health, stop, beside=_recovery(client, site))


def _recovery(client: Client, site: Site) -> Coroutine[Any, Any, object] | None:
    """What a worker that runs workflows does beside them: nothing open is left without its workflow."""
    if QueueRole.DECISIONS not in site.roles:
        return None
    from workers.runtime.recovery import stay_protected

    return stay_protected(client, site)


def worker_of(client: Client, site: Site, room: Room) -> Worker:
    """The worker of one room. All rooms of a process carry the same deployment version."""
    options: dict[str, Any] = {}
    if room.workflows:
        options = {
            "workflows": room.workflows,
            "max_cached_workflows": site.cached_workflows,
            "sticky_queue_schedule_to_start_timeout": timedelta(seconds=STICKY_S),
            "max_concurrent_local_activities": SLOTS[room.role],
        }
    return Worker(
        client,
        task_queue=room.queue,
        activities=room.activities,
        max_concurrent_activities=SLOTS[room.role],
        graceful_shutdown_timeout=timedelta(seconds=site.grace_s),
        max_heartbeat_throttle_interval=timedelta(milliseconds=500),
        default_heartbeat_throttle_interval=timedelta(milliseconds=500),
        deployment_config=WorkerDeploymentConfig(
            version=WorkerDeploymentVersion(deployment_name=site.deployment, build_id=site.build_id),
            use_worker_versioning=True,
            default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
        ),
        **options,
    )


async def _run(
    workers: list[Worker], health: Health, stop: asyncio.Event, *, beside: Coroutine[Any, Any, object] | None
) -> None:
    running = [asyncio.create_task(worker.run()) for worker in workers]
    waiting = asyncio.create_task(_until_stopped(stop, beside))
    log.info("working", extra={"queues": [worker.task_queue for worker in workers], "health_port": health.port})
    await asyncio.wait([*running, waiting], return_when=asyncio.FIRST_COMPLETED)
    health.draining = True
    if not waiting.done():
        waiting.cancel()
    await asyncio.gather(*(worker.shutdown() for worker in workers))
    await asyncio.gather(*running)
    if not waiting.cancelled():
        await waiting


async def _until_stopped(stop: asyncio.Event, beside: Coroutine[Any, Any, object] | None) -> None:
    """Do what is to be done beside the workers, then wait; a stop ends both, an error of the work is the process's."""
    working = asyncio.create_task(beside) if beside is not None else None
    stopping = asyncio.create_task(stop.wait())
    try:
        if working is not None:
            await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        await stopping
    finally:
        stopping.cancel()
        if working is not None:
            working.cancel()
