"""`perennial demo`: what a person sees on the first day, as it is typed, in an environment that leads astray."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from command_line import Said, perennial
from eventually import eventually_now
from trap import Trap, trap

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

KEYS = {
    *("days", "decisions", "abstentions", "orders", "fills", "model_calls", "kills", "differences", "equity_start_usd"),
    *("equity_end_usd", "buy_and_hold_usd", "max_drawdown", "wall_s", "daily_plans", "daily_reviews"),
    *("weekly_evolutions", "monthly_reflections", "quarterly_reflections"),
}
"""The contract that people script against: keys are only ever added."""

MONEY = ("equity_start_usd", "equity_end_usd", "buy_and_hold_usd", "max_drawdown")


@pytest.fixture(scope="module")
def no_mans_land() -> Iterator[Trap]:
    """A listening port to which every address, proxy and profile in the demo's environment leads."""
    with trap() as set_up:
        yield set_up


@pytest.fixture(scope="module")
def demo(no_mans_land: Trap, tmp_path_factory: pytest.TempPathFactory) -> Said:
    hostile = no_mans_land.environment(tmp_path_factory.mktemp("profile"))
    return perennial(tmp_path_factory.mktemp("demo"), "demo", "--json", timeout_s=200, **hostile)


def test_it_ends_well_with_one_json_line(demo: Said) -> None:
    assert demo.code == 0, demo.err
    assert len(demo.out.strip().splitlines()) == 1
    assert KEYS - demo.answer.keys() == set()


def test_it_connects_to_nothing_that_the_environment_names(demo: Said, no_mans_land: Trap, tmp_path: Path) -> None:
    assert demo.code == 0, demo.err
    assert no_mans_land.caught == []
    unsaid = [name for name in no_mans_land.environment(tmp_path) if name not in demo.err]
    assert unsaid == [], "what was taken out of the environment is said"


def test_the_trap_would_have_caught_it(no_mans_land: Trap) -> None:
    with socket.create_connection(("127.0.0.1", no_mans_land.port)) as came:
        came.sendall(b"hello")
    eventually_now(lambda: no_mans_land.caught, what="the trap writes down who came")
    no_mans_land.caught.clear()


def test_it_trades_through_a_crash_and_a_kill(demo: Said) -> None:
    said = demo.answer
    assert said["kills"] == 1
    assert said["differences"] == 0
    assert said["days"] == 4
    assert said["decisions"] >= 4 * 4 * 3, "four symbols, every eight hours, and what triggers ask for"
    assert said["orders"] > 4
    assert said["fills"] > 4
    assert said["model_calls"] >= 2 * (said["decisions"] - said["abstentions"])


def test_every_sequence_falls_into_its_four_days(demo: Said) -> None:
    said = demo.answer
    assert (said["daily_plans"], said["daily_reviews"]) == (4, 4)
    assert (said["weekly_evolutions"], said["monthly_reflections"], said["quarterly_reflections"]) == (1, 1, 1)


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
