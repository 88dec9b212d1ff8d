"""JSON whose numbers are decimals: written to the last digit, read without a float in between."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from trading.money import plain


def exact_json(value: Any) -> str:
    """`value` as one line of JSON, keys in their given order, decimals as JSON numbers, times as ISO 8601 with `Z`."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(key))}:{exact_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(exact_json(item) for item in value) + "]"
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return json.dumps(value.astimezone(UTC).isoformat().replace("+00:00", "Z"))
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def read_exact_json(text: str) -> Any:
    """The value behind `exact_json`: every number is a `Decimal`. `ValueError` on anything that is not JSON."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)
