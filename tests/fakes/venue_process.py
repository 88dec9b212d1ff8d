"""The simulated exchange as a process of its own, over flat hourly candles, for tests that need the real wire."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from eventually import eventually_now

from workers.stack.kept import Command, Kept

FIRST = datetime(2020, 3, 1, tzinfo=UTC)
OPENS_AT = FIRST + timedelta(hours=100)
_SERVE = (
    "import datetime, json, sys; from workers.exchange_sim.command import run_from_arguments; "
    "given = json.loads(sys.argv[1]); "
    "run_from_arguments(**given | {'start': datetime.datetime.fromisoformat(given['start'])})"
)


@contextmanager
def venue_process(folder: Path, *, hours: int = 200, rate_limits: bool = True) -> Iterator[str]:
    """The base URL of a running exchange whose clock stands at `OPENS_AT`; BTC/USDT moves between 6,950 and 7,050.

    It runs under a keeper, so it ends with the tests however they end.
    """
    candles = folder / "btc.csv"
    rows = (f"{(FIRST + timedelta(hours=hour)).isoformat()},7000,7050,6950,7000,1000\n" for hour in range(hours))
    candles.write_text("timestamp,open,high,low,close,volume\n" + "".join(rows))
    arguments = {
        "db": str(folder / "venue.sqlite"),
        "data": [f"BTC/USDT={candles}"],
        "start": OPENS_AT.isoformat(),
        "rate_limits": rate_limits,
    }
    argv = (sys.executable, "-P", "-c", _SERVE, json.dumps(arguments))
    venue = Kept("exchange", Command(argv=argv, env=dict(os.environ), cwd=folder), folder)
    try:
        ready = eventually_now(lambda: venue.output.read_text().partition("\n")[0], timeout_s=30, what="the exchange")
        yield f"http://127.0.0.1:{json.loads(ready)['port']}"
    finally:
        venue.stop()
