"""What is built for other machines: five packages with their migrations, and a command that works from them alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from command_line import environment, perennial

from activities.store.migrate import head_revision

pytestmark = pytest.mark.timeout(120)

ROOT = Path(__file__).parents[2]
PACKAGES = {"trading", "activities", "workflows", "workers", "config"}


def uv() -> str:
    """The program that builds and installs; `make install` has put it where it is not on PATH."""
    beside = ROOT / ".cache" / "uv" / "bin" / "uv"
    found = shutil.which("uv") or (str(beside) if beside.exists() else "")
    if not found:
        pytest.skip("no `uv` program on PATH: `make install` brings one")
    return found


def ran(*argv: str, cwd: Path) -> None:
    ended = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=100)
    assert ended.returncode == 0, ended.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    ran(uv(), "build", "--wheel", "--quiet", "--out-dir", str(folder), str(ROOT), cwd=folder)
    (built,) = folder.glob("perennial-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `perennial` program of an empty environment with the wheel; its dependencies are this environment's."""
    folder = tmp_path_factory.mktemp("elsewhere") / "env"
    ran(uv(), "venv", "--quiet", "--python", sys.executable, str(folder), cwd=folder.parent)
    python = folder / "bin" / "python"
    ran(uv(), "pip", "install", "--quiet", "--no-deps", "--python", str(python), str(wheel), cwd=folder.parent)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    # A path file is read for paths only, so the checkout's own path file in there is not followed.
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin" / "perennial"


def test_it_holds_the_packages_and_their_data(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == PACKAGES
    migrations = {Path(name).name for name in names if "/migrations/" in name}
    checkout = {
        path.name for path in (ROOT / "activities/store/migrations").rglob("*") if path.suffix in {".py", ".mako"}
    }
    assert checkout - migrations == set()
    tracked = {str(path.relative_to(ROOT)) for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    assert tracked - set(names) == set()


def test_the_command_works_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    env = {name: value for name, value in environment(tmp_path).items() if name != "PYTHONPATH"}
    argv = (str(installed),)
    shown = perennial(tmp_path, "--help", argv=argv, env=env)
    assert shown.code == 0, shown.err
    assert "Usage: perennial" in shown.out
    migrated = perennial(tmp_path, "db", "migrate", "--json", argv=argv, env=env)
    assert migrated.code == 0, migrated.err
    assert migrated.answer == {"revision": head_revision()}
    info = perennial(tmp_path, "db", "info", "--json", argv=argv, env=env)
    assert (info.code, info.answer["revision"]) == (0, head_revision())


def test_what_runs_there_is_the_wheel_and_not_the_checkout(installed: Path, tmp_path: Path) -> None:
    env = {name: value for name, value in environment(tmp_path).items() if name != "PYTHONPATH"}
    argv = (str(installed.parent / "python"), "-P", "-c")
    where = perennial(tmp_path, "import workers.cli.main as m; print(m.__file__)", argv=argv, env=env)
    assert where.out.strip().startswith(str(installed.parents[1]))
