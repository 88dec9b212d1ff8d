"""The time-skipping Temporal test server, for tests: weeks of workflow time in milliseconds.

The SDK starts and ends it (`WorkflowEnvironment.start_time_skipping(test_server_existing_path=...)`). It survives a
killed test run, so each run marks its own servers and ends those whose run is gone.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from workers.stack import processes
from workers.stack.found import Announce, ServerUnavailableError, cache_folder, is_program, only_one, quiet

ARTIFACT = ("io.temporal", "temporal-test-server", "1.38.0")
ENABLE = "python -m workers.stack.provide timeskip"

_JAVA_OPTIONS = "-Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
_TOKEN = "timeskip"


def find_timeskip(env: Mapping[str, str]) -> Path | None:
    """The test server's program: on PATH, in our cache (a Java wrapper), or downloaded there by the SDK."""
    on_path = shutil.which("temporal-test-server", path=env.get("PATH"))
    if on_path:
        return Path(on_path)
    wrapper = _folder(env) / "temporal-test-server"
    if is_program(wrapper) and shutil.which("java", path=env.get("PATH")):
        return wrapper
    downloaded = sorted((cache_folder(env) / "bin").glob("temporal-test-server-*"), reverse=True)
    return next((path for path in downloaded if is_program(path)), None)


def provide_timeskip(env: Mapping[str, str], announce: Announce = quiet) -> Path:
    """`find_timeskip`, else the SDK's download, else Maven's artifact behind a Java wrapper in our cache (38 MB).

    Raises `ServerUnavailableError`, which says what to install.
    """
    found = find_timeskip(env)
    if found is not None:
        return found
    with only_one(_folder(env).parent, "timeskip"):
        if (found := find_timeskip(env)) is not None:
            return found
        problem = asyncio.run(_download(cache_folder(env) / "bin"))
        if (found := find_timeskip(env)) is not None:
            announce(f"fetched the time-skipping test server: {found}")
            return found
        missing = [program for program in ("java", "mvn") if shutil.which(program, path=env.get("PATH")) is None]
        if missing:
            raise ServerUnavailableError(
                f"no time-skipping test server: the download failed ({problem}), and {' and '.join(missing)} is not"
                " there to fetch and run it. Install Java 17 and Maven (packages `default-jre-headless` and `maven`)"
            )
        announce(f"fetching {':'.join(ARTIFACT)} with Maven into {_folder(env)}: seconds, once a machine")
        return _fetch(_folder(env), env)


@contextmanager
def owned_timeskip(program: Path, folder: Path) -> Iterator[Path]:
    """A program that starts marked servers, written into `folder`.

    Servers whose owner is gone are ended on entry, ours that still run at the end of the block.
    """
    reap_timeskip()
    mine = f"{_TOKEN}:{os.getpid()}:{processes.start_mark(os.getpid())}"
    script = folder / "temporal-test-server"
    variable = processes.TOKEN_VARIABLE
    script.write_text(f"#!/bin/sh\n{variable}='{mine}'\nexport {variable}\nexec '{program}' \"$@\"\n")
    script.chmod(0o755)
    try:
        yield script
    finally:
        processes.end_all(processes.marked(lambda token: token == mine), grace_s=0.5)


def reap_timeskip() -> list[int]:
    """Ends marked servers whose owner is gone; returns their process ids."""
    return processes.end_all(processes.marked(_is_abandoned), grace_s=0.5)


def _is_abandoned(token: str) -> bool:
    kind, _, owner = token.partition(":")
    pid, _, mark = owner.partition(":")
    return kind == _TOKEN and pid.isdigit() and not processes.is_same(int(pid), mark)


def _folder(env: Mapping[str, str]) -> Path:
    return cache_folder(env) / f"timeskip-{ARTIFACT[2]}"


async def _download(folder: Path) -> str:
    from temporalio.testing import WorkflowEnvironment

    try:
        async with await WorkflowEnvironment.start_time_skipping(download_dest_dir=str(folder)):
            return ""
    except RuntimeError as error:
        return str(error).splitlines()[0]


def _fetch(folder: Path, env: Mapping[str, str]) -> Path:
    group, name, version = ARTIFACT
    pom = (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>perennial</groupId><artifactId>timeskip</artifactId><version>1</version><dependencies><dependency>"
        f"<groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version>"
        "</dependency></dependencies></project>"
    )
    with tempfile.TemporaryDirectory(prefix="timeskip-", dir=folder.parent) as scratch:
        (Path(scratch) / "pom.xml").write_text(pom)
        argv = ["mvn", "-B", "-q", "-ntp", "-f", f"{scratch}/pom.xml", "dependency:copy-dependencies"]
        argv += ["-DincludeScope=runtime", f"-DoutputDirectory={scratch}/server/lib"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env=dict(env))
        if done.returncode:
            raise ServerUnavailableError(f"Maven could not fetch {':'.join(ARTIFACT)}: {done.stdout.strip()[-500:]}")
        wrapper = Path(scratch) / "server" / "temporal-test-server"
        wrapper.write_text(
            '#!/bin/sh\nhere=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)\n'
            f'exec java {_JAVA_OPTIONS} -cp "$here/lib/*" io.temporal.testserver.TestServer "$@"\n'
        )
        wrapper.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(wrapper.parent, folder)
    return folder / "temporal-test-server"
