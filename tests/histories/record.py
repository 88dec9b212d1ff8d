"""Records the histories beside this file anew: each workflow on each path, on a private dev server (`make histories`).

Run it after a deliberate change of a workflow, look at what differs, and commit it with the change. What stays is what
replay and the golden assertions read: no stack traces, no names of this machine; times and run ids differ each time.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from eventually import eventually  # noqa: E402
from fakes.months import LAST_EVENING, TIGHTENED, a_bad_month, a_good_month, worth  # noqa: E402
from fakes.scripted_models import buys, holds, misquotes, sells  # noqa: E402
from fakes.sequence_house import SequenceHouse, migrated_database, sequence_house  # noqa: E402
from fakes.told_market import FLAT, OPENS_AT, Told  # noqa: E402
from temporalio.client import Client  # noqa: E402

from trading.decision.approval import PersonAnswer  # noqa: E402
from trading.orders.wishes import ExitPlan  # noqa: E402
from trading.playbook import first_playbook, revised  # noqa: E402
from trading.policy.model import Policy  # noqa: E402
from trading.policy.table import changed  # noqa: E402
from trading.review.proposals import ReflectionAnswer  # noqa: E402
from trading.risk.models import Mode  # noqa: E402
from workers.runtime.plugin import perennial_plugin  # noqa: E402
from workers.stack import temporal_server  # noqa: E402
from workers.stack.environment import trial_environment  # noqa: E402
from workers.stack.home import throw_away_home  # noqa: E402
from workers.stack.temporal_admin import type_names  # noqa: E402
from workflows.account_desk import AccountDesk  # noqa: E402
from workflows.daily_planning import DailyPlanning  # noqa: E402
from workflows.daily_review import DailyReview  # noqa: E402
from workflows.market_watch import MarketWatch  # noqa: E402
from workflows.monthly_reflection import MonthlyReflection  # noqa: E402
from workflows.names import (  # noqa: E402
    SEARCH_ATTRIBUTES,
    TASK_TIMEOUT,
    QueueRole,
    Signal,
    Update,
    decision_workflow,
    desk_workflow,
    proposals_workflow,
    watch_workflow,
)
from workflows.periods import PeriodKind, PeriodRequest, period_workflow  # noqa: E402
from workflows.protocol import DecisionRequest, Defend, Hand, Lift, ModeChange, WatchRequest  # noqa: E402
from workflows.quarterly_reflection import QuarterlyReflection  # noqa: E402
from workflows.trade_decision import TradeDecision  # noqa: E402
from workflows.weekly_evolution import WeeklyEvolution  # noqa: E402

NAMESPACE = "histories"
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LISTED = ExitPlan(slippage_fraction=Decimal("0.002"))
FALL = (7000, 7010, 6600, 6650)
RISE = (7000, 7500, 6990, 7450)

Play = Callable[[SequenceHouse], Awaitable[str]]
"""Plays a path in a house and returns the id of the workflow whose history is kept."""


@dataclass(frozen=True, slots=True)
class RecordedPath:
    """One recorded path: its file's name, its house, and what happens in it."""

    name: str
    play: Play
    told: Told


def _decision(*speeches: Any) -> Play:
    async def play(house: SequenceHouse) -> str:
        house.primary.say(*speeches)
        house.secondary.say(*speeches)
        await house.decide()
        return decision_workflow(house.realm, house.head().decision_id)

    return play


async def _refused_by_gate(house: SequenceHouse) -> str:
    await _halt(house)
    return await _decision(buys())(house)


async def _reduced(house: SequenceHouse) -> str:
    await house.bought()
    return await _decision(sells(size="0.5"))(house)


async def _bought(house: SequenceHouse, **trade: Any) -> str:
    permit = await house.permit()
    handle = await house.execute(permit, house.entry(permit), **trade)
    await house.placed()
    await house.settle(handle.id)
    await house.play(OPENS_AT + timedelta(seconds=2))
    await handle.result()
    return handle.id


async def _execution_refused(house: SequenceHouse) -> str:
    permit = await house.permit()
    handle = await house.execute(permit, house.entry(permit))
    await handle.result()
    return handle.id


