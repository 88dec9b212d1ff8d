"""The WebSocket protocol (RFC 6455) as far as one server needs it: handshake, text frames, ping, pong, close."""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Iterator
from enum import IntEnum

_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_LONGEST = 64 * 1024


class Opcode(IntEnum):
    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class BrokenFrame(Exception):
    """The peer's bytes are no frame that a server takes; `status` is the close code that says so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def switching(key: str) -> bytes:
    """The answer that accepts a handshake with this `Sec-WebSocket-Key`."""
    accepted = base64.b64encode(hashlib.sha1((key + _MAGIC).encode(), usedforsecurity=False).digest()).decode()
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accepted}\r\n\r\n"
    ).encode()


def frame(opcode: Opcode, payload: bytes) -> bytes:
    """One whole, unmasked frame, as servers send them."""
    length = len(payload)
    if length < 126:
        head = struct.pack("!BB", 0x80 | opcode, length)
    elif length < 65_536:
        head = struct.pack("!BBH", 0x80 | opcode, 126, length)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 127, length)
    return head + payload


class Frames:
    """Puts received bytes together to messages; control frames may come between the parts of a message."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._parts = bytearray()
        self._opcode = Opcode.CONTINUATION

    def feed(self, data: bytes) -> Iterator[tuple[Opcode, bytes]]:
        """The messages that are complete with `data`; raises `BrokenFrame`."""
        self._buffer += data
        while (taken := self._take()) is not None:
            is_last, opcode, payload = taken
            if opcode >= Opcode.CLOSE:
                yield opcode, payload
                continue
            if (opcode is Opcode.CONTINUATION) is (self._opcode is Opcode.CONTINUATION):
                raise BrokenFrame(1002, "a continuation must follow the first part of a message, and nothing else")
            self._opcode = opcode or self._opcode
            self._parts += payload
            if len(self._parts) > _LONGEST:
                raise BrokenFrame(1009, f"a message may have {_LONGEST} bytes")
            if is_last:
                whole, kind = bytes(self._parts), self._opcode
                self._parts.clear()
                self._opcode = Opcode.CONTINUATION
                yield kind, whole

    def _take(self) -> tuple[bool, Opcode, bytes] | None:
        """The next whole frame, unmasked, or `None` until more bytes came."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        first, second = buffer[0], buffer[1]
        length, at = second & 0x7F, 2
        if first & 0x70 or not second & 0x80:
            raise BrokenFrame(1002, "frames must be masked and without extensions")
        if length >= 126:
            size = 2 if length == 126 else 8
            if len(buffer) < at + size:
                return None
            length, at = int.from_bytes(buffer[at : at + size], "big"), at + size
        if length > _LONGEST:
            raise BrokenFrame(1009, f"a message may have {_LONGEST} bytes")
        if len(buffer) < at + 4 + length:
            return None
        mask, payload = buffer[at : at + 4], buffer[at + 4 : at + 4 + length]
        del buffer[: at + 4 + length]
        try:
            opcode = Opcode(first & 0x0F)
        except ValueError:
            raise BrokenFrame(1002, f"opcode {first & 0x0F} is not known") from None
        return bool(first & 0x80), opcode, bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))
