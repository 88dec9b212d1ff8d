"""`perennial chaos`: 20 kills of real parts, and what the verb says of them. The long run has 200, and another seed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from command_line import perennial

pytestmark = [pytest.mark.stack, pytest.mark.timeout(3600)]

LONG = os.environ.get("PERENNIAL_TEST_LONG") == "1"
RUNS = ((200, 1), (60, 2)) if LONG else ((20, 1),)


@pytest.mark.parametrize(("kills", "seed"), RUNS, ids=lambda number: str(number))
def test_nothing_is_lost_doubled_or_different(kills: int, seed: int, tmp_path: Path) -> None:
    said = perennial(tmp_path, "chaos", "--kills", str(kills), "--seed", str(seed), "--json", timeout_s=3500)
    assert said.code == 0, said.err[-2000:]
    assert len(said.out.splitlines()) == 1, "what the SDK says of a killed server belongs on standard error"
    told = said.answer
    assert told["kills"] == kills
    assert told["freezes"] >= 3
    assert told["lost_replies"] >= 3
    assert told["late_requests"] >= 1
    assert told["intended_orders"] >= 20
    assert told["venue_orders"] == told["intended_orders"]
    wrong = {name: told[name] for name in ("duplicates", "orphans", "lost", "differences", "frozen")}
    assert not any(wrong.values()), wrong
    assert told["unprotected_s"]["p50"] is not None
    assert told["unprotected_s"]["p50"] <= 5
    assert told["resume_s"]["p50"] is not None
