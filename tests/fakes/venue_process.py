"""The simulated exchange as a process of its own, over flat hourly candles, for tests that need the real wire."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

FIRST = datetime(2020, 3, 1, tzinfo=UTC)
OPENS_AT = FIRST + timedelta(hours=100)
_SERVE = "from workers.exchange_sim.command import run_from_arguments as serve; import json, sys, datetime; "


@contextmanager
def venue_process(folder: Path, *, hours: int = 200, port: int = 0) -> Iterator[str]:
    """The base URL of a running exchange whose clock stands at `OPENS_AT`; BTC/USDT moves between 6,950 and 7,050."""
    candles = folder / "btc.csv"
    if not candles.exists():
        rows = (f"{(FIRST + timedelta(hours=hour)).isoformat()},7000,7050,6950,7000,1000\n" for hour in range(hours))
        candles.write_text("timestamp,open,high,low,close,volume\n" + "".join(rows))
    arguments = {"db": str(folder / "venue.sqlite"), "data": [f"BTC/USDT={candles}"], "port": port}
    code = f"{_SERVE}serve(start=datetime.datetime.fromisoformat({OPENS_AT.isoformat()!r}), **json.loads(sys.argv[1]))"
    process = subprocess.Popen([sys.executable, "-c", code, json.dumps(arguments)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        yield f"http://127.0.0.1:{ready['port']}"
    finally:
        process.terminate()
        process.wait(timeout=10)
