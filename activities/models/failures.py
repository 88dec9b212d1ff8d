"""One taxonomy of what goes wrong with a model call, for every provider.

Each vendor module hands over what it saw (status, provider code, headers, or only that the line broke); what that means
and whether it is worth another attempt is decided here once.
"""

from __future__ import annotations

import email.utils
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from activities.models.port import ModelFailure

MAX_RETRY_AFTER_S = Decimal(120)
"""A provider may ask for a longer pause; live calls have 300 s in all, so a longer wait would only end the call."""


class FailureKind(StrEnum):
    """Why a call gave no answer. The value is the Temporal error type, seen in the Web UI and in retry policies."""

    BAD_REQUEST = "ModelBadRequest"
    AUTHENTICATION = "ModelAuthentication"
    PERMISSION = "ModelPermission"
    NOT_FOUND = "ModelNotFound"
    QUOTA_EXHAUSTED = "ModelQuotaExhausted"
    CONTENT_POLICY = "ModelContentPolicy"
    RATE_LIMITED = "ModelRateLimited"
    CONFLICT = "ModelConflict"
    TIMEOUT = "ModelTimeout"
    UNREACHABLE = "ModelUnreachable"
    SERVER_ERROR = "ModelServerError"
    UNREADABLE = "ModelAnswerUnreadable"
    EMPTY = "ModelAnswerEmpty"


RETRYABLE = frozenset(
    {
        FailureKind.RATE_LIMITED,
        FailureKind.CONFLICT,
        FailureKind.TIMEOUT,
        FailureKind.UNREACHABLE,
        FailureKind.SERVER_ERROR,
        FailureKind.UNREADABLE,
        FailureKind.EMPTY,
    }
)
"""Kinds that waiting can cure. The others stay wrong until a person changes a key, an account or a setting."""

CODES: tuple[tuple[str, FailureKind], ...] = (
    # OpenAI and the endpoints that speak its protocol
    ("insufficient_quota", FailureKind.QUOTA_EXHAUSTED),
    ("insufficient_balance", FailureKind.QUOTA_EXHAUSTED),
    ("billing_hard_limit_reached", FailureKind.QUOTA_EXHAUSTED),
    ("billing_not_active", FailureKind.QUOTA_EXHAUSTED),
    ("content_filter", FailureKind.CONTENT_POLICY),
    ("content_policy_violation", FailureKind.CONTENT_POLICY),
    ("data_inspection_failed", FailureKind.CONTENT_POLICY),
    ("invalid_api_key", FailureKind.AUTHENTICATION),
    ("model_not_found", FailureKind.NOT_FOUND),
    ("rate_limit_exceeded", FailureKind.RATE_LIMITED),
    # DashScope native: a longer code stands before the family it belongs to
    ("invalidparameter.datainspection", FailureKind.CONTENT_POLICY),
    ("datainspectionfailed", FailureKind.CONTENT_POLICY),
    ("arrearage", FailureKind.QUOTA_EXHAUSTED),
    ("allocationquota.freetieronly", FailureKind.QUOTA_EXHAUSTED),
    ("prepaidbilloverdue", FailureKind.QUOTA_EXHAUSTED),
    ("postpaidbilloverdue", FailureKind.QUOTA_EXHAUSTED),
    ("commoditynotpurchased", FailureKind.PERMISSION),
    ("throttling", FailureKind.RATE_LIMITED),
    ("limitrequests", FailureKind.RATE_LIMITED),
    ("invalidapikey", FailureKind.AUTHENTICATION),
    ("accessdenied", FailureKind.PERMISSION),
    ("model.accessdenied", FailureKind.PERMISSION),
    ("workspace.accessdenied", FailureKind.PERMISSION),
    ("modelnotfound", FailureKind.NOT_FOUND),
    ("requesttimeout", FailureKind.TIMEOUT),
    ("internalerror.timeout", FailureKind.TIMEOUT),
    ("internalerror", FailureKind.SERVER_ERROR),
    ("systemerror", FailureKind.SERVER_ERROR),
    ("modelservicefailed", FailureKind.SERVER_ERROR),
    ("modelunavailable", FailureKind.SERVER_ERROR),
    ("serviceunavailable", FailureKind.SERVER_ERROR),
    ("invalidparameter", FailureKind.BAD_REQUEST),
    ("badrequest", FailureKind.BAD_REQUEST),
    ("invalidurl", FailureKind.BAD_REQUEST),
    ("unsupportedoperation", FailureKind.BAD_REQUEST),
)
"""Provider codes that say more than their status: DashScope reports unpaid bills and refused content as 400."""

