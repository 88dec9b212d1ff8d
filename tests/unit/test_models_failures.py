"""One taxonomy: what each provider answer means, and how long to wait."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.models.failures import MAX_RETRY_AFTER_S, FailureKind, broken, kind_of, refused, retry_after_s

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "code", "kind", "retryable"),
    [
        # what waiting does not cure
        (400, "invalid_request_error", FailureKind.BAD_REQUEST, False),
        (401, "invalid_api_key", FailureKind.AUTHENTICATION, False),
        (402, None, FailureKind.QUOTA_EXHAUSTED, False),  # DeepSeek: insufficient balance
        (403, None, FailureKind.PERMISSION, False),
        (404, "model_not_found", FailureKind.NOT_FOUND, False),
        (413, "BadRequest.TooLarge", FailureKind.BAD_REQUEST, False),
        (422, None, FailureKind.BAD_REQUEST, False),
        (429, "insufficient_quota", FailureKind.QUOTA_EXHAUSTED, False),
        (400, "content_filter", FailureKind.CONTENT_POLICY, False),
        (302, None, FailureKind.BAD_REQUEST, False),
        # what it does
        (408, None, FailureKind.TIMEOUT, True),
        (409, None, FailureKind.CONFLICT, True),
        (429, None, FailureKind.RATE_LIMITED, True),
        (429, "rate_limit_exceeded", FailureKind.RATE_LIMITED, True),
        (500, None, FailureKind.SERVER_ERROR, True),
        (503, None, FailureKind.SERVER_ERROR, True),
        (529, None, FailureKind.SERVER_ERROR, True),
        # DashScope says in the code what its status hides
        (400, "DataInspectionFailed", FailureKind.CONTENT_POLICY, False),
        (400, "data_inspection_failed", FailureKind.CONTENT_POLICY, False),
        (400, "InvalidParameter.DataInspection", FailureKind.CONTENT_POLICY, False),
        (400, "InvalidParameter", FailureKind.BAD_REQUEST, False),
        (400, "Arrearage", FailureKind.QUOTA_EXHAUSTED, False),
        (401, "InvalidApiKey", FailureKind.AUTHENTICATION, False),
        (403, "AccessDenied.Unpurchased", FailureKind.PERMISSION, False),
        (403, "AllocationQuota.FreeTierOnly", FailureKind.QUOTA_EXHAUSTED, False),
        (404, "ModelNotFound", FailureKind.NOT_FOUND, False),
        (429, "Throttling", FailureKind.RATE_LIMITED, True),
        (429, "Throttling.RateQuota", FailureKind.RATE_LIMITED, True),
        (429, "Throttling.AllocationQuota", FailureKind.RATE_LIMITED, True),
        (400, "Throttling.RateQuota", FailureKind.RATE_LIMITED, True),
        (408, "RequestTimeOut", FailureKind.TIMEOUT, True),
        (500, "InternalError.Timeout", FailureKind.TIMEOUT, True),
        (500, "InternalError.Algo", FailureKind.SERVER_ERROR, True),
        (503, "ModelUnavailable", FailureKind.SERVER_ERROR, True),
    ],
)
def test_answer_is_classified(status: int, code: str | None, kind: FailureKind, retryable: bool) -> None:
    failure = refused("p", status=status, code=code, message="m", headers={}, now=NOW)
    assert (failure.kind, failure.retryable, failure.http_status) == (kind.value, retryable, status)


def test_a_code_that_only_begins_alike_is_not_taken_for_the_family() -> None:
    assert kind_of(500, "InternalErrorish") is FailureKind.SERVER_ERROR
    assert kind_of(400, "throttlingdisabled") is FailureKind.BAD_REQUEST


def test_insufficient_quota_of_the_compatible_mode_is_a_limit_per_minute() -> None:
    failure = refused(
        "qwen", status=429, code="insufficient_quota", message="m", headers={}, now=NOW, quota_is_throttling=True
    )
    assert (failure.kind, failure.retryable) == (FailureKind.RATE_LIMITED.value, True)


@pytest.mark.parametrize(
    ("status", "code", "hint", "retryable"),
    [
        (400, None, "true", True),
        (503, None, "false", False),
        (503, None, "perhaps", True),
        (429, "insufficient_quota", "true", False),  # no hint refills an account
        (400, "DataInspectionFailed", "true", False),
    ],
)
def test_x_should_retry_is_honoured_where_it_can_help(
    status: int, code: str | None, hint: str, retryable: bool
) -> None:
    failure = refused("p", status=status, code=code, message="m", headers={"X-Should-Retry": hint}, now=NOW)
    assert failure.retryable is retryable


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"retry-after": "7"}, Decimal(7)),
        ({"retry-after": "1.5"}, Decimal("1.5")),
        ({"retry-after-ms": "250"}, Decimal("0.25")),
        ({"retry-after-ms": "250", "retry-after": "7"}, Decimal("0.25")),
        ({"retry-after-ms": "soon", "retry-after": "7"}, Decimal(7)),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:20 GMT"}, Decimal(20)),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:20 -0000"}, Decimal(20)),  # a date without a zone is UTC
        ({"retry-after": "Fri, 20 Nov 2026 09:00:00 GMT"}, None),  # past
        ({"retry-after": "0"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "NaN"}, None),
        ({"retry-after": "Infinity"}, None),
        ({"retry-after": "later"}, None),
        ({"retry-after": "86400"}, MAX_RETRY_AFTER_S),
        ({"retry-after": "Sat, 21 Nov 2026 10:00:00 GMT"}, MAX_RETRY_AFTER_S),
    ],
)
def test_retry_after_in_every_form_is_read_and_capped(headers: dict[str, str], wait: Decimal | None) -> None:
    assert retry_after_s(headers, now=NOW) == wait


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_header_text_breaks_the_classification(seconds: str, millis: str) -> None:
    headers = {"Retry-After": seconds, "Retry-After-Ms": millis}
    failure = refused("p", status=429, code=None, message="m", headers=headers, now=NOW)
    assert failure.retry_after_s is None or 0 < failure.retry_after_s <= MAX_RETRY_AFTER_S


def test_a_final_failure_names_no_wait() -> None:
    assert refused("p", status=401, code=None, message="m", headers={"retry-after": "7"}, now=NOW).retry_after_s is None


def test_the_message_says_who_what_and_why_and_stays_short() -> None:
    failure = refused("deepseek", status=404, code="model_not_found", message="z" * 9000, headers={}, now=NOW)
    assert str(failure).startswith("deepseek: HTTP 404 model_not_found: zzz")
    assert len(str(failure)) < 600


@pytest.mark.parametrize(
    "kind", [FailureKind.TIMEOUT, FailureKind.UNREACHABLE, FailureKind.EMPTY, FailureKind.UNREADABLE]
)
def test_a_call_without_an_answer_is_retryable(kind: FailureKind) -> None:
    assert broken("p", kind, "m").retryable
