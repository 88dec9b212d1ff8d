"""The real servers, started when a test first asks, and what happens when one cannot be had.

A server that is not there skips its tests and names the one command that enables it; with `PERENNIAL_REQUIRE_ALL=1` the
same is a failure. The last lines of the run repeat each skipped group. Tests never set servers up: `make test` does,
through `python -m workers.stack.provide`. Nothing in the caller's environment leads a test to a real service: what
could is dropped before the first test is imported.
"""

from __future__ import annotations

import decimal
import os
import re
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from workers.stack import postgres as postgres_stack
from workers.stack import temporal_server as temporal_stack
from workers.stack import timeskip as timeskip_stack
from workers.stack.environment import trial_environment
from workers.stack.found import ServerUnavailableError
from workers.stack.home import throw_away_home

if TYPE_CHECKING:
    from temporalio.client import Client
    from temporalio.testing import WorkflowEnvironment

NAMESPACE = "tests"
"""One for all tests: a namespace made at run time takes a second to appear, a queue of one's own takes nothing."""

ENABLE = {
    "temporal": temporal_stack.ENABLE,
    "timeskip": timeskip_stack.ENABLE,
    "postgres": postgres_stack.ENABLE,
}
_CHAOS = Path(__file__).parent / "chaos"
_OURS = re.compile(r"PERENNIAL_(TEST_.*|REQUIRE_ALL|CACHE|TEMPORAL_BIN)")
_REASON = re.compile(r"\[no (\w+)\]")
_environment = trial_environment({name: value for name, value in os.environ.items() if not _OURS.fullmatch(name)})
for _name in _environment.dropped:
    del os.environ[_name]
os.environ.update(_environment.env)

TimeSkipping = Callable[..., Awaitable["WorkflowEnvironment"]]


def pytest_report_header() -> str:
    """Says what was taken out of the environment."""
    return f"dropped from the environment: {', '.join(_environment.dropped) or 'nothing'}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Chaos runs alone: a kill is to hit the work of its own run, at the time it was meant for."""
    for item in items:
        if _CHAOS in item.path.parents:
            item.add_marker(pytest.mark.alone)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test marked with a server needs it, even when it starts a stack of its own."""
    if item.get_closest_marker("temporal") or item.get_closest_marker("stack"):
        _temporal_program()
    if item.get_closest_marker("timeskip"):
        _timeskip_program()
    if item.get_closest_marker("postgres"):
        _need_postgres()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Names each group that was skipped for want of a server, its count and the command that enables it."""
    groups: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if found := _REASON.search(reason):
            groups[found[1]] += 1
    for group, count in sorted(groups.items()):
        terminalreporter.write_line(f"skipped {count} that need {group}; to run them: {ENABLE[group]}", yellow=True)


@pytest.fixture(autouse=True)
def _own_decimal_context() -> None:
    """A client that a test imports may change the process's rounding (ccxt does); the next test starts afresh."""
    decimal.setcontext(decimal.DefaultContext.copy())


@pytest.fixture(scope="session")
def temporal_server() -> Iterator[temporal_stack.TemporalServer]:
    """A real dev server for the whole run, with our settings and search attributes, its state in a throw-away home."""
    program = _temporal_program()
    options = temporal_stack.TemporalOptions(
        namespaces=(NAMESPACE,), search_attributes=_search_attribute_types(), ui=False
    )
    with throw_away_home() as home:
        server = temporal_stack.launch_temporal(program, home.path, dict(os.environ), options, grace_s=0.0)
        try:
            _outside_any_loop(temporal_stack.temporal_ready(server))
            yield server
        finally:
            server.stop()


@pytest.fixture
async def temporal_client(temporal_server: temporal_stack.TemporalServer) -> Client:
    """A client of the run's server with our plugin, in the tests' namespace. Use a `task_queue` of the test's own."""
    from temporalio.client import Client

    from workers.runtime.plugin import perennial_plugin

    return await Client.connect(temporal_server.address, namespace=NAMESPACE, plugins=[perennial_plugin()])


@pytest.fixture
def task_queue() -> str:
    """A queue name, and a prefix for workflow ids, that no other test has."""
    return f"test-{secrets.token_hex(6)}"


@pytest.fixture(scope="session")
def timeskip_binary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The time-skipping server's program; what it starts ends with the run, what a killed run left before it."""
    program = _timeskip_program()
    with timeskip_stack.owned_timeskip(program, tmp_path_factory.mktemp("timeskip")) as marked:
        yield marked


@pytest.fixture
async def time_skipping(timeskip_binary: Path) -> AsyncIterator[TimeSkipping]:
    """Starts a time-skipping environment with our plugin and search attributes: `env = await time_skipping()`.

    Keyword arguments go to the SDK. One environment a test: a second open workflow lets the clock jump.
    """
    from temporalio.testing import WorkflowEnvironment

    from workers.runtime.plugin import perennial_plugin
    from workers.stack.temporal_admin import add_search_attributes

    async with AsyncExitStack() as opened:

        async def start(**options: Any) -> WorkflowEnvironment:
            patient = timedelta(seconds=30)  # Java takes its time on a busy machine; 5 s is the SDK's patience
            wanted = {"plugins": [perennial_plugin()], "test_server_startup_timeout": patient, **options}
            env = await WorkflowEnvironment.start_time_skipping(
                test_server_existing_path=str(timeskip_binary), **wanted
            )
            await opened.enter_async_context(env)
            await add_search_attributes(env.client, "default", _search_attribute_types())
            return env

        yield start


@pytest.fixture
async def time_skipping_env(time_skipping: TimeSkipping) -> WorkflowEnvironment:
    """A time-skipping environment with our plugin and search attributes."""
    return await time_skipping()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a real PostgreSQL: `PERENNIAL_TEST_DATABASE_URL`, else a private server for the whole run."""
    given = _need_postgres()
    if given:
        yield given
        return
    server = postgres_stack.start_postgres(os.environ)
    try:
        yield server.url
    finally:
        server.stop()


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database of the test's own."""
    with postgres_stack.fresh_database(postgres_server) as url:
        yield url


def _temporal_program() -> Path:
    try:
        program = temporal_stack.find_temporal(os.environ)
    except ServerUnavailableError as error:
        _unavailable("temporal", str(error))
    return program or _unavailable("temporal", "no `temporal` program on PATH or in the cache")


def _timeskip_program() -> Path:
    return timeskip_stack.find_timeskip(os.environ) or _unavailable("timeskip", "no time-skipping test server")


def _need_postgres() -> str:
    given = os.environ.get("PERENNIAL_TEST_DATABASE_URL", "")
    if not given and postgres_stack.find_postgres(os.environ) is None:
        _unavailable("postgres", "neither PERENNIAL_TEST_DATABASE_URL nor a PostgreSQL on this machine")
    return given


def _unavailable(group: str, reason: str) -> NoReturn:
    sentence = f"[no {group}] {reason}; to run it: {ENABLE[group]}"
    if os.environ.get("PERENNIAL_REQUIRE_ALL") == "1":
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


def _search_attribute_types() -> dict[str, str]:
    from workers.stack.temporal_admin import type_names
    from workflows.names import SEARCH_ATTRIBUTES

    return type_names(SEARCH_ATTRIBUTES)


def _outside_any_loop(work: Coroutine[Any, Any, None]) -> None:
    """Runs session set-up in a loop of its own, in a thread of its own: the tests' loops stay as they are."""
    import asyncio

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()
