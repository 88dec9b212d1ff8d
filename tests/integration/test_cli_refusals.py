"""What users get wrong ends in one sentence on stderr and exit code 2, never in a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workers.stack.environment import trial_environment

KEYS = {"BINANCE_API_KEY_COMPOSITE": "k", "BINANCE_API_SECRET_COMPOSITE": "s"}
SIMULATOR = {"PERENNIAL_VENUE_URL": "http://127.0.0.1:1"}


WRONG = [
    # words, settings, what the sentence says
    (("demoo",), {}, "verb 'demoo' is unknown: allowed are demo"),
    (("decide", "btc"), {}, "symbol 'btc' is not of the form BASE/QUOTE"),
    (("decide", "BTC/USDT", "--account", "my account"), {}, "--account 'my account': an account's name has"),
    (("decide", "BTC/USDT", "--as-of", "yesterday"), {}, "--as-of 'yesterday' is no date"),
    (("decide", "BTC/USDT", "--data", "BTC/USDT=none.csv"), {}, "none.csv: no such file"),
    (("replay", "--from", "2020-01-01"), {}, "Missing option '--data'"),
    (("worker", "--roles", "cook"), {}, "role 'cook' is unknown: allowed are decisions"),
    (("doctor", "--for", "fun"), {}, "--for 'fun': allowed are local, paper, live, worker"),
    (("decisions", "list"), {}, "no records yet"),
    (("schedules", "list"), {}, "no stack runs"),
    (("schedules", "apply"), {}, "no stack runs"),
    (("halt", "composite", "--reason", "storm"), {}, "halt works on a running stack, and none runs"),
    (("approve", "d1-0", "--reason", " "), {}, "--reason is empty"),
    (("modify", "d1-0", "--reason", "why"), {}, "states at least one of --size, --entry, --stop, --target"),
    (("modify", "d1-0", "--size", "5", "--reason", "why"), {}, "is a fraction of equity, at most 1"),
    (("flatten", "composite", "--reason", "why"), {}, "needs a confirmation: add --yes"),
    (("exit", "composite", "btc", "--reason", "why"), {}, "symbol 'btc' is not of the form BASE/QUOTE"),
    (("audit", "list"), {}, "no records yet"),
    (("replay", "--from", "2020-01-01", "--to", "2020-01-02", "--data", "x"), {}, "not of the form BTC/USDT=FILE"),
    (("schedules", "pause", "daily-planning", "--reason", " "), {}, "--reason is empty"),
    (("schedules", "backfill", "daily-planning", "--from", "soon", "--to", "later"), {}, "--from 'soon' is no day"),
    (("plan", "show"), {}, "no records yet"),
    (("plan", "show", "--date", "today"), {}, "--date 'today' is no day"),
    (("playbook", "list"), {}, "no records yet"),
    (("up",), {"PERENNIAL_PROFILE": "testnet"}, "profile testnet has no account: set BINANCE_API_KEY_ACCOUNT"),
    (("up",), {"PERENNIAL_PROFILE": "live", **KEYS}, "profile live has no default address: set PERENNIAL_VENUE_URL"),
    (
        ("up",),
        {"PERENNIAL_PROFILE": "demo", **KEYS, **SIMULATOR},
        "profile demo refuses 127.0.0.1",
    ),
    (("up", "--data", "BTC/USDT=empty.csv"), {"PERENNIAL_PROFILE": "paper"}, "no rows"),
    (("halt", "composite", "--reason", "x"), {"PERENNIAL_PROFILE": "live", **KEYS}, "none runs"),
    (("live", "status"), {}, "only profile live is armed, and this is simulated"),
    (("live", "arm", "--account", "composite", "--reason", "x"), {}, "Missing option '--capital'"),
    (("live", "arm", "--capital", "5", "--reason", "x"), {}, "Missing option '--account'"),
    (("live", "arm", "--account", "a", "--capital", "0", "--reason", "x"), {}, "--capital 0 must be above 0"),
    (("decide", "BTC/USDT"), {"PERENNIAL_PROFILE": "testnet"}, "needs a lasting stack"),
    (("status",), {"PERENNIAL_PROFILE": "moon"}, "PERENNIAL_PROFILE: Input should be 'simulated'"),
    (("decide", "BTC/USDT"), {"PERENNIAL_PRIMARY_PROVIDER": "deepseek"}, "set DEEPSEEK_API_KEY"),
    (("worker", "--venue-url", "http://127.0.0.1:1"), {"PERENNIAL_SECONDARY_PROVIDER": "qwen"}, "DASHSCOPE_API_KEY"),
    (("worker", "--venue-url", "https://api.binance.com"), {}, "profile simulated refuses api.binance.com"),
    (("worker", "--venue-url", "http://127.0.0.1:1", "--realm", "live"), {}, "realm 'live' is served by profile live"),
    (("worker", "--venue-url", "http://127.0.0.1:1", "--realm", "mine"), {}, "realm 'mine' is unknown"),
    (("worker", "--venue-url", "http://127.0.0.1:1", "--primary", "oracle"), {}, "provider 'oracle' is unknown"),
    (("status",), {"PERENNIAL_DATABASE_URL": "mysql://u:hidden@h/n"}, "PERENNIAL_DATABASE_URL: database 'mysql'"),
    (("status",), {"PERENNIAL_HOME": "/dev/null"}, "Not a directory"),
    (("db", "migrate"), {"PERENNIAL_HOME": "/dev/null"}, "/dev/null"),
    (("exchange-sim", "--db", "no/such/folder/venue.sqlite", "--data", "BTC/USDT=empty.csv"), {}, "does not exist"),
    (("exchange-sim", "--db", "venue.sqlite", "--data", "BTC/USDT=empty.csv"), {}, "no rows"),
    (("replay", "--data", "BTC/USDT=latin.csv", "--from", "2020-01-01", "--to", "2020-01-02"), {}, "not UTF-8 text"),
    (("exchange-sim", "--db", "venue.sqlite", "--data", "BTC/USDT=latin.csv"), {}, "latin.csv: not UTF-8"),
    (("exchange-sim", "--db", "venue.sqlite", "--data", "BTC/USDT=cut.csv.gz"), {}, "cut.csv.gz: not a gzip"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with candle files that nobody can trade on."""
    header = "timestamp,open,high,low,close,volume\n"
    (tmp_path / "empty.csv").write_text(header)
    (tmp_path / "latin.csv").write_bytes(header.replace("close", "cl\xf6se").encode("latin-1"))
    (tmp_path / "cut.csv.gz").write_bytes(b"this was never compressed")
    return tmp_path


