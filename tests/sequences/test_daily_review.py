"""A day's review on real activities and the real server: made once, by a schedule too, in the day's own time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from eventually import eventually
from fakes.months import TIGHTENED, worth
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, HISTORY_HOURS, OPENS_AT, SYMBOL, VENUE, Told
from temporalio import workflow
from temporalio.worker import Worker

from activities.reports.calls import ReportRequest, build
from activities.reports.source import StoreSource
from config.markets import CRYPTO
from trading.playbook import from_json
from trading.review.day import DayReview
from trading.review.period import ReportKind
from workers import schedules
from workflows.daily_review import DailyReview, review_day
from workflows.names import AS_OF, TASK_TIMEOUT, QueueRole
from workflows.periods import PeriodDone, PeriodKind, PeriodRequest, period_workflow, schedule_id

OpenHouse = Callable[..., Awaitable[SequenceHouse]]
D = Decimal
DAY = timedelta(days=1)
TOLD = Told(coordinated=False, desks=False)
FIVE_PAST = OPENS_AT.replace(hour=0, minute=5)
"""00:05 of the day whose 08:00 the market's clock shows: the day before has just ended."""
YESTERDAY = (FIVE_PAST - DAY).date()


def request(house: SequenceHouse, **given: Any) -> PeriodRequest:
    fields: dict[str, Any] = {
        "realm": house.realm,
        "venue": VENUE,
        "ledger": house.ledger,
        "accounts": house.told.accounts,
        "as_of": FIVE_PAST,
        "playbook_hash": house.playbook_hash,
        "symbols": house.told.symbols,
        "in_campaign": True,
    }
    return PeriodRequest.model_validate(fields | given)


async def reviewed(house: SequenceHouse, *, run: str = "", **given: Any) -> PeriodDone:
    result: PeriodDone = await house.client.execute_workflow(
        DailyReview.run,
        request(house, **given),
        id=period_workflow(house.realm, PeriodKind.DAILY_REVIEW, "test") + run,
        task_queue=house.queue(QueueRole.DECISIONS),
        task_timeout=TASK_TIMEOUT,
    )
    return result


async def review_of(house: SequenceHouse, day: date) -> DayReview | None:
    kept = await house.store.find_day_review(house.realm, day.isoformat())
    return None if kept is None else kept.review


async def times_of(house: SequenceHouse) -> set[datetime]:
    """The times by which three runs are found, once all three are."""
    query = f"WorkflowId STARTS_WITH '{house.realm}/daily-review/'"
    times = [run.typed_search_attributes.get(AS_OF) async for run in house.client.list_workflows(query)]
    return {at for at in times if at is not None} if len(times) == 3 and None not in times else set()


async def closed(house: SequenceHouse, number: int, *, pnl: int, back: timedelta = timedelta(hours=4)) -> None:
    """A trade of the lead account that was closed so long before the day ended."""
    await house.store.record_outcome(
        house.realm,
        house.told.accounts[0],
        SYMBOL,
        f"d{number}",
        pnl_usd=D(pnl),
        return_fraction=D(pnl) / 1000,
        exit_reason="target" if pnl > 0 else "stop",
        closed_at=FIVE_PAST.replace(minute=0) - back,
    )


@pytest.mark.temporal
async def test_a_day_is_reviewed_after_it_ended_and_teaches(open_house: OpenHouse) -> None:
    house = await open_house(TOLD)
    await closed(house, 1, pnl=18)
    await closed(house, 2, pnl=-31)
    await closed(house, 3, pnl=5, back=timedelta(0))
    done = await reviewed(house)
    assert (done.kind, done.period, done.already_done) == (PeriodKind.DAILY_REVIEW, YESTERDAY.isoformat(), False)
    review = await review_of(house, YESTERDAY)
    assert review is not None
    (mine,) = review.accounts
    assert [(trade.decision_id, trade.label.value) for trade in mine.trades] == [("d1", "success"), ("d2", "failure")]
    assert mine.pnl_usd == D(-13), "the trade at midnight belongs to the next day"
    assert len(mine.lessons) == 2
    assert not review.model_knows_period, "nobody decided"
    await house.advance(FIVE_PAST + DAY)
    await reviewed(house, run="-next", as_of=FIVE_PAST + DAY)
    tomorrow = await review_of(house, FIVE_PAST.date())
    assert tomorrow is not None
    (lesson,) = [lesson for lesson in tomorrow.accounts[0].learned if lesson.kind == "success"]
    assert (lesson.sample_count, lesson.validation_trades) == (2, 2), "on top of what the day before taught"
    (run,) = await house.store.prices(house.realm, since=FIVE_PAST, until=FIVE_PAST + DAY)
    assert (run.symbol, len(run.closes), run.until) == (SYMBOL, 16, FIVE_PAST.replace(minute=0) + DAY)
    assert run.spread_fraction is not None, "the market's clock shows the review's time"


@pytest.mark.temporal
async def test_reviewed_twice_is_one_review(open_house: OpenHouse) -> None:
    house = await open_house(TOLD)
    await closed(house, 1, pnl=18)
    first = await reviewed(house)
    await closed(house, 2, pnl=-31)
    again = await reviewed(house, run="-again", as_of=FIVE_PAST + timedelta(hours=3))
    assert again.already_done
    assert again.report_hash == first.report_hash


@pytest.mark.temporal
async def test_two_reviews_at_once_report_one_result(open_house: OpenHouse) -> None:
    house = await open_house(TOLD)
    results = await asyncio.gather(*(reviewed(house, run=f"-{n}") for n in range(3)))
    assert len({result.report_hash for result in results}) == 1


