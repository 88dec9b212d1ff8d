"""A server that cannot be had: its tests are skipped with the one command, or fail when all are required."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

TESTS = """
import pytest

def test_needs_temporal(temporal_server): ...
def test_needs_time(timeskip_binary): ...
@pytest.mark.stack
def test_owns_a_stack(): ...
def test_needs_nothing(): ...
def test_sees_no_address():
    import os
    assert "TEMPORAL_ADDRESS" not in os.environ
"""


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with our conftest and tests that need servers."""
    folder = tmp_path_factory.mktemp("bare")
    (folder / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text())
    (folder / "test_some.py").write_text(TESTS)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    stack: owns a stack\n")
    return folder


def run(bare: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    hidden = {
        "PATH": str(bare),
        "HOME": str(bare),
        "PERENNIAL_CACHE": str(bare / "cache"),
        "TEMPORAL_ADDRESS": "live:7233",
    }
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words, "test_some.py"]
    return subprocess.run(argv, cwd=bare, env={**hidden, **env}, capture_output=True, text=True, check=False)


def test_missing_servers_skip_with_one_command_each(bare: Path) -> None:
    answer = run(bare, "-n", "2")
    assert answer.returncode == 0, answer.stdout
    closing = answer.stdout.splitlines()[-6:]
    assert any("skipped 2 that need temporal" in line and "workers.stack.provide temporal" in line for line in closing)
    assert any("skipped 1 that need timeskip" in line and "workers.stack.provide timeskip" in line for line in closing)


def test_required_servers_that_are_missing_fail(bare: Path) -> None:
    answer = run(bare, "-p", "no:xdist", PERENNIAL_REQUIRE_ALL="1")
    assert answer.returncode == 1
    assert "dropped from the environment: TEMPORAL_ADDRESS" in answer.stdout
    assert "workers.stack.provide temporal" in answer.stdout
    assert "2 passed, 3 errors" in answer.stdout
