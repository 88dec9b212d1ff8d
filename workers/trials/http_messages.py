"""Whole HTTP/1.1 messages off and onto a stream: enough for a proxy that must see an answer before it spoils it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer: its first line, its headers as sent, and its whole body (chunks already joined)."""

    first_line: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        for known, value in self.headers:
            if known.lower() == name:
                return value
        return None

    def encoded(self) -> bytes:
        """The message with an exact Content-Length and without transfer or connection headers of its own."""
        dropped = {"content-length", "transfer-encoding", "connection", "keep-alive"}
        lines = [self.first_line, *(f"{name}: {value}" for name, value in self.headers if name.lower() not in dropped)]
        lines += [f"Content-Length: {len(self.body)}", "Connection: keep-alive"]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


async def read_message(reader: asyncio.StreamReader, *, is_answer_to: str | None = None) -> Message | None:
    """The next message, or `None` at a clean end of the stream.

    `is_answer_to` is the method of the request whose answer is read: an answer to HEAD has no body, and one without a
    length lasts until the stream ends. Raises `asyncio.IncompleteReadError` or `ValueError` for half a message.
    """
    head = await _read_head(reader)
    if head is None:
        return None
    lines = head.decode("latin-1").split("\r\n")
    pairs = (line.split(":", 1) for line in lines[1:] if line)
    message = Message(lines[0], tuple((name.strip(), value.strip()) for name, value in pairs), b"")
    return Message(message.first_line, message.headers, await _read_body(reader, message, is_answer_to))


async def _read_head(reader: asyncio.StreamReader) -> bytes | None:
    try:
        return (await reader.readuntil(b"\r\n\r\n"))[:-4]
    except asyncio.IncompleteReadError as ended:
        if ended.partial:
            raise
        return None


async def _read_body(reader: asyncio.StreamReader, message: Message, is_answer_to: str | None) -> bytes:
    if is_answer_to == "HEAD":
        return b""
    if (message.header("transfer-encoding") or "").lower() == "chunked":
        return await _read_chunks(reader)
    length = message.header("content-length")
    if length is not None:
        return await reader.readexactly(int(length))
    status = message.first_line.split(" ")[1] if is_answer_to is not None else ""
    has_no_body = is_answer_to is None or status in ("204", "304")
    return b"" if has_no_body else await reader.read(-1)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    while True:
        size = int((await reader.readline()).split(b";")[0], 16)
        if size == 0:
            while (await reader.readline()).strip():
                pass
            return b"".join(parts)
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
