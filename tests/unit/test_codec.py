"""Payloads are readable when small, compressed when big, and sealed when there is a key."""

from __future__ import annotations

import os
from decimal import Decimal

import pytest
from temporalio.api.common.v1 import Payload

from trading.contract import Contract
from workers.runtime.codec import COMPRESSED, SEALED, SealingCodec
from workers.runtime.plugin import data_converter


class Small(Contract):
    price: Decimal


class Big(Contract):
    text: str


async def test_a_small_payload_stays_readable_json() -> None:
    (payload,) = await data_converter().encode([Small(price=Decimal("101.20"))])
    assert payload.data == b'{"price":"101.20"}'


async def test_a_big_payload_is_compressed_and_comes_back() -> None:
    converter = data_converter()
    (payload,) = await converter.encode([Big(text="x" * 40_000)])
    assert payload.metadata["encoding"] == COMPRESSED
    assert len(payload.data) < 1000
    assert await converter.decode([payload], [Big]) == [Big(text="x" * 40_000)]


async def test_with_a_key_nothing_is_readable_and_a_rotated_key_still_opens() -> None:
    old, new = os.urandom(32), os.urandom(32)
    sealed = data_converter(active_key="k1", keys={"k1": old})
    (payload,) = await sealed.encode([Small(price=Decimal("101.20"))])
    assert payload.metadata["encoding"] == SEALED
    assert b"101.20" not in payload.data
    rotated = data_converter(active_key="k2", keys={"k1": old, "k2": new})
    assert await rotated.decode([payload], [Small]) == [Small(price=Decimal("101.20"))]
    (resealed,) = await rotated.encode([Small(price=Decimal(1))])
    assert resealed.metadata["key-id"] == b"k2"


async def test_a_plain_signal_reaches_a_sealed_worker() -> None:
    sealed = data_converter(active_key="k1", keys={"k1": os.urandom(32)})
    plain = Payload(metadata={"encoding": b"json/plain"}, data=b'{"price":"7"}')
    assert await sealed.decode([plain], [Small]) == [Small(price=Decimal(7))]


async def test_an_unknown_key_is_named() -> None:
    (payload,) = await data_converter(active_key="old", keys={"old": os.urandom(32)}).encode([Small(price=Decimal(1))])
    with pytest.raises(ValueError, match="sealed with key 'old': known are new"):
        await data_converter(active_key="new", keys={"new": os.urandom(32)}).decode([payload])


@pytest.mark.parametrize(
    ("active", "keys", "message"),
    [("k", {"k": b"short"}, "has 5 bytes: AES-256 takes 32"), ("x", {"k": bytes(32)}, "'x' is not among k")],
)
def test_a_wrong_key_is_refused_when_it_is_configured(active: str, keys: dict[str, bytes], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SealingCodec(active=active, keys=keys)
