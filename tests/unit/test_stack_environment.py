"""No child of a private stack can find its way to a real service, account or paid model."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from eventually import eventually_now

from workers.stack.environment import trial_environment
from workers.stack.found import cache_folder
from workers.stack.kept import Command, Kept

HOSTILE = {
    "TEMPORAL_ADDRESS": "production.example.com:7233",
    "TEMPORAL_NAMESPACE": "production",
    "TEMPORAL_API_KEY": "secret",
    "TEMPORAL_CONFIG_FILE": "/etc/production.toml",
    "TEMPORAL_PROFILE": "production",
    "TEMPORAL_TLS_CLIENT_CERT_DATA": "production certificate",
    "PERENNIAL_HOME": "/var/lib/perennial",
    "PERENNIAL_PROFILE": "live",
    "PERENNIAL_DATABASE_URL": "postgresql://production/ledger",
    "DATABASE_URL": "postgresql://production/ledger",
    "PGHOST": "production",
    "PGPASSWORD": "secret",
    "BINANCE_API_KEY": "key",
    "BINANCE_API_SECRET": "secret",
    "DEEPSEEK_API_KEY": "key",
    "OPENAI_API_KEY": "key",
    "OPENAI_BASE_URL": "https://paid.example.com",
    "DASHSCOPE_API_KEY": "key",
    "SOME_OTHER_VENDOR_API_KEY": "key",
    "WEAVIATE_URL": "http://production:8080",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://production:4317",
    "HTTP_PROXY": "http://proxy:3128",
    "https_proxy": "http://proxy:3128",
    "all_proxy": "socks5://proxy:1080",
    "NO_PROXY": "localhost",
}
HARMLESS = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "LANG": "C.UTF-8", "SSL_CERT_FILE": "/etc/ssl/ca.pem"}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_names_are_dropped_and_named(name: str) -> None:
    trial = trial_environment({**HARMLESS, **HOSTILE})
    assert trial.env.get(name) in (None, os.devnull)
    assert name in trial.dropped


def test_what_a_process_needs_stays() -> None:
    trial = trial_environment({**HARMLESS, **HOSTILE})
    assert HARMLESS.items() <= trial.env.items()
    assert trial_environment(HARMLESS).dropped == ()


def test_a_child_sees_no_hostile_value(tmp_path: Path) -> None:
    env = trial_environment({**os.environ, **HOSTILE}).env
    argv = (sys.executable, "-c", "import os; print(dict(os.environ))")
    kept = Kept("part", Command(argv=argv, env=env, cwd=tmp_path), tmp_path)
    eventually_now(lambda: kept.exit_code is not None)
    seen = kept.output.read_text()
    assert "PATH" in seen
    assert [value for value in set(HOSTILE.values()) - {"key"} if value in seen] == []


def test_a_child_ignores_the_users_temporal_profile(tmp_path: Path) -> None:
    for folder in (tmp_path / ".config/temporalio", tmp_path / "Library/Application Support/temporalio"):
        folder.mkdir(parents=True)
        (folder / "temporal.toml").write_text('[profile.default]\naddress = "production.example.com:7233"\n')
    code = "from temporalio.envconfig import ClientConfig; print(ClientConfig.load_client_connect_config())"

    def loaded(env: dict[str, str]) -> str:
        return subprocess.run((sys.executable, "-c", code), env=env, capture_output=True, text=True, check=True).stdout

    mine = {**HARMLESS, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / ".config")}
    assert "production.example.com" in loaded(mine), "the trap is armed"
    assert loaded(dict(trial_environment(mine).env)).strip() == "{}"


@pytest.mark.parametrize(
    ("env", "folder"),
    [
        ({"PERENNIAL_CACHE": "/cache", "HOME": "/home/a"}, "/cache"),
        ({"XDG_CACHE_HOME": "/xdg", "HOME": "/home/a"}, "/xdg/perennial"),
        ({"HOME": "/home/a"}, "/home/a/.cache/perennial"),
    ],
)
def test_the_cache_is_the_users(env: dict[str, str], folder: str) -> None:
    assert cache_folder(env) == Path(folder)