async def _execution_expired(house: SequenceHouse) -> str:
    permit = await house.permit()
    handle = await house.execute(permit, house.entry(permit, price=Decimal(6900)), expires_at=OPENS_AT + 3 * HOUR)
    await house.placed()
    await house.settle(handle.id)
    await house.play(OPENS_AT + 4 * HOUR)
    await handle.result()
    return handle.id


def _guard(**trade: Any) -> Play:
    async def play(house: SequenceHouse) -> str:
        await _bought(house, **trade)
        await house.play(OPENS_AT + 6 * HOUR)
        await house.guard().result()
        return house.guard().id

    return play


async def _desk(house: SequenceHouse) -> str:
    await house.reserve(house.wish("first"))
    await house.reserve(house.wish("first"))
    await house.reserve(house.wish("second", notional="90000"))
    await _halt(house)
    await house.reserve(house.wish("third"))
    await house.desk().signal(AccountDesk.close)
    await house.desk().result()
    return desk_workflow(house.realm, "composite")


async def _approved(house: SequenceHouse) -> str:
    """In real time: the decision waits, a person makes it smaller."""
    house.primary.say(buys())
    house.secondary.say(buys())
    head = house.head()
    decision = await house.client.start_workflow(
        TradeDecision.run,
        DecisionRequest(head=head, playbook_hash=house.playbook_hash),
        id=decision_workflow(house.realm, head.decision_id),
        task_queue=house.queue(QueueRole.DECISIONS),
        task_timeout=TASK_TIMEOUT,
    )
    waiting = await eventually(lambda: decision.query(TradeDecision.proposals), what="the proposal")
    answer = PersonAnswer(proposal=waiting[0].id, who="a person", reason="half", size_fraction=Decimal("0.02"))
    await decision.execute_update(Update.MODIFY, answer)
    await decision.result()
    return decision.id


async def _flattened(house: SequenceHouse) -> str:
    await house.bought(stop="6800")
    await house.desk().execute_update(Update.FLATTEN, _hand("op-1"))
    await eventually(lambda: _is_leaving(house), what="the sale")
    await house.settle(house.guard().id)
    await house.play(await house.market_now() + timedelta(minutes=1))
    await house.guard().result()
    return house.guard().id


async def _is_leaving(house: SequenceHouse) -> bool:
    return (await house.guard_state()).leaving is not None


async def _desk_by_hand(house: SequenceHouse) -> str:
    await house.desk().execute_update(Update.PAUSE, _hand("op-1"))
    await house.desk().execute_update(Update.RESUME, _hand("op-2"))
    await house.desk().signal(Signal.HALT, _hand("op-3"))
    await eventually(lambda: _has_no_errands(house, hands=3), what="the halt")
    await house.desk().execute_update(Update.FLATTEN, _hand("op-4").model_copy(update={"symbol": "BTC/USDT"}))
    await eventually(lambda: _has_no_errands(house), what="the errands")
    await house.desk().signal(AccountDesk.close)
    await house.desk().result()
    return desk_workflow(house.realm, "composite")


async def _desk_defends(house: SequenceHouse) -> str:
    """A freeze and a defence by the watch's word, a wish refused, and a person who lifts the defence."""
    await house.desk().signal(Signal.DEFEND, _crash("b1", symbol="BTC/USDT"))
    await house.desk().signal(Signal.DEFEND, _crash("b2"))
    await eventually(lambda: _are_kept(house, 2), what="the protections")
    await house.reserve(house.wish("w1"))
    kept = await house.store.protections(house.realm)
    defence = next(one.protection for one in kept if one.protection.symbol is None)
    lift = Lift(protection_id=defence.id, operation_id="op-1", who="ada", reason="calm")
    await house.desk().execute_update(Update.LIFT, lift)
    await eventually(lambda: _is_idle(house), what="the errands")
    await house.desk().signal(AccountDesk.close)
    await house.desk().result()
    return house.desk().id


async def _are_kept(house: SequenceHouse, count: int) -> bool:
    return len(await house.store.protections(house.realm)) == count


async def _is_idle(house: SequenceHouse) -> bool:
    state = await house.desk().query(AccountDesk.state)
    return state is not None and not state.errands


def _crash(operation_id: str, symbol: str | None = None) -> Defend:
    return Defend(operation_id=operation_id, reason="flash_crash: all fell", symbol=symbol, as_of=OPENS_AT)


