"""The local Temporal server: found, fetched or built, and started with the settings that make it fast.

Search order: `PERENNIAL_TEMPORAL_BIN`, PATH, our cache, the SDK's own download, a Go build (three minutes, announced,
once a machine), an error that says what to install. Untuned, every activity costs 100 ms.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from workers.stack.found import Announce, ServerUnavailableError, cache_folder, is_program, only_one, quiet
from workers.stack.kept import Command, Kept, PartError
from workers.stack.ports import LOOPBACK, free_port

if TYPE_CHECKING:
    from temporalio.client import Client

GO_MODULE = "github.com/temporalio/cli/cmd/temporal@v1.5.1"
"""Newer tags carry a `replace` for one of their own modules and cannot be installed this way."""

ENABLE = "python -m workers.stack.provide temporal"

STATE_FILE = "temporal.db"
RETENTION = timedelta(days=90)
CAMPAIGN_RETENTION = timedelta(days=3)

DYNAMIC_CONFIG: Mapping[str, str] = {
    # One shard polls its queues 20 times a second unless told otherwise: 50 ms a hop, 100 ms a plain activity.
    "history.transferProcessorMaxPollRPS": "2000",
    "history.timerProcessorMaxPollRPS": "2000",
    "history.visibilityProcessorMaxPollRPS": "2000",
    # A timer never fires sooner than this after it was set: a second by default, also for one of half a second.
    "history.timerProcessorMaxTimeShift": '"50ms"',
    "system.enableActivityEagerExecution": "true",
    # With four partitions and few pollers some tasks of a fresh queue wait a second or two.
    "matching.numTaskqueueReadPartitions": "1",
    "matching.numTaskqueueWritePartitions": "1",
}
SQLITE_PRAGMAS: Mapping[str, str] = {"journal_mode": "wal", "synchronous": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalOptions:
    """How the server is started. Ports of 0 mean free ones, chosen when this is made, so addresses are known early."""

    port: int = field(default=0)
    ui_port: int = field(default=0)
    ui: bool = True
    namespaces: tuple[str, ...] = ()
    """Created at launch beside `default`, each with the search attributes below."""
    search_attributes: Mapping[str, str] = field(default_factory=dict)
    """Name to type (`Keyword`, `Text`, `Int`, `Double`, `Bool`, `Datetime`, `KeywordList`)."""
    retention: timedelta = RETENTION
    codec_endpoint: str = ""
    ready_timeout_s: float = 60.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "port", self.port or free_port())
        object.__setattr__(self, "ui_port", self.ui_port or free_port())

    @property
    def address(self) -> str:
        """Host and port of the front end."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def ui_url(self) -> str:
        """Where the Web UI is; empty without one."""
        return f"http://{LOOPBACK}:{self.ui_port}" if self.ui else ""


@dataclass(frozen=True, slots=True)
class TemporalServer:
    """A running, healthy server with its namespaces ready. Belongs to no event loop."""

    options: TemporalOptions
    kept: Kept

    @property
    def address(self) -> str:
        """Host and port of the front end."""
        return self.options.address

    @property
    def ui_url(self) -> str:
        """Where the Web UI is; empty without one."""
        return self.options.ui_url

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self.kept.pid

    def stop(self) -> None:
        """Stops the server; its file keeps every workflow. Idempotent."""
        self.kept.stop()


def find_temporal(env: Mapping[str, str]) -> Path | None:
    """The `temporal` program: named by `PERENNIAL_TEMPORAL_BIN`, on PATH, in our cache. Starts and fetches nothing.

    Raises `ServerUnavailableError` when `PERENNIAL_TEMPORAL_BIN` names something that cannot be run.
    """
    named = env.get("PERENNIAL_TEMPORAL_BIN")
    if named:
        if not is_program(Path(named)):
            raise ServerUnavailableError(f"PERENNIAL_TEMPORAL_BIN is {named}, which is not a program that can be run")
        return Path(named)
    on_path = shutil.which("temporal", path=env.get("PATH"))
    if on_path:
        return Path(on_path)
    folder = _bin_folder(env)
    cached = [folder / "temporal", *sorted(folder.glob("temporal-sdk-python-*"), reverse=True)]
    return next((path for path in cached if is_program(path)), None)


