"""Nothing a stack starts outlives its owner, whatever is killed; and nothing else is ever hit. Real processes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from eventually import eventually_now

from workers.stack import processes
from workers.stack.kept import Command, Kept, PartError, left_behind, read_record, reap

FAMILY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
stray = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
open(sys.argv[1], "w").write(f"{os.getpid()} {child.pid} {stray.pid}\\n")
time.sleep(600)
"""
"""A part with a child in its group and a stray one that left group and session."""

STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1], "w").write("up\\n")
time.sleep(600)
"""

OWNER = """
import sys, time
from pathlib import Path
from workers.stack.kept import Command, Kept
home = Path(sys.argv[1])
kept = Kept("part", Command(argv=tuple(sys.argv[2:]), env={"PATH": "/usr/bin:/bin"}, cwd=home, grace_s=1.0), home)
kept.pid
time.sleep(600)
"""


def python(code: str, *words: object) -> tuple[str, ...]:
    return (sys.executable, "-c", code, *map(str, words))


def command(argv: tuple[str, ...], cwd: Path, *, grace_s: float = 1.0) -> Command:
    return Command(argv=argv, env=dict(os.environ), cwd=cwd, grace_s=grace_s)


def runs(pid: int) -> bool:
    return processes.start_mark(pid) is not None


def family(note: Path) -> list[int]:
    text = eventually_now(lambda: note.exists() and note.read_text().endswith("\n") and note.read_text())
    assert isinstance(text, str)
    return [int(word) for word in text.split()]


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    argv = python(OWNER, tmp_path, *python(FAMILY, tmp_path / "note"))
    started = subprocess.Popen(argv)
    yield started
    started.kill()
    started.wait()


def test_owner_killed_ends_part_child_and_grandchild(owner: subprocess.Popen[bytes], tmp_path: Path) -> None:
    pids = family(tmp_path / "note")
    assert all(runs(pid) for pid in pids)
    owner.kill()
    eventually_now(lambda: not any(runs(pid) for pid in pids), what="the whole family is gone")
    eventually_now(lambda: not list((tmp_path / "run").glob("*.json")), what="the record is gone")


def test_owner_frozen_ends_nothing(owner: subprocess.Popen[bytes], tmp_path: Path) -> None:
    pids = family(tmp_path / "note")
    owner.send_signal(signal.SIGSTOP)
    assert not processes.wait_gone([(pids[0], processes.start_mark(pids[0]) or "")], timeout_s=1.5)
    owner.send_signal(signal.SIGCONT)


def test_keeper_killed_is_reaped_by_the_next_start(owner: subprocess.Popen[bytes], tmp_path: Path) -> None:
    pids = family(tmp_path / "note")
    record = read_record(tmp_path / "run" / "part.json")
    assert record is not None
    assert record.pid == pids[0]
    os.kill(record.keeper_pid, signal.SIGKILL)
    owner.kill()
    eventually_now(lambda: not processes.is_same(record.keeper_pid, record.keeper_mark))
    assert all(runs(pid) for pid in pids), "nobody is left who would end them"
    assert [left.pid for left in left_behind(tmp_path)] == [pids[0]]
    reap(tmp_path, grace_s=0.0)
    assert not any(runs(pid) for pid in pids)
    assert left_behind(tmp_path) == []


def test_keeper_killed_under_a_living_owner_leaves_nothing_after_stop(tmp_path: Path) -> None:
    kept = Kept("part", command(python(FAMILY, tmp_path / "note"), tmp_path), tmp_path)
    pids = family(tmp_path / "note")
    os.kill(kept.keeper_pid, signal.SIGKILL)
    eventually_now(lambda: kept.exit_code is not None)
    kept.stop()
    assert not any(runs(pid) for pid in pids)


def test_a_stranger_with_a_recycled_id_is_never_hit(tmp_path: Path) -> None:
    stranger = subprocess.Popen(python("import time; time.sleep(600)"), start_new_session=True)
    try:
        (tmp_path / "run").mkdir()
        record = {
            "keeper": {"pid": stranger.pid, "mark": "another boot:1"},
            "part": {"pid": stranger.pid, "mark": "another boot:2"},
            "token": "part:of a dead keeper",
            "command": ["temporal"],
        }
        (tmp_path / "run" / "temporal.json").write_text(json.dumps(record))
        assert reap(tmp_path, grace_s=0.0) == {}
        assert stranger.poll() is None
        assert not (tmp_path / "run" / "temporal.json").exists()
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("text", ["", "{", '{"part": 7}', '{"keeper": null, "part": null, "token": 1}'])
def test_a_torn_record_is_dropped(tmp_path: Path, text: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "part.json").write_text(text)
    assert reap(tmp_path) == {}
    assert list((tmp_path / "run").iterdir()) == []


def test_a_stubborn_part_is_killed_after_its_grace(tmp_path: Path) -> None:
    kept = Kept("part", command(python(STUBBORN, tmp_path / "note"), tmp_path, grace_s=0.2), tmp_path)
    family_note = tmp_path / "note"
    eventually_now(family_note.exists)
    pid = kept.pid
    assert kept.stop() == 128 + signal.SIGKILL
    assert not runs(pid)


def test_a_frozen_part_stops_too(tmp_path: Path) -> None:
    kept = Kept("part", command(python(FAMILY, tmp_path / "note"), tmp_path), tmp_path)
    pids = family(tmp_path / "note")
    assert kept.kill(signal.SIGSTOP)
    assert kept.stop() == 128 + signal.SIGTERM
    assert not any(runs(pid) for pid in pids)


def test_the_parts_exit_code_is_the_keepers(tmp_path: Path) -> None:
    kept = Kept("part", command(python("raise SystemExit(7)"), tmp_path), tmp_path)
    eventually_now(lambda: kept.exit_code is not None)
    assert kept.exit_code == 7
    assert kept.stop() == 7


def test_killing_the_part_takes_what_it_started(tmp_path: Path) -> None:
    kept = Kept("part", command(python(FAMILY, tmp_path / "note"), tmp_path), tmp_path)
    pids = family(tmp_path / "note")
    assert kept.kill()
    eventually_now(lambda: kept.exit_code == 128 + signal.SIGKILL)
    assert not any(runs(pid) for pid in pids)
    assert not kept.kill()


def test_a_program_that_is_not_there_says_so(tmp_path: Path) -> None:
    kept = Kept("part", command((str(tmp_path / "no-such-program"),), tmp_path), tmp_path)
    eventually_now(lambda: kept.exit_code == 127)
    assert "no-such-program" in kept.last_words()
    with pytest.raises(PartError, match="part did not start"):
        _ = kept.pid


def test_the_part_never_inherits_the_owners_pipe(tmp_path: Path) -> None:
    kept = Kept("part", command(python("import sys; sys.exit(len(sys.stdin.read()))"), tmp_path), tmp_path)
    eventually_now(lambda: kept.exit_code is not None, what="reading an empty standard input ends at once")
    assert kept.exit_code == 0


def test_a_throw_away_folder_goes_with_its_part(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    wanted = Command(argv=python("pass"), env=dict(os.environ), cwd=tmp_path, remove=folder)
    kept = Kept("part", wanted, tmp_path)
    eventually_now(lambda: kept.exit_code is not None)
    assert not folder.exists()


def test_the_keeper_loads_the_standard_library_only() -> None:
    code = (
        "import sys, workers.stack.keeper; outside = [name for name, module in sys.modules.items()"
        " if 'site-packages' in (getattr(module, '__file__', None) or '')]; print(outside, 'asyncio' in sys.modules)"
    )
    assert subprocess.run(python(code), capture_output=True, text=True, check=True).stdout.split() == ["[]", "False"]


def test_start_marks_differ_between_processes_and_end_with_them() -> None:
    first, second = (subprocess.Popen(python("import time; time.sleep(600)")) for _ in range(2))
    marks = [processes.start_mark(process.pid) for process in (first, second)]
    assert None not in marks
    assert processes.is_same(first.pid, marks[0] or "")
    assert not processes.send(first.pid, "another mark", signal.SIGKILL)
    assert first.poll() is None
    first.kill()
    eventually_now(lambda: processes.start_mark(first.pid) is None, what="a zombie counts as gone")
    first.wait()
    second.kill()
    second.wait()
