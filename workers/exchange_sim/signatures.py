"""Who is asking: API key, HMAC SHA-256 over exactly what was sent, and the request's age in wall time."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Collection, Mapping

from trading.matching.model import Refusal
from workers.exchange_sim import parameters
from workers.exchange_sim.config import api_key, api_secret

SIGNED_PARAMETERS = frozenset({"timestamp", "recvWindow", "signature"})
_SIGNATURE = re.compile(r"(^|&)signature=[^&]*")
_DEFAULT_WINDOW_MS, _LONGEST_WINDOW_MS, _AHEAD_MS = 5000, 60_000, 1000


def account_of_key(key: str | None, accounts: Collection[str]) -> str:
    """The account behind an API key; raises `Refusal` (-2014, -2015; HTTP 401)."""
    if not key or not re.match(r"^[A-Za-z0-9_-]{1,128}$", key):
        raise Refusal(-2014, "API-key format invalid.", http_status=401)
    account = key.removeprefix(api_key(""))
    if account == key or account not in accounts:
        raise Refusal(-2015, "Invalid API-key, IP, or permissions for action.", http_status=401)
    return account


def check_signature(*, account: str, query: str, body: str, values: Mapping[str, str], wall_ms: int) -> None:
    """Check presence, signature and age, in this order; raises `Refusal` (-1102, -1022, -1131, -1021).

    The signed text is the query string followed by the body, both as sent, without the signature itself.
    """
    stamp = parameters.required(values, "timestamp")
    given = parameters.required(values, "signature")
    signed = _without_signature(query) + _without_signature(body)
    made = hmac.new(api_secret(account).encode(), signed.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(made, given.lower()):
        raise Refusal(-1022, "Signature for this request is not valid.")
    if not stamp.isdigit():
        raise parameters.missing("timestamp")
    window_ms = _window_ms(values)
    age_ms = wall_ms - int(stamp)
    if age_ms <= -_AHEAD_MS:
        raise Refusal(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if age_ms > window_ms:
        raise Refusal(-1021, "Timestamp for this request is outside of the recvWindow.")


def _without_signature(sent: str) -> str:
    return _SIGNATURE.sub("", sent).removeprefix("&")


def _window_ms(values: Mapping[str, str]) -> float:
    sent = values.get("recvWindow")
    if sent is None:
        return _DEFAULT_WINDOW_MS
    if not re.match(r"^[0-9]{1,5}(\.[0-9]{1,3})?$", sent) or float(sent) > _LONGEST_WINDOW_MS:
        raise Refusal(-1131, "recvWindow must be less than 60000")
    return float(sent)
