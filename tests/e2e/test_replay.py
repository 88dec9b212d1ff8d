"""`perennial replay` over a user's own files: the same history gives the same records, killed on the way or not."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from command_line import Said, perennial
from market_files import scrambled_after, write_market

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

TWO_WEEKS = ("--from", "2024-01-23", "--to", "2024-02-05", "--decide-every", "1d")
"""With two Sundays and the end of a month."""

PERIOD = ("--from", "2024-01-23", "--to", "2024-01-25", "--decide-every", "12h")


def replay(folder: Path, *words: str) -> Said:
    data = write_market(folder / "market", "BTC/USDT", "ETH/USDT", days=37)
    home = str(folder / "home")
    return perennial(folder, "replay", *data, *TWO_WEEKS, "--keep", home, "--json", *words, timeout_s=280)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Said:
    return replay(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Said:
    return replay(tmp_path_factory.mktemp("killed"), "--kills", "1")


def test_two_weeks_run_every_sequence_of_their_calendar(plain: Said) -> None:
    assert plain.code == 0, plain.err
    said = plain.answer
    assert (said["days"], said["kills"], said["differences"]) == (14, 0, 0)
    assert (said["daily_plans"], said["daily_reviews"], said["weekly_evolutions"]) == (14, 14, 2)
    assert (said["monthly_reflections"], said["quarterly_reflections"]) == (1, 0)
    assert said["decisions"] >= 14 * 2 * 2, "each symbol at midnight and at each session, and what triggers ask for"
    assert said["orders"] >= 2
    assert said["orders_checked"] == said["orders"]
    assert Decimal(said["equity_start_usd"]) == 3_000_000, "aggressive, conservative and composite"


def test_a_kill_on_the_way_changes_nothing_that_counts(plain: Said, killed: Said) -> None:
    assert killed.code == 0, killed.err
    assert (killed.answer["kills"], killed.answer["differences"]) == (1, 0)
    varying = {"kills", "wall_s", "ready_s", "days_per_minute", "cpu_s"}
    assert {k: v for k, v in killed.answer.items() if k not in varying} == {
        k: v for k, v in plain.answer.items() if k not in varying
    }


def test_a_kept_home_has_the_digest_that_was_told(plain: Said) -> None:
    kept = plain.home / "home"
    again = perennial(kept, "db", "digest", "--json")
    assert again.code == 0, again.err
    assert again.answer == {"realm": plain.answer["realm"], "digest": plain.answer["digest"]}


def test_the_records_of_a_kept_home_can_be_read(plain: Said) -> None:
    realm = plain.answer["realm"]
    listed = perennial(plain.home / "home", "decisions", "list", "--realm", realm, "--limit", "1000", "--json")
    assert len(listed.answer["decisions"]) == plain.answer["decisions"]
    orders = perennial(plain.home / "home", "orders", "--realm", realm, "--json")
    assert len(orders.answer["orders"]) == plain.answer["orders"]


def read(plain: Said, *words: str) -> Said:
    said = perennial(plain.home / "home", *words, "--realm", plain.answer["realm"])
    assert said.code == 0, said.err
    return said


def test_what_was_learnt_in_a_kept_home_can_be_read(plain: Said) -> None:
    assert plain.answer["model_knows_period"] is False, "rules have read nothing"
    pool = read(plain, "pool", "list", "--json").answer
    assert {row["origin"] for row in pool["strategies"]} >= {"preset"}
    shown = read(plain, "pool", "show", "breakout").out
    assert "2024-W04" in shown
    remembered = read(plain, "memory", "list", "--json").answer["memory"]
    assert len(remembered) == 20
    item = read(plain, "memory", "show", remembered[0]["id"], "--json").answer
    assert item["text"] == remembered[0]["text"]
    versions = read(plain, "playbook", "list", "--json").answer["playbooks"]
    assert [row["status"] for row in versions].count("active") == 1
    assert read(plain, "playbook", "show", versions[0]["version"], "--json").answer["content"]["policy"]
    assert "proposals" in read(plain, "proposals", "list", "--json").answer


@pytest.mark.parametrize(
    ("kind", "date", "headings"),
    [
        ("daily", "2024-01-28", ["Closed trades", "Changes"]),
        ("weekly", "2024-01-28", ["Strategies", "Variants and walk-forward", "Growth of the pool"]),
        ("monthly", "2024-01-31", ["Proposals to people", "Strategies", "Evolution"]),
    ],
)
def test_a_kept_home_tells_its_periods_on_one_page_each(plain: Said, kind: str, date: str, headings: list[str]) -> None:
    made = read(plain, "report", kind, "--date", date, "--json").answer
    page = Path(made["html"]).read_text(encoding="utf-8")
    assert [heading for heading in headings if f"<h2>{heading}</h2>" not in page] == []
    assert page.count("<svg") >= 2, "equity and drawdown"
    assert "src=" not in page
    if kind == "daily":
        assert "The day&#39;s review, made under playbook" in page


KNOWN_AT = datetime(2024, 1, 25, 12, tzinfo=UTC)
"""A noon after the crash, with positions open."""

SEEN_BEFORE = {
    "decisions": "SELECT as_of, symbol, cause, snapshot_hash, fusion FROM decisions WHERE as_of <= ?",
    "outcomes": """SELECT d.as_of, d.symbol, o.account, o.outcome, o.reasons, o.notional_usd FROM account_outcomes o
        JOIN decisions d ON d.decision_id = o.decision_id WHERE d.as_of <= ?""",
    "fills": "SELECT filled_at, account, symbol, price, quantity FROM fills WHERE filled_at <= ?",
    "equity": "SELECT as_of, account, equity_usd FROM equity WHERE as_of <= ?",
}


def test_nothing_that_is_known_later_changes_what_was_done_before(plain: Said, tmp_path: Path) -> None:
    data = write_market(tmp_path / "market", "BTC/USDT", "ETH/USDT", days=37, change=scrambled_after(KNOWN_AT))
    period = ("--from", "2024-01-23", "--to", "2024-01-26", "--decide-every", "1d")
    home = tmp_path / "home"
    blind = perennial(tmp_path, "replay", *data, *period, "--keep", str(home), "--json", timeout_s=200)
    assert blind.code == 0, blind.err
    for what, query in SEEN_BEFORE.items():
        was, is_now = rows(plain.home / "home", query), rows(home, query)
        assert is_now == was, what
        assert len(was) > 2, f"{what}: too few to say anything"
    after = SEEN_BEFORE["decisions"].replace("<=", ">")
    assert rows(home, after) != rows(plain.home / "home", after), "what is decided later knows the other market"


def rows(home: Path, query: str) -> list[tuple[object, ...]]:
    at = f"{KNOWN_AT:%Y-%m-%dT%H:%M:%S.%fZ}"
    with sqlite3.connect(f"file:{home / 'perennial.sqlite'}?mode=ro", uri=True) as connection:
        return sorted(connection.execute(query, (at,)).fetchall(), key=str)


WRONG = [
    # what is wrong, in words after --data, and what the sentence names
    (("--from", "2024-01-25", "--to", "2024-01-23"), "--from 2024-01-25 must be before --to 2024-01-23"),
    (("--from", "January", "--to", "2024-01-23"), "--from 'January' is no date"),
    (("--from", "2031-01-01", "--to", "2031-01-02"), "which has 2024-01-01 00:00 to 2024-01-29 00:00"),
    (("--from", "2023-01-01", "--to", "2024-01-23"), "2023-01-01 00:00 to 2024-01-24 00:00 is not in the history"),
    (("--from", "2024-01-23", "--to", "2024-02-23"), "2024-02-24 00:00 is not in the history of BTC/USDT"),
    ((*PERIOD, "--decide-every", "7h"), "must divide a day"),
    ((*PERIOD, "--capital", "-1"), "must be above 0"),
    ((*PERIOD, "--accounts", ""), "must name at least one account"),
    ((*PERIOD, "--data", "nothing"), "not of the form BTC/USDT=FILE"),
]


@pytest.mark.parametrize(("words", "sentence"), WRONG, ids=lambda value: value if isinstance(value, str) else "")
def test_a_wrong_request_is_one_sentence(words: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    ended = perennial(tmp_path, "replay", *write_market(tmp_path / "market", "BTC/USDT"), *words, "--json")
    assert ended.is_one_sentence, f"{ended.code}\n{ended.out}\n{ended.err}"
    assert sentence in ended.err


HEADER = "timestamp,open,high,low,close,volume\n"
BROKEN = {
    "empty": ("", "found nothing"),
    "other columns": ("a,b,c\n1,2,3\n", "timestamp"),
    "not a number": (HEADER + "2024-01-01T00:00:00Z,nan,90,110,100,1\n", "line 2, column open: 'nan'"),
    "high below low": (HEADER + "2024-01-01T00:00:00Z,5,4,6,5,1\n2024-01-01T01:00:00Z,5,6,4,5,1\n", "high"),
}


@pytest.mark.parametrize(("text", "sentence"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "market.csv"
    file.write_text(text)
    ended = perennial(tmp_path, "replay", "--data", f"BTC/USDT={file}", *PERIOD)
    assert ended.is_one_sentence, f"{ended.code}\n{ended.out}\n{ended.err}"
    assert "market.csv" in ended.err
    assert sentence in ended.err
