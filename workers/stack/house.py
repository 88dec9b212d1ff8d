"""A whole house on a stack: Temporal, a simulated exchange, and workers, started side by side and ready to be used."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from workers.stack.found import Announce, quiet
from workers.stack.home import Home
from workers.stack.kept import Kept, python_part
from workers.stack.ports import LOOPBACK, free_port
from workers.stack.readiness import Facts, http_ok, printed_ready_line
from workers.stack.stack import Part, Stack

if TYPE_CHECKING:
    from temporalio.client import Client

VENUE = "simulated"

WORKER_READY_S = 90.0
"""On a busy machine a worker needs a minute to start; one that is ended and started anew for it needs longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketSource:
    """What the simulated market is made of: files by symbol, or a seeded generator for the symbols."""

    files: Mapping[str, str] = field(default_factory=dict)
    symbols: tuple[str, ...] = ()
    seed: int = 1
    generated_from: datetime | None = None
    generated_days: int = 0
    crash_days: tuple[int, ...] = ()

    def arguments(self) -> tuple[str, ...]:
        """The words of `perennial exchange-sim` for this market."""
        words: list[str] = ["--seed", str(self.seed)]
        for symbol, path in sorted(self.files.items()):
            words += ["--data", f"{symbol}={path}"]
        if self.generated_from is not None:
            words += ["--symbols", ",".join(self.symbols)]
            words += ["--generate-from", self.generated_from.isoformat(), "--days", str(self.generated_days)]
            words += [word for day in self.crash_days for word in ("--crash-day", str(day))]
        return tuple(words)


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseSpec:
    """What a house is started with. `start_at` is where the market clock begins in a new home.

    With a `venue_url` that is the venue, and no exchange is started; on profile paper it is where market data comes
    from, and a paper venue beside it fills against its quotes.

    `worker_roles` has the roles of each worker process, as `perennial worker --roles` takes them; empty means all.
    `database_url` is the embedded database of the home unless it is given; workers get it in their environment, for it
    may hold a password. With `configured_temporal` the service that the SDK's own configuration names is used, and none
    is started. With `postgres` the database is a durable PostgreSQL of the stack's own. `fault_plan`, where there is
    one, is what a fault proxy between workers and exchange spoils: JSON, as `workers.trials.fault_proxy` reads it.
    """

    realm: str
    market: MarketSource
    venue: str = VENUE
    venue_url: str = ""
    start_at: datetime | None = None
    clock: str = "manual"
    primary: str = "rules-momentum"
    secondary: str = "rules-reversion"
    worker_roles: tuple[str, ...] = ("",)
    web_ui: bool = False
    enforce_limits: bool = False
    think_s: str = "0"
    profile: str = "simulated"
    database_url: str = field(default="", repr=False)
    postgres: bool = False
    fault_plan: str = ""
    configured_temporal: bool = False
    codec_active: str | None = None
    codec_keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def is_paper(self) -> bool:
        return self.profile == "paper"


@dataclass(slots=True)
class House:
    """A running house. `database_url` and `venue_url` are what a verb needs to read records and prices.

    `venue_url` is the exchange itself, `orders_url` the paper venue beside it where there is one. `fault_proxy_url` is
    what the workers take for it, where faults are planned.
    """

    stack: Stack
    client: Client
    spec: HouseSpec
    database_url: str
    venue_url: str
    fault_proxy_url: str = ""
    orders_url: str = ""

    @property
    def worker_names(self) -> tuple[str, ...]:
        return tuple(name for name in self.stack.parts if name.startswith("worker"))


def database_of(home: Path) -> str:
    """The embedded database of a home."""
    return f"sqlite+aiosqlite:///{home / 'perennial.sqlite'}"


@contextlib.asynccontextmanager
async def house(
    home: Home,
    spec: HouseSpec,
    *,
    env: Mapping[str, str],
    announce: Announce = quiet,
) -> AsyncIterator[House]:
    """Start everything side by side, yield the ready house, stop everything on leaving.

    Raises `ServerUnavailableError` or `PartError`, each of which says in a sentence what is missing.
    """
    from activities.store.migrate import migrate
    from workers.stack.temporal_admin import make_current
    from workflows.names import DEPLOYMENT, LOCAL_BUILD

    venue_port = free_port()
    exchange_url = f"http://{LOOPBACK}:{venue_port}"
    venue_url = spec.venue_url or exchange_url
    orders_url = exchange_url if spec.is_paper else ""
    async with contextlib.AsyncExitStack() as leaving:
        database, database_url = await _database(home, spec, leaving)
        stack = await leaving.enter_async_context(
            Stack(home, env=env, realm=spec.realm, profile=spec.profile, announce=announce)
        )
        if database is not None:
            await stack.start(database)
        _, _, client = await asyncio.gather(
            migrate(database_url), _start_exchange(stack, spec, venue_port), _temporal(stack, spec)
        )
        stack.publish(exchange=venue_url, **({"orders": orders_url} if orders_url else {}))
        proxy_url = await _fault_proxy(stack, spec, venue_port)
        address = stack.state.temporal_address
        starting = stack.start_all(
            [
                _worker(
                    number,
                    roles,
                    spec,
                    venue_url=proxy_url or venue_url,
                    orders_url=orders_url,
                    database_url=database_url,
                    temporal=address,
                )
                for number, roles in enumerate(spec.worker_roles, start=1)
            ]
        )
        await asyncio.gather(
            starting, make_current(client, deployment=DEPLOYMENT, build_id=LOCAL_BUILD, timeout_s=WORKER_READY_S)
        )
        yield House(stack, client, spec, database_url, venue_url, proxy_url, orders_url)


