"""What one decision costs: time at three model latencies, throughput, history, memory, start-up, install size."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from bench_house import bench_house, spread, throughput

from activities.store.reading import decision_card
from workflows.names import decision_workflow

RUNS = 9


@pytest.mark.parametrize("think_ms", [0, 50, 500])
async def test_one_decision_at_model_latency(think_ms: int, capsys: pytest.CaptureFixture[str]) -> None:
    async with bench_house(think_s=str(think_ms / 1000)) as bench:
        await bench.decide("warm-up")
        seconds = [await bench.decide(f"single-{number}") for number in range(RUNS)]
        card = await decision_card(bench.place.store, bench.place.realm, bench.head("single-0").decision_id)
        handle = bench.place.client.get_workflow_handle(
            decision_workflow(bench.place.realm, bench.head("single-0").decision_id)
        )
        described = await handle.describe()
        history = await handle.fetch_history()
        pid = bench.running.stack.pids["worker-1"]
        rss_mb = _rss_mb(pid)
    assert card is not None
    assert len(card["model_calls"]) == 2
    size = sum(event.ByteSize() for event in history.events)
    with capsys.disabled():
        sys.stdout.write(
            f"\none decision, models of {think_ms} ms: {spread(seconds)}; {len(card['model_calls'])} model calls; "
            f"history {described.history_length} events, {size / 1024:.1f} KB; worker {rss_mb:.0f} MB\n"
        )


async def test_decisions_a_second_at_50_ms(capsys: pytest.CaptureFixture[str]) -> None:
    async with bench_house(think_s="0.05") as bench:
        await throughput(bench, decisions=10, at_once=10)
        rate = await throughput(bench, decisions=80, at_once=16)
        rss_mb = _rss_mb(bench.running.stack.pids["worker-1"])
    assert rate > 0
    with capsys.disabled():
        sys.stdout.write(f"\none worker, models of 50 ms, 16 at once: {rate:.1f} decisions/s; worker {rss_mb:.0f} MB\n")


def test_help_and_install_size(capsys: pytest.CaptureFixture[str]) -> None:
    program = Path(sys.executable).parent / "perennial"
    seconds = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run([program, "--help"], check=True, capture_output=True)
        seconds.append(time.perf_counter() - began)
    size_mb = _core_install_mb()
    assert size_mb > 0
    with capsys.disabled():
        sys.stdout.write(f"\nperennial --help: {spread(seconds)}; core dependencies {size_mb:.0f} MB on disk\n")


def _core_install_mb() -> float:
    """The size of the core dependencies as installed: what `uv export` names without extras and development tools."""
    import importlib.metadata as metadata

    wanted, seen = ["perennial"], set[str]()
    total = 0
    while wanted:
        name = wanted.pop()
        key = name.lower().replace("_", "-").replace(".", "-")
        if key in seen:
            continue
        seen.add(key)
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        if key != "perennial":
            total += sum(file.locate().stat().st_size for file in found.files or () if file.locate().is_file())
        for requirement in found.requires or ():
            wanted += _needed(requirement)
    return total / 1e6


def _needed(requirement: str) -> list[str]:
    from packaging.requirements import Requirement

    parsed = Requirement(requirement)
    if parsed.marker is not None and not parsed.marker.evaluate({"extra": ""}):
        return []
    return [parsed.name]


def _rss_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0.0
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
