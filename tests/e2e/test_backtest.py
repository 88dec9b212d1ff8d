"""`perennial backtest` as a person types it: the JSON contract, readable text, and refusals in one sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from trading.candles import CandleSeries
from trading.generator import generate_market

CONTRACT = {"trades", "return", "sharpe", "sortino", "max_drawdown", "win_rate", "bars_per_s"}
SYMBOLS = ("BTC/USDT", "ETH/USDT")


def written(folder: Path, series: CandleSeries) -> Path:
    path = folder / f"{series.symbol.replace('/', '')}.csv"
    rows = (f"{c.open_time.isoformat()},{c.open},{c.high},{c.low},{c.close},{c.volume}" for c in series.candles)
    path.write_text("\n".join(("timestamp,open,high,low,close,volume", *rows)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("candles")
    made = generate_market(seed=3, symbols=SYMBOLS, start=datetime(2024, 1, 1, tzinfo=UTC), days=90)
    return {symbol: written(folder, series) for symbol, series in made.items()}


def perennial(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "workers.cli.main", "backtest", *arguments],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def answered(*arguments: str) -> dict[str, Any]:
    done = perennial(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_one_symbol_answers_with_the_contract_and_twice_the_same(files: dict[str, Path]) -> None:
    arguments = ("--strategy", "macd-cross", "--data", f"BTC/USDT={files['BTC/USDT']}")
    answer, again = answered(*arguments), answered(*arguments)
    assert set(answer) >= CONTRACT
    assert answer["trades"] > 0
    assert answer["bars_per_s"] > 0
    assert sum(answer["symbols"][0]["exits"].values()) == answer["trades"]
    assert 0 <= answer["random_percentile"] <= 1
    for changing in ("wall_s", "bars_per_s"):
        del answer[changing], again[changing]
    assert answer == again


def test_a_period_has_its_past_and_nothing_after_it(files: dict[str, Path]) -> None:
    data = ("--strategy", "momentum-pullback", "--data", f"BTC/USDT={files['BTC/USDT']}")
    part = answered(*data, "--from", "2024-02-01", "--to", "2024-02-29")
    assert (part["from"], part["to"]) == ("2024-02-01T00:00:00Z", "2024-02-29T23:00:00Z")
    assert part["days"] == 30, "the close at the first midnight ends the day before"
    assert part["bars"] <= 29 * 24


def test_several_symbols_are_one_account(files: dict[str, Path]) -> None:
    answer = answered(
        "--strategy", "trend-following", *(part for s, path in files.items() for part in ("--data", f"{s}={path}"))
    )
    assert [row["symbol"] for row in answer["symbols"]] == list(SYMBOLS)
    assert answer["trades"] == sum(row["trades"] for row in answer["symbols"])
    mean = sum(row["return"] for row in answer["symbols"]) / 2
    assert answer["return"] == pytest.approx(mean, abs=2e-6)


def test_without_json_it_is_readable(files: dict[str, Path]) -> None:
    done = perennial("--strategy", "breakout", "--data", f"BTC/USDT={files['BTC/USDT']}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("breakout: ")
    assert "bars/s" in done.stdout


@pytest.mark.parametrize(
    ("strategy", "extra", "sentence"),
    [
        ("nope", (), "strategy 'nope' is unknown: allowed are bollinger-squeeze"),
        ("breakout", ("--from", "2030-01-01"), "no candle closes in the period; the history is from 2024-01-01"),
        ("breakout", ("--from", "2024-02-02", "--to", "2024-02-01"), "must be before --to"),
        ("breakout", ("--capital", "-1"), "--capital -1 must be above 0"),
    ],
)
def test_a_wrong_request_is_one_sentence(
    files: dict[str, Path], strategy: str, extra: tuple[str, ...], sentence: str
) -> None:
    done = perennial("--strategy", strategy, "--data", f"BTC/USDT={files['BTC/USDT']}", *extra)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""


def test_candles_too_coarse_for_the_strategy_are_refused(tmp_path: Path) -> None:
    daily = generate_market(
        seed=1, symbols=["BTC/USDT"], start=datetime(2022, 1, 1, tzinfo=UTC), days=600, timeframe="1d"
    )
    path = written(tmp_path, daily["BTC/USDT"])
    done = perennial("--strategy", "macd-cross", "--data", f"BTC/USDT={path}")
    assert done.returncode == 2
    assert "which 1d candles of BTC/USDT do not give" in done.stderr