STATUSES: Mapping[int, FailureKind] = {
    401: FailureKind.AUTHENTICATION,
    402: FailureKind.QUOTA_EXHAUSTED,
    403: FailureKind.PERMISSION,
    404: FailureKind.NOT_FOUND,
    408: FailureKind.TIMEOUT,
    409: FailureKind.CONFLICT,
    429: FailureKind.RATE_LIMITED,
}

FINAL = frozenset({FailureKind.QUOTA_EXHAUSTED, FailureKind.CONTENT_POLICY})
"""Never retried, whatever `x-should-retry` says: waiting refills no account and the same prompt is refused again."""


def kind_of(status: int | None, code: str | None, *, quota_is_throttling: bool = False) -> FailureKind:
    """What an answer with this HTTP status and provider code means; the code is asked first.

    `quota_is_throttling`: on this endpoint `insufficient_quota` is a limit per minute, not an empty account.
    """
    wanted = (code or "").lower()
    for prefix, kind in CODES:
        if wanted == prefix or wanted.startswith(prefix + "."):
            if quota_is_throttling and prefix == "insufficient_quota":
                return FailureKind.RATE_LIMITED
            return kind
    if status is None or status < 300:
        return FailureKind.UNREADABLE
    if status >= 500:
        return FailureKind.SERVER_ERROR
    return STATUSES.get(status, FailureKind.BAD_REQUEST)


def refused(
    provider: str,
    *,
    status: int | None,
    code: str | None,
    message: str,
    headers: Mapping[str, str],
    now: datetime | None = None,
    quota_is_throttling: bool = False,
    secret: str = "",
) -> ModelFailure:
    """The failure for an answer that is an error. Header names are matched without case; `now` dates an HTTP-date.

    Messages end in workflow histories, and some endpoints repeat the key they refuse: `secret` is taken out of them.
    """
    said_without_secret = message.replace(secret, "[key]") if secret else message
    lowered = {name.lower(): value for name, value in headers.items()}
    kind = kind_of(status, code, quota_is_throttling=quota_is_throttling)
    retryable = kind in RETRYABLE
    hint = lowered.get("x-should-retry", "").strip().lower()
    if hint in ("true", "false") and kind not in FINAL:
        retryable = hint == "true"
    said = f"HTTP {status}" + (f" {code}" if code else "")
    return ModelFailure(
        f"{provider}: {said}: {said_without_secret[:500]}",
        kind=kind.value,
        retryable=retryable,
        retry_after_s=retry_after_s(lowered, now=now or datetime.now(UTC)) if retryable else None,
        http_status=status,
    )


def broken(provider: str, kind: FailureKind, message: str, *, http_status: int | None = None) -> ModelFailure:
    """The failure of a call without a readable answer: a time-out, a broken line, an empty or unreadable body."""
    return ModelFailure(
        f"{provider}: {message[:500]}", kind=kind.value, retryable=kind in RETRYABLE, http_status=http_status
    )


def retry_after_s(headers: Mapping[str, str], *, now: datetime) -> Decimal | None:
    """How long the provider asks us to wait, at most `MAX_RETRY_AFTER_S`; `None` where it says nothing sensible.

    `headers` has lower-case names. `retry-after-ms` wins over `retry-after`, which is seconds or an HTTP-date.
    """
    wait = _number(headers.get("retry-after-ms"))
    if wait is not None:
        wait /= 1000
    else:
        wait = _number(headers.get("retry-after"))
    if wait is None:
        wait = _until(headers.get("retry-after"), now=now)
    if wait is None or wait <= 0:
        return None
    return min(wait, MAX_RETRY_AFTER_S)


def _number(text: str | None) -> Decimal | None:
    try:
        value = Decimal((text or "").strip())
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _until(text: str | None, *, now: datetime) -> Decimal | None:
    try:
        at = email.utils.parsedate_to_datetime((text or "").strip())
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return Decimal(str((at - now).total_seconds()))
