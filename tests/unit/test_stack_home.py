"""One owner a home, attaching to a running stack, and what is left when an owner dies."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from eventually import eventually_now

from workers.stack import processes
from workers.stack.home import HomeBusyError, StackState, abandoned_trials, attach, claim, is_owned, throw_away_home
from workers.stack.kept import read_record

STATE = StackState(realm="paper", profile="paper", temporal_address="127.0.0.1:7233", pids={"temporal": 4711})

OWNER = """
import os, sys, time
from pathlib import Path
from workers.stack.home import StackState, claim
from workers.stack.kept import Command, Kept
with claim(Path(sys.argv[1])) as home:
    sleeper = (sys.executable, "-c", "import time; time.sleep(600)")
    kept = Kept("part", Command(argv=sleeper, env=dict(os.environ), cwd=home.path), home.path)
    home.publish(StackState(realm="paper", profile="paper", pids={"part": kept.pid}))
    time.sleep(600)
"""

TRIAL = """
import os, sys, time
from pathlib import Path
from workers.stack.home import throw_away_home
from workers.stack.kept import Command, Kept
with throw_away_home(Path(sys.argv[1])) as home:
    sleeper = (sys.executable, "-c", "import time; time.sleep(600)")
    Kept("part", Command(argv=sleeper, env=dict(os.environ), cwd=home.path), home.path).pid
    time.sleep(600)
"""


@pytest.fixture
def other_owner(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that owns `tmp_path / "home"` with one part running."""
    process = subprocess.Popen((sys.executable, "-c", OWNER, str(tmp_path / "home")))
    eventually_now(lambda: attach(tmp_path / "home"), what="the other owner has published its stack")
    yield process
    process.kill()
    process.wait()


def test_what_is_published_is_attached_to(tmp_path: Path) -> None:
    with claim(tmp_path) as home:
        home.publish(STATE)
        found = attach(tmp_path)
        assert found is not None
        assert (found.realm, found.temporal_address, found.pids) == ("paper", "127.0.0.1:7233", {"temporal": 4711})
        assert found.owner_pid == os.getpid()
    assert attach(tmp_path) is None


def test_a_second_owner_is_refused_and_attaches(other_owner: subprocess.Popen[bytes], tmp_path: Path) -> None:
    with pytest.raises(HomeBusyError, match=str(other_owner.pid)), claim(tmp_path / "home"):
        pass
    found = attach(tmp_path / "home")
    assert found is not None
    assert found.owner_pid == other_owner.pid
    assert is_owned(tmp_path / "home")


def test_a_dead_owners_state_is_stale_and_its_home_free(other_owner: subprocess.Popen[bytes], tmp_path: Path) -> None:
    other_owner.kill()
    other_owner.wait()
    assert attach(tmp_path / "home") is None
    with claim(tmp_path / "home") as home:
        assert not (home.path / "stack.json").exists()
        assert list((home.path / "run").iterdir()) == []


def test_a_killed_keeper_and_owner_are_reaped_on_the_next_claim(
    other_owner: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    record = read_record(tmp_path / "home" / "run" / "part.json")
    assert record is not None
    os.kill(record.keeper_pid, 9)
    other_owner.kill()
    other_owner.wait()
    assert processes.is_same(record.pid, record.mark)
    with claim(tmp_path / "home") as home:
        assert list(home.reaped) == ["part"]
        assert record.pid in home.reaped["part"]  # the program that the part itself is about to start may be a second
    assert not processes.is_same(record.pid, record.mark)


@pytest.mark.parametrize("text", ["", "[]", "7", '{"realm": "paper"', '{"realm": "paper"}', '{"pids": null}'])
def test_a_torn_state_file_is_no_stack(tmp_path: Path, text: str) -> None:
    (tmp_path / "stack.json").write_text(text)
    assert attach(tmp_path) is None


def test_a_state_file_of_a_later_version_is_understood(tmp_path: Path) -> None:
    with claim(tmp_path) as home:
        home.publish(STATE)
        state_file = tmp_path / "stack.json"
        state_file.write_text(json.dumps({**json.loads(state_file.read_text()), "added_later": 1}))
        found = attach(tmp_path)
        assert found is not None
        assert found.realm == "paper"


def test_a_recycled_owner_id_is_not_the_owner(tmp_path: Path) -> None:
    with claim(tmp_path) as home:
        home.publish(STATE)
        state_file = tmp_path / "stack.json"
        state_file.write_text(json.dumps({**json.loads(state_file.read_text()), "owner_mark": "another boot:1"}))
        assert attach(tmp_path) is None


def test_a_throw_away_home_leaves_nothing(tmp_path: Path) -> None:
    with throw_away_home(tmp_path) as home:
        (home.path / "temporal.db").write_text("x")
        assert abandoned_trials(tmp_path) == []
    assert not home.path.exists()


def test_two_trials_side_by_side_do_not_touch_each_other(tmp_path: Path) -> None:
    with throw_away_home(tmp_path) as first, throw_away_home(tmp_path) as second:
        assert first.path != second.path
        assert first.path.exists()


def test_a_killed_trial_is_reaped_and_removed_by_the_next(tmp_path: Path) -> None:
    trial = subprocess.Popen((sys.executable, "-c", TRIAL, str(tmp_path)))
    (path,) = eventually_now(lambda: list(tmp_path.glob("home-*/run/part.json")))
    record = read_record(path)
    assert record is not None
    os.kill(record.keeper_pid, 9)
    trial.kill()
    trial.wait()
    home = path.parent.parent
    assert abandoned_trials(tmp_path) == [home]
    with throw_away_home(tmp_path):
        assert not home.exists()
        assert not processes.is_same(record.pid, record.mark)
