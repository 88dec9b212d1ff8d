"""The watch of a market that makes it act by itself: a day off its course, a crash; and the hourly look at accounts."""

from __future__ import annotations

from fakes.sequence_house import SequenceHouse
from fakes.told_market import FLAT, OPENS_AT, Told
from fakes.watched_market import results, start_watch, tell_plan
from recordings.path import HOUR, RecordedPath, period_request, run_job

from trading.playbook import first_playbook, revised
from trading.policy.table import changed
from workflows.maintenance import Maintenance
from workflows.market_watch import MarketWatch
from workflows.periods import PeriodKind

CRASH = (7000, 7010, 6000, 6050)
BOTTOM = (6050, 6060, 6040, 6050)
STRICT = revised(first_playbook(), policy=changed(first_playbook().policy, replan_deviation_fraction="0.2"))


async def _replan(house: SequenceHouse) -> str:
    """Four hours into the session nothing was made: a quarter of the target is missing, and the day is planned anew."""
    watch = await start_watch(house)
    await results(house, await house.tick(watch))
    await tell_plan(house, watch)
    await house.tick(watch)
    await house.advance(OPENS_AT + 4 * HOUR)
    for hours in (0, 4):
        await house.store.record_equity(house.realm, house.told.accounts[0], as_of=OPENS_AT + hours * HOUR, marks=())
    await house.tick(watch)
    await watch.signal(MarketWatch.close)
    await watch.result()
    return watch.id


async def _crash(house: SequenceHouse) -> str:
    """The market stops a tenth below the close before, and both desks are told to defend the symbol."""
    watch = await start_watch(house)
    settled = await house.tick(watch)
    await results(house, settled)
    stop = await house.advance(OPENS_AT + HOUR, *settled.watched.levels)
    await house.tick(watch, *stop.events)
    await house.tick(watch, *stop.events)
    await watch.signal(MarketWatch.close)
    await watch.result()
    return watch.id


async def _maintenance(house: SequenceHouse) -> str:
    request = period_request(house, OPENS_AT, usual=house.told.symbols, market_is_replayed=True)
    return await run_job(house, Maintenance, PeriodKind.MAINTENANCE, f"{OPENS_AT:%Y-%m-%dT%H:%M}", request)


PATHS = (
    RecordedPath("watch-replan", _replan, Told(playbook=STRICT)),
    RecordedPath("watch-crash", _crash, Told(accounts=("aggressive", "composite"), hours=[CRASH, BOTTOM, FLAT])),
    RecordedPath("maintenance-hour", _maintenance, Told()),
)
