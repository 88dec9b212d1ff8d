"""How a part says that it is ready. Each returns what the part said, or None while it is not ready yet."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from workers.stack.kept import Kept
from workers.stack.ports import LOOPBACK

Facts = Mapping[str, Any]
Ready = Callable[[Kept], Awaitable[Facts | None]]


async def at_once(_kept: Kept) -> Facts | None:
    """Ready as soon as it runs."""
    return {}


async def printed_ready_line(kept: Kept) -> Facts | None:
    """Ready when it has printed one JSON line with `"ready": true` on standard output; the facts are that line."""
    for line in kept.output.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
        if line.startswith("{") and line.endswith("\n"):
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if said.get("ready") is True:
                return dict(said)
    return None


def http_ok(port: int, path: str = "/readyz", host: str = LOOPBACK) -> Ready:
    """Ready when this address answers 200. Obeys no proxy setting."""

    async def asked(_kept: Kept) -> Facts | None:
        try:
            async with asyncio.timeout(2):
                reader, writer = await asyncio.open_connection(host, port)
                try:
                    writer.write(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
                    status = await reader.readline()
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return None
        return {"port": port} if b" 200" in status else None

    return asked
