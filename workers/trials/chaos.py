"""Chaos: real stacks over a crash, parts killed and frozen, requests and replies lost and late; then venue = ledger.

A run is rounds of at most `ROUND_KILLS` kills, each the same campaign in a home of its own under other strikes, so that
200 kills hit different instants of trading and not one long row of restarts.
"""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from workers.stack.home import throw_away_home
from workers.trials.campaign import CampaignSpec, run_campaign
from workers.trials.fault_proxy import STEERING, Fault, Rule, venue_error
from workers.trials.striking import DATABASE, EXCHANGE, TEMPORAL, WORKER
from workers.trials.venue_records import VenueRecords, read_venue

if TYPE_CHECKING:
    from workers.stack.house import House
    from workers.trials.campaign import Progress

PATIENT = "rules-patient"
ROUND_KILLS = 20
EXTRA_ROUNDS = 3
FREEZE_S = 4.0
ORDERS_A_ROUND = 12
"""Faults hit one of the first so many sends of a round."""

SENDS = {"method": "POST", "path": "/api/v3/order.*"}
CANCELS = {"method": "DELETE", "path": "/api/v3/order.*"}

REQUEST_FAULTS: Mapping[str, tuple[Rule, ...]] = {
    "reset": (Rule(fault=Fault.RESET, **SENDS), Rule(fault=Fault.RESET, **CANCELS)),
    "hang": (Rule(fault=Fault.HANG, **SENDS),),
    "502": (Rule(fault=Fault.REPLACE, status=502, body="<html>bad gateway</html>", **SENDS),),
    "503": (Rule(fault=Fault.REPLACE, status=503, body="unavailable", **SENDS),),
    "-1006": (venue_error(Fault.REPLACE, status=400, code=-1006, message="Execution status unknown.", **SENDS),),
    "-1007": (venue_error(Fault.REPLACE, status=504, code=-1007, message="Timeout.", **SENDS),),
    "half_body": (Rule(fault=Fault.HALF_BODY, **SENDS), Rule(fault=Fault.HALF_BODY, **CANCELS)),
    "late": (Rule(fault=Fault.HOLD, hold_s=1.0, **SENDS), Rule(fault=Fault.HOLD, hold_s=4.0, **SENDS)),
    "lost": (Rule(fault=Fault.DROP, **SENDS),),
}
"""What may be done to requests. `late` arrives after the caller has heard of a reset; `lost` never arrives."""

LOST_REPLIES = (Fault.RESET, Fault.HANG, Fault.REPLACE, Fault.HALF_BODY)
FREEZE = "freeze"
FAULTS = (*REQUEST_FAULTS, FREEZE)
PARTS = (WORKER, EXCHANGE, TEMPORAL, DATABASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosSpec:
    """`kills` of the parts `targets` in turn, mostly workers, and each of the `faults`, over the campaign `over`."""

    over: CampaignSpec
    kills: int
    seed: int
    faults: tuple[str, ...] = FAULTS
    targets: tuple[str, ...] = PARTS


@dataclass(slots=True)
class Tally:
    """What all rounds came to."""

    counts: Counter[str] = field(default_factory=Counter)
    differences: list[dict[str, Any]] = field(default_factory=list)
    unprotected_s: list[float] = field(default_factory=list)
    unprotected_while_up_s: list[float] = field(default_factory=list)
    resume_s: list[float] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        return not any(self.counts[name] for name in ("duplicates", "orphans", "lost", "differences", "frozen"))

    def summary(self) -> dict[str, Any]:
        """The keys of the command line's contract."""
        names = (
            "kills",
            "freezes",
            "lost_replies",
            "late_requests",
            "intended_orders",
            "venue_orders",
            "duplicates",
            "orphans",
            "lost",
            "differences",
            "frozen",
            "rounds",
            "decisions",
            "fills",
        )
        return {
            **{name: self.counts[name] for name in names},
            "unprotected_s": percentiles(self.unprotected_s),
            "unprotected_while_up_s": percentiles(self.unprotected_while_up_s),
            "resume_s": percentiles(self.resume_s),
        }


def percentiles(seconds: Sequence[float]) -> dict[str, float | None]:
    """Median, 99th percentile (nearest rank) and greatest of some durations; `None` each where there are none."""
    if not seconds:
        return {"p50": None, "p99": None, "max": None}
    ordered = sorted(seconds)

    def rank(share: float) -> float:
        return round(ordered[max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1)], 3)

    return {"p50": rank(0.5), "p99": rank(0.99), "max": round(ordered[-1], 3)}


def rounds_of(spec: ChaosSpec) -> list[CampaignSpec]:
    """The campaigns of a run: other strikes and other faults in each, all from the seed."""
    left = spec.kills
    made: list[CampaignSpec] = []
    while left > 0 or not made:
        kills, number = min(left, ROUND_KILLS), len(made)
        left -= kills
        made.append(_round(spec, kills=kills, number=number))
    return made


