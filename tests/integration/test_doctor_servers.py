"""The doctor at real servers: what is missing is named with its command, and looking changes nothing."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from exchange_process import GENERATED, ExchangeProcess
from temporalio import activity, workflow
from temporalio.client import Client, Schedule, ScheduleActionStartWorkflow, ScheduleSpec, ScheduleState
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.worker import Worker

from config.settings import load_settings
from workers.doctor.checks import Check, Purpose, State
from workers.doctor.service import Service, service_checks, service_of
from workers.doctor.venue import venue_checks
from workers.doctor.working import working_checks
from workers.stack.temporal_server import TemporalServer
from workflows.names import REALM, QueueRole, task_queue


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PERENNIAL_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def service(temporal_client: Client, temporal_server: TemporalServer) -> Service:
    """The run's server, looked at for a realm that nobody else has."""
    realm = f"test-{secrets.token_hex(4)}"
    return Service(client=temporal_client, address=temporal_server.address, found_in="a test", realm=realm, stack=None)


async def _working(service: Service) -> dict[str, Check]:
    return {check.name: check async for check in working_checks(service, load_settings())}


@pytest.mark.temporal
async def test_a_server_that_is_set_up_for_us_passes(service: Service, home: Path) -> None:
    found = {check.name: check async for check in service_checks(service)}
    for name in ("temporal.service", "temporal.namespace", "temporal.search_attributes"):
        assert found[name].state is State.OK, found[name].detail


@pytest.mark.temporal
async def test_a_namespace_that_is_not_there_names_the_command(
    temporal_server: TemporalServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal_server.address)
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "nowhere")
    found_service = await service_of(load_settings(), Purpose.WORKER)
    assert found_service is not None
    found = {check.name: check async for check in service_checks(found_service)}
    assert found["temporal.namespace"].state is State.FAILED
    assert found["temporal.namespace"].fix.startswith("temporal operator namespace create --namespace nowhere")


@pytest.mark.temporal
async def test_queues_that_nobody_polls_are_named_with_their_worker(service: Service, home: Path) -> None:
    pollers = (await _working(service))["temporal.pollers"]
    assert pollers.state is State.FAILED
    assert pollers.fix == "perennial worker --roles decisions,calls,models,market,compute,exchange"


@pytest.mark.temporal
async def test_a_paused_schedule_is_told_with_who_paused_it(service: Service, home: Path) -> None:
    assert (await _working(service))["temporal.schedules"].state is State.OK
    queue = task_queue(service.realm, QueueRole.DECISIONS)
    handle = await service.client.create_schedule(
        f"{service.realm}/plan",
        Schedule(
            action=ScheduleActionStartWorkflow("Nothing", id=f"{service.realm}/nothing", task_queue=queue),
            spec=ScheduleSpec(cron_expressions=["0 7 * * *"]),
            state=ScheduleState(paused=True, note="ann is away"),
        ),
    )
    try:
        paused = await _until_failed(service, "temporal.schedules")
        assert "ann is away" in paused.detail
        assert f"--schedule-id {service.realm}/plan" in paused.fix
    finally:
        await handle.delete()


async def _until_failed(service: Service, name: str) -> Check:
    """The list of schedules follows the schedules after a moment."""
    from eventually import eventually

    async def failing() -> Check | None:
        found = (await _working(service))[name]
        return found if found.state is State.FAILED else None

    seen = await eventually(failing, what=f"{name} fails")
    assert seen is not None
    return seen


@activity.defn
async def quick() -> str:
    return "done"


@workflow.defn(name="TradeDecision", sandboxed=False)
class SomeDecision:
    """A decision as the visibility store sees it: a type, a realm, and one plain activity on another queue."""

    @workflow.run
    async def run(self, queue: str) -> str:
        return await workflow.execute_activity(quick, task_queue=queue, start_to_close_timeout=timedelta(seconds=10))


@pytest.mark.temporal
async def test_latency_is_read_from_decisions_that_were_taken(service: Service, home: Path, task_queue: str) -> None:
    from eventually import eventually

    assert (await _working(service))["temporal.activity_latency"].state is State.SKIPPED
    working = Worker(service.client, task_queue=task_queue, workflows=[SomeDecision])
    acting = Worker(service.client, task_queue=f"{task_queue}-models", activities=[quick])
    async with working, acting:
        await service.client.execute_workflow(
            SomeDecision.run,
            f"{task_queue}-models",
            id=f"{service.realm}/decision/1",
            task_queue=task_queue,
            search_attributes=TypedSearchAttributes([SearchAttributePair(REALM, service.realm)]),
        )

    async def measured() -> Check | None:
        found = (await _working(service))["temporal.activity_latency"]
        return found if found.state is not State.SKIPPED else None

    latency = await eventually(measured, what="a measured latency")
    assert latency is not None
    assert latency.detail.startswith("1 activities started ")


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[ExchangeProcess]:
    running = ExchangeProcess(tmp_path / "venue.sqlite", **GENERATED)
    yield running
    running.close()


async def test_a_venue_is_asked_for_clock_filters_and_smallest_equity(
    exchange: ExchangeProcess, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERENNIAL_VENUE_URL", f"http://127.0.0.1:{exchange.port}")
    found = {check.name: check async for check in venue_checks(load_settings())}
    assert found["exchange.clock"].state is State.OK, found["exchange.clock"].detail
    assert "BTC/USDT from 5" in found["exchange.filters"].detail
    assert found["exchange.equity"].detail.startswith("an account needs 276.5")


async def test_a_venue_that_is_gone_is_one_failure(
    exchange: ExchangeProcess, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"http://127.0.0.1:{exchange.port}"
    exchange.kill()
    monkeypatch.setenv("PERENNIAL_VENUE_URL", address)
    found = [check async for check in venue_checks(load_settings())]
    assert [check.name for check in found] == ["exchange.clock"]
    assert found[0].fix == f"curl -sS {address}/api/v3/time"