async def _database(home: Home, spec: HouseSpec, leaving: contextlib.AsyncExitStack) -> tuple[Part | None, str]:
    """The part to start, where the database is a server of the stack, and the address of the database."""
    if not spec.postgres:
        return None, spec.database_url or database_of(home.path)
    from workers.stack.postgres import answers, plain_environment, prepare_postgres

    prepared = await asyncio.to_thread(prepare_postgres, os.environ, durable=True)
    leaving.callback(shutil.rmtree, prepared.folder, ignore_errors=True)

    async def ready(_: Kept) -> Facts | None:
        return {} if await asyncio.to_thread(answers, prepared.url) else None

    part = Part(
        name="database",
        argv=prepared.argv,
        ready=ready,
        env=plain_environment(os.environ),
        grace_s=5.0,
        is_foreign=True,
        stop_signal=prepared.stop_signal,
        user=prepared.user,
        cwd=Path("/"),
    )
    return part, prepared.url


async def _fault_proxy(stack: Stack, spec: HouseSpec, venue_port: int) -> str:
    """The address of the proxy before the exchange, started now; empty where no faults are planned."""
    if not spec.fault_plan:
        return ""
    port = free_port()
    plan = stack.home.path / "faults.json"
    plan.write_text(spec.fault_plan)
    words = ("--listen", f"{LOOPBACK}:{port}", "--target", f"{LOOPBACK}:{venue_port}", "--plan", str(plan))
    argv = (sys.executable, "-P", "-m", "workers.trials.fault_proxy", *words)
    await stack.start(Part(name="faults", argv=argv, ready=http_ok(port, "/__faults__"), restarts=False))
    return f"http://{LOOPBACK}:{port}"


async def _temporal(stack: Stack, spec: HouseSpec) -> Client:
    """A client of the stack's own server, started now, or of the configured service, given our search attributes."""
    from workers.runtime.starting import connect
    from workers.stack.temporal_admin import ensure_search_attributes, type_names
    from workers.stack.temporal_server import CAMPAIGN_RETENTION, RETENTION, TemporalOptions
    from workflows.names import SEARCH_ATTRIBUTES

    wanted = type_names(SEARCH_ATTRIBUTES)
    target = ""
    if not spec.configured_temporal:
        retention = CAMPAIGN_RETENTION if stack.home.throw_away else RETENTION
        options = TemporalOptions(ui=spec.web_ui, search_attributes=wanted, retention=retention)
        target = (await stack.start_temporal(options)).address
    client = await connect(target=target, codec_active=spec.codec_active, codec_keys=spec.codec_keys)
    if spec.configured_temporal:
        await ensure_search_attributes(client, client.namespace, wanted)
    return client


async def _start_exchange(stack: Stack, spec: HouseSpec, port: int) -> None:
    """An exchange of our own, simulated or on paper; none where a real venue is the venue."""
    if spec.is_paper:
        await stack.start(_paper_venue(stack.home, spec, port))
    elif not spec.venue_url:
        await stack.start(_exchange(stack.home, spec, port))


def _paper_venue(home: Home, spec: HouseSpec, port: int) -> Part:
    words = ["exchange-sim", "--db", str(home.path / "paper.sqlite"), "--port", str(port), "--clock", "realtime"]
    words += ["--quotes-from", spec.venue_url, "--symbols", ",".join(spec.market.symbols)]
    return Part(name="exchange", argv=python_part(*words), ready=printed_ready_line)


def _exchange(home: Home, spec: HouseSpec, port: int) -> Part:
    words = [
        "exchange-sim",
        "--db",
        str(home.path / "exchange.sqlite"),
        "--port",
        str(port),
        "--clock",
        spec.clock,
        *spec.market.arguments(),
    ]
    if spec.start_at is not None:
        words += ["--start", spec.start_at.isoformat()]
    if not spec.enforce_limits:
        words += ["--no-rate-limits"]
    return Part(name="exchange", argv=python_part(*words), ready=printed_ready_line)


def _worker(
    number: int,
    roles: str,
    spec: HouseSpec,
    *,
    venue_url: str,
    orders_url: str,
    database_url: str,
    temporal: str,
) -> Part:
    port = free_port()
    words = [
        "worker",
        "--roles",
        roles,
        "--realm",
        spec.realm,
        "--venue",
        spec.venue,
        "--venue-url",
        venue_url,
        *(("--orders-url", orders_url) if orders_url else ()),
        *(("--temporal", temporal) if temporal else ()),
        "--health-port",
        str(port),
        "--primary",
        spec.primary,
        "--secondary",
        spec.secondary,
        "--think-s",
        spec.think_s,
    ]
    return Part(
        name=f"worker-{number}",
        argv=python_part(*words),
        ready=http_ok(port),
        ready_timeout_s=WORKER_READY_S,
        env={"PERENNIAL_DATABASE_URL": database_url},
    )
