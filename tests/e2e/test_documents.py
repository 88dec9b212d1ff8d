"""The commands in README and docs are run, in the order of each page, against one house of their own.

A fenced `bash` block runs unless the line before it is an HTML comment that says otherwise: `<!-- not run: REASON -->`,
or `<!-- runs in the background -->` for `perennial up`, which the fixture has started. Search queries under
`<!-- queries -->` are put to the real server.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from workers.stack.environment import trial_environment

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"(?:^<!-- (?P<mark>[^\n]*?) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE)
BACKGROUND, NOT_RUN, QUERIES = "runs in the background", "not run: ", "queries"


@dataclass(frozen=True)
class House:
    """A house that `perennial up` keeps running, and the environment in which the documents' commands see it."""

    env: dict[str, str]
    temporal: str


@dataclass(frozen=True)
class Block:
    mark: str
    kind: str
    text: str


def blocks(document: Path) -> list[Block]:
    found = BLOCK.finditer(document.read_text(encoding="utf-8"))
    return [Block(mark=match["mark"] or "", kind=match["kind"], text=match["text"]) for match in found]


def runnable(document: Path) -> str:
    """The page's commands as one script; a reader types them into one shell too."""
    return "\n".join(block.text for block in blocks(document) if block.kind == "bash" and not block.mark)


WITH_COMMANDS = [path for path in DOCUMENTS if runnable(path)]
SEARCHED = [
    line for path in DOCUMENTS for block in blocks(path) if block.mark == QUERIES for line in block.text.splitlines()
]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    home = tmp_path_factory.mktemp("house")
    env = {**trial_environment(os.environ).env, "PERENNIAL_HOME": str(home)}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    for kept in ("PERENNIAL_CACHE", "PERENNIAL_TEMPORAL_BIN"):
        if kept in os.environ:
            env[kept] = os.environ[kept]
    up = subprocess.Popen(
        ["perennial", "up", "--json"], env=env, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert up.stdout is not None
        line = up.stdout.readline()
        assert line, f"`perennial up` ended: {up.stderr.read() if up.stderr else ''}"
        _first_decision(env, home)
        yield House(env=env, temporal=json.loads(line)["temporal"])
    finally:
        up.send_signal(signal.SIGTERM)
        _, said = up.communicate(timeout=30)
    assert up.returncode == 0, f"`perennial up` did not stop well: {said}"


def _first_decision(env: dict[str, str], home: Path) -> None:
    """Pages that read a card speak of one that was taken."""
    taken = subprocess.run(["perennial", "decide", "BTC/USDT"], env=env, cwd=home, capture_output=True, text=True)
    assert taken.returncode == 0, taken.stderr


@pytest.mark.parametrize("document", WITH_COMMANDS, ids=named)
def test_the_commands_of_a_page_work(document: Path, house: House, tmp_path: Path) -> None:
    script = "set -euo pipefail\n" + runnable(document)
    ran = subprocess.run(
        ["bash", "-c", script], env=house.env, cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, f"{named(document)}:\n{ran.stdout}\n{ran.stderr}"
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("query", SEARCHED)
async def test_a_search_query_of_the_documents_is_understood(query: str, house: House) -> None:
    client = await Client.connect(house.temporal)
    counted = await client.count_workflows(query)
    assert counted.count >= 0


async def test_a_decision_is_found_by_what_the_documents_search_for(house: House) -> None:
    client = await Client.connect(house.temporal)
    found = await client.count_workflows('WorkflowType = "TradeDecision" AND PerennialSymbol = "BTC/USDT"')
    assert found.count >= 1


async def test_the_pause_of_the_tutorial_stops_the_account(house: House) -> None:
    body = next(json.loads(b.text) for b in blocks(ROOT / "docs" / "tutorial.md") if b.kind == "json")
    client = await Client.connect(house.temporal)
    desk = client.get_workflow_handle("simulated/desk/conservative")
    await desk.signal("pause", body)
    state: dict[str, Any] = await desk.query("state")
    assert state["exposure"]["mode"] == "manual"


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_block_that_is_not_run_says_why(document: Path) -> None:
    for block in blocks(document):
        if block.kind != "bash":
            assert block.mark in {"", QUERIES}
            continue
        reason = block.mark.removeprefix(NOT_RUN)
        assert not block.mark or block.mark == BACKGROUND or (block.mark.startswith(NOT_RUN) and len(reason) > 10)
        if block.mark == BACKGROUND:
            assert block.text.strip() == "perennial up"
