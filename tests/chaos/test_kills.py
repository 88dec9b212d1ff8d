"""Workers, the exchange and Temporal are killed with SIGKILL, or sleep for a while: the result is the same."""

from __future__ import annotations

import os

import pytest
from chaos_campaign import Ended, campaign

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

LONG = os.environ.get("PERENNIAL_TEST_LONG") == "1"
SEEDS = range(1, 21) if LONG else (1,)
WORKER_KILLS = 12 if LONG else 5
FROZEN = ("worker", "exchange")
"""Each sleeps once (a paused machine, a stuck disk) and goes on with what it had in its hands."""


@pytest.fixture(scope="module", params=SEEDS, ids=lambda seed: f"seed {seed}")
def killed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    return campaign(
        tmp_path_factory.mktemp("killed"),
        kills=WORKER_KILLS,
        exchange_kills=1,
        temporal_kills=1,
        freezes=len(FROZEN),
        freeze_targets=FROZEN,
        freeze_s=4.0,
        kill_seed=request.param,
    )


def test_the_campaign_trades_enough_to_be_disturbed(undisturbed: Ended) -> None:
    assert undisturbed.summary["kills"] == 0
    assert undisturbed.summary["orders"] >= 6
    assert undisturbed.summary["fills"] >= 4
    assert undisturbed.summary["differences"] == 0
    assert undisturbed.exits_sent_with_an_entry() >= 2, "order lists are part of what is disturbed"


def test_kills_and_freezes_change_no_row(undisturbed: Ended, killed: Ended) -> None:
    assert killed.summary["kills"] == WORKER_KILLS + 2, killed.said
    assert killed.summary["freezes"] == len(FROZEN), killed.said
    assert killed.outcome.differences == []
    compared = ("decisions", "orders", "fills", "model_calls", "equity_end_usd", "max_drawdown")
    assert {key: killed.summary[key] for key in compared} == {key: undisturbed.summary[key] for key in compared}
    assert killed.outcome.digest == undisturbed.outcome.digest


def test_no_order_reached_the_venue_twice(undisturbed: Ended, killed: Ended) -> None:
    venue = killed.venue_orders()
    assert len(venue) == len(set(venue)), "a client id came twice"
    assert sorted(venue) == sorted(undisturbed.venue_orders())
    assert sorted(venue) == sorted(killed.intended_orders())