def perennial(home: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    env = {**trial_environment(os.environ).env, "PERENNIAL_HOME": str(home), **settings}
    argv = [sys.executable, "-P", "-m", "workers.cli.main", *words]
    return subprocess.run(argv, env=env, cwd=home, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("words", "settings", "sentence"), WRONG, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_a_wrong_request_is_one_sentence(
    words: tuple[str, ...], settings: dict[str, str], sentence: str, folder: Path
) -> None:
    ended = perennial(folder, *words, **settings)
    assert ended.returncode == 2, ended.stderr
    assert sentence in ended.stderr
    assert ended.stderr.startswith("perennial: ")
    assert len(ended.stderr.strip().splitlines()) == 1
    assert ended.stdout == ""


def test_a_dead_temporal_service_is_one_sentence(tmp_path: Path) -> None:
    venue = ("--venue-url", "http://127.0.0.1:1")
    ended = perennial(tmp_path, "worker", *venue, TEMPORAL_ADDRESS="127.0.0.1:1")
    assert ended.returncode == 2
    assert ended.stderr.strip().splitlines()[-1].startswith("perennial: no Temporal service answers at 127.0.0.1:1")
    assert "Traceback" not in ended.stderr


def test_a_verb_with_verbs_below_it_shows_them(tmp_path: Path) -> None:
    ended = perennial(tmp_path, "decisions")
    assert ended.returncode == 2
    assert ended.stderr.startswith("Usage: perennial decisions")
