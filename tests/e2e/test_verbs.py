"""Every verb, as typed: help that is there at once, answers from a running house, sentences where something is dead."""

from __future__ import annotations

import asyncio
import importlib
import json
import resource
import shutil
import sqlite3
from pathlib import Path

import httpx
import pytest
from command_line import Lasting, Said, perennial
from fakes.another_client import ordered

from workers.cli.main import VERBS
from workers.cli.place import MARKET_FILE

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]

HELP_WITHIN_CPU_S = 1.0
TRIES = 3


def every_command() -> list[tuple[str, ...]]:
    """Each verb, and each verb below a verb, as it is typed."""
    found: list[tuple[str, ...]] = []
    for verb, (module, _) in VERBS.items():
        below = getattr(importlib.import_module(module).COMMANDS[verb], "commands", {})
        found += [(verb, name) for name in below] or [(verb,)]
    return found


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_help_is_there_at_once_and_shows_an_example(words: tuple[str, ...], tmp_path: Path) -> None:
    took_s = []
    for _ in range(TRIES):
        began = _children_cpu_s()
        shown = perennial(tmp_path, *words, "--help")
        took_s.append(_children_cpu_s() - began)
        assert shown.code == 0, shown.err
        assert f"Example: perennial {' '.join(words)}" in shown.out
        if took_s[-1] < HELP_WITHIN_CPU_S:
            return
    pytest.fail(f"the help took {took_s} CPU seconds")


def _children_cpu_s() -> float:
    """What the ended processes of this one have computed: as long on a busy machine as on a quiet one, or nearly."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_the_overview_names_every_verb(tmp_path: Path) -> None:
    shown = perennial(tmp_path, "--help")
    assert shown.code == 0
    text = " ".join(shown.out.split())
    assert [verb for verb, (_, line) in VERBS.items() if f"{verb} {line}" not in text] == []


ANSWERS = [
    # words, and the keys of the answer
    (("status",), {"profile", "realm", "running", "web_ui", "decisions", "accounts", "positions", "open_orders"}),
    (("decisions", "list"), {"decisions"}),
    (("orders",), {"orders"}),
    (("positions",), {"positions"}),
    (("schedules", "list"), {"schedules"}),
    (("db", "info"), {"kind", "revision", "needed"}),
    (("db", "digest"), {"realm", "digest"}),
    (("config", "show"), {"settings", "unknown"}),
    (("reconcile",), {"orders_checked", "fills_checked", "differences", "foreign_orders"}),
]


@pytest.mark.parametrize(("words", "keys"), ANSWERS, ids=lambda value: " ".join(value) if type(value) is tuple else "")
def test_a_running_house_answers(words: tuple[str, ...], keys: set[str], lasting: Lasting) -> None:
    answered = perennial(lasting.home, *words, "--json")
    assert answered.code == 0, answered.err
    assert answered.err == ""
    assert len(answered.out.splitlines()) == 1
    assert keys - answered.answer.keys() == set()
    readable = perennial(lasting.home, *words)
    assert readable.code == 0, readable.err
    assert readable.out.strip()
    assert not readable.out.lstrip().startswith("{")


def test_what_is_unknown_is_one_sentence(lasting: Lasting) -> None:
    ended = perennial(lasting.home, "decisions", "show", "d-unknown")
    assert ended.is_one_sentence, ended.err
    assert "decision 'd-unknown' is unknown here" in ended.err


def test_an_order_of_another_client_is_adopted_by_the_verb(lasting: Lasting) -> None:
    asyncio.run(ordered(httpx.AsyncHTTPTransport(), "web_7", at=str(lasting.addresses["exchange"]), quantity="0.01"))
    found = perennial(lasting.home, "reconcile", "--json").answer
    assert (found["differences"], found["foreign_orders"]) == ([], ["web_7"])
    words = ("adopt", "web_7", "--reason", "bought on the phone", "--who", "me", "--json")
    done = perennial(lasting.home, *words)
    assert done.code == 0, done.err + done.out
    assert (done.answer["accepted"], done.answer["target"]) == (True, "web_7")
    assert perennial(lasting.home, "reconcile", "--json").answer["foreign_orders"] == []
    (entry,) = perennial(lasting.home, "audit", "list", "--subject", "web_7", "--json").answer["audit"]
    assert (entry["what"], entry["who"], entry["reason"]) == ("adopt", "me", "bought on the phone")
    nobody = perennial(lasting.home, "adopt", "web_8", "--reason", "x", "--json")
    assert (nobody.code, nobody.answer["state"]) == (1, "foreign")
    settled = perennial(lasting.home, "resolve", "web_7", "--as", "absent", "--reason", "x", "--json")
    assert settled.is_one_sentence, settled.err
    assert "not frozen" in settled.err


def test_a_home_has_one_owner(lasting: Lasting) -> None:
    second = perennial(lasting.home, "up")
    assert second.is_one_sentence, second.err
    assert "is in use by process" in second.err


DEAD = "postgresql+psycopg://nobody:secret@127.0.0.1:1/nothing"


@pytest.mark.parametrize(
    "words", [("status",), ("decisions", "list"), ("db", "info"), ("db", "digest"), ("reconcile",)]
)
def test_a_dead_database_is_one_sentence_without_its_password(words: tuple[str, ...], tmp_path: Path) -> None:
    ended = perennial(tmp_path, *words, PERENNIAL_DATABASE_URL=DEAD)
    assert ended.code == 2, ended.err
    assert "Traceback" not in ended.err
    assert ended.err.strip().splitlines()[-1].startswith("perennial: ")
    assert "secret" not in ended.err + ended.out


def test_a_stack_whose_owner_died_does_not_run(lasting: Lasting, tmp_path: Path) -> None:
    home = copied(lasting.home, tmp_path / "home")
    state = json.loads((lasting.home / "stack.json").read_text())
    (home / "stack.json").write_text(json.dumps({**state, "owner_pid": 1, "owner_mark": "another start"}))
    assert perennial(home, "status", "--json").answer["running"] is False
    ended = perennial(home, "schedules", "list")
    assert ended.is_one_sentence, ended.err
    assert "start `perennial up` first" in ended.err


def test_a_ledger_that_misses_a_fill_is_not_well(bought: Said, tmp_path: Path) -> None:
    home = copied(bought.home, tmp_path / "home")
    equal = perennial(home, "reconcile", "--json")
    assert (equal.code, equal.answer["differences"]) == (0, []), equal.err
    with sqlite3.connect(home / "perennial.sqlite") as connection:
        connection.execute("DELETE FROM fills")
    different = perennial(home, "reconcile", "--json")
    assert different.code == 1, different.err
    assert {"kind", "id", "ours", "venue"} <= different.answer["differences"][0].keys()


def copied(home: Path, to: Path) -> Path:
    """The records of a home, without what says that somebody owns it."""
    to.mkdir()
    for file in (*home.glob("*.sqlite*"), *home.glob(MARKET_FILE)):
        shutil.copy(file, to / file.name)
    return to
