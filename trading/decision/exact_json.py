"""JSON whose numbers are decimals: written to the last digit, read without a float in between."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from trading.money import plain

_OTHER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_KEY = json.JSONEncoder()
"""Made once: a prompt holds a thousand texts, and an encoder for each costs more than writing it."""


def exact_json(value: Any) -> str:
    """`value` as one line of JSON, keys in their given order, decimals as JSON numbers, times as ISO 8601 with `Z`."""
    if isinstance(value, str):
        return _OTHER.encode(value)
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, dict):
        return "{" + ",".join([f"{_key(str(key))}:{exact_json(item)}" for key, item in value.items()]) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join([exact_json(item) for item in value]) + "]"
    if isinstance(value, datetime):
        return _time(value)
    return _OTHER.encode(value)


def read_exact_json(text: str) -> Any:
    """The value behind `exact_json`: every number is a `Decimal`. `ValueError` on anything that is not JSON."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


@lru_cache(maxsize=512)
def _key(key: str) -> str:
    return _KEY.encode(key)


@lru_cache(maxsize=64)
def _time(value: datetime) -> str:
    """A prompt's facts are of few times."""
    return _KEY.encode(value.astimezone(UTC).isoformat().replace("+00:00", "Z"))
