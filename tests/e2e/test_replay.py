"""`perennial replay` over a user's own files: the same history gives the same records, killed on the way or not."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Said, perennial
from market_files import write_market

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

PERIOD = ("--from", "2024-01-23", "--to", "2024-01-25", "--decide-every", "12h")


def replay(folder: Path, *words: str) -> Said:
    data = write_market(folder / "market", "BTC/USDT", "ETH/USDT")
    return perennial(folder, "replay", *data, *PERIOD, "--keep", str(folder / "home"), "--json", *words, timeout_s=110)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Said:
    return replay(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Said:
    return replay(tmp_path_factory.mktemp("killed"), "--kills", "1")


def test_three_days_are_replayed(plain: Said) -> None:
    assert plain.code == 0, plain.err
    said = plain.answer
    assert (said["days"], said["decisions"], said["kills"], said["differences"]) == (3, 12, 0, 0)
    assert said["orders"] >= 2
    assert said["orders_checked"] == said["orders"]


def test_a_kill_on_the_way_changes_nothing_that_counts(plain: Said, killed: Said) -> None:
    assert killed.code == 0, killed.err
    assert (killed.answer["kills"], killed.answer["differences"]) == (1, 0)
    varying = {"kills", "wall_s", "ready_s"}
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
    listed = perennial(plain.home / "home", "decisions", "list", "--realm", realm, "--limit", "100", "--json")
    assert len(listed.answer["decisions"]) == plain.answer["decisions"]
    orders = perennial(plain.home / "home", "orders", "--realm", realm, "--json")
    assert len(orders.answer["orders"]) == plain.answer["orders"]


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
