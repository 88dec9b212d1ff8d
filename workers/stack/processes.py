"""Who a process is, beyond its number: start marks, inherited tokens, and signals that never hit a stranger.

A process id is recycled; a pair of id and start mark is not. What a part starts in turn inherits its token through the
environment, so even a grandchild that left the process group is known as ours. Standard library only: the keeper
imports it.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

TOKEN_VARIABLE = "_PERENNIAL_KEPT"
"""Carries the token of the keeper above; the underscore keeps it apart from the settings (`PERENNIAL_*`)."""

_PROC = Path("/proc")
POLL_S = 0.02


def start_mark(pid: int) -> str | None:
    """When this process started, in words that differ for every process that ever has this id; None when it is gone.

    Linux: boot id and clock ticks since boot. Elsewhere: the start time as `ps` prints it (whole seconds).
    A zombie counts as gone: it runs nothing any more.
    """
    if sys.platform == "linux":
        stat = _stat(pid)
        if stat is None or stat[0] in "ZX":
            return None
        return f"{_boot_id()}:{stat[19]}"
    for found, state, started in _ps("pid=,state=,lstart=", pid=pid):
        if found == pid and not state.startswith("Z"):
            return "_".join(started.split())
    return None


def is_same(pid: int, mark: str) -> bool:
    """Whether `pid` is still the very process that had this start mark."""
    return pid > 0 and start_mark(pid) == mark


def send(pid: int, mark: str, number: int) -> bool:
    """Sends a signal to that process and to no other. False when it is gone, or its id belongs to a stranger now.

    On Linux the process is pinned first (pidfd), so that it cannot be replaced between the look and the signal.
    """
    if sys.platform == "linux" and hasattr(os, "pidfd_open"):
        try:
            handle = os.pidfd_open(pid)
        except OSError:
            return False
        try:
            if not is_same(pid, mark):
                return False
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)
        return True
    if not is_same(pid, mark):
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def group_exists(group: int) -> bool:
    """Whether any process, zombies included, is in the group."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def marked(accepts: Callable[[str], bool]) -> Iterator[tuple[int, str]]:
    """Every running process (id, start mark) whose token satisfies `accepts`, this one excluded.

    Only processes whose environment this user may read are seen.
    """
    for pid, token in _tokens():
        if pid == os.getpid() or not accepts(token):
            continue
        mark = start_mark(pid)
        if mark is not None:
            yield pid, mark


def end_all(targets: Iterable[tuple[int, str]], *, grace_s: float, first: int = signal.SIGTERM) -> list[int]:
    """Ends these processes: the first signal, then SIGKILL after the grace. Returns the ids that were there."""
    hit = [(pid, mark) for pid, mark in targets if send(pid, mark, first)]
    for pid, mark in hit:
        send(pid, mark, signal.SIGCONT)  # a stopped process would sleep through its grace
    if not wait_gone(hit, timeout_s=grace_s):
        for pid, mark in hit:
            send(pid, mark, signal.SIGKILL)
        wait_gone(hit, timeout_s=5.0)
    return [pid for pid, _ in hit]


def wait_gone(targets: Iterable[tuple[int, str]], *, timeout_s: float) -> bool:
    """Waits until none of these processes runs; False when one still does after the time-out."""
    left = list(targets)
    deadline = time.monotonic() + timeout_s
    while left := [(pid, mark) for pid, mark in left if is_same(pid, mark)]:
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_S)
    return True


def _stat(pid: int) -> list[str] | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()  # the name before it may hold spaces and brackets


def _boot_id() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "boot"


def _tokens() -> Iterator[tuple[int, str]]:
    name = TOKEN_VARIABLE + "="
    if sys.platform == "linux":
        for entry in _PROC.iterdir():
            if not entry.name.isdigit():
                continue
            with suppress(OSError):
                for variable in (entry / "environ").read_bytes().split(b"\0"):
                    if variable.startswith(name.encode()):
                        yield int(entry.name), variable[len(name) :].decode(errors="replace")
        return
    for pid, _, line in _ps("pid=,state=,command=", environment=True):
        for word in line.split():
            if word.startswith(name):
                yield pid, word[len(name) :]


def _ps(columns: str, *, pid: int | None = None, environment: bool = False) -> Iterator[tuple[int, str, str]]:
    import subprocess  # only where there is no /proc: the keeper stays small elsewhere

    argv = ["ps", *(["-E"] if environment else []), "-ww", "-o", columns, *(["-p", str(pid)] if pid else ["-A"])]
    answer = subprocess.run(argv, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    for line in answer.stdout.splitlines():
        first, state, rest = [*line.split(None, 2), "", ""][:3]
        if first.isdigit():
            yield int(first), state, rest
