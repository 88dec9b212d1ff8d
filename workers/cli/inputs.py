"""Reads what people type: symbols, times, files. Each error names the value and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path

from workers.cli.ending import Refusal

_SYMBOL = re.compile(r"^[A-Z0-9]{2,12}/[A-Z0-9]{2,12}$")
_ENDINGS = (".csv", ".csv.gz", ".parquet")


def symbol_of(text: str) -> str:
    """`btc/usdt` as `BTC/USDT`."""
    symbol = text.strip().upper()
    if not _SYMBOL.match(symbol):
        raise Refusal(f"symbol {text!r} is not of the form BASE/QUOTE, for example BTC/USDT")
    return symbol


def time_of(text: str, option: str) -> datetime:
    """A date (its midnight) or an ISO 8601 time; without a zone it is UTC."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Refusal(
            f"{option} {text!r} is no date: write 2020-03-12 or 2020-03-12T10:00:00Z, in UTC unless it names a zone"
        ) from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def day_end_of(text: str, option: str) -> datetime:
    """The end of the day that a date names; a time is meant as written."""
    at = time_of(text, option)
    return at + timedelta(days=1) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text.strip()) else at


def files_of(pairs: Iterable[str]) -> dict[str, str]:
    """`BTC/USDT=FILE` pairs; the files must exist and be CSV, CSV.gz or Parquet."""
    files: dict[str, str] = {}
    for pair in pairs:
        name, separator, path = pair.partition("=")
        if not separator or not path:
            raise Refusal(f"--data {pair!r} is not of the form BTC/USDT=FILE")
        symbol = symbol_of(name)
        if symbol in files:
            raise Refusal(f"--data names {symbol} twice")
        if not path.endswith(_ENDINGS):
            raise Refusal(f"--data {symbol}={path}: allowed are files ending in {', '.join(_ENDINGS)}")
        if not Path(path).expanduser().is_file():
            raise Refusal(f"--data {symbol}={path}: no such file")
        files[symbol] = str(Path(path).expanduser().absolute())
    return files


def amount_of(text: str, option: str) -> Decimal:
    """A positive decimal amount."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise Refusal(f"{option} {text!r} is no number") from None
    if not amount.is_finite() or amount <= 0:
        raise Refusal(f"{option} {text} must be above 0")
    return amount


def duration_of(text: str, option: str) -> timedelta:
    """`4h`, `30m` or `1d`; it must divide a day."""
    match = re.fullmatch(r"(\d+)([mhd])", text.strip())
    if not match:
        raise Refusal(f"{option} {text!r} is no duration: write 30m, 4h or 1d")
    unit = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}[match[2]]
    span = int(match[1]) * unit
    if span <= timedelta(0) or timedelta(days=1) % span != timedelta(0):
        raise Refusal(f"{option} {text} must divide a day: for example 15m, 1h, 4h, 12h or 1d")
    return span
