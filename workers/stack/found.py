"""Where the servers' programs are kept and looked for. Reads the environment given to it, never the process's own."""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

Announce = Callable[[str], None]
"""Told, in one sentence each, what takes long or needs to be known."""


class ServerUnavailableError(RuntimeError):
    """A server's program cannot be had here; the message says what to install. Handled by verbs: exit code 2."""


def quiet(_sentence: str) -> None:
    """An `Announce` that says nothing."""


def cache_folder(env: Mapping[str, str]) -> Path:
    """`PERENNIAL_CACHE`, else the user's cache folder: programs built or fetched once a machine."""
    given = env.get("PERENNIAL_CACHE")
    if given:
        return Path(given).expanduser()
    root = env.get("XDG_CACHE_HOME") or str(Path(env.get("HOME") or "~").expanduser() / ".cache")
    return Path(root) / "perennial"


def is_program(path: Path) -> bool:
    """Whether this is a file that may be run."""
    return path.is_file() and os.access(path, os.X_OK)


@contextmanager
def only_one(folder: Path, name: str) -> Iterator[None]:
    """Lets one process at a time fetch or build `name`; a second waits and then finds it there."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
