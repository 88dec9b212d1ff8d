"""A session's watch, a day's plan, a campaign of two days."""

from __future__ import annotations

from fakes.scripted_models import buys
from fakes.sequence_house import SequenceHouse
from fakes.told_market import FLAT, OPENS_AT, Told
from recordings.guards import FALL
from recordings.path import RecordedPath, period_request, run_job

from workflows.daily_planning import DailyPlanning
from workflows.market_watch import MarketWatch
from workflows.names import TASK_TIMEOUT, QueueRole, watch_workflow
from workflows.periods import PeriodKind
from workflows.protocol import WatchRequest


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


async def _planning(house: SequenceHouse) -> str:
    """The plan of the day whose seven o'clock is an hour ago."""
    at = OPENS_AT.replace(hour=7)
    request = period_request(house, at, market_is_replayed=True, in_campaign=True)
    return await run_job(house, DailyPlanning, PeriodKind.DAILY_PLANNING, f"{at:%Y-%m-%d}", request)


async def _campaign(house: SequenceHouse) -> str:
    house.primary.say(buys())
    house.secondary.say(buys())
    handle = await house.start_campaign(hours=48, decide_every_h=12)
    await handle.result()
    return handle.id


PATHS = (
    RecordedPath("planning-two-symbols", _planning, Told(symbols=("BTC/USDT", "ETH/USDT"), coordinated=False)),
    RecordedPath("watch-session", _watch, Told(symbols=("BTC/USDT", "ETH/USDT"))),
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
