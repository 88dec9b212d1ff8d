"""Probes for whoever supervises the process: on the worker's own event loop, so that a blocked loop fails them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable


class Health:
    """`/livez` answers while the loop turns; `/readyz` is 200 once ready and not draining, 503 otherwise."""

    def __init__(self, *, is_ready: Callable[[], bool]) -> None:
        self._is_ready = is_ready
        self.draining = False
        self.port = 0

    @contextlib.asynccontextmanager
    async def listening(self, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Health]:
        """Serve until left; `port` 0 takes a free one, told in `self.port`."""
        server = await asyncio.start_server(self._answer, host, port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            line = await asyncio.wait_for(reader.readline(), 5)
            path = line.split(b" ")[1] if line.count(b" ") >= 2 else b""
            status, body = self._status(path.decode("ascii", "replace"))
            text = json.dumps(body).encode()
            writer.write(
                b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
                % (status, len(text))
                + text
            )
            await writer.drain()
        writer.close()

    def _status(self, path: str) -> tuple[bytes, dict[str, object]]:
        if path == "/livez":
            return b"200 OK", {"alive": True}
        if path == "/readyz":
            ready = self._is_ready() and not self.draining
            return (b"200 OK" if ready else b"503 Service Unavailable"), {"ready": ready, "draining": self.draining}
        return b"404 Not Found", {"error": "known are /livez and /readyz"}
