"""One runner for every run over history: demo, replay, chaos and benchmarks."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any

from config.markets import DEFAULT_ACCOUNTS
from trading.ids import canonical_json, content_hash
from workers.stack.home import Home
from workers.stack.house import VENUE, House, HouseSpec, MarketSource, house
from workers.trials.cpu import CpuTimes
from workers.trials.knowledge import knows_period
from workers.trials.observing import ended, progress_of, raise_for_failures, types_that_run
from workers.trials.striking import WORKER, Ambush, Striking, plan
from workers.trials.venue_records import Outage

if TYPE_CHECKING:
    from workflows.protocol import CampaignRequest, CampaignResult

CAPITAL_USD = Decimal(1_000_000)
POLL_S = 3.0
POLL_FOR_STRIKES_S = 1.0
"""A look takes a query, and the campaign's worker answers it: once a second only where the answer says whom to hit."""

WORKER_ROLES = ("decisions,calls", "decisions,calls", "models,market,compute,exchange")
"""What thinks does not wait for what a workflow computes, nor one decision for another: each step is a tenth faster."""


Progress = Callable[[Decimal, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignSpec:
    """A period of history, what is traded in it, and what is killed or frozen on the way.

    `kills` hit one worker process or all, and `freezes` the `freeze_targets` in turn, each for `freeze_s`; what they
    hit, and when, follows from `kill_seed`. `fault_plan` is what is spoiled between workers and exchange, as the fault
    proxy reads it.
    All workers are killed once more in the middle of each workflow type of `kills_during`.
    `policy` are fields of the first playbook's policy that are other than its defaults.
    """

    kind: str
    market: MarketSource
    symbols: tuple[str, ...]
    start: datetime
    end: datetime
    accounts: tuple[str, ...] = DEFAULT_ACCOUNTS
    capital_usd: Decimal = CAPITAL_USD
    decide_every: timedelta | None = None
    kills: int = 0
    kill_seed: int = 1
    exchange_kills: int = 0
    temporal_kills: int = 0
    database_kills: int = 0
    kills_during: tuple[str, ...] = ()
    freezes: int = 0
    freeze_s: float = 6.0
    freeze_targets: tuple[str, ...] = (WORKER,)
    fault_plan: str = ""
    postgres: bool = False
    primary: str = "rules-momentum"
    secondary: str = "rules-reversion"
    policy: tuple[tuple[str, str], ...] = ()
    grants_approvals: bool = False
    web_ui: bool = False

    @property
    def identity(self) -> str:
        """The same for two runs of the same history: ids derive from it, never from a run's number."""
        facts = {
            "symbols": self.symbols,
            "accounts": self.accounts,
            "start": self.start,
            "end": self.end,
            "capital": self.capital_usd,
            "every_s": None if self.decide_every is None else int(self.decide_every.total_seconds()),
            "seed": self.market.seed,
            **({"approvals": "grant"} if self.grants_approvals else {}),
            **({"policy": self.policy} if self.policy else {}),
        }
        return content_hash(canonical_json(facts))[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignOutcome:
    """What a run came to: the keys of the command line's contract, and what was different if anything was."""

    summary: dict[str, Any]
    differences: list[dict[str, Any]] = field(default_factory=list)
    digest: str = ""
    resume_s: tuple[float, ...] = ()
    """After each kill, the seconds until the campaign moved on."""
    outages_ms: tuple[Outage, ...] = ()


Inspect = Callable[[House, str], Awaitable[None]]
"""A look at the house, with its realm, when the run has ended and everything still stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A campaign that came to its end, what hit it, and what it cost."""

    result: CampaignResult
    struck: Striking
    cpu_s: dict[str, float]
    began: float
    ready_s: float


async def run_campaign(
    home: Home,
    spec: CampaignSpec,
    *,
    env: dict[str, str],
    announce: Callable[[str], None],
    progress: Progress,
    inspect: Inspect | None = None,
) -> CampaignOutcome:
    """Run the campaign on a private stack in `home` and compare ledger with exchange at its end."""
    began = time.monotonic()
    realm = f"{spec.kind}-{spec.identity}"
    house_spec = HouseSpec(
        realm=realm,
        market=spec.market,
        start_at=spec.start,
        primary=spec.primary,
        secondary=spec.secondary,
        web_ui=spec.web_ui,
        postgres=spec.postgres,
        fault_plan=spec.fault_plan,
        worker_roles=WORKER_ROLES,
    )
    async with house(home, house_spec, env=env, announce=announce) as running:
        ready_s = time.monotonic() - began
        if spec.web_ui and running.stack.temporal is not None:
            announce(f"Temporal Web UI: {running.stack.temporal.ui_url}")
        cpu = CpuTimes()
        result, struck = await _run(running, spec, realm, progress, cpu)
        await running.stack.all_ready()  # the last strike may have hit what is asked now
        ran = Ran(result=result, struck=struck, cpu_s=cpu.seconds(), began=began, ready_s=ready_s)
        if inspect is not None:
            await inspect(running, realm)
        return await _concluded(running, spec, realm, ran)


async def _run(
    running: House, spec: CampaignSpec, realm: str, progress: Progress, cpu: CpuTimes
) -> tuple[CampaignResult, Striking]:
    from workflows.names import TASK_TIMEOUT, QueueRole, campaign_workflow, task_queue
    from workflows.replay_campaign import ReplayCampaign

    request = await _request(running, spec, realm)
    handle = await running.client.start_workflow(
        ReplayCampaign.run,
        request,
        id=campaign_workflow(realm),
        task_queue=task_queue(realm, QueueRole.DECISIONS),
        task_timeout=TASK_TIMEOUT,
        static_summary=f"{spec.kind} {spec.start:%Y-%m-%d} to {spec.end:%Y-%m-%d}",
    )
    strikes = plan(
        kills=spec.kills,
        exchange_kills=spec.exchange_kills,
        temporal_kills=spec.temporal_kills,
        database_kills=spec.database_kills,
        freezes=spec.freezes,
        freeze_s=spec.freeze_s,
        freeze_targets=spec.freeze_targets,
        seed=spec.kill_seed,
    )
    striking = Striking(
        running.stack, strikes, workers=running.worker_names, alive=functools.partial(progress_of, handle)
    )
    ambush = Ambush(
        running.stack,
        spec.kills_during,
        workers=running.worker_names,
        running=functools.partial(types_that_run, running.client, spec.kills_during),
    )
    result, waiting = asyncio.create_task(ended(handle)), asyncio.create_task(ambush.wait())
    poll_s = POLL_FOR_STRIKES_S if strikes or spec.kills_during else POLL_S
    before = None
    try:
        while not result.done():
            await asyncio.wait([result], timeout=poll_s)
            cpu.look(running.stack.pids)
            if failure := running.stack.first_failure():
                raise RuntimeError(failure)
            seen = await progress_of(handle)
            if seen == before:
                await raise_for_failures(running.client)
            before = seen
            if seen is None or result.done():
                continue
            progress(seen.fraction, f"{seen.now:%Y-%m-%d %H:%M} {seen.decisions} decisions")
            for blow in await striking.up_to(seen.fraction):
                progress(seen.fraction, blow)
        if ambush.waiting:
            raise RuntimeError(f"no worker was killed during {', '.join(ambush.waiting)}: none was seen to run")
        striking.kills += len(ambush.struck)
        return await result, striking
    finally:
        waiting.cancel()
        await striking.end()
        result.cancel()


async def _request(running: House, spec: CampaignSpec, realm: str) -> CampaignRequest:
    from activities.store.open import open_store
    from trading.playbook import first_playbook, revised
    from trading.policy.table import changed
    from workflows.protocol import CampaignRequest

    first = first_playbook()
    if spec.policy:
        first = revised(first, policy=changed(first.policy, **dict(spec.policy)))
    store = await open_store(running.database_url)
    try:
        playbook = await store.active_playbook(realm, first=first)
    finally:
        await store.aclose()
    return CampaignRequest(
        realm=realm,
        venue=VENUE,
        ledger=f"{spec.kind}-{spec.identity}",
        symbols=spec.symbols,
        accounts=spec.accounts,
        capital_usd=spec.capital_usd,
        start=spec.start,
        end=spec.end,
        decide_every_s=None if spec.decide_every is None else int(spec.decide_every.total_seconds()),
        playbook_hash=playbook.content_hash,
        playbook_version=playbook.version,
        approvals="grant" if spec.grants_approvals else "expire",
    )


async def _concluded(running: House, spec: CampaignSpec, realm: str, ran: Ran) -> CampaignOutcome:
    from activities.store.open import open_store
    from activities.store.reading import models_used, run_summary
    from workflows.periods import PeriodKind

    store = await open_store(running.database_url)
    try:
        recorded = await run_summary(store, realm)
        digest = await store.digest(realm)
        models = await models_used(store, realm)
    finally:
        await store.aclose()
    held = await buy_and_hold_usd(running.venue_url, spec)
    result, done = ran.result, ran.result.progress.sequences
    wall_s = time.monotonic() - ran.began
    differences = [difference.model_dump(mode="json") for difference in result.reconciliation.differences]
    summary = {
        **recorded,
        "days": result.progress.days,
        "kills": ran.struck.kills,
        "freezes": ran.struck.freezes,
        "differences": len(differences),
        "orders_checked": result.reconciliation.orders_checked,
        "fills_checked": result.reconciliation.fills_checked,
        "buy_and_hold_usd": f"{held:f}",
        "wall_s": round(wall_s, 2),
        "ready_s": round(ran.ready_s, 2),
        "days_per_minute": round(result.progress.days / max(wall_s - ran.ready_s, 1e-9) * 60, 1),
        "cpu_s": ran.cpu_s,
        "daily_plans": done.get(PeriodKind.DAILY_PLANNING, 0),
        "daily_reviews": done.get(PeriodKind.DAILY_REVIEW, 0),
        "weekly_evolutions": done.get(PeriodKind.WEEKLY_EVOLUTION, 0),
        "monthly_reflections": done.get(PeriodKind.MONTHLY_REFLECTION, 0),
        "quarterly_reflections": done.get(PeriodKind.QUARTERLY_REFLECTION, 0),
        "model_knows_period": knows_period(models, spec.start, realm=realm),
        "realm": realm,
        "digest": digest,
    }
    return CampaignOutcome(
        summary=summary,
        differences=differences,
        digest=digest,
        resume_s=tuple(ran.struck.resume_s),
        outages_ms=tuple(ran.struck.outages_ms),
    )


async def buy_and_hold_usd(venue_url: str, spec: CampaignSpec) -> Decimal:
    """What the capital of all accounts would be worth, spread evenly over the symbols at the start and left alone."""
    from activities.market.binance import BinanceMarketData

    source = BinanceMarketData(venue=VENUE, base_url=venue_url, base_timeframe="1h", market_time_is_replayed=True)
    share = spec.capital_usd * len(spec.accounts) / len(spec.symbols)
    worth = Decimal(0)
    try:
        for symbol in spec.symbols:
            first = (await source.candles(symbol, "1h", as_of=spec.start, limit=1)).candles
            last = (await source.candles(symbol, "1h", as_of=spec.end, limit=1)).candles
            worth += share * (last[-1].close / first[-1].close if first and last else Decimal(1))
    finally:
        await source.aclose()
    return worth.quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)
