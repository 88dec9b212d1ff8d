"""A day's plan on real activities and the real server: made once, by a schedule too, and it trades nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from eventually import eventually
from fakes.sequence_house import SequenceHouse
from fakes.told_market import HISTORY_HOURS, OPENS_AT, SYMBOL, VENUE, Told
from temporalio import workflow
from temporalio.client import ScheduleOverlapPolicy
from temporalio.worker import Worker

from activities.store.reading import decision_list, order_list
from config.markets import CRYPTO
from trading.planning.models import DayPlan
from trading.playbook import first_playbook, revised
from trading.policy.table import changed
from workers import schedules
from workflows.daily_planning import DailyPlanning, PlanResult, plan_day
from workflows.names import AS_OF, TASK_TIMEOUT, QueueRole
from workflows.periods import PeriodKind, PeriodRequest, period_workflow, schedule_id

OpenHouse = Callable[..., Awaitable[SequenceHouse]]
SYMBOLS = (SYMBOL, "ETH/USDT")
PLANNED = Told(symbols=SYMBOLS, coordinated=False, desks=False)
SEVEN = OPENS_AT.replace(hour=7, minute=0)
"""07:00 of the day whose 08:00 the market's clock shows."""


def request(house: SequenceHouse, **given: Any) -> PeriodRequest:
    fields: dict[str, Any] = {
        "realm": house.realm,
        "venue": VENUE,
        "ledger": house.ledger,
        "accounts": house.told.accounts,
        "as_of": SEVEN,
        "market_is_replayed": True,
    }
    return PeriodRequest.model_validate(fields | given)


async def planned(house: SequenceHouse, *, run: str = "", **given: Any) -> PlanResult:
    result: PlanResult = await house.client.execute_workflow(
        DailyPlanning.run,
        request(house, **given),
        id=period_workflow(house.realm, PeriodKind.DAILY_PLANNING, "test") + run,
        task_queue=house.queue(QueueRole.DECISIONS),
        task_timeout=TASK_TIMEOUT,
    )
    return result


async def plan_of(house: SequenceHouse, day: date) -> DayPlan | None:
    kept = await house.store.find_day_plan(house.realm, day.isoformat())
    return None if kept is None else DayPlan.model_validate_json(await house.store.get(kept.plan_hash))


def plant(house: SequenceHouse) -> schedules.Plant:
    return schedules.Plant(
        client=house.client,
        realm=house.realm,
        venue=VENUE,
        market=CRYPTO,
        zone=CRYPTO.zone,
        accounts=house.told.accounts,
        market_is_replayed=True,
        workflows=schedules.registered_workflows(),
    )


@asynccontextmanager
async def scheduled(house: SequenceHouse) -> AsyncIterator[schedules.Plant]:
    """The house's schedules, gone again at the end."""
    ground = plant(house)
    try:
        await schedules.apply(ground)
        yield ground
    finally:
        for row in ground.rows():
            await house.client.get_schedule_handle(schedule_id(house.realm, row.kind)).delete()


@pytest.mark.temporal
async def test_a_day_is_planned_from_what_was_known_at_seven(open_house: OpenHouse) -> None:
    house = await open_house(PLANNED)
    result = await planned(house)
    plan = await plan_of(house, SEVEN.date())
    assert plan is not None
    assert not result.already_planned
    assert (plan.as_of, plan.final_at.hour, plan.session_start.hour) == (SEVEN, 7, 8)
    assert {item.symbol for item in plan.watch} == set(SYMBOLS)
    assert plan.playbook_version == first_playbook().version
    (mine,) = plan.plans
    assert mine.triggers, "the swing around 7000 leaves a level on each side"
    assert all(trigger.level.fact for trigger in mine.triggers)
    assert [task.priority for task in mine.tasks] == list(range(1, len(mine.tasks) + 1))


@pytest.mark.temporal
async def test_planned_twice_is_one_plan(open_house: OpenHouse) -> None:
    house = await open_house(PLANNED)
    first = await planned(house)
    again = await planned(house, run="-again", as_of=SEVEN + timedelta(minutes=50))
    assert again.already_planned
    assert again.kept == first.kept


@pytest.mark.temporal
async def test_two_runs_at_once_report_one_plan(open_house: OpenHouse) -> None:
    house = await open_house(PLANNED)
    results = await asyncio.gather(*(planned(house, run=f"-{n}") for n in range(3)))
    assert len({result.kept.plan_hash for result in results}) == 1


@workflow.defn(sandboxed=False)
class Caller:
    """A workflow that owns the market's clock and plans its days, as a campaign will."""

    @workflow.run
    async def run(self, asked: PeriodRequest) -> list[PlanResult]:
        return [await plan_day(asked), await plan_day(asked)]


