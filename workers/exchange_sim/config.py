"""How a simulated exchange is set up: plain values, given by the caller; nothing is read from the environment."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class ClockMode(StrEnum):
    """`manual`: only `/sim/clock` moves market time. `realtime`: it also runs with the wall clock of the process."""

    MANUAL = "manual"
    REALTIME = "realtime"


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedMarket:
    """Candles from the seeded generator (`trading.generator`)."""

    seed: int
    symbols: tuple[str, ...]
    start: datetime
    days: int
    timeframe: str = "1h"
    crash_days: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SimConfig:
    """One simulated exchange.

    `files` maps a symbol (`BTC/USDT`) to a CSV, CSV.gz or Parquet file; `generated` adds symbols that have no file.
    `start_at` is where the market clock begins on a new database (default: the first candle of all); an existing
    database keeps its own clock. Fees are fractions of the received asset. `enforce_limits=False` counts request
    weights without refusing. `without_lists` are symbols that take no order lists, `without_stop_loss` those that take
    a stop only with a limit: real venues have such symbols, and a client reads `exchangeInfo` to know.

    With a `quotes_url` it is a paper venue: no candles, but the live quotes of `quoted_symbols` from that public venue,
    on the wall clock.
    """

    db_path: str
    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 1
    files: Mapping[str, str] = field(default_factory=dict)
    generated: GeneratedMarket | None = None
    quotes_url: str | None = None
    quoted_symbols: tuple[str, ...] = ()
    start_at: datetime | None = None
    clock_mode: ClockMode = ClockMode.MANUAL
    maker_fee: Decimal = Decimal("0.001")
    taker_fee: Decimal = Decimal("0.001")
    enforce_limits: bool = True
    weight_per_minute: int = 6000
    orders_per_10s: int = 100
    orders_per_day: int = 200_000
    without_lists: frozenset[str] = frozenset()
    without_stop_loss: frozenset[str] = frozenset()


def api_key(account: str) -> str:
    """The API key of `account` at every simulated exchange."""
    return f"sim-{account}"


def api_secret(account: str) -> str:
    """The secret that goes with `api_key`: derived in the open, because a simulated credential protects nothing."""
    return hashlib.sha256(f"perennial-sim|{account}".encode()).hexdigest()
