"""`perennial demo`: what a person sees on the first day, run exactly as it is typed."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from command_line import Said, perennial

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

KEYS = {
    *("days", "decisions", "abstentions", "orders", "fills", "model_calls", "kills", "differences", "equity_start_usd"),
    *("equity_end_usd", "buy_and_hold_usd", "max_drawdown", "wall_s", "daily_plans", "daily_reviews"),
    *("weekly_evolutions", "monthly_reflections", "quarterly_reflections"),
}
"""The contract that people script against: keys are only ever added."""

MONEY = ("equity_start_usd", "equity_end_usd", "buy_and_hold_usd", "max_drawdown")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Said:
    return perennial(tmp_path_factory.mktemp("demo"), "demo", "--json", timeout_s=200)


def test_it_ends_well_with_one_json_line(demo: Said) -> None:
    assert demo.code == 0, demo.err
    assert len(demo.out.strip().splitlines()) == 1
    assert KEYS - demo.answer.keys() == set()


def test_it_trades_through_a_crash_and_a_kill(demo: Said) -> None:
    said = demo.answer
    assert said["kills"] == 1
    assert said["differences"] == 0
    assert said["days"] == 5
    assert said["decisions"] == 120
    assert said["orders"] > 4
    assert said["fills"] > 4
    assert said["model_calls"] >= 2 * (said["decisions"] - said["abstentions"])


def test_money_is_text_and_counts_are_numbers(demo: Said) -> None:
    said = demo.answer
    for key in MONEY:
        assert isinstance(said[key], str)
        assert Decimal(said[key]).is_finite()
    for key in KEYS - {*MONEY, "wall_s"}:
        assert isinstance(said[key], int)
    assert Decimal(said["equity_end_usd"]) > Decimal(said["buy_and_hold_usd"]), "the crash is what it is about"


def test_progress_goes_to_the_other_stream(demo: Said) -> None:
    assert "killed" in demo.err
    assert "Traceback" not in demo.err
    for line in demo.err.splitlines():
        with pytest.raises(json.JSONDecodeError):
            json.loads(line)


def test_its_home_is_gone_afterwards(demo: Said, tmp_path: Path) -> None:
    assert list(demo.home.iterdir()) == []
