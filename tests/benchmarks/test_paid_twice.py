"""How many model calls a kill -9 repeats, at each moment of a decision: none that was kept, one for each in flight."""

from __future__ import annotations

import asyncio
import json
import os
import sys

import pytest
from bench_house import bench_house
from eventually import eventually
from fakes.model_server import Reply, Seen, running_model_server

FAST_S, SLOW_S = 0.4, 2.0
ANSWER = json.dumps(
    {
        "action": "hold",
        "size_fraction": "0",
        "entry_price": None,
        "stop_price": None,
        "target_price": None,
        "horizon_hours": 4,
        "confidence": "0.7",
        "win_probability": "0.5",
        "steps": [{"question": "What is there?", "conclusion": "Nothing to do."}] * 4,
        "claims": [],
    }
)
MOMENTS = [
    # seconds after both calls reached the provider, and the calls that may be repeated: those in flight then
    pytest.param(0.1, 2, id="both in flight"),
    pytest.param(1.2, 1, id="one kept, one in flight"),
    pytest.param(2.6, 0, id="both kept"),
]


@pytest.mark.parametrize(("moment_s", "in_flight"), MOMENTS)
async def test_a_kill_repeats_only_what_was_in_flight(
    moment_s: float, in_flight: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_model_server() as server:
        server.answer = _in_its_time
        environment = {
            "OPENAI_API_KEY": "bench",
            "OPENAI_BASE_URL": server.openai_url,
            "PERENNIAL_PRIMARY_MODEL": "fast",
            "PERENNIAL_SECONDARY_MODEL": "slow",
        }
        async with bench_house(provider="openai-compatible", environment=environment) as bench:
            deciding = asyncio.create_task(bench.decide("killed"))
            await eventually(lambda: server.calls >= 2, timeout_s=30, what="both calls reach the provider")
            await asyncio.sleep(moment_s)
            bench.running.stack.kill("worker-1")
            seconds = await asyncio.wait_for(deciding, 90)
            repeated = server.calls - 2
    assert repeated <= in_flight
    with capsys.disabled():
        sys.stdout.write(
            f"\nkill -9 with {in_flight} calls in flight: {repeated} repeated, decision after {seconds:.1f} s "
            f"(undisturbed {SLOW_S:.1f} s of thinking)\n"
        )


def _in_its_time(seen: Seen) -> Reply:
    return Reply(text=ANSWER, delay_s=FAST_S if seen.body["model"] == "fast" else SLOW_S)


def test_the_machine_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    cores = os.cpu_count()
    assert cores
    with capsys.disabled():
        sys.stdout.write(f"\n{cores} cores, load {os.getloadavg()[0]:.1f}\n")
