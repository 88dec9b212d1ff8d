"""Keeps one part: starts it, holds a pipe to the owner, and ends the part when the owner is gone, however it went.

    python -P -m workers.stack.keeper --record FILE [--grace S] [--stop-signal N]
           [--user NAME] [--remove FOLDER] --token T -- COMMAND...

Standard input is the owner's pipe: at its end-of-file (the owner closed it, died, or was killed) the part gets its stop
signal, and after the grace its whole process group is killed, with everything that still carries its token. The same
happens on SIGTERM, SIGINT and SIGHUP. When the part ends by itself, what it left behind is killed and the keeper ends
with the part's exit code (128 + signal, as shells do). The part never inherits the pipe. `--remove` names a throw-away
folder that goes with the part.

The record (ids, start marks, token) is on disk before the part runs its first instruction, so a start after a killed
keeper can always find and reap the part (`workers.stack.kept.reap`). Standard library only: it is started often.
"""

import json
import os
import select
import signal
import sys
import time
from contextlib import suppress
from types import FrameType

from workers.stack import processes

OWNER_PIPE = 0
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LOOK_S = 1.0
"""How often the keeper also looks whether its parent changed, should a forked sibling hold the owner's pipe open."""


def main(argv: list[str]) -> int:
    """Runs one part to its end and returns the exit code to use."""
    options, command = _parse(argv)
    wake_read, wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK) if hasattr(os, "pipe2") else _plain_pipe()
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    for number in (*STOP_SIGNALS, signal.SIGCHLD):
        signal.signal(number, _noted)
    owner = os.getppid()
    token = options["token"]
    part = _launch(command, token=token, user=options["user"])
    mark = processes.start_mark(part.pid)
    if mark is None:
        return part.reap()
    _write_record(options["record"], part.pid, mark, token, command)
    part.open_gate()

    while not part.has_ended():
        readable, _, _ = select.select([OWNER_PIPE, wake_read], [], [], LOOK_S)
        noted = os.read(wake_read, 512) if wake_read in readable else b""
        owner_gone = (OWNER_PIPE in readable and not os.read(OWNER_PIPE, 512)) or os.getppid() != owner
        if owner_gone or any(number in noted for number in STOP_SIGNALS):
            processes.send(part.pid, mark, int(options["stop_signal"]))
            processes.send(part.pid, mark, signal.SIGCONT)  # a stopped part would sleep through its grace
            _wait(part, float(options["grace"]))
            break
    _kill_group(part.pid)
    code = part.reap()
    processes.end_all(processes.marked(lambda found: found == token), grace_s=0.0, first=signal.SIGKILL)
    if options["remove"]:
        import shutil  # rarely asked for

        shutil.rmtree(options["remove"], ignore_errors=True)
    with suppress(FileNotFoundError):
        os.unlink(options["record"])
    return code


class _Part:
    """The forked part: it waits at a gate until its record is written."""

    def __init__(self, pid: int, gate: int) -> None:
        self.pid = pid
        self._gate = gate
        self._code: int | None = None

    def open_gate(self) -> None:
        os.write(self._gate, b"go")
        os.close(self._gate)

    def has_ended(self) -> bool:
        """Leaves the dead part unreaped where the system can, so that its group's number stays ours until `reap`."""
        if self._code is not None:
            return True
        if hasattr(os, "waitid"):
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        self._code = _exit_code(status) if pid else None
        return pid != 0

    def reap(self) -> int:
        if self._code is None:
            self._code = _exit_code(os.waitpid(self.pid, 0)[1])
        return self._code


def _launch(command: list[str], *, token: str, user: str) -> _Part:
    gate_read, gate_write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(gate_read)
        return _Part(pid, gate_write)
    try:
        os.setpgid(0, 0)
        os.close(gate_write)
        if not os.read(gate_read, 2):
            os._exit(127)  # the keeper died before it wrote the record
        signal.set_wakeup_fd(-1)
        for number in (
            *STOP_SIGNALS,
            signal.SIGCHLD,
            signal.SIGPIPE,
            signal.SIGXFSZ,
        ):  # the last two: Python ignores them
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), OWNER_PIPE)
        if user:
            _become(user)
        os.environ[processes.TOKEN_VARIABLE] = token
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"cannot run {command[0]}: {error}\n".encode())
    finally:
        os._exit(127)


def _become(user: str) -> None:
    import pwd

    entry = pwd.getpwnam(user)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    os.environ["HOME"] = entry.pw_dir


def _write_record(path: str, pid: int, mark: str, token: str, command: list[str]) -> None:
    record = {
        "keeper": {"pid": os.getpid(), "mark": processes.start_mark(os.getpid())},
        "part": {"pid": pid, "mark": mark},
        "token": token,
        "command": command,
    }
    draft = f"{path}.{os.getpid()}"
    with open(draft, "w", encoding="utf-8") as file:
        json.dump(record, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def _wait(part: _Part, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not part.has_ended() and time.monotonic() < deadline:
        time.sleep(processes.POLL_S)


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _exit_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def _noted(_number: int, _frame: FrameType | None) -> None:
    """The number itself arrives through the wake-up pipe."""


def _plain_pipe() -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends


def _parse(argv: list[str]) -> tuple[dict[str, str], list[str]]:
    options = {
        "record": "",
        "token": "",
        "grace": "10",
        "stop_signal": str(int(signal.SIGTERM)),
        "user": "",
        "remove": "",
    }
    split = argv.index("--")
    words = argv[:split]
    for name, value in zip(words[::2], words[1::2], strict=True):
        options[name.removeprefix("--").replace("-", "_")] = value
    return options, argv[split + 1 :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
