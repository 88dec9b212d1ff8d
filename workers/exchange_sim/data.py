"""Candle files and generated candles into memory, once, at start."""

from __future__ import annotations

import gzip
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trading.candles import CandleSeries
from workers.exchange_sim.config import SimConfig


def load_series(config: SimConfig) -> dict[str, CandleSeries]:
    """Every symbol's candles. Raises `ValueError` that names the file and what is wrong with it."""
    loaded: dict[str, CandleSeries] = {}
    for symbol, path in config.files.items():
        loaded[symbol] = read_series(symbol, Path(path))
    if config.generated is not None:
        from trading.generator import generate_market

        wanted = config.generated
        made = generate_market(
            seed=wanted.seed,
            symbols=wanted.symbols,
            start=wanted.start,
            days=wanted.days,
            timeframe=wanted.timeframe,
            crash_days=wanted.crash_days,
        )
        for symbol, series in made.items():
            loaded.setdefault(symbol, series)
    if not loaded:
        raise ValueError("no candles: give at least one SYMBOL=FILE or a generated market")
    for symbol, series in loaded.items():
        if not series.candles:
            raise ValueError(f"{symbol} has no candles")
    return loaded


def read_series(symbol: str, path: Path) -> CandleSeries:
    """One file: `.csv`, `.csv.gz` or `.parquet` with the columns timestamp, open, high, low, close, volume."""
    from trading.candles import parse_csv

    if not path.is_file():
        raise ValueError(f"{symbol}: there is no file {path}")
    name = path.name.lower()
    if name.endswith(".parquet"):
        text = _parquet_as_csv(symbol, path)
    elif name.endswith(".csv.gz"):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            text = file.read()
    elif name.endswith(".csv"):
        text = path.read_text(encoding="utf-8")
    else:
        raise ValueError(f"{symbol}: {path.name} must end in .csv, .csv.gz or .parquet")
    return parse_csv(text, symbol=symbol)


_COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")


def _parquet_as_csv(symbol: str, path: Path) -> str:
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise ValueError(
            f"{symbol}: reading {path.name} needs the parquet extra: install perennial[parquet], or give a CSV file"
        ) from error
    table: Any = parquet.read_table(path)
    missing = [column for column in _COLUMNS if column not in table.column_names]
    if missing:
        raise ValueError(f"{symbol}: {path.name} lacks the columns {', '.join(missing)}")
    out = io.StringIO()
    out.write(",".join(_COLUMNS) + "\n")
    for row in table.select(list(_COLUMNS)).to_pylist():
        out.write(",".join(_cell(row[column]) for column in _COLUMNS) + "\n")
    return out.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value)
