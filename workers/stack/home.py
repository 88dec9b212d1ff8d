"""The folder a stack lives in: one owner at a time, a state file for those who attach, reaping on entry."""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO

from workers.stack import processes
from workers.stack.found import only_one
from workers.stack.kept import reap

DEFAULT_HOME = Path("~/.local/share/perennial")

_STATE = "stack.json"
_LOCK = "lock"
_TRIAL_PREFIX = "home-"


class HomeBusyError(RuntimeError):
    """Another process owns this home. Handled by verbs: attach to its stack, or exit code 2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackState:
    """What a second verb needs to attach to a running stack. Holds no secret."""

    realm: str
    profile: str
    namespace: str = "default"
    temporal_address: str = ""
    temporal_ui: str = ""
    addresses: Mapping[str, str] = field(default_factory=dict)
    """Part name to address, of whatever else listens."""
    pids: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    started_at: str = ""
    owner_pid: int = 0
    owner_mark: str = ""


@dataclass(frozen=True, slots=True)
class Home:
    """A home this process owns. `reaped` says which parts of a killed stack were found running and ended."""

    path: Path
    throw_away: bool = False
    reaped: Mapping[str, list[int]] = field(default_factory=dict)

    @property
    def logs(self) -> Path:
        """A file per part for its output and one for its log."""
        return self.path / "logs"

    def publish(self, state: StackState) -> None:
        """Writes the state file in one step, with this process as its owner."""
        mine = replace(state, owner_pid=os.getpid(), owner_mark=processes.start_mark(os.getpid()) or "")
        draft = self.path / f"{_STATE}.new"
        draft.write_text(json.dumps(asdict(mine), indent=1), encoding="utf-8")
        os.replace(draft, self.path / _STATE)


@contextmanager
def claim(path: Path) -> Iterator[Home]:
    """Owns the home until the end of the block; ends first what a killed stack left running in it.

    Raises `HomeBusyError` when another process owns it.
    """
    path = path.expanduser().absolute()
    with _held(path):
        try:
            yield _entered(path, throw_away=False)
        finally:
            (path / _STATE).unlink(missing_ok=True)


@contextmanager
def throw_away_home(root: Path | None = None) -> Iterator[Home]:
    """A new home that is removed at the end of the block. Abandoned ones beside it are reaped and removed first."""
    root = root or _trials_root()
    with only_one(root, "trials"):
        for abandoned in abandoned_trials(root):
            reap(abandoned, grace_s=0.0)
            shutil.rmtree(abandoned, ignore_errors=True)
        path = Path(tempfile.mkdtemp(prefix=_TRIAL_PREFIX, dir=root))
        lock = _lock(path)
    try:
        yield _entered(path, throw_away=True)
    finally:
        shutil.rmtree(path, ignore_errors=True)
        lock.close()


def abandoned_trials(root: Path | None = None) -> list[Path]:
    """Throw-away homes whose owner is gone; changes nothing."""
    return [path for path in sorted((root or _trials_root()).glob(f"{_TRIAL_PREFIX}*")) if not is_owned(path)]


def is_owned(path: Path) -> bool:
    """Whether some process owns this home now."""
    try:
        lock = _lock(path, create=False)
    except HomeBusyError:
        return True
    except FileNotFoundError:
        return False
    lock.close()
    return False


def attach(path: Path) -> StackState | None:
    """The stack that runs in this home; None when there is none, or when its state file was left by a dead owner."""
    try:
        found = json.loads((path.expanduser() / _STATE).read_text(encoding="utf-8"))
        state = StackState(**{name: value for name, value in found.items() if name in StackState.__slots__})
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return None
    return state if processes.is_same(state.owner_pid, state.owner_mark) else None


def _entered(path: Path, *, throw_away: bool) -> Home:
    (path / _STATE).unlink(missing_ok=True)
    return Home(path, throw_away, reap(path))


@contextmanager
def _held(path: Path) -> Iterator[None]:
    path.mkdir(parents=True, exist_ok=True)
    lock = _lock(path)
    try:
        yield
    finally:
        lock.close()


def _lock(path: Path, *, create: bool = True) -> IO[str]:
    file = (path / _LOCK).open("a+" if create else "r+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = file.read().strip() or "unknown"
        file.close()
        raise HomeBusyError(f"{path} is in use by process {owner}") from None
    if create:
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
    return file


def _trials_root() -> Path:
    return Path(tempfile.gettempdir()) / f"perennial-trials-{os.getuid()}"
