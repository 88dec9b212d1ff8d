"""How much history a minute replays: four symbols, decided every four hours and once a day; and a whole year."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from year import COUNTS, replay_year

from trading.generator import generate_market

START = datetime(2024, 1, 1, tzinfo=UTC)
SYMBOLS = ("ADA/USDT", "BNB/USDT", "BTC/USDT", "ETH/USDT")


@pytest.mark.parametrize(("every", "last_day"), [("4h", "2024-01-31"), ("1d", "2024-02-21")])
def test_days_a_minute(every: str, last_day: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = Path(sys.executable).parent / "perennial"
    words = ["replay", *_data(tmp_path), "--from", "2024-01-23", "--to", last_day, "--accounts", "composite", "--json"]
    words += ["--decide-every", every]
    done = subprocess.run([program, *words], check=True, capture_output=True, text=True)
    run = json.loads(done.stdout.splitlines()[-1])
    assert run["differences"] == 0
    working_s = run["wall_s"] - run["ready_s"]
    with capsys.disabled():
        sys.stdout.write(
            f"\nreplay, 4 symbols, a decision every {every}: {run['days']} days, {run['decisions']} decisions, "
            f"{run['orders']} orders in {working_s:.1f} s after {run['ready_s']} s of start: "
            f"{run['days'] / working_s * 60:.0f} days/min, {run['decisions'] / working_s:.1f} decisions/s\n"
        )


def test_a_year_with_all_its_sequences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended = replay_year(tmp_path, timeout_s=1700)
    assert ended.code == 0, ended.err
    run = ended.answer
    assert {key: run[key] for key in COUNTS} == COUNTS
    used, working_s = run["cpu_s"], run["wall_s"] - run["ready_s"]
    shares = ", ".join(f"{name} {spent / sum(used.values()):.0%}" for name, spent in used.items())
    with capsys.disabled():
        sys.stdout.write(
            f"\na year, three accounts: {run['decisions']} decisions, {run['orders']} orders in {working_s:.0f} s, "
            f"{run['days_per_minute']:.0f} days/min; {sum(used.values()):.0f} s of processor time: {shares}\n"
        )


def _data(folder: Path) -> list[str]:
    words = []
    for symbol, series in generate_market(seed=2, symbols=SYMBOLS, start=START, days=55, crash_days=(24,)).items():
        path = folder / f"{symbol.replace('/', '')}.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("timestamp", "open", "high", "low", "close", "volume"))
            for candle in series.candles:
                at = candle.open_time.isoformat().replace("+00:00", "Z")
                writer.writerow((at, candle.open, candle.high, candle.low, candle.close, candle.volume))
        words += ["--data", f"{symbol}={path}"]
    return words