def provide_temporal(env: Mapping[str, str], announce: Announce = quiet) -> Path:
    """`find_temporal`, else the SDK's download, else a Go build into our cache. Blocks; a second process waits.

    Raises `ServerUnavailableError`, which says what to install.
    """
    found = find_temporal(env)
    if found is not None:
        return found
    folder = _bin_folder(env)
    with only_one(folder, "temporal"):
        if (found := find_temporal(env)) is not None:
            return found
        download_problem = asyncio.run(_download(folder))
        if (found := find_temporal(env)) is not None:
            announce(f"fetched the Temporal server: {found}")
            return found
        go = shutil.which("go", path=env.get("PATH"))
        if go is None:
            raise ServerUnavailableError(
                f"no `temporal` program: not on PATH, not in {folder}, the download failed ({download_problem}), Go is"
                " not there to build it. Install the Temporal CLI (https://docs.temporal.io/cli) or Go"
            )
        announce(f"building the Temporal server with Go ({GO_MODULE}): about three minutes, once a machine")
        return _build(go, folder, env, announce)


def server_argv(program: Path, options: TemporalOptions, state: Path) -> tuple[str, ...]:
    """The command line of the dev server. `state` is the file that keeps every workflow."""
    words = ["--ip", LOOPBACK, "--port", str(options.port), "--log-level", "error", "--log-format", "json"]
    words += ["--ui-port", str(options.ui_port)] if options.ui else ["--headless"]
    words += ["--db-filename", str(state)]
    words += [word for name, value in SQLITE_PRAGMAS.items() for word in ("--sqlite-pragma", f"{name}={value}")]
    words += [word for name, value in DYNAMIC_CONFIG.items() for word in ("--dynamic-config-value", f"{name}={value}")]
    words += [word for namespace in options.namespaces for word in ("--namespace", namespace)]
    for name, kind in options.search_attributes.items():
        words += ["--search-attribute", f"{name}={kind}"]
    if options.codec_endpoint:
        words += ["--ui-codec-endpoint", options.codec_endpoint]
    return (str(program), "server", "start-dev", *words)


def launch_temporal(
    program: Path, home: Path, env: Mapping[str, str], options: TemporalOptions, *, grace_s: float = 5.0
) -> TemporalServer:
    """Starts the server process and returns at once; `temporal_ready` waits for it."""
    command = Command(argv=server_argv(program, options, home / STATE_FILE), env=env, cwd=home, grace_s=grace_s)
    return TemporalServer(options, Kept("temporal", command, home))


async def temporal_ready(server: TemporalServer) -> None:
    """Waits until the server is healthy and its namespaces have their retention and search attributes.

    Raises `PartError` when it ends or is not ready in time.
    """
    from workers.stack import temporal_admin  # loads the SDK, which the callers that only look for a program do without

    deadline = time.monotonic() + server.options.ready_timeout_s
    admin = await temporal_admin.connect(server.address)
    while not await _prepared(admin, server.options):
        if server.kept.exit_code is not None:
            raise PartError(f"the Temporal server ended with code {server.kept.exit_code}: {server.kept.last_words()}")
        if time.monotonic() > deadline:
            raise PartError(
                f"the Temporal server at {server.address} was not ready in time; its log: {server.kept.log}"
            )
        await asyncio.sleep(0.03)


async def _prepared(admin: "Client", options: TemporalOptions) -> bool:
    """False while the server is not healthy, or went away again in between."""
    from temporalio.service import RPCError

    from workers.stack import temporal_admin

    if not await temporal_admin.is_healthy(admin):
        return False
    try:
        for namespace in ("default", *options.namespaces):
            await temporal_admin.ensure_namespace(admin, namespace, retention=options.retention)
            await temporal_admin.ensure_search_attributes(admin, namespace, options.search_attributes)
    except RPCError as error:
        if error.status not in temporal_admin.WAIT_FOR_SERVER:
            raise
        return False
    return True


def _bin_folder(env: Mapping[str, str]) -> Path:
    return cache_folder(env) / "bin"


async def _download(folder: Path) -> str:
    """Lets the SDK fetch its server into the folder; returns what went wrong, or nothing."""
    from temporalio.testing import WorkflowEnvironment

    try:
        async with await WorkflowEnvironment.start_local(download_dest_dir=str(folder), dev_server_log_level="never"):
            return ""
    except RuntimeError as error:
        return str(error).splitlines()[0]


def _build(go: str, folder: Path, env: Mapping[str, str], announce: Announce) -> Path:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="temporal-build-", dir=folder) as scratch:
        built = subprocess.run(
            [go, "install", GO_MODULE], capture_output=True, text=True, check=False, env={**env, "GOBIN": scratch}
        )
        if built.returncode:
            raise ServerUnavailableError(
                f"`go install {GO_MODULE}` failed: {built.stderr.strip()[-500:]}. Install the Temporal CLI instead"
                " (https://docs.temporal.io/cli)"
            )
        os.replace(Path(scratch) / "temporal", folder / "temporal")  # nobody ever sees half a program
    announce(f"built {folder / 'temporal'} in {time.monotonic() - began:.0f} s")
    return folder / "temporal"
