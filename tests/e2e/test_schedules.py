"""Schedules, plans and playbooks as typed: through our verbs, and with the stock `temporal` program alone."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest
from command_line import Lasting, environment, perennial
from eventually import eventually_now

from workers.stack.temporal_server import find_temporal

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]

DAYS = ("2024-01-27", "2024-01-28", "2024-01-29")
SCHEDULE = "simulated/daily-planning"


def answer(lasting: Lasting, *words: str) -> dict[str, Any]:
    said = perennial(lasting.home, *words, "--json")
    assert said.code == 0, said.err
    return said.answer


def temporal(lasting: Lasting, *words: str) -> str:
    """The stock CLI, at the house's service."""
    program = find_temporal(os.environ)
    assert program is not None
    ran = subprocess.run(
        [str(program), "schedule", *words, "--schedule-id", SCHEDULE, "--address", lasting.addresses["temporal"]],
        env=environment(lasting.home),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def listed(lasting: Lasting) -> dict[str, Any] | None:
    rows = answer(lasting, "schedules", "list")["schedules"]
    return next((row for row in rows if row["id"] == SCHEDULE), None)


def plan(lasting: Lasting, day: str) -> dict[str, Any] | None:
    said = perennial(lasting.home, "plan", "show", "--date", day, "--json")
    if said.code == 0:
        return said.answer
    assert "no plan" in said.err, said.err
    return None


def test_applied_twice_is_one_schedule_and_a_pause_survives(lasting: Lasting) -> None:
    first = answer(lasting, "schedules", "apply")
    assert SCHEDULE in [row["id"] for row in first["applied"]]
    answer(lasting, "schedules", "pause", "daily-planning", "--reason", "the venue sleeps", "--who", "ann")
    assert {row["done"] for row in answer(lasting, "schedules", "apply")["applied"]} == {"kept"}
    row = eventually_now(lambda: _paused(lasting, True), timeout_s=30)
    assert row["note"] == "the venue sleeps (ann)"
    unwell = perennial(lasting.home, "doctor", "--json")
    told = next(check for check in unwell.answer["checks"] if check["name"] == "temporal.schedules")
    assert "the venue sleeps (ann)" in told["detail"]
    answer(lasting, "schedules", "resume", SCHEDULE, "--reason", "awake", "--who", "ann")
    assert eventually_now(lambda: _paused(lasting, False), timeout_s=30)["next"].endswith("T07:00:00Z")


def _paused(lasting: Lasting, wanted: bool) -> dict[str, Any] | None:
    row = listed(lasting)
    return row if row is not None and row["paused"] is wanted else None


def test_a_backfill_plans_past_days_and_opens_nothing(lasting: Lasting) -> None:
    answer(lasting, "schedules", "apply")
    orders = answer(lasting, "orders")["orders"]
    given = answer(lasting, "schedules", "backfill", "daily-planning", "--from", DAYS[0], "--to", DAYS[-1])
    assert given == {"id": SCHEDULE, "done": "backfilled", "days": 3}
    eventually_now(lambda: plan(lasting, DAYS[-1]), timeout_s=60, what="the last plan")
    plans = [plan(lasting, day) for day in DAYS]
    assert [one and one["as_of"] for one in plans] == [f"{day}T07:00:00Z" for day in DAYS]
    for one in plans:
        assert one is not None
        assert [part["account"] for part in one["plans"]] == ["aggressive", "conservative", "composite"]
        assert one["watch"], "the generated market is old enough to be judged"
    assert answer(lasting, "orders")["orders"] == orders
    text = perennial(lasting.home, "plan", "show", "--date", DAYS[0], "--account", "composite")
    assert f"plan of {DAYS[0]}" in text.out
    assert "aggressive (" not in text.out


def test_the_stock_program_pauses_triggers_and_backfills(lasting: Lasting) -> None:
    answer(lasting, "schedules", "apply")
    temporal(lasting, "toggle", "--pause", "--reason", "by the stock program")
    row = eventually_now(lambda: _paused(lasting, True), timeout_s=30)
    assert row["note"] == "by the stock program"
    temporal(lasting, "trigger")  # a paused schedule starts nothing by itself, but what a person asks for
    today = eventually_now(lambda: _newest(lasting), timeout_s=60, what="the plan of the market's day")
    assert today >= "2024-01-31"
    temporal(lasting, "toggle", "--unpause", "--reason", "by the stock program")
    day = "2024-01-26"
    window = ("--start-time", f"{day}T06:59:59Z", "--end-time", f"{day}T07:00:01Z")
    temporal(lasting, "backfill", *window, "--overlap-policy", "BufferAll")
    made = eventually_now(lambda: plan(lasting, day), timeout_s=60, what="the backfilled plan")
    assert made["as_of"] == f"{day}T07:00:00Z"
    assert json.loads(temporal(lasting, "describe", "--output", "json"))


def _newest(lasting: Lasting) -> str | None:
    said = perennial(lasting.home, "plan", "show", "--json")
    day = str(said.answer["day"]) if said.code == 0 else ""
    return day if day >= "2024-01-31" else None


def test_the_first_playbook_is_there_and_what_cannot_be_done_is_one_sentence(lasting: Lasting) -> None:
    (first,) = answer(lasting, "playbook", "list")["playbooks"]
    assert (first["status"], first["created_from"]) == ("active", "first use")
    shown = answer(lasting, "playbook", "show", first["version"])
    assert "max_trade_fraction" in shown["content"]["policy"]
    same = answer(lasting, "playbook", "diff", first["version"], first["version"])
    assert (same["changes"], same["loosens"]) == ([], [])
    again = answer(lasting, "playbook", "activate", first["version"], "--reason", "it is", "--who", "ann")
    assert again["replaced"] is None
    for words in (
        ("playbook", "rollback", "--reason", "worse", "--who", "ann"),
        ("playbook", "show", "nothing"),
        ("playbook", "activate", "nothing", "--reason", "why not"),
        ("schedules", "pause", "nothing", "--reason", "why not"),
        ("schedules", "backfill", "daily-planning", "--from", "2024-01-30", "--to", "2024-01-29"),
        ("plan", "show", "--date", "1999-01-01"),
    ):
        assert perennial(lasting.home, *words).is_one_sentence, words
