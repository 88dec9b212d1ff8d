"""What the local stack costs: a no-op activity, a start, a restart. Printed, not asserted; `make bench` runs it."""

import os
import statistics
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from workers.stack.environment import trial_environment
from workers.stack.home import throw_away_home
from workers.stack.stack import Stack

ROUNDS, CALLS = 12, 17

pytestmark = pytest.mark.stack


@activity.defn
async def nothing() -> None:
    """Costs what the way to it costs."""


@workflow.defn(name="SeventeenCalls")
class SeventeenCalls:
    """As many calls, one after the other, as one decision of the framework we compare with makes."""

    @workflow.run
    async def run(self) -> None:
        for _ in range(CALLS):
            await workflow.execute_activity(nothing, start_to_close_timeout=timedelta(seconds=10))


async def test_bench_stack(tmp_path: Path) -> None:
    with throw_away_home(tmp_path) as home:
        began = time.perf_counter()
        async with Stack(home, env=trial_environment(os.environ).env, realm="bench") as stack:
            server = await stack.start_temporal()
            _say("Temporal server, start to ready", time.perf_counter() - began)
            client = await Client.connect(server.address)
            worker = Worker(
                client,
                task_queue="bench",
                workflows=[SeventeenCalls],
                activities=[nothing],
                workflow_runner=UnsandboxedWorkflowRunner(),  # the workflow lives in a test file
            )
            async with worker:
                runs = [await _one(client, number) for number in range(ROUNDS)]
            _say(f"{CALLS} no-op activities in sequence, median", statistics.median(runs))
            _say("one no-op activity, median", statistics.median(runs) / CALLS)
            began = time.perf_counter()
            stack.kill("temporal")
            await stack.ready_again("temporal", deaths=1)
            _say("Temporal server, killed to ready again", time.perf_counter() - began)
            began = time.perf_counter()
        _say("stack, stopped", time.perf_counter() - began)


async def _one(client: Client, number: int) -> float:
    began = time.perf_counter()
    await client.execute_workflow(SeventeenCalls.run, id=f"bench-{number}", task_queue="bench")
    return time.perf_counter() - began


def _say(what: str, seconds: float) -> None:
    sys.stdout.write(f"{what}: {seconds * 1000:.0f} ms\n")
