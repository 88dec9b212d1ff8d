"""How values become payloads: readable JSON, big ones compressed; with a key, every payload sealed with AES-256-GCM."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import EncodingPayloadConverter, PayloadCodec

COMPRESS_ABOVE_BYTES = 16 * 1024
COMPRESSED = b"binary/perennial-zlib"
SEALED = b"binary/perennial-aes256gcm"
_NONCE_BYTES = 12


class Payloads(PydanticPayloadConverter):
    """Pydantic models as JSON that the Web UI can show; only payloads above 16 KB are compressed.

    Compression sits in the converter and not in a codec, because the SDK visits every payload of every task for a
    codec: that cost a sixth of a worker's time.

    The SDK makes a converter for each task; what they look up for a type they share.
    """

    def __init__(self) -> None:
        self.converters = _encodings()

    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        return [compress(payload) for payload in super().to_payloads(values)]

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        return super().from_payloads([expand(payload) for payload in payloads], type_hints)


@cache
def _encodings() -> Mapping[bytes, EncodingPayloadConverter]:
    return PydanticPayloadConverter().converters


class SealingCodec(PayloadCodec):
    """With a key: AES-256-GCM over the whole payload. The key's name travels in clear, so that keys can rotate.

    A payload that is not sealed passes `decode` untouched: a signal from the Temporal CLI reaches a sealed worker.
    Raises `ValueError` for a key that is not 32 bytes, and for a payload sealed with a key that is not known.
    """

    def __init__(self, *, active: str, keys: Mapping[str, bytes]) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        for name, key in keys.items():
            if len(key) != 32:
                raise ValueError(f"codec key {name!r} has {len(key)} bytes: AES-256 takes 32")
        if active not in keys:
            raise ValueError(f"active codec key {active!r} is not among {', '.join(sorted(keys))}")
        self._active = active
        self._keys = {name: AESGCM(key) for name, key in keys.items()}

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._seal(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._open(payload) for payload in payloads]

    def _seal(self, payload: Payload) -> Payload:
        nonce, name = os.urandom(_NONCE_BYTES), self._active.encode()
        box = self._keys[self._active].encrypt(nonce, payload.SerializeToString(), name)
        return Payload(metadata={"encoding": SEALED, "key-id": name}, data=nonce + box)

    def _open(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != SEALED:
            return payload
        name = payload.metadata["key-id"]
        key = self._keys.get(name.decode())
        if key is None:
            raise ValueError(f"payload is sealed with key {name.decode()!r}: known are {', '.join(sorted(self._keys))}")
        nonce, box = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
        return Payload.FromString(key.decrypt(nonce, box, name))


def compress(payload: Payload) -> Payload:
    """`payload` itself where it is small, else a compressed one."""
    if payload.ByteSize() <= COMPRESS_ABOVE_BYTES:
        return payload
    return Payload(metadata={"encoding": COMPRESSED}, data=zlib.compress(payload.SerializeToString(), 6))


def expand(payload: Payload) -> Payload:
    """The inverse of `compress`; a payload of another encoding passes."""
    if payload.metadata.get("encoding") != COMPRESSED:
        return payload
    return Payload.FromString(zlib.decompress(payload.data))
