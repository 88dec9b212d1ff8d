"""A whole year twice: every sequence as often as the calendar says, and the same records."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from year import COUNTS, replay_year

pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(7200),
    pytest.mark.skipif(os.environ.get("PERENNIAL_TEST_LONG") != "1", reason="two years take half an hour: make long"),
]


def test_a_year_runs_every_sequence_and_twice_the_same(tmp_path_factory: pytest.TempPathFactory) -> None:
    first, again = (_year(tmp_path_factory.mktemp(name)) for name in ("first", "again"))
    assert {key: first[key] for key in COUNTS} == COUNTS
    assert first["digest"] == again["digest"]


def _year(folder: Path) -> dict[str, object]:
    ended = replay_year(folder, timeout_s=3500)
    assert ended.code == 0, ended.err
    return dict(ended.answer)
