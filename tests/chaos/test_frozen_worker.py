"""A worker sleeps through six seconds in the middle (a paused machine, a stuck disk): the result is the same."""

from __future__ import annotations

import pytest
from chaos_campaign import Ended, campaign

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


def test_a_frozen_worker_changes_no_row(undisturbed: Ended, tmp_path_factory: pytest.TempPathFactory) -> None:
    frozen = campaign(tmp_path_factory.mktemp("frozen"), freezes=1, kill_seed=3)
    assert frozen.summary["freezes"] == 1
    assert frozen.summary["kills"] == 0
    assert frozen.outcome.differences == []
    assert frozen.outcome.digest == undisturbed.outcome.digest
    assert sorted(frozen.venue_orders()) == sorted(undisturbed.venue_orders())
