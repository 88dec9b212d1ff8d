"""The demo's generated market as files, the way a user brings his own."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from trading.candles import Candle
from trading.generator import generate_market

MARKET_FROM = datetime(2024, 1, 1, tzinfo=UTC)
SYMBOLS = ("ADA/USDT", "BNB/USDT", "BTC/USDT", "ETH/USDT")
BTC_BUYS_AT = datetime(2024, 1, 24, tzinfo=UTC)
"""Both rule analysts buy BTC here."""

Change = Callable[[Candle], Candle]


def as_it_was(row: Candle) -> Candle:
    return row


def scrambled_after(at: datetime) -> Change:
    """Every candle that closes after `at` says something else, and trades ten times as much.

    Of the candle that opens at `at` one thing is known then, and stays: its first price is the market's price.
    """

    def changed(row: Candle) -> Candle:
        if row.open_time + timedelta(hours=1) <= at:
            return row
        first = row.open if row.open_time == at else row.close / 2
        return row._replace(open=first, high=first * 2, low=first / 2, close=first / 2, volume=row.volume * 10)

    return changed


def write_market(folder: Path, *symbols: str, days: int = 28, change: Change = as_it_was) -> list[str]:
    """A CSV file for each symbol; the words `--data SYMBOL=FILE` that name them."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = max(days, 28)
    market = generate_market(seed=2, symbols=SYMBOLS, start=MARKET_FROM, days=whole, timeframe="1h", crash_days=(24,))
    words: list[str] = []
    for symbol in symbols:
        path = folder / f"{symbol.replace('/', '-').lower()}-1h.csv"
        with path.open("w", newline="") as file:
            sheet = csv.writer(file)
            sheet.writerow(("timestamp", "open", "high", "low", "close", "volume"))
            for row in map(change, market[symbol].candles[: days * 24]):
                sheet.writerow((row.open_time.isoformat(), row.open, row.high, row.low, row.close, row.volume))
        words += ["--data", f"{symbol}={path}"]
    return words
