"""Where servers come from: named, on PATH, in the cache, fetched, built, or a sentence that says what to install."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workers.stack import postgres, provide, temporal_server, timeskip
from workers.stack.found import ServerUnavailableError
from workers.stack.ports import free_port

GO = """#!/bin/sh
echo run >> "$RUNS"
printf '#!/bin/sh\\n' > "$GOBIN/temporal"
chmod 755 "$GOBIN/temporal"
"""


def program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """An environment with an empty cache and an empty folder on PATH."""
    (tmp_path / "bin").mkdir()
    return {"PATH": str(tmp_path / "bin"), "PERENNIAL_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path)}


@pytest.fixture
def no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's download fails at once, as without a network; it would fetch 100 MB otherwise."""

    async def refused(_folder: Path) -> str:
        return "no network"

    monkeypatch.setattr(temporal_server, "_download", refused)
    monkeypatch.setattr(timeskip, "_download", refused)


def test_the_search_order_is_named_then_path_then_cache(env: dict[str, str], tmp_path: Path) -> None:
    assert temporal_server.find_temporal(env) is None
    downloaded = program(tmp_path / "cache/bin/temporal-sdk-python-1.35.0")
    assert temporal_server.find_temporal(env) == downloaded
    built = program(tmp_path / "cache/bin/temporal")
    assert temporal_server.find_temporal(env) == built
    on_path = program(tmp_path / "bin/temporal")
    assert temporal_server.find_temporal(env) == on_path
    named = program(tmp_path / "elsewhere/temporal")
    assert temporal_server.find_temporal({**env, "PERENNIAL_TEMPORAL_BIN": str(named)}) == named


def test_a_named_program_that_is_not_there_is_an_error_not_a_fallback(env: dict[str, str], tmp_path: Path) -> None:
    program(tmp_path / "bin/temporal")
    with pytest.raises(ServerUnavailableError, match="PERENNIAL_TEMPORAL_BIN is /no/temporal"):
        temporal_server.find_temporal({**env, "PERENNIAL_TEMPORAL_BIN": "/no/temporal"})


@pytest.mark.usefixtures("no_download")
def test_go_builds_once_a_machine_and_says_so(env: dict[str, str], tmp_path: Path) -> None:
    program(tmp_path / "bin/go", GO)
    env |= {"PATH": f"{tmp_path / 'bin'}:/bin:/usr/bin", "RUNS": str(tmp_path / "runs")}
    said: list[str] = []
    for _ in range(2):
        assert temporal_server.provide_temporal(env, said.append) == tmp_path / "cache/bin/temporal"
    assert (tmp_path / "runs").read_text().split() == ["run"]
    assert [sentence.split()[0] for sentence in said] == ["building", "built"]


@pytest.mark.usefixtures("no_download")
def test_a_failed_build_leaves_no_half_program(env: dict[str, str], tmp_path: Path) -> None:
    program(tmp_path / "bin/go", '#!/bin/sh\necho half > "$GOBIN/temporal"\necho no space left >&2\nexit 1\n')
    with pytest.raises(ServerUnavailableError, match="no space left"):
        temporal_server.provide_temporal(env)
    assert temporal_server.find_temporal(env) is None


@pytest.mark.usefixtures("no_download")
@pytest.mark.parametrize(
    ("provider", "to_install"),
    [
        (temporal_server.provide_temporal, "Install the Temporal CLI .* or Go"),
        (timeskip.provide_timeskip, "Install Java"),
    ],
)
def test_nothing_to_build_with_says_what_to_install(provider: object, to_install: str, env: dict[str, str]) -> None:
    with pytest.raises(ServerUnavailableError, match=to_install):
        provider(env)  # type: ignore[operator]


def test_a_cached_test_server_needs_java(env: dict[str, str], tmp_path: Path) -> None:
    cached = program(tmp_path / "cache/timeskip-1.38.0/temporal-test-server")
    assert timeskip.find_timeskip(env) is None
    program(tmp_path / "bin/java")
    assert timeskip.find_timeskip(env) == cached


def test_postgres_on_the_path_wins(env: dict[str, str], tmp_path: Path) -> None:
    program(tmp_path / "bin/initdb")
    program(tmp_path / "bin/postgres")
    assert postgres.find_postgres(env) == tmp_path / "bin"


def test_the_server_is_started_with_the_settings_that_make_it_fast(tmp_path: Path) -> None:
    options = temporal_server.TemporalOptions(
        namespaces=("campaign",),
        search_attributes={"PerennialRealm": "Keyword"},
        codec_endpoint="http://127.0.0.1:1/codec",
    )
    line = " ".join(temporal_server.server_argv(tmp_path / "temporal", options, tmp_path / "temporal.db"))
    for wanted in (
        "--dynamic-config-value history.transferProcessorMaxPollRPS=2000",
        "--dynamic-config-value history.timerProcessorMaxPollRPS=2000",
        "--dynamic-config-value history.visibilityProcessorMaxPollRPS=2000",
        "--dynamic-config-value system.enableActivityEagerExecution=true",
        "--dynamic-config-value matching.numTaskqueueReadPartitions=1",
        "--dynamic-config-value matching.numTaskqueueWritePartitions=1",
        "--sqlite-pragma journal_mode=wal",
        "--sqlite-pragma synchronous=1",
        f"--port {options.port}",
        f"--ui-port {options.ui_port}",
        "--ip 127.0.0.1",
        "--namespace campaign",
        "--search-attribute PerennialRealm=Keyword",
        "--ui-codec-endpoint http://127.0.0.1:1/codec",
    ):
        assert wanted in line


def test_ports_are_never_given_twice() -> None:
    ports = [free_port() for _ in range(200)]
    assert len(set(ports)) == 200


def test_providing_an_unknown_server_names_the_known_ones() -> None:
    argv = [sys.executable, "-P", "-m", "workers.stack.provide", "weather"]
    answer = subprocess.run(argv, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert answer.returncode == 2
    assert all(name in answer.stderr for name in provide.PROVIDERS)
    assert "Traceback" not in answer.stderr
