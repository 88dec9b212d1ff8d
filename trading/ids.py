"""Every identity, derived from business facts: the same facts give the same id in every process and every run."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

REALM_PATTERN = re.compile(r"^(live|testnet|demo|paper|simulated|(replay|demo|test|chaos|bench)-[a-z0-9-]{1,48})$")
"""Realms of architecture §3: one of the lasting ones, or a single campaign, demo, test or chaos run."""


def check_realm(realm: str) -> str:
    """Return `realm`, or raise `ValueError` that names what is allowed."""
    if not REALM_PATTERN.match(realm):
        raise ValueError(
            f"realm {realm!r} is unknown: allowed are live, testnet, demo, paper, simulated, "
            "or replay-, demo-, test-, chaos- or bench- followed by lower-case letters, digits and dashes"
        )
    return realm


def stamp(at: datetime) -> str:
    """`at` as compact UTC text, sortable and safe in an id: `20200312T100000Z`, with microseconds if there are any."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone has no stamp")
    utc = at.astimezone(UTC)
    text = utc.strftime("%Y%m%dT%H%M%S")
    return f"{text}.{utc.microsecond:06d}Z" if utc.microsecond else f"{text}Z"


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces; models as dictionaries, `Decimal` as text, times as ISO 8601 with `Z`."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain, allow_nan=False)


def _plain(value: Any) -> Any:
    # the frequent ones first: whether a value is a pydantic model is a question that costs as much as an answer here
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, BaseModel):
        return value.model_dump(mode="python")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no canonical form")


def content_hash(content: str | bytes) -> str:
    """The SHA-256 of `content`, 64 lower-case hex characters: the name under which a big text is stored."""
    data = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()


def decision_id(*, ledger: str, symbol: str, as_of: datetime, cause: str) -> str:
    """The id of one decision: one symbol, one time, one cause. Two accounts that decide together share it."""
    return "d" + content_hash("|".join(("decision", ledger, symbol, stamp(as_of), cause)))[:23]


def client_order_id(
    *, ledger: str, account: str, decision: str, leg: str, slice_number: int = 0, revision: int = 0
) -> str:
    """The venue's client order id: 32 lower-case hex characters, never used for two different orders.

    `revision` grows with each trail, resize, re-quote or changed retry (venue.md, identity of an order).
    """
    facts = ("order", ledger, account, decision, leg, str(slice_number), str(revision))
    return content_hash("|".join(facts))[:32]


def order_list_id(lead: str) -> str:
    """The venue's client id of the order list that the order `lead` leads."""
    return content_hash(f"list|{lead}")[:32]
