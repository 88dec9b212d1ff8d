"""Reads what people type: symbols, times, files. Each error names the value and what is allowed."""

from __future__ import annotations

import getpass
import gzip
import re
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

from workers.cli.ending import Refusal

if TYPE_CHECKING:
    from trading.candles import CandleSeries

_SYMBOL = re.compile(r"^[A-Z0-9]{2,12}/[A-Z0-9]{2,12}$")
_ACCOUNT = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
_ENDINGS = (".csv", ".csv.gz", ".parquet")


def symbol_of(text: str) -> str:
    """`btc/usdt` as `BTC/USDT`."""
    symbol = text.strip().upper()
    if not _SYMBOL.match(symbol):
        raise Refusal(f"symbol {text!r} is not of the form BASE/QUOTE, for example BTC/USDT")
    return symbol


def account_of(text: str, option: str) -> str:
    """An account's name: it becomes a part of workflow ids and of the names of its keys' settings."""
    name = text.strip()
    if not _ACCOUNT.match(name):
        raise Refusal(f"{option} {text!r}: an account's name has up to 64 letters, digits, dashes and underscores")
    return name


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
        file = Path(path).expanduser()
        if not file.is_file():
            raise Refusal(f"--data {symbol}={path}: no such file")
        if why := _unreadable(file):
            raise Refusal(f"--data {symbol}={path}: {why}")
        files[symbol] = str(file.absolute())
    return files


def _unreadable(file: Path) -> str:
    """Why the file holds no text that candles could be read from, said before a stack is started for it."""
    if file.suffix == ".parquet":
        return ""
    try:
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "not UTF-8 text"
    except (gzip.BadGzipFile, EOFError, zlib.error):
        return "not a gzip file, or cut short"
    except OSError as error:
        return error.strerror or str(error)
    return ""


def histories_of(files: Mapping[str, str]) -> dict[str, CandleSeries]:
    """The candles of the files, read before anything is started: a broken file is told with its line."""
    from workers.exchange_sim.data import read_series

    histories = {}
    for symbol, path in files.items():
        try:
            histories[symbol] = read_series(symbol, Path(path))
        except (ValueError, EOFError, OSError) as wrong:
            raise Refusal(f"--data {symbol}={path}: {wrong}") from None
    return histories


def check_period(histories: Mapping[str, CandleSeries], *, start: datetime, end: datetime) -> None:
    """Refuse a period of which a history lacks the first or the last day."""
    for symbol, series in histories.items():
        opens, closes = series.candles[0].open_time, series.candles[-1].open_time + series.step
        if start < opens or start >= closes or end - timedelta(days=1) >= closes:
            raise Refusal(
                f"the period {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} is not in the history of {symbol}, "
                f"which has {opens:%Y-%m-%d %H:%M} to {closes:%Y-%m-%d %H:%M}"
            )


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


def person_of(given: str) -> str:
    """Who asks: as given, else the user of this machine. Refused where neither is known."""
    if given.strip():
        return given.strip()
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        raise Refusal("--who is missing, and this machine's user has no name") from None
