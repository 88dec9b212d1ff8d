"""A house for measuring: one worker process on a real Temporal server, rule analysts that think for a given time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from activities.store.open import open_store
from activities.store.playbooks import keep_playbook
from trading.decision.models import DecisionHead
from trading.ids import decision_id
from trading.playbook import first_playbook
from workers.operator.accounts import open_simulated_accounts
from workers.operator.place import Place
from workers.stack.environment import trial_environment
from workers.stack.home import throw_away_home
from workers.stack.house import VENUE, House, HouseSpec, MarketSource, house
from workflows.names import TASK_TIMEOUT, QueueRole, decision_workflow, task_queue
from workflows.protocol import DecisionRequest
from workflows.trade_decision import TradeDecision

START = datetime(2024, 1, 1, tzinfo=UTC)
AS_OF = START + timedelta(days=25)
SYMBOLS = ("BTC/USDT", "ETH/USDT")


@dataclass(frozen=True, slots=True)
class Bench:
    """A running house, and what is needed to ask it for decisions."""

    running: House
    place: Place
    playbook_hash: str
    playbook_version: str

    def head(self, cause: str) -> DecisionHead:
        place = self.place
        return DecisionHead(
            decision_id=decision_id(ledger=place.ledger, symbol="BTC/USDT", as_of=AS_OF, cause=cause),
            realm=place.realm,
            venue=place.venue,
            ledger=place.ledger,
            symbol="BTC/USDT",
            as_of=AS_OF,
            cause=cause,
            accounts=("composite",),
            playbook_version=self.playbook_version,
        )

    async def decide(self, cause: str) -> float:
        """One decision, from its start to its result, in seconds."""
        head = self.head(cause)
        began = time.perf_counter()
        handle = await self.place.client.start_workflow(
            TradeDecision.run,
            DecisionRequest(head=head, playbook_hash=self.playbook_hash),
            id=decision_workflow(head.realm, head.decision_id),
            task_queue=task_queue(head.realm, QueueRole.DECISIONS),
            task_timeout=TASK_TIMEOUT,
        )
        await handle.result()
        return time.perf_counter() - began


@contextlib.asynccontextmanager
async def bench_house(
    *,
    think_s: str = "0",
    roles: Sequence[str] = ("",),
    provider: str = "",
    environment: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[Bench]:
    """A throw-away house whose market stands still at `AS_OF`; `environment` is added to its parts' own."""
    spec = HouseSpec(
        realm="bench-decisions",
        market=MarketSource(symbols=SYMBOLS, seed=2, generated_from=START, generated_days=30),
        start_at=AS_OF,
        think_s=think_s,
        primary=provider or "rules-momentum",
        secondary=provider or "rules-reversion",
    )
    env = {**trial_environment(os.environ).env, **environment}
    with throw_away_home() as home:
        async with house(home, replace(spec, worker_roles=tuple(roles)), env=env) as running:
            store = await open_store(running.database_url)
            try:
                place = Place(
                    realm=spec.realm, venue=VENUE, venue_url=running.venue_url, client=running.client, store=store
                )
                playbook = first_playbook()
                playbook_hash = await keep_playbook(store, playbook)
                await open_simulated_accounts(place, ("composite",), playbook_hash=playbook_hash)
                yield Bench(running, place, playbook_hash, playbook.version)
            finally:
                await store.aclose()


async def throughput(bench: Bench, *, decisions: int, at_once: int) -> float:
    """Decisions a second with `at_once` of them under way."""
    gate = asyncio.Semaphore(at_once)

    async def one(number: int) -> None:
        async with gate:
            await bench.decide(f"load-{number}")

    began = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(decisions)))
    return decisions / (time.perf_counter() - began)


def spread(seconds: Sequence[float]) -> str:
    """Median, least and greatest, in milliseconds."""
    ms = sorted(second * 1000 for second in seconds)
    return f"median {statistics.median(ms):.0f} ms (from {ms[0]:.0f} to {ms[-1]:.0f})"