async def _has_no_errands(house: SequenceHouse, *, hands: int = 4) -> bool:
    state = await house.desk().query(AccountDesk.state)
    return state is not None and len(state.hands) == hands and not state.errands


def _hand(operation_id: str) -> Hand:
    return Hand(operation_id=operation_id, who="a person", reason="storm")


async def _campaign(house: SequenceHouse) -> str:
    house.primary.say(buys())
    house.secondary.say(buys())
    handle = await house.start_campaign(hours=48, decide_every_h=12)
    await handle.result()
    return handle.id


async def _planning(house: SequenceHouse) -> str:
    """The plan of the day whose seven o'clock is an hour ago."""
    at = OPENS_AT.replace(hour=7)
    request = PeriodRequest(
        realm=house.realm,
        venue="simulated",
        ledger=house.ledger,
        accounts=house.told.accounts,
        as_of=at,
        market_is_replayed=True,
        in_campaign=True,
    )
    workflow_id = period_workflow(house.realm, PeriodKind.DAILY_PLANNING, f"{at:%Y-%m-%d}")
    await house.client.execute_workflow(
        DailyPlanning.run,
        request,
        id=workflow_id,
        task_queue=house.queue(QueueRole.DECISIONS),
        task_timeout=TASK_TIMEOUT,
    )
    return workflow_id


def _reflection(
    *, kind: PeriodKind = PeriodKind.MONTHLY_REFLECTION, asks: bool, waits: bool = False, answers: bool = True
) -> Play:
    """A month, or a quarter, that asks people something or tightens by itself; `waits` keeps the asking's history.

    Where nobody `answers`, the questions expire after a second.
    """
    begins = TIGHTENED if answers else revised(TIGHTENED, policy=changed(TIGHTENED.policy, reflection_expires_s=1))

    async def play(house: SequenceHouse) -> str:
        await house.store.active_playbook(house.realm, first=begins)
        quarter = kind is PeriodKind.QUARTERLY_REFLECTION
        evening = LAST_EVENING.replace(month=3) if quarter else LAST_EVENING
        await (a_good_month if asks else a_bad_month)(house.store, house.realm, until=evening)
        request = PeriodRequest(
            realm=house.realm,
            venue="simulated",
            ledger=house.ledger,
            accounts=house.told.accounts,
            as_of=evening,
            in_campaign=quarter,
        )
        period = "2020-Q1" if quarter else "2020-01"
        workflow_id = period_workflow(house.realm, kind, period)
        job = QuarterlyReflection.run if quarter else MonthlyReflection.run
        await house.client.execute_workflow(
            job, request, id=workflow_id, task_queue=house.queue(QueueRole.DECISIONS), task_timeout=TASK_TIMEOUT
        )
        if not waits:
            return workflow_id
        asked = house.client.get_workflow_handle(proposals_workflow(house.realm, kind.value, period))
        verbs = {"threshold": Update.APPROVE, "principle": Update.REJECT}
        for kept in await house.store.proposals(house.realm) if answers else ():
            answer = ReflectionAnswer(proposal=kept.proposal.id, who="a person", reason="seen")
            await asked.execute_update(verbs[kept.proposal.kind], answer)
        await asked.result()
        return asked.id

    return play


async def _watch(house: SequenceHouse) -> str:
    """The session's start: both symbols are decided, then the day is planned and the watch is told."""
    request = WatchRequest(
        realm=house.realm,
        venue="simulated",
        ledger=house.ledger,
        accounts=house.told.accounts,
        symbols=house.told.symbols,
        coordinator=house.coordinator_id,
        playbook_hash=house.playbook_hash,
        market_is_replayed=True,
    )
    watch = await house.client.start_workflow(
        MarketWatch.run,
        request,
        id=watch_workflow(house.realm),
        task_queue=house.queue(QueueRole.DECISIONS),
        task_timeout=TASK_TIMEOUT,
    )
    settled = await house.tick(watch)
    for name in settled.started:
        await house.client.get_workflow_handle(name).result()
    await _planning(house)
    await house.tick(watch)
    await watch.signal(MarketWatch.close)
    await watch.result()
    return watch.id