def _round(spec: ChaosSpec, *, kills: int, number: int) -> CampaignSpec:
    """In every other round entries wait below the market instead of taking: large ones as icebergs."""
    seed = spec.seed * 1000 + number
    others = [part for part in spec.targets if part != WORKER]
    each = max(1, kills // 10) if kills >= len(others) + 1 else 0
    hits = dict.fromkeys(others, each)
    workers = kills - sum(hits.values()) if WORKER in spec.targets else 0
    if WORKER not in spec.targets and others:
        hits = {part: kills // len(others) + (place < kills % len(others)) for place, part in enumerate(others)}
    return replace(
        spec.over,
        kills=workers,
        exchange_kills=hits.get(EXCHANGE, 0),
        temporal_kills=hits.get(TEMPORAL, 0),
        database_kills=hits.get(DATABASE, 0),
        freezes=len(spec.targets) if FREEZE in spec.faults else 0,
        freeze_targets=spec.targets,
        freeze_s=FREEZE_S,
        kill_seed=seed,
        postgres=DATABASE in spec.targets,
        fault_plan=plan_of(spec.faults, seed=seed),
        primary=PATIENT if number % 2 else spec.over.primary,
    )


def plan_of(faults: Sequence[str], *, seed: int) -> str:
    """A plan for the fault proxy: each fault once, at a send of the seed's choice; empty without request faults."""
    dice = random.Random(seed)
    rules = [
        rule.model_copy(update={"after": dice.randrange(ORDERS_A_ROUND if rule.method == "POST" else 4)})
        for name in faults
        if name != FREEZE
        for rule in REQUEST_FAULTS[name]
    ]
    dice.shuffle(rules)
    return json.dumps({"rules": [rule.model_dump(mode="json") for rule in rules]}) if rules else ""


async def run_chaos(
    spec: ChaosSpec, *, env: dict[str, str], announce: Callable[[str], None], progress: Progress
) -> Tally:
    """Run all rounds and add them up. Only parts that the rounds' own stacks started are ever hit."""
    tally = Tally()
    rounds = rounds_of(spec)
    for number, campaign in enumerate(itertools.chain(rounds, _made_up(spec, rounds, tally)), start=1):
        await _run_round(campaign, tally, env=env, announce=announce, progress=progress)
        counts = tally.counts
        announce(
            f"round {number} of {len(rounds)}: so far {counts['kills']} kills, {counts['intended_orders']} intended "
            f"and {counts['venue_orders']} venue orders, {counts['differences']} differences"
        )
    return tally


def _made_up(spec: ChaosSpec, rounds: Sequence[CampaignSpec], tally: Tally) -> Iterator[CampaignSpec]:
    """Further rounds for kills that came too late to hit anything, while they are few."""
    for extra in range(len(rounds), len(rounds) + EXTRA_ROUNDS):
        missing = spec.kills - tally.counts["kills"]
        if missing <= 0:
            return
        yield _round(spec, kills=min(missing, ROUND_KILLS), number=extra)


async def _run_round(
    spec: CampaignSpec, tally: Tally, *, env: dict[str, str], announce: Callable[[str], None], progress: Progress
) -> None:
    seen: dict[str, Any] = {}

    async def inspect(running: House, realm: str) -> None:
        seen["intents"] = await _intents(running.database_url, realm)
        seen["faults"] = await _fault_counts(running.fault_proxy_url)

    with throw_away_home() as home:
        outcome = await run_campaign(home, spec, env=env, announce=announce, progress=progress, inspect=inspect)
        venue = read_venue(home.path / "exchange.sqlite")
    compare(tally.counts, intents=seen["intents"], venue=venue)
    faults: Mapping[str, int] = seen["faults"]
    tally.counts["lost_replies"] += sum(faults.get(fault.value, 0) for fault in LOST_REPLIES)
    tally.counts["late_requests"] += faults.get(Fault.HOLD.value, 0)
    for name in ("kills", "freezes", "differences", "decisions", "fills"):
        tally.counts[name] += outcome.summary[name]
    tally.counts["rounds"] += 1
    tally.differences += outcome.differences
    tally.unprotected_s += venue.unprotected_s()
    tally.unprotected_while_up_s += venue.unprotected_s(outages_ms=outcome.outages_ms)
    tally.resume_s += outcome.resume_s


def compare(counts: Counter[str], *, intents: Mapping[str, Intent], venue: VenueRecords) -> None:
    """Every intent against what the venue has under its id, each way."""
    at_venue = Counter(venue.client_ids)
    had = {name for name, intent in intents.items() if intent.is_at_venue}
    counts["intended_orders"] += len(had)
    counts["venue_orders"] += at_venue.total()
    counts["duplicates"] += sum(times - 1 for times in at_venue.values())
    counts["orphans"] += sum(1 for name in at_venue if name not in had)
    counts["lost"] += sum(1 for name in had if name not in at_venue)
    counts["frozen"] += sum(1 for intent in intents.values() if intent.is_frozen)


@dataclass(frozen=True, slots=True)
class Intent:
    """An intent at the end of a run: whether by the ledger the venue has it, and whether it waits for a person."""

    is_at_venue: bool
    is_frozen: bool


async def _intents(database_url: str, realm: str) -> dict[str, Intent]:
    from activities.store.open import open_store
    from activities.store.reading import order_list

    store = await open_store(database_url)
    try:
        rows = await order_list(store, realm)
    finally:
        await store.aclose()
    return {
        row["client_order_id"]: Intent(
            is_at_venue=row["venue_order_id"] is not None, is_frozen=row["status"] == "FROZEN"
        )
        for row in rows
    }


async def _fault_counts(proxy_url: str) -> dict[str, int]:
    import httpx

    if not proxy_url:
        return {}
    async with httpx.AsyncClient(trust_env=False) as client:
        counts: dict[str, int] = (await client.get(f"{proxy_url}{STEERING}")).json()["counts"]
    return counts
