"""A simulated exchange as a real process, and a client that signs as Binance's do."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx

from workers.exchange_sim.config import api_key, api_secret

ROOT = Path(__file__).resolve().parent.parent
_PROGRAM = (
    "import json, sys\n"
    "from datetime import datetime\n"
    "from workers.exchange_sim.command import run_from_arguments\n"
    "given = json.loads(sys.argv[1])\n"
    "for name in ('start', 'generate_start'):\n"
    "    if name in given:\n"
    "        given[name] = datetime.fromisoformat(given[name])\n"
    "run_from_arguments(**given)\n"
)
GENERATED: dict[str, Any] = {
    "generate_symbols": ["BTC/USDT", "ETH/USDT"],
    "generate_seed": 5,
    "generate_start": "2024-01-01T00:00:00+00:00",
    "generate_days": 40,
    "generate_crash_days": [20],
    "start": "2024-01-15T00:00:00+00:00",
}


class ExchangeProcess:
    """Starts on construction and answers on `http`; `kill` is -9, `restart` continues on the same database."""

    def __init__(self, db: Path, **arguments: Any) -> None:
        self._arguments = {"db": str(db), **arguments}
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, json.dumps(self._arguments)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the exchange ended with {self.process.wait(10)} before it was ready"
        self.port = int(json.loads(line)["port"])
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=20)

    def kill(self) -> None:
        self.http.close()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> tuple[int, str]:
        """End it by SIGTERM; returns its status and what else it printed."""
        self.http.close()
        self.process.terminate()
        rest, _ = self.process.communicate(timeout=20)
        return self.process.returncode, rest

    def restart(self) -> None:
        self.start()

    def close(self) -> None:
        if self.process.poll() is None:
            self.stop()

    def open(self, account: str, **balances: str) -> Trader:
        answer = self.http.post("/sim/accounts", json={"account": account, "balances": balances})
        assert answer.status_code == 200, answer.text
        return Trader(self, account)

    def advance(self, to: str, **more: Any) -> dict[str, Any]:
        answer = self.http.post("/sim/clock", json={"to": to, **more})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def price(self, symbol: str = "BTCUSDT") -> float:
        return float(self.http.get("/api/v3/ticker/price", params={"symbol": symbol}).json()["price"])


class Trader:
    """One account's signed requests."""

    def __init__(self, exchange: ExchangeProcess, account: str) -> None:
        self.exchange = exchange
        self.account = account

    def ask(self, method: str, path: str, **values: Any) -> httpx.Response:
        """A correctly signed request; `timestamp` and `recvWindow` may be given."""
        values.setdefault("timestamp", int(time.time() * 1000))
        return self.send(method, path, f"{urlencode(values)}&signature={self.sign(urlencode(values))}")

    def sign(self, text: str) -> str:
        return hmac.new(api_secret(self.account).encode(), text.encode(), hashlib.sha256).hexdigest()

    def send(self, method: str, path: str, query: str, *, body: str = "", key: str | None = None) -> httpx.Response:
        headers = {"X-MBX-APIKEY": api_key(self.account) if key is None else key}
        if body:
            headers["content-type"] = "application/x-www-form-urlencoded"
        return self.exchange.http.request(method, f"/api/v3/{path}?{query}", content=body or None, headers=headers)

    def get(self, path: str, **values: Any) -> Any:
        answer = self.ask("GET", path, **values)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def order(self, kind: str, side: str = "BUY", symbol: str = "BTCUSDT", **values: Any) -> Any:
        answer = self.ask("POST", "order", symbol=symbol, side=side, type=kind, **values)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def balances(self) -> dict[str, tuple[str, str]]:
        return {row["asset"]: (row["free"], row["locked"]) for row in self.get("account")["balances"]}