def _reviewing(*, falls: bool = False, days_on: int = 0, again: bool = False) -> Play:
    """The review of a day with one closed trade; `falls` makes it tighten, `days_on` lets the market have closes."""

    async def play(house: SequenceHouse) -> str:
        at = OPENS_AT.replace(hour=0, minute=5) + timedelta(days=days_on)
        midnight = at.replace(minute=0)
        if falls:
            await house.store.active_playbook(house.realm, first=TIGHTENED)
            await worth(house.store, house.realm, [100_000, 97_000, 94_000], until=midnight, since=midnight - DAY)
        if days_on:
            await house.advance(at)
        await _closed(house, at - 4 * HOUR)
        for run in ("", "-again") if again else ("",):
            workflow_id = await _reviewed(house, at, run=run, by_the_active=falls)
        return workflow_id

    return play


async def _closed(house: SequenceHouse, at: datetime) -> None:
    await house.store.record_outcome(
        house.realm,
        house.told.accounts[0],
        "BTC/USDT",
        "d1",
        pnl_usd=Decimal(18),
        return_fraction=Decimal("0.018"),
        exit_reason="target",
        closed_at=at,
    )


async def _reviewed(house: SequenceHouse, at: datetime, *, run: str, by_the_active: bool) -> str:
    request = PeriodRequest(
        realm=house.realm,
        venue="simulated",
        ledger=house.ledger,
        accounts=house.told.accounts,
        as_of=at,
        symbols=house.told.symbols,
        market_is_replayed=True,
        in_campaign=True,
        playbook_hash=None if by_the_active else house.playbook_hash,
    )
    workflow_id = period_workflow(house.realm, PeriodKind.DAILY_REVIEW, f"{at - timedelta(days=1):%Y-%m-%d}") + run
    await house.client.execute_workflow(
        DailyReview.run,
        request,
        id=workflow_id,
        task_queue=house.queue(QueueRole.DECISIONS),
        task_timeout=TASK_TIMEOUT,
    )
    return workflow_id


def _evolution(*, again: bool) -> Play:
    """A week evolved to its Sunday; `again` is a second run, which finds the first one's result."""

    async def play(house: SequenceHouse) -> str:
        request = PeriodRequest(
            realm=house.realm,
            venue="simulated",
            ledger=house.ledger,
            accounts=house.told.accounts,
            as_of=SUNDAY,
            symbols=house.told.symbols,
            market_is_replayed=True,
            in_campaign=True,
            playbook_hash=house.playbook_hash,
        )
        for run in ("", "-again") if again else ("",):
            workflow_id = period_workflow(house.realm, PeriodKind.WEEKLY_EVOLUTION, "2020-W07") + run
            await house.client.execute_workflow(
                WeeklyEvolution.run,
                request,
                id=workflow_id,
                task_queue=house.queue(QueueRole.DECISIONS),
                task_timeout=TASK_TIMEOUT,
            )
        return workflow_id

    return play


async def _halt(house: SequenceHouse) -> None:
    change = ModeChange(operation_id="op-1", mode=Mode.HALTED, reason="storm", who="a person")
    await house.desk().execute_update(Update.CHANGE_MODE, change)


