"""What `perennial exchange-sim` calls: plain arguments in, a running exchange until it is told to stop."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from workers.exchange_sim.config import ClockMode, GeneratedMarket, SimConfig
from workers.exchange_sim.server import serve


def parse_data(entries: Sequence[str]) -> dict[str, str]:
    """`BTC/USDT=FILE` texts as a mapping; raises `ValueError` that names the one that is wrong."""
    files: dict[str, str] = {}
    for entry in entries:
        symbol, equals, path = entry.partition("=")
        if not (equals and path and "/" in symbol):
            raise ValueError(f"data {entry!r} must look like BTC/USDT=FILE")
        if symbol in files:
            raise ValueError(f"data names {symbol} twice")
        files[symbol] = path
    return files


def config_from_arguments(
    *,
    db: str,
    data: Sequence[str] = (),
    generate_symbols: Sequence[str] = (),
    generate_seed: int = 1,
    generate_start: datetime | None = None,
    generate_days: int = 60,
    generate_timeframe: str = "1h",
    generate_crash_days: Sequence[int] = (),
    quotes_from: str | None = None,
    quote_symbols: Sequence[str] = (),
    start: datetime | None = None,
    clock: str = "manual",
    seed: int = 1,
    host: str = "127.0.0.1",
    port: int = 0,
    maker_fee: Decimal = Decimal("0.001"),
    taker_fee: Decimal = Decimal("0.001"),
    rate_limits: bool = True,
) -> SimConfig:
    """The configuration of the arguments; raises `ValueError` for what cannot be."""
    if clock not in set(ClockMode):
        raise ValueError(f"clock {clock!r} must be one of {', '.join(ClockMode)}")
    if generate_symbols and generate_start is None:
        raise ValueError("a generated market needs a start: the open time of its first candle")
    generated = None
    if generate_symbols and generate_start is not None:
        generated = GeneratedMarket(
            seed=generate_seed,
            symbols=tuple(generate_symbols),
            start=generate_start,
            days=generate_days,
            timeframe=generate_timeframe,
            crash_days=tuple(generate_crash_days),
        )
    return SimConfig(
        db_path=db,
        host=host,
        port=port,
        seed=seed,
        files=parse_data(data),
        generated=generated,
        quotes_url=quotes_from,
        quoted_symbols=tuple(quote_symbols),
        start_at=start,
        clock_mode=ClockMode(clock),
        maker_fee=maker_fee,
        taker_fee=taker_fee,
        enforce_limits=rate_limits,
    )


def run_from_arguments(
    *,
    db: str,
    data: Sequence[str] = (),
    generate_symbols: Sequence[str] = (),
    generate_seed: int = 1,
    generate_start: datetime | None = None,
    generate_days: int = 60,
    generate_timeframe: str = "1h",
    generate_crash_days: Sequence[int] = (),
    quotes_from: str | None = None,
    quote_symbols: Sequence[str] = (),
    start: datetime | None = None,
    clock: str = "manual",
    seed: int = 1,
    host: str = "127.0.0.1",
    port: int = 0,
    maker_fee: Decimal = Decimal("0.001"),
    taker_fee: Decimal = Decimal("0.001"),
    rate_limits: bool = True,
) -> None:
    """Serve until SIGTERM. Prints one line, `{"ready": true, "port": N}`, once requests are accepted; logs go to
    standard error. Raises `ValueError` (arguments, candles, a database of another market) or `OSError` (port taken).
    """
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    serve(
        config_from_arguments(
            db=db,
            data=data,
            generate_symbols=generate_symbols,
            generate_seed=generate_seed,
            generate_start=generate_start,
            generate_days=generate_days,
            generate_timeframe=generate_timeframe,
            generate_crash_days=generate_crash_days,
            quotes_from=quotes_from,
            quote_symbols=quote_symbols,
            start=start,
            clock=clock,
            seed=seed,
            host=host,
            port=port,
            maker_fee=maker_fee,
            taker_fee=taker_fee,
            rate_limits=rate_limits,
        )
    )
