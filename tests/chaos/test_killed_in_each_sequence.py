"""A worker is killed with SIGKILL in the middle of each sequence: the result is that of an undisturbed run."""

from __future__ import annotations

import pytest
from chaos_campaign import Ended, campaign

pytestmark = [pytest.mark.stack, pytest.mark.timeout(400)]

SEQUENCES = (
    "DailyPlanning",
    "TradeDecision",
    "OrderExecution",
    "PositionGuard",
    "DailyReview",
    "WeeklyEvolution",
    "MonthlyReflection",
    "QuarterlyReflection",
    "MarketWatch",
    "AccountDesk",
)
"""Each of them is in flight when it is hit. Watch and desks always run: they are hit in a workflow task of theirs while
decisions run."""


@pytest.fixture(scope="module")
def struck(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    return campaign(tmp_path_factory.mktemp("struck"), kills_during=SEQUENCES)


def test_the_campaign_runs_every_sequence(undisturbed: Ended) -> None:
    said = undisturbed.summary
    assert (said["daily_plans"], said["daily_reviews"]) == (2, 2)
    assert (said["weekly_evolutions"], said["monthly_reflections"], said["quarterly_reflections"]) == (1, 1, 1)


def test_a_kill_in_the_middle_of_each_changes_no_row(undisturbed: Ended, struck: Ended) -> None:
    assert struck.summary["kills"] == len(SEQUENCES), struck.said
    assert struck.outcome.differences == []
    assert struck.outcome.digest == undisturbed.outcome.digest
    assert sorted(struck.venue_orders()) == sorted(undisturbed.venue_orders())