FALLING = Told(hours=[FLAT, FALL])
RISING = Told(hours=[FLAT, RISE])
ASKING = revised(first_playbook(), policy=changed(Policy(), approval_above_fraction="0"))
SUNDAY = datetime(2020, 2, 16, 20, tzinfo=UTC)
QUICK = changed(Policy(), min_history_bars=100, walk_forward_train_days=14, walk_forward_test_days=7, holdout_days=7)
EVOLVED = Told(history_hours=1100, playbook=revised(first_playbook(), policy=QUICK), coordinated=False)
PATHS = (
    RecordedPath("evolution-one-week", _evolution(again=False), EVOLVED),
    RecordedPath("evolution-again", _evolution(again=True), EVOLVED),
    RecordedPath("month-tightened", _reflection(asks=False), Told(coordinated=False)),
    RecordedPath("month-asking", _reflection(asks=True), Told(coordinated=False)),
    RecordedPath(
        "quarter-in-a-campaign",
        _reflection(kind=PeriodKind.QUARTERLY_REFLECTION, asks=True),
        Told(coordinated=False),
    ),
    RecordedPath("proposals-answered", _reflection(asks=True, waits=True), Told(coordinated=False)),
    RecordedPath("planning-two-symbols", _planning, Told(symbols=("BTC/USDT", "ETH/USDT"), coordinated=False)),
    RecordedPath("watch-session", _watch, Told(symbols=("BTC/USDT", "ETH/USDT"))),
    RecordedPath("proposals-expired", _reflection(asks=True, waits=True, answers=False), Told(coordinated=False)),
    RecordedPath("review-traded-day", _reviewing(), Told(coordinated=False, desks=False)),
    RecordedPath("review-tightened", _reviewing(falls=True), Told(coordinated=False)),
    RecordedPath("review-again", _reviewing(again=True), Told(coordinated=False, desks=False)),
    RecordedPath("review-with-closes", _reviewing(days_on=1), Told(coordinated=False, desks=False)),
    RecordedPath("decision-held", _decision(holds()), Told()),
    RecordedPath("decision-opened", _decision(buys()), Told()),
    RecordedPath("decision-reduced", _reduced, Told()),
    RecordedPath("decision-abstained", _decision(misquotes(buys())), Told()),
    RecordedPath("decision-refused", _refused_by_gate, Told()),
    RecordedPath("decision-corrected", _decision(misquotes(buys()), buys()), Told()),
    RecordedPath("decision-modified", _approved, Told(coordinated=False, playbook=ASKING)),
    RecordedPath("execution-filled", _bought, Told()),
    RecordedPath("execution-refused", _execution_refused, Told(venue_capital=Decimal(100))),
    RecordedPath("execution-expired", _execution_expired, Told()),
    RecordedPath("guard-stop", _guard(stop="6800"), FALLING),
    RecordedPath("guard-target", _guard(target="7400"), RISING),
    RecordedPath("guard-list-target", _guard(target="7400", plan=LISTED), RISING),
    RecordedPath("guard-time-exit", _guard(exit_at=OPENS_AT + 5 * HOUR), Told()),
    RecordedPath("guard-flatten", _flattened, Told()),
    RecordedPath("desk-reserve-and-halt", _desk, Told()),
    RecordedPath("desk-hands", _desk_by_hand, Told()),
    RecordedPath("desk-defends", _desk_defends, Told()),
    RecordedPath(
        "campaign-two-days",
        _campaign,
        Told(
            hours=[*[FLAT] * 9, FALL, *[(6650, 7050, 6640, 7000)], *[FLAT] * 60],
            symbols=("ETH/USDT", "BTC/USDT"),
            accounts_open=False,
            desks=False,
            coordinated=False,
        ),
    ),
)


async def record(names: list[str]) -> None:
    """Record the named paths, or all of them."""
    environment = trial_environment(dict(os.environ))
    program = temporal_server.find_temporal(os.environ)
    if program is None:
        raise SystemExit(f"no temporal program: {temporal_server.ENABLE}")
    options = temporal_server.TemporalOptions(
        namespaces=(NAMESPACE,), search_attributes=type_names(SEARCH_ATTRIBUTES), ui=False
    )
    with throw_away_home() as home, tempfile.TemporaryDirectory() as folder:
        server = temporal_server.launch_temporal(program, home.path, environment.env, options, grace_s=0.0)
        try:
            await temporal_server.temporal_ready(server)
            client = await Client.connect(
                server.address, namespace=NAMESPACE, plugins=[perennial_plugin()], identity="recorder"
            )
            empty = await migrated_database(Path(folder))
            for path in PATHS:
                if not names or path.name in names:
                    await _record_one(client, path, Path(folder), empty)
        finally:
            server.stop()


async def _record_one(client: Client, path: RecordedPath, folder: Path, empty: Path) -> None:
    place = folder / path.name
    place.mkdir()
    async with sequence_house(client, f"test-{path.name}", place, empty, path.told) as house:
        async with asyncio.timeout(60):
            workflow_id = await path.play(house)
        history = await client.get_workflow_handle(workflow_id).fetch_history()
    kept = _without_traces(json.loads(history.to_json()))
    lines = ",\n".join(json.dumps(event, sort_keys=True, separators=(",", ":")) for event in kept["events"])
    text = f'{{"events":[\n{lines}\n]}}\n'
    (HERE / f"{path.name}.json").write_text(text)
    sys.stdout.write(f"{path.name}: {len(kept['events'])} events, {len(text) // 1024} KiB\n")


def _without_traces(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_traces(inner) for name, inner in value.items() if name != "stackTrace"}
    if isinstance(value, list):
        return [_without_traces(inner) for inner in value]
    return value


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1:]))
