"""The WebSocket API at `/ws-api/v3`: the user data stream by signature, as Binance documents it today.

Listen keys (`/api/v3/userDataStream`) are gone at Binance and are not spoken. A subscription carries every event of its
account from then on, in market time order, after it was committed: what was told survives a kill. A client that was
away asks by REST.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, cast

from trading.matching.model import Refusal
from workers.exchange_sim import parameters
from workers.exchange_sim.config import ClockMode
from workers.exchange_sim.exchange import Exchange, compact, wall_ms
from workers.exchange_sim.signatures import account_of_key, check_signature
from workers.exchange_sim.websocket import BrokenFrame, Frames, Opcode, frame, switching

_PATH = "/ws-api/v3"
_BEAT_S, _SILENT_S, _RUNNING_CLOCK_S = 20.0, 60.0, 0.1
_FULL_BYTES = 16 * 1024 * 1024


class UserStreamProtocol(asyncio.Protocol):
    """One connection, from the upgrade request on; the HTTP server makes it and hands the request's bytes over.

    Pings every 20 s and hangs up after 60 s without a pong, or when the client reads too slowly. While somebody
    listens, a running market clock is brought to the present ten times a second.
    """

    def __init__(self, config: Any, server_state: Any, app_state: dict[str, Any]) -> None:
        self._exchange: Exchange = config.app.state.exchange
        self._connections: set[Any] = server_state.connections
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._frames = Frames()
        self._is_open = False
        self._subscriptions: dict[int, tuple[str, int]] = {}
        self._next = 0
        self._heard_s = self._loop.time()
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # another event loop's transports are of no common class
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._is_open = False
        for timer in self._timers.values():
            timer.cancel()
        for _, number in self._subscriptions.values():
            self._exchange.listeners.remove(number)
        self._subscriptions.clear()

    def shutdown(self) -> None:
        """The server goes down: say so and hang up."""
        self._close(1001)

    def data_received(self, data: bytes) -> None:
        if not self._is_open:
            self._shake_hands(data)
            return
        try:
            for opcode, payload in self._frames.feed(data):
                self._take(opcode, payload)
        except BrokenFrame as broken:
            self._close(broken.status)

    def _shake_hands(self, request: bytes) -> None:
        head, *lines = request.decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        path = head.split(" ")[1].partition("?")[0]
        key = headers.get("sec-websocket-key")
        assert self._transport is not None
        if path != _PATH or key is None:
            self._transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self._transport.close()
            return
        self._transport.write(switching(key))
        self._is_open = True
        self._beat()

    def _take(self, opcode: Opcode, payload: bytes) -> None:
        self._heard_s = self._loop.time()
        if opcode is Opcode.PING:
            self._send(Opcode.PONG, payload)
        elif opcode is Opcode.CLOSE:
            self._close(1000)
        elif opcode is Opcode.TEXT:
            self._send_json(self._answer(payload))

    def _answer(self, payload: bytes) -> dict[str, Any]:
        """The answer to one request; a refused one has `error` and an HTTP status."""
        try:
            request = json.loads(payload)
        except ValueError:
            request = None
        if not isinstance(request, dict) or not isinstance(request.get("params", {}), dict):
            return _refused(None, Refusal(-1135, "Invalid JSON Request"))
        number = request.get("id")
        method = _METHODS.get(str(request.get("method", "")).removeprefix("v3/"))
        try:
            if method is None:
                raise Refusal(-1020, "This operation is not supported.")
            self._exchange.limits.spend(2, market_ms=self._exchange.now_ms, wall_ms=wall_ms())
            values = {name: str(value) for name, value in request.get("params", {}).items()}
            return {"id": number, "status": 200, "result": method(self, values)}
        except Refusal as refusal:
            return _refused(number, refusal)

    def _ping(self, values: dict[str, str]) -> Any:
        return {}

    def _time(self, values: dict[str, str]) -> Any:
        return {"serverTime": wall_ms()}

    def _subscribe(self, values: dict[str, str]) -> Any:
        account = account_of_key(values.get("apiKey"), self._exchange.state.wallets)
        signed = "&".join(f"{name}={values[name]}" for name in sorted(values) if name != "signature")
        check_signature(account=account, query=signed, body="", values=values, wall_ms=wall_ms())
        if account in {name for name, _ in self._subscriptions.values()}:
            raise Refusal(-2035, "User Data Stream subscription already active.")
        self._exchange.catch_up()
        own, self._next = self._next, self._next + 1

        def deliver(number: int, event: dict[str, Any]) -> None:
            self._send_json({"subscriptionId": own, "event": event})

        self._subscriptions[own] = (account, self._exchange.listeners.add(account, deliver))
        if self._exchange.clock.mode is ClockMode.REALTIME:
            self._run_clock()
        return {"subscriptionId": own}

    def _unsubscribe(self, values: dict[str, str]) -> Any:
        wanted = parameters.integer(values, "subscriptionId")
        gone = [own for own in self._subscriptions if wanted in (None, own)]
        if not gone:
            raise Refusal(-2036, "User Data Stream subscription not active.")
        for own in gone:
            _, number = self._subscriptions.pop(own)
            self._exchange.listeners.remove(number)
            event = {"e": "eventStreamTerminated", "E": self._exchange.now_ms}
            self._send_json({"subscriptionId": own, "event": event})
        return {}

    def _listed(self, values: dict[str, str]) -> Any:
        return [{"subscriptionId": own} for own in self._subscriptions]

    def _run_clock(self) -> None:
        if self._subscriptions:
            self._exchange.catch_up()
            self._timers["clock"] = self._loop.call_later(_RUNNING_CLOCK_S, self._run_clock)

    def _beat(self) -> None:
        if self._loop.time() - self._heard_s > _SILENT_S:
            self._close(1008)
            return
        self._send(Opcode.PING, str(wall_ms()).encode())
        self._timers["beat"] = self._loop.call_later(_BEAT_S, self._beat)

    def _send_json(self, message: dict[str, Any]) -> None:
        self._send(Opcode.TEXT, compact(message).encode())

    def _send(self, opcode: Opcode, payload: bytes) -> None:
        if not self._is_open or self._transport is None:
            return
        if self._transport.get_write_buffer_size() > _FULL_BYTES:
            self._transport.abort()
            return
        self._transport.write(frame(opcode, payload))

    def _close(self, status: int) -> None:
        self._send(Opcode.CLOSE, status.to_bytes(2, "big"))
        self._is_open = False
        if self._transport is not None:
            self._transport.close()


def _refused(number: Any, refusal: Refusal) -> dict[str, Any]:
    error = {"code": refusal.code, "msg": refusal.message}
    return {"id": number, "status": refusal.http_status, "error": error}


_METHODS: dict[str, Callable[[UserStreamProtocol, dict[str, str]], Any]] = {
    "ping": UserStreamProtocol._ping,
    "time": UserStreamProtocol._time,
    "userDataStream.subscribe.signature": UserStreamProtocol._subscribe,
    "userDataStream.unsubscribe": UserStreamProtocol._unsubscribe,
    "session.subscriptions": UserStreamProtocol._listed,
}
