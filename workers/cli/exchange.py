"""`perennial exchange-sim`: a venue of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workers.cli.command import command
from workers.cli.ending import Refusal
from workers.cli.inputs import files_of, time_of


def exchange_sim(
    db: Annotated[str, typer.Option(help="SQLite file of the venue's state")],
    port: Annotated[int, typer.Option(help="0 takes a free one, told on stdout")] = 0,
    data: Annotated[list[str] | None, typer.Option(help="BTC/USDT=FILE, repeatable")] = None,
    symbols: Annotated[str, typer.Option(help="symbols to generate, comma separated")] = "",
    generate_from: Annotated[str, typer.Option(help="first day of generated candles")] = "",
    days: Annotated[int, typer.Option(help="days of generated candles")] = 0,
    crash_day: Annotated[list[int] | None, typer.Option(help="number of a day that crashes, repeatable")] = None,
    quotes_from: Annotated[str, typer.Option(help="public venue whose live quotes make --symbols: a paper venue")] = "",
    seed: Annotated[int, typer.Option(help="seed of candles and liquidity")] = 1,
    start: Annotated[str, typer.Option(help="market time at which a new venue begins")] = "",
    clock: Annotated[str, typer.Option(help="manual or realtime")] = "realtime",
    rate_limits: Annotated[bool, typer.Option(help="refuse requests beyond the venue's limits")] = True,
) -> None:
    """Serve Binance Spot REST over recorded or generated candles, or over the live quotes of a public venue.

    Example: perennial exchange-sim --db venue.sqlite --symbols BTC/USDT --generate-from 2024-01-01 --days 60
    """
    from workers.exchange_sim.command import run_from_arguments

    if clock not in {"manual", "realtime"}:
        raise Refusal(f"--clock {clock!r}: allowed are manual and realtime")
    files = files_of(data or [])
    names = tuple(name.strip().upper() for name in symbols.split(",") if name.strip())
    if quotes_from and (files or generate_from or not names or clock != "realtime"):
        raise Refusal("--quotes-from needs --symbols and --clock realtime, and makes no candles")
    if not quotes_from and not files and not (names and generate_from and days):
        raise Refusal("a venue needs candles: --data BTC/USDT=FILE, or --symbols with --generate-from and --days")
    if not Path(db).expanduser().absolute().parent.is_dir():
        raise Refusal(f"--db {db}: its folder does not exist")
    first = time_of(generate_from, "--generate-from") if generate_from else None
    begins = time_of(start, "--start") if start else None
    try:
        run_from_arguments(
            db=db,
            port=port,
            data=tuple(f"{symbol}={path}" for symbol, path in files.items()),
            generate_symbols=() if quotes_from else names,
            quotes_from=quotes_from or None,
            quote_symbols=names if quotes_from else (),
            generate_start=first,
            generate_days=days,
            generate_crash_days=tuple(crash_day or ()),
            generate_seed=seed,
            seed=seed,
            start=begins,
            clock=clock,
            rate_limits=rate_limits,
        )
    except ValueError as wrong:
        raise Refusal(str(wrong)) from wrong


COMMANDS = {"exchange-sim": command("exchange-sim", exchange_sim)}