@workflow.defn(sandboxed=False)
class ReviewCaller:
    """A workflow that owns the market's clock and reviews its days, as a campaign does."""

    @workflow.run
    async def run(self, asked: PeriodRequest) -> list[PeriodDone]:
        return [await review_day(asked), await review_day(asked)]


@pytest.mark.temporal
async def test_a_workflow_reviews_a_day_in_its_own_time(open_house: OpenHouse) -> None:
    house = await open_house(TOLD)
    queue = f"caller-{house.realm}"
    async with Worker(house.client, task_queue=queue, workflows=[ReviewCaller]):
        first, again = await house.client.execute_workflow(ReviewCaller.run, request(house), id=queue, task_queue=queue)
    assert (first.already_done, again.already_done) == (False, True)
    assert first.report_hash == again.report_hash
    child = house.client.get_workflow_handle(f"{house.realm}/daily-review/all/{YESTERDAY}")
    assert PeriodDone.model_validate(await child.result()) == again
    assert await house.store.playbooks(house.realm) == (), "a caller that names its playbook registers none"
    with pytest.raises(ValueError, match="as_of is missing"):
        await review_day(request(house, as_of=None))


@pytest.mark.temporal
async def test_a_backfill_reviews_three_days_in_their_own_time(open_house: OpenHouse) -> None:
    house = await open_house(replace(TOLD, history_hours=HISTORY_HOURS + 72))
    days = [(FIVE_PAST + on * DAY).date() for on in range(-2, 1)]
    ground = schedules.Plant(
        client=house.client,
        realm=house.realm,
        venue=VENUE,
        market=CRYPTO,
        zone=CRYPTO.zone,
        accounts=house.told.accounts,
        market_is_replayed=True,
        workflows=schedules.registered_workflows(),
    )
    await schedules.apply(ground)
    try:
        assert await schedules.backfill(ground, "daily-review", first=days[0], last=days[-1]) == 3
        await eventually(lambda: review_of(house, YESTERDAY), timeout_s=30, what="the last review")
    finally:
        for row in ground.rows():
            await house.client.get_schedule_handle(schedule_id(house.realm, row.kind)).delete()
    for day in days:
        review = await review_of(house, day - DAY)
        assert review is not None
        assert review.as_of == FIVE_PAST.replace(minute=0) + (day - FIVE_PAST.date())
    assert await review_of(house, FIVE_PAST.date()) is None, "the day that is not over is not reviewed"
    found = await eventually(lambda: times_of(house), what="the runs' times")
    assert found == {FIVE_PAST + on * DAY for on in range(-2, 1)}


async def a_bad_day(house: SequenceHouse, ends: datetime) -> None:
    """Half way to the defence: trades become smaller."""
    await worth(house.store, house.realm, [100_000, 97_000, 94_000], until=ends, since=ends - DAY)


async def size_of(house: SequenceHouse) -> Decimal:
    active = await house.store.active_playbook(house.realm)
    return from_json(await house.store.get(active.content_hash)).policy.max_trade_fraction


@pytest.mark.temporal
async def test_a_bad_day_tightens_once_the_desk_knows_and_the_report_says_so(open_house: OpenHouse) -> None:
    house = await open_house(Told(coordinated=False, playbook=TIGHTENED))
    await house.store.active_playbook(house.realm, first=TIGHTENED)
    await a_bad_day(house, FIVE_PAST.replace(minute=0))
    done = await reviewed(house, playbook_hash=None)
    active = await house.store.active_playbook(house.realm)
    assert (done.playbook_version, done.playbook_hash) == (active.version, active.content_hash)
    assert active.created_from == f"daily-review {YESTERDAY}"
    assert await size_of(house) < TIGHTENED.policy.max_trade_fraction
    answered = await house.reserve(house.wish("next", notional="50000"))
    assert answered.permit is not None
    assert answered.permit.notional_usd <= await size_of(house) * house.told.capital
    again = await reviewed(house, run="-again", playbook_hash=None)
    assert again == done.model_copy(update={"already_done": True})
    assert len(await house.store.playbooks(house.realm)) == 2, "tightened once"
    asked = ReportRequest(realm=house.realm, account=ACCOUNT, kind=ReportKind.DAILY, day=YESTERDAY)
    report = (await build(StoreSource(house.store), asked)).report
    (changes,) = [str(section) for section in report.sections if section.heading == "Changes"]
    assert f"activated playbook {active.version}" in changes
    assert "max_trade_fraction" in changes


@pytest.mark.temporal
async def test_a_day_that_is_reviewed_after_a_later_one_tightens_nothing(open_house: OpenHouse) -> None:
    house = await open_house(Told(coordinated=False, playbook=TIGHTENED))
    await house.store.active_playbook(house.realm, first=TIGHTENED)
    await a_bad_day(house, FIVE_PAST.replace(minute=0) - DAY)
    await reviewed(house, playbook_hash=None)
    late = await reviewed(house, run="-late", playbook_hash=None, as_of=FIVE_PAST - DAY)
    review = await review_of(house, YESTERDAY - DAY)
    assert review is not None
    assert [change.field for change in review.applied] == ["max_trade_fraction"], "it would have"
    assert late.playbook_version is None
    assert await size_of(house) == TIGHTENED.policy.max_trade_fraction
    asked = ReportRequest(realm=house.realm, account=ACCOUNT, kind=ReportKind.DAILY, day=YESTERDAY - DAY)
    report = (await build(StoreSource(house.store), asked)).report
    assert "wanted, not applied" in str(report.sections)
