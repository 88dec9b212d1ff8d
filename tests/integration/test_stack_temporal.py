"""The local Temporal server and the parts around it, as processes: kept workflows, versions, restarts, addresses."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from eventually import eventually
from temporalio import workflow
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    VersioningBehavior,
    WorkerDeploymentVersion,
)
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkerDeploymentConfig

from workers.stack import processes, temporal_admin
from workers.stack import stack as stack_module
from workers.stack.environment import trial_environment
from workers.stack.home import attach, throw_away_home
from workers.stack.kept import PartError
from workers.stack.ports import free_port
from workers.stack.readiness import http_ok, printed_ready_line
from workers.stack.stack import Part, Stack
from workers.stack.temporal_server import CAMPAIGN_RETENTION, RETENTION, TemporalOptions
from workers.stack.timeskip import owned_timeskip
from workflows.names import SEARCH_ATTRIBUTES

pytestmark = pytest.mark.stack

HOSTILE = {"TEMPORAL_ADDRESS": "127.0.0.1:1", "TEMPORAL_NAMESPACE": "production", "HTTPS_PROXY": "http://127.0.0.1:1"}
TYPES = {"StackKeyword": "Keyword", "StackTime": "Datetime", "StackList": "KeywordList"}


@workflow.defn(name="Held", versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class Held:
    """Waits until it is let go, and returns what it was told."""

    def __init__(self) -> None:
        self._said = ""

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: bool(self._said))
        return self._said

    @workflow.signal
    def let_go(self, said: str) -> None:
        self._said = said


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    """An empty stack in a throw-away home, in an environment that was hostile."""
    with throw_away_home(tmp_path) as home:
        env = trial_environment({**os.environ, **HOSTILE}).env
        async with Stack(home, env=env, realm="test", programs=os.environ) as running:
            yield running


def web(name: str, port: int, **options: object) -> Part:
    argv = (sys.executable, "-P", "-m", "http.server", str(port), "--bind", "127.0.0.1")
    return Part(name=name, argv=argv, ready=http_ok(port, "/"), **options)  # type: ignore[arg-type]


def held_worker(client: Client, queue: str) -> Worker:
    version = WorkerDeploymentVersion("stack-test", "local")
    return Worker(
        client,
        task_queue=queue,
        workflows=[Held],
        deployment_config=WorkerDeploymentConfig(version=version, use_worker_versioning=True),
        workflow_runner=UnsandboxedWorkflowRunner(),  # the workflow lives in a test file
    )


async def test_a_killed_server_comes_back_on_its_file_with_every_workflow(stack: Stack, task_queue: str) -> None:
    await stack.start_temporal(TemporalOptions(ui=False))
    client = await Client.connect(stack.temporal.address)
    handle = await client.start_workflow(Held.run, id=task_queue, task_queue=task_queue)
    before = stack.kill("temporal")
    running = await stack.ready_again("temporal", deaths=1)
    assert running.pid != before
    assert running.exit_codes == [128 + signal.SIGKILL]
    async with held_worker(client, task_queue):
        await temporal_admin.make_current(client, deployment="stack-test", build_id="local")
        await handle.signal(Held.let_go, "still here")
        assert await asyncio.wait_for(handle.result(), 30) == "still here"


async def test_namespaces_have_their_retention_and_search_attributes(stack: Stack) -> None:
    server = await stack.start_temporal(TemporalOptions(ui=False, search_attributes=TYPES), namespace="campaign")
    admin = await temporal_admin.connect(server.address)
    for namespace in ("default", "campaign"):
        assert await _retention(admin, namespace) == RETENTION
        assert await temporal_admin.ensure_search_attributes(admin, namespace, TYPES) == [], "registered already"
    await temporal_admin.ensure_namespace(admin, "later", retention=CAMPAIGN_RETENTION)
    assert await _retention(admin, "later") == CAMPAIGN_RETENTION
    assert await temporal_admin.ensure_search_attributes(admin, "later", TYPES) == sorted(TYPES)
    assert await temporal_admin.ensure_search_attributes(admin, "later", TYPES) == []


async def test_a_search_attribute_of_another_type_is_refused(stack: Stack) -> None:
    server = await stack.start_temporal(TemporalOptions(ui=False, search_attributes=TYPES))
    admin = await temporal_admin.connect(server.address)
    with pytest.raises(temporal_admin.TemporalSetupError, match=r"StackTime is DATETIME .* Keyword is needed"):
        await temporal_admin.ensure_search_attributes(admin, "default", {"StackTime": "Keyword"})


async def test_a_versioned_worker_gets_work_once_its_build_is_current(stack: Stack, task_queue: str) -> None:
    server = await stack.start_temporal(TemporalOptions(ui=False))
    client = await Client.connect(server.address)
    making = asyncio.create_task(temporal_admin.make_current(client, deployment="stack-test", build_id="local"))
    async with held_worker(client, task_queue):  # registers after the first attempt, as in life
        await making
        await temporal_admin.make_current(client, deployment="stack-test", build_id="local")
        handle = await client.start_workflow(Held.run, id=task_queue, task_queue=task_queue)
        await handle.signal(Held.let_go, "current")
        assert await asyncio.wait_for(handle.result(), 30) == "current"


async def test_a_build_that_no_worker_runs_is_not_made_current(stack: Stack) -> None:
    server = await stack.start_temporal(TemporalOptions(ui=False))
    client = await Client.connect(server.address)
    with pytest.raises(temporal_admin.TemporalSetupError, match="no worker of stack-test, build gone"):
        await temporal_admin.make_current(client, deployment="stack-test", build_id="gone", timeout_s=0.3)


async def test_parts_start_side_by_side_are_attached_to_and_stop(stack: Stack) -> None:
    port = free_port()
    await asyncio.gather(stack.start_temporal(), stack.start(web("exchange", port)))
    stack.publish(exchange=f"http://127.0.0.1:{port}")
    found = attach(stack.home.path)
    assert found is not None
    assert found.temporal_address == stack.temporal.address
    assert found.temporal_ui
    assert found.addresses == {"exchange": f"http://127.0.0.1:{port}"}
    assert dict(found.pids) == stack.pids
    assert set(stack.pids) == {"temporal", "exchange"}
    marks = [(pid, processes.start_mark(pid) or "") for pid in stack.pids.values()]
    await stack.stop_all()
    assert stack.pids == {}
    assert not any(processes.is_same(pid, mark) for pid, mark in marks)


async def test_the_web_ui_answers(stack: Stack) -> None:
    options = TemporalOptions()
    await stack.start_temporal(options)
    asked = http_ok(options.ui_port, "/")
    assert await eventually(lambda: asked(stack.parts["temporal"].kept))


async def test_a_dead_part_is_restarted_and_counted(stack: Stack) -> None:
    port = free_port()
    await stack.start(web("exchange", port))
    for deaths in (1, 2):
        before = stack.kill("exchange")
        running = await stack.ready_again("exchange", deaths=deaths)
        assert running.pid != before
        assert stack.restarts == {"exchange": deaths}
    found = attach(stack.home.path)
    assert found is not None
    assert await eventually(lambda: dict(stack.publish().pids) == {"exchange": running.pid})


async def test_a_part_that_was_just_killed_is_waited_for(stack: Stack) -> None:
    port = free_port()
    part = await stack.start(web("exchange", port))
    before = stack.kill("exchange")
    await stack.all_ready()
    assert stack.pids["exchange"] != before
    assert await http_ok(port, "/")(part.kept) is not None


async def test_kills_of_our_own_never_make_a_part_given_up(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_module, "GIVE_UP_AFTER", 2)
    running = await stack.start(web("exchange", free_port()))
    for deaths in range(1, 5):
        stack.kill("exchange")
        await stack.ready_again("exchange", deaths=deaths)
    assert running.failure == ""


async def test_a_part_that_keeps_dying_is_given_up_with_its_last_words(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack_module, "GIVE_UP_AFTER", 2)
    once = f"import pathlib, sys; p = pathlib.Path({str(tmp_path / 'once')!r});"
    once += "sys.exit('disk full') if p.exists() else (p.touch(), print('{\"ready\": true}', flush=True))"
    await stack.start(Part(name="exchange", argv=(sys.executable, "-c", once), ready=printed_ready_line))
    assert "disk full" in await eventually(stack.first_failure, timeout_s=60)
    assert stack.restarts == {"exchange": 3}


async def test_the_server_sees_no_setting_of_ours(tmp_path: Path) -> None:
    env = {**os.environ, "TEMPORAL_NAMESPACE": "production", "DEEPSEEK_API_KEY": "secret"}
    with throw_away_home(tmp_path) as home:
        async with Stack(home, env=env, realm="paper") as stack:
            server = await stack.start_temporal(TemporalOptions(ui=False))
            seen = server.kept.command.env
            assert (seen.get("TEMPORAL_NAMESPACE"), seen.get("DEEPSEEK_API_KEY")) == (None, None)


async def test_a_part_that_must_not_restart_is_reported(stack: Stack) -> None:
    await stack.start(web("exchange", free_port(), restarts=False))
    stack.kill("exchange")
    assert "exchange ended with code 137" in await eventually(stack.first_failure)
    with pytest.raises(PartError, match="exchange ended with code 137"):
        await stack.ready_again("exchange", deaths=2)


async def test_a_frozen_part_is_not_dead_and_can_be_thawed(stack: Stack) -> None:
    port = free_port()
    running = await stack.start(web("exchange", port))
    before = stack.kill("exchange", signal.SIGSTOP)
    assert await http_ok(port, "/")(running.kept) is None
    stack.kill("exchange", signal.SIGCONT)
    assert await eventually(lambda: http_ok(port, "/")(running.kept))
    assert running.pid == before
    assert stack.restarts == {"exchange": 0}


async def test_a_ready_line_is_read_as_facts(stack: Stack) -> None:
    code = "import json, time; print('starting', flush=True); time.sleep(.1);"
    code += "print(json.dumps({'ready': True, 'port': 4711}), flush=True); time.sleep(600)"
    argv = (sys.executable, "-c", code)
    running = await stack.start(Part(name="exchange", argv=argv, ready=printed_ready_line))
    assert running.facts["port"] == 4711


async def test_a_part_that_dies_before_it_is_ready_says_why(stack: Stack) -> None:
    argv = (sys.executable, "-c", "import sys; sys.exit('no candles for BTC/USDT')")
    with pytest.raises(PartError, match="ended with code 1 before it was ready: no candles for BTC/USDT"):
        await stack.start(Part(name="exchange", argv=argv, ready=printed_ready_line))


async def test_a_part_that_never_gets_ready_is_given_up(stack: Stack) -> None:
    argv = (sys.executable, "-c", "import time; time.sleep(600)")
    with pytest.raises(PartError, match="was not ready within 0 s"):
        await stack.start(Part(name="exchange", argv=argv, ready=printed_ready_line, ready_timeout_s=0.3))


async def test_only_our_own_parts_can_be_killed(stack: Stack) -> None:
    with pytest.raises(PartError, match="no part worker"):
        stack.kill("worker")


@pytest.mark.timeskip
async def test_time_skips_and_nothing_is_left(timeskip_binary: Path, tmp_path: Path, task_queue: str) -> None:
    with owned_timeskip(timeskip_binary, tmp_path) as program:
        env = await WorkflowEnvironment.start_time_skipping(
            test_server_existing_path=str(program), test_server_startup_timeout=timedelta(seconds=30)
        )
        await env.sleep(timedelta(days=30))
        mine = [pid for pid, _ in processes.marked(lambda token: token.startswith(f"timeskip:{os.getpid()}:"))]
        assert mine, "the server carries our mark"
    assert not any(processes.start_mark(pid) for pid in mine), "ended though the environment was never shut down"


async def _retention(admin: Client, namespace: str) -> timedelta:
    found = await admin.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=namespace))
    return found.config.workflow_execution_retention_ttl.ToTimedelta()


def test_typed_keys_become_server_types() -> None:
    keys = [
        SearchAttributeKey.for_keyword("A"),
        SearchAttributeKey.for_keyword_list("B"),
        SearchAttributeKey.for_datetime("C"),
    ]
    assert temporal_admin.type_names(keys) == {"A": "Keyword", "B": "KeywordList", "C": "Datetime"}


def test_options_name_their_addresses_before_anything_runs() -> None:
    options = TemporalOptions()
    assert options.address == f"127.0.0.1:{options.port}"
    assert options.port != options.ui_port


async def test_the_runs_server_has_our_namespace_and_search_attributes(
    temporal_client: Client, task_queue: str
) -> None:
    realm = SearchAttributePair(SEARCH_ATTRIBUTES[0], task_queue)
    handle = await temporal_client.start_workflow(
        Held.run, id=task_queue, task_queue=task_queue, search_attributes=TypedSearchAttributes([realm])
    )
    found = (await handle.describe()).typed_search_attributes
    await handle.terminate()
    assert found[SEARCH_ATTRIBUTES[0]] == task_queue


@pytest.mark.timeskip
async def test_a_time_skipping_environment_knows_our_search_attributes(
    time_skipping_env: WorkflowEnvironment, task_queue: str
) -> None:
    realm = SearchAttributePair(SEARCH_ATTRIBUTES[0], task_queue)
    handle = await time_skipping_env.client.start_workflow(
        Held.run, id=task_queue, task_queue=task_queue, search_attributes=TypedSearchAttributes([realm])
    )
    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
