"""A week of evolution on real activities, a real process and the real server: evolved once, whatever dies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from fakes.sequence_house import SequenceHouse
from fakes.told_market import SYMBOL, VENUE, Told
from temporalio import workflow
from temporalio.worker import Worker

from activities.store.reading import decision_list
from trading.evolution.report import EvolutionReport
from trading.playbook import first_playbook, from_json
from trading.policy.model import Policy
from trading.policy.table import changed
from workflows.names import TASK_TIMEOUT, QueueRole
from workflows.periods import PeriodDone, PeriodKind, PeriodRequest, period_workflow
from workflows.weekly_evolution import WeeklyEvolution, evolve_week

OpenHouse = Callable[..., Awaitable[SequenceHouse]]
SYMBOLS = (SYMBOL, "ETH/USDT")
QUICK = changed(Policy(), min_history_bars=100, walk_forward_train_days=14, walk_forward_test_days=7, holdout_days=7)
EVOLVED = Told(
    symbols=SYMBOLS,
    history_hours=1100,
    playbook=first_playbook(QUICK),
    coordinated=False,
    desks=False,
)
SUNDAY = datetime(2020, 2, 16, 20, tzinfo=UTC)
"""The last Sunday evening before the market's clock, which shows a Thursday."""


def request(house: SequenceHouse, **given: Any) -> PeriodRequest:
    fields: dict[str, Any] = {
        "realm": house.realm,
        "venue": VENUE,
        "ledger": house.ledger,
        "accounts": house.told.accounts,
        "as_of": SUNDAY,
        "symbols": SYMBOLS,
        "market_is_replayed": True,
        "in_campaign": True,
        "playbook_hash": house.playbook_hash,
    }
    return PeriodRequest.model_validate(fields | given)


async def evolved(house: SequenceHouse, *, run: str = "", **given: Any) -> PeriodDone:
    result: PeriodDone = await house.client.execute_workflow(
        WeeklyEvolution.run,
        request(house, **given),
        id=period_workflow(house.realm, PeriodKind.WEEKLY_EVOLUTION, "test") + run,
        task_queue=house.queue(QueueRole.DECISIONS),
        task_timeout=TASK_TIMEOUT,
    )
    return result


async def report_of(house: SequenceHouse, done: PeriodDone) -> EvolutionReport:
    assert done.report_hash is not None
    return EvolutionReport.model_validate_json(await house.store.get(done.report_hash))


@pytest.mark.temporal
async def test_a_week_is_evolved_to_its_sunday_and_orders_nothing(open_house: OpenHouse) -> None:
    house = await open_house(EVOLVED)
    done = await evolved(house)
    report = await report_of(house, done)
    assert (done.kind, done.period, done.already_done) == (PeriodKind.WEEKLY_EVOLUTION, "2020-W07", False)
    assert (report.as_of, report.symbols) == (SUNDAY, SYMBOLS)
    assert len(report.candidates) == 3
    assert report.trials >= 10
    assert (
        await house.store.find_report(house.realm, kind="weekly-evolution", account="all", period="2020-W07")
        == done.report_hash
    )
    assert not await decision_list(house.store, realm=house.realm)


@pytest.mark.temporal
async def test_the_playbook_follows_the_pool(open_house: OpenHouse) -> None:
    """What the week left is the active set: trials small, warned ones smaller, culled ones gone."""
    house = await open_house(EVOLVED)
    done = await evolved(house)
    report = await report_of(house, done)
    active = await house.store.active_playbook(house.realm)
    playbook = from_json(await house.store.get(active.content_hash))
    before = first_playbook()
    assert playbook.strategies == report.strategies_after(before.strategies)
    assert (done.playbook_version == active.version) is (playbook.strategies != before.strategies)
    assert {"rules-momentum", "rules-reversion"} <= {row.name for row in playbook.strategies}


@pytest.mark.temporal
async def test_evolved_twice_is_evolved_once(open_house: OpenHouse) -> None:
    house = await open_house(EVOLVED)
    first, second = await asyncio.gather(evolved(house), evolved(house, run="-beside"))
    again = await evolved(house, run="-later", as_of=SUNDAY.replace(day=18))
    assert again.already_done
    assert first.report_hash == second.report_hash == again.report_hash
    assert first.playbook_version == again.playbook_version
    assert len(await house.store.playbooks(house.realm)) <= 2


@pytest.mark.temporal
async def test_a_worker_that_remembers_nothing_evolves_the_same(open_house: OpenHouse) -> None:
    """Each workflow task is replayed from the first event: killed between any two steps, it goes on."""
    house = await open_house(EVOLVED)
    forgetful = await open_house(EVOLVED, max_cached_workflows=0)
    one, other = await evolved(house), await evolved(forgetful)
    assert one.report_hash == other.report_hash
    assert one.playbook_version == other.playbook_version


@workflow.defn(sandboxed=False)
class SundayCaller:
    """A workflow that owns the market's clock and evolves its weeks, as a campaign does."""

    @workflow.run
    async def run(self, asked: PeriodRequest) -> list[PeriodDone]:
        return [await evolve_week(asked), await evolve_week(asked)]


@pytest.mark.temporal
async def test_a_campaign_evolves_its_week_by_the_seam(open_house: OpenHouse) -> None:
    house = await open_house(EVOLVED)
    queue = f"caller-{house.realm}"
    async with Worker(house.client, task_queue=queue, workflows=[SundayCaller]):
        first, again = await house.client.execute_workflow(SundayCaller.run, request(house), id=queue, task_queue=queue)
    assert (first.already_done, again.already_done) == (False, True)
    assert first.report_hash == again.report_hash