@pytest.mark.temporal
async def test_a_workflow_plans_a_day_in_its_own_time_and_playbook(open_house: OpenHouse) -> None:
    house = await open_house(PLANNED)
    queue = f"caller-{house.realm}"
    asked = request(house, symbols=SYMBOLS, in_campaign=True, playbook_hash=house.playbook_hash)
    async with Worker(house.client, task_queue=queue, workflows=[Caller]):
        first, again = await house.client.execute_workflow(Caller.run, asked, id=queue, task_queue=queue)
    assert (first.already_planned, again.already_planned) == (False, True)
    assert first.kept == again.kept
    child = house.client.get_workflow_handle(f"{house.realm}/daily-planning/all/{SEVEN:%Y-%m-%d}")
    assert PlanResult.model_validate(await child.result()) == again
    assert await house.store.playbooks(house.realm) == (), "a caller that names its playbook registers none"
    with pytest.raises(ValueError, match="as_of is missing"):
        await plan_day(asked.model_copy(update={"as_of": None}))


@pytest.mark.temporal
async def test_the_active_playbook_makes_the_plan(open_house: OpenHouse) -> None:
    house = await open_house(PLANNED)
    first = first_playbook()
    tight = revised(first, policy=changed(first.policy, max_trade_fraction="0.01"))
    await house.store.register_playbook(house.realm, tight, created_from="test", who="a test", why="smaller")
    await house.store.activate_playbook(house.realm, tight.version, reason="smaller", who="a person")
    await planned(house)
    plan = await plan_of(house, SEVEN.date())
    assert plan is not None
    assert plan.playbook_version == tight.version
    assert all(idea.size_fraction <= tight.policy.max_trade_fraction for part in plan.plans for idea in part.ideas)


@pytest.mark.temporal
async def test_a_market_that_has_not_come_so_far_is_planned_where_it_is(open_house: OpenHouse) -> None:
    house = await open_house(PLANNED)
    await planned(house, as_of=SEVEN + timedelta(days=400))
    plan = await plan_of(house, OPENS_AT.date())
    assert plan is not None
    assert plan.as_of == OPENS_AT


@pytest.mark.temporal
async def test_an_operators_pause_survives_the_next_apply(open_house: OpenHouse) -> None:
    house = await open_house(PLANNED)
    async with scheduled(house) as ground:
        await ground.handle("daily-planning").pause(note="the venue sleeps (a person)")
        applied = await schedules.apply(ground)
        assert {"id": f"{house.realm}/daily-planning", "done": "kept"} in applied
        described = await ground.handle("daily-planning").describe()
        assert described.schedule.state.paused
        assert described.schedule.state.note == "the venue sleeps (a person)"
        assert described.schedule.policy.overlap is ScheduleOverlapPolicy.SKIP
        assert described.schedule.policy.catchup_window == timedelta(hours=1)
        assert described.schedule.spec.time_zone_name == "UTC"
        assert all((at.hour, at.minute) == (7, 0) for at in described.info.next_action_times)


@pytest.mark.temporal
async def test_a_trigger_plans_the_markets_day(open_house: OpenHouse) -> None:
    house = await open_house(PLANNED)
    async with scheduled(house) as ground:
        await ground.handle("daily-planning").trigger()
        plan = await eventually(lambda: plan_of(house, OPENS_AT.date()), timeout_s=20, what="the plan")
        assert plan is not None
        assert plan.as_of == OPENS_AT


@pytest.mark.temporal
async def test_a_backfill_plans_three_days_in_their_own_time_and_trades_nothing(open_house: OpenHouse) -> None:
    house = await open_house(replace(PLANNED, history_hours=HISTORY_HOURS + 72))
    days = [(SEVEN + timedelta(days=on)).date() for on in range(3)]
    async with scheduled(house) as ground:
        count = await schedules.backfill(ground, "daily-planning", first=days[0], last=days[-1])
        assert count == 3
        await eventually(lambda: plan_of(house, days[-1]), timeout_s=30, what="the last plan")
    plans = [plan for day in days if (plan := await plan_of(house, day)) is not None]
    assert [plan.as_of for plan in plans] == [_seven(day) for day in days]
    assert all(len(plan.watch) == len(SYMBOLS) for plan in plans)
    assert len({item.snapshot_hash for plan in plans for item in plan.watch}) == 3 * len(SYMBOLS)
    assert await plan_of(house, days[-1] + timedelta(days=1)) is None
    assert not await order_list(house.store, house.realm)
    assert not await decision_list(house.store, house.realm)
    async for run in house.client.list_workflows(f"WorkflowId STARTS_WITH '{house.realm}/daily-planning/'"):
        assert run.typed_search_attributes.get(AS_OF) in {_seven(day) for day in days}


def _seven(day: date) -> datetime:
    return SEVEN.replace(year=day.year, month=day.month, day=day.day)
