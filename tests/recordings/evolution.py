"""Evolutions of a week."""

from __future__ import annotations

from datetime import UTC, datetime

from fakes.sequence_house import SequenceHouse
from fakes.told_market import Told
from recordings.path import Play, RecordedPath, period_request, run_job

from trading.playbook import first_playbook, revised
from trading.policy.model import Policy
from trading.policy.table import changed
from workflows.periods import PeriodKind
from workflows.weekly_evolution import WeeklyEvolution

SUNDAY = datetime(2020, 2, 16, 20, tzinfo=UTC)
QUICK = changed(Policy(), min_history_bars=100, walk_forward_train_days=14, walk_forward_test_days=7, holdout_days=7)
EVOLVED = Told(history_hours=1100, playbook=revised(first_playbook(), policy=QUICK), coordinated=False)


def _evolution(*, again: bool) -> Play:
    """A week evolved to its Sunday; `again` is a second run, which finds the first one's result."""

    async def play(house: SequenceHouse) -> str:
        request = period_request(
            house,
            SUNDAY,
            symbols=house.told.symbols,
            market_is_replayed=True,
            in_campaign=True,
            playbook_hash=house.playbook_hash,
        )
        for run in ("", "-again") if again else ("",):
            workflow_id = await run_job(house, WeeklyEvolution, PeriodKind.WEEKLY_EVOLUTION, f"2020-W07{run}", request)
        return workflow_id

    return play


PATHS = (
    RecordedPath("evolution-one-week", _evolution(again=False), EVOLVED),
    RecordedPath("evolution-again", _evolution(again=True), EVOLVED),
)
