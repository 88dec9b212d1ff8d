"""Reviews of a day."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from fakes.months import TIGHTENED, worth
from fakes.sequence_house import SequenceHouse
from fakes.told_market import OPENS_AT, Told
from recordings.path import HOUR, Play, RecordedPath, period_request, run_job

from workflows.daily_review import DailyReview
from workflows.periods import PeriodKind

DAY = timedelta(days=1)


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
    request = period_request(
        house,
        at,
        symbols=house.told.symbols,
        market_is_replayed=True,
        in_campaign=True,
        playbook_hash=None if by_the_active else house.playbook_hash,
    )
    return await run_job(house, DailyReview, PeriodKind.DAILY_REVIEW, f"{at - DAY:%Y-%m-%d}{run}", request)


PATHS = (
    RecordedPath("review-traded-day", _reviewing(), Told(coordinated=False, desks=False)),
    RecordedPath("review-tightened", _reviewing(falls=True), Told(coordinated=False)),
    RecordedPath("review-again", _reviewing(again=True), Told(coordinated=False, desks=False)),
    RecordedPath("review-with-closes", _reviewing(days_on=1), Told(coordinated=False, desks=False)),
)
