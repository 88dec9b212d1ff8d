"""A year of four generated symbols through `perennial replay`: 52 Sundays, twelve month ends, four quarter ends."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

from command_line import Said, perennial

from trading.generator import generate_market

MARKET_FROM = datetime(2020, 8, 2, tzinfo=UTC)
MARKET_DAYS = 388
CRASH_DAYS = (60, 150, 240, 330)
SYMBOLS = ("ADA/USDT", "BNB/USDT", "BTC/USDT", "ETH/USDT")
PERIOD = ("--from", "2020-08-24", "--to", "2021-08-22")
COUNTS = {
    "days": 364,
    "daily_plans": 364,
    "daily_reviews": 364,
    "weekly_evolutions": 52,
    "monthly_reflections": 12,
    "quarterly_reflections": 4,
    "differences": 0,
}


def replay_year(folder: Path, *, timeout_s: float) -> Said:
    """The run of three accounts over the year, as a person types it."""
    market = generate_market(
        seed=2, symbols=SYMBOLS, start=MARKET_FROM, days=MARKET_DAYS, timeframe="1h", crash_days=CRASH_DAYS
    )
    words: list[str] = []
    for symbol, series in market.items():
        path = folder / f"{symbol.replace('/', '-').lower()}.csv"
        with path.open("w", newline="") as file:
            sheet = csv.writer(file)
            sheet.writerow(("timestamp", "open", "high", "low", "close", "volume"))
            for row in series.candles:
                sheet.writerow((row.open_time.isoformat(), row.open, row.high, row.low, row.close, row.volume))
        words += ["--data", f"{symbol}={path}"]
    return perennial(folder, "replay", *words, *PERIOD, "--json", timeout_s=timeout_s)
