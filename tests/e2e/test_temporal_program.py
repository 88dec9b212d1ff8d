"""The commands of docs/how-to/use-the-web-ui-and-temporal.md, put to a live house with the stock `temporal` program."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from command_line import Lasting, environment, perennial, up
from eventually import eventually_now
from fakes.months import a_good_month
from market_files import BTC_BUYS_AT, write_market

from activities.store.open import open_store
from workers.operator.accounts import CAPITAL_USD
from workers.stack.temporal_server import find_temporal

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "use-the-web-ui-and-temporal.md"
MONTH_END = datetime(2024, 1, 31, 20, tzinfo=UTC)


@dataclass(frozen=True)
class Seat:
    """A person at the stock program: a house in which one order was refused and a good month is on record."""

    lasting: Lasting

    def runs(self, beginning: str, **replaced: str) -> str:
        """Run the page's one command that begins so; what it prints."""
        (line,) = [line for line in PAGE.read_text().splitlines() if line.startswith(f"temporal {beginning}")]
        for name, value in {"127.0.0.1:7233": self.lasting.addresses["temporal"], **replaced}.items():
            line = line.replace(name, value)
        program = find_temporal(os.environ)
        assert program is not None
        words = [str(program), *shlex.split(line)[1:], "--output", "json"]
        ran = subprocess.run(words, env=environment(self.lasting.home), capture_output=True, text=True, timeout=30)
        assert ran.returncode == 0, f"{line}\n{ran.stderr}"
        return ran.stdout

    def answer(self, *words: str) -> dict[str, Any]:
        said = perennial(self.lasting.home, *words, "--json")
        assert said.code == 0, said.err
        return said.answer


@pytest.fixture(scope="module")
def seat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seat]:
    home = tmp_path_factory.mktemp("seat")
    market = write_market(tmp_path_factory.mktemp("market"), "BTC/USDT")
    at = f"{BTC_BUYS_AT:%Y-%m-%dT%H:%M:%SZ}"
    assert perennial(home, "decide", "BTC/USDT", "--as-of", at, *market).code == 0
    asyncio.run(_good_month(f"sqlite+aiosqlite:///{home / 'perennial.sqlite'}"))
    with up(home) as addresses:
        yield Seat(Lasting(home, addresses))


async def _good_month(url: str) -> None:
    store = await open_store(url)
    await a_good_month(store, "simulated", until=MONTH_END, since=BTC_BUYS_AT, capital=int(CAPITAL_USD))
    await store.aclose()


def test_a_rejected_order_is_found_by_search_attribute_and_says_why(seat: Seat) -> None:
    seat.answer("halt", "conservative", "--reason", "storm", "--who", "anna")
    taken = perennial(seat.lasting.home, "decide", "BTC/USDT", "--account", "conservative", "--json")
    assert taken.answer["outcome"] == "refused_by_gate", taken.err

    def found() -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(seat.runs("workflow list") or "[]")
        return rows

    (row,) = eventually_now(found, timeout_s=30, what="the refused decision")
    decision = row["execution"]["workflowId"]
    assert decision == f"simulated/decision/{taken.answer['decision_id']}"
    assert "halted" in seat.runs("workflow query --workflow-id DECISION", DECISION=decision)


def test_a_schedule_is_paused_triggered_and_backfilled_and_its_proposals_answered(seat: Seat) -> None:
    seat.answer("schedules", "apply")
    tight = seat.answer("playbook", "set", "max_trade_fraction", "0.03", "--reason", "first week", "--who", "anna")
    assert "simulated/desk/composite" in tight["told"]
    seat.runs("schedule toggle --pause")
    seat.runs("schedule toggle --unpause")
    seat.runs("schedule trigger")
    seat.runs("schedule backfill")

    def asked() -> dict[str, str]:
        rows = seat.answer("proposals", "list", "--open")["proposals"]
        return {row["kind"]: row["id"] for row in rows}

    ids = eventually_now(asked, timeout_s=60, what="the month's proposals")
    assert set(ids) == {"threshold", "principle"}
    waiting = eventually_now(lambda: _queried(seat), timeout_s=30, what="the waiting workflow")
    assert all(name in waiting for name in ids.values())
    refused = perennial(
        seat.lasting.home, "modify", ids["threshold"], "--value", "7", "--reason", "all of it", "--json"
    )
    assert (refused.code, refused.answer["state"]) == (1, "open")
    assert "modified" in seat.runs(
        "workflow update execute --workflow-id simulated/proposals", THRESHOLD=ids["threshold"]
    )
    seat.runs("workflow signal --workflow-id simulated/proposals", PRINCIPLE=ids["principle"])
    ended = eventually_now(lambda: None if asked() else _rows(seat), timeout_s=30, what="the answers")
    assert {row["kind"]: (row["status"], row["who"]) for row in ended} == {
        "threshold": ("modified", "anna"),
        "principle": ("rejected", "anna"),
    }
    (active,) = [row for row in seat.answer("playbook", "list")["playbooks"] if row["status"] == "active"]
    shown = seat.answer("playbook", "show", active["version"])
    assert shown["content"]["policy"]["max_trade_fraction"] == "0.032"
    late = perennial(seat.lasting.home, "approve", ids["principle"], "--reason", "after all", "--json")
    assert (late.code, late.answer["state"]) == (1, "rejected")


def _queried(seat: Seat) -> str | None:
    try:
        return seat.runs("workflow query --workflow-id simulated/proposals")
    except AssertionError:
        return None


def _rows(seat: Seat) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = seat.answer("proposals", "list")["proposals"]
    return rows


def test_knowledge_and_a_looser_limit_are_a_persons_word(seat: Seat) -> None:
    taught = seat.answer("knowledge", "add", "--text", "Trade less at night.", "--reason", "sleep", "--who", "anna")
    assert [(each["text"], each["author"]) for each in taught["principles"]] == [("Trade less at night.", "anna")]
    looser = perennial(seat.lasting.home, "playbook", "set", "max_trade_fraction", "0.06", "--reason", "more")
    assert looser.is_one_sentence
    assert "--approve-loosening" in looser.err
    for words in (("set", "luck", "7", "--reason", "x"), ("set", "max_trade_fraction", "many", "--reason", "x")):
        assert perennial(seat.lasting.home, "playbook", *words).is_one_sentence, words
    assert "true" in seat.runs("workflow update execute --workflow-id simulated/desk")
    seat.runs("workflow signal --workflow-id simulated/desk")
    eventually_now(lambda: _collar(seat) == "0.003", timeout_s=30, what="the threshold by signal")
    audited = seat.answer("audit", "list", "--subject", "playbook")["audit"]
    assert ("anna", "thin books") in {(row["who"], row["reason"]) for row in audited}
    assert ("anna", "sleep") in {(row["who"], row["reason"]) for row in audited}


def _collar(seat: Seat) -> str:
    (active,) = [row for row in seat.answer("playbook", "list")["playbooks"] if row["status"] == "active"]
    return str(seat.answer("playbook", "show", active["version"])["content"]["policy"]["collar_fraction"])
