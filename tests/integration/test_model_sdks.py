"""The real openai and dashscope clients against a local server that speaks their HTTP."""

from __future__ import annotations

import contextlib
import gc
import json
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime

import pytest
from fakes.model_server import ModelServer, Reply, dropping_server, running_model_server

from activities.models.dashscope_chat import DashscopeChatModel
from activities.models.failures import FailureKind
from activities.models.json_output import JsonOutput
from activities.models.openai_chat import OpenAIChatModel
from activities.models.port import ChatModel, ChatRequest, ModelFailure
from activities.models.pricing import TokenPrice
from trading.decision.answer_schema import PROPOSAL_SCHEMA
from trading.decision.models import Message

PRICE = TokenPrice(prompt_usd=Decimal("0.40"), completion_usd=Decimal("1.20"), cached_prompt_usd=Decimal("0.04"))
WIRES = ("openai", "dashscope")
Make = Callable[..., ChatModel]


@pytest.fixture(scope="module")
def _server() -> Iterator[ModelServer]:
    with running_model_server() as running:
        yield running


@pytest.fixture
def server(_server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> ModelServer:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    _server.forget()
    return _server


def model_of(wire: str, url: str, **options: object) -> ChatModel:
    common = {"provider": wire, "name": "model-1", "api_key": "key-1", "price": PRICE}
    if wire == "openai":
        return OpenAIChatModel(base_url=f"{url}/v1", **(common | options))  # type: ignore[arg-type]
    return DashscopeChatModel(base_url=f"{url}/api/v1", **(common | options))  # type: ignore[arg-type]


@pytest.fixture
async def make(server: ModelServer) -> AsyncIterator[Make]:
    """Builds models against the server and closes them all."""
    made: list[ChatModel] = []

    def build(wire: str, **options: object) -> ChatModel:
        url = str(options.pop("url", server.url))
        made.append(model_of(wire, url, **options))
        return made[-1]

    yield build
    for model in made:
        await model.aclose()


def a_request(**changes: object) -> ChatRequest:
    given: dict[str, object] = {
        "messages": (Message(role="system", content="You trade."), Message(role="user", content="Facts.")),
        "schema_name": "proposal",
        "json_schema": PROPOSAL_SCHEMA,
        "timeout_s": Decimal(5),
    }
    return ChatRequest.model_validate(given | changes)


async def failure_of(model: ChatModel, request: ChatRequest | None = None) -> ModelFailure:
    with pytest.raises(ModelFailure) as caught:
        await model.complete(request or a_request())
    return caught.value


@pytest.mark.parametrize("wire", WIRES)
async def test_an_answer_comes_with_its_tokens_and_its_cost(wire: str, server: ModelServer, make: Make) -> None:
    server.script(Reply(text='{"a":1}', prompt_tokens=10_000, completion_tokens=2_000, cached_tokens=4_000))
    answer = await make(wire).complete(a_request())
    assert (answer.text, answer.model, answer.finish_reason) == ('{"a":1}', "model-1", "stop")
    assert (answer.prompt_tokens, answer.completion_tokens) == (10_000, 2_000)
    # 6,000 fresh at 0.40, 4,000 cached at 0.04 and 2,000 written at 1.20 USD per million
    assert answer.cost_usd == Decimal("0.0024") + Decimal("0.00016") + Decimal("0.0024")
    assert server.calls == 1


@pytest.mark.parametrize("wire", WIRES)
async def test_the_key_and_the_sampling_settings_reach_the_provider(
    wire: str, server: ModelServer, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-somebody")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-of-somebody")
    await make(wire).complete(a_request())
    seen = server.seen[0]
    sampling = seen.body if wire == "openai" else seen.body["parameters"]
    assert seen.headers["authorization"] == "Bearer key-1"
    assert (sampling["temperature"], sampling["top_p"], sampling["max_tokens"]) == (0.3, 0.9, 4000)
    assert "openai-organization" not in seen.headers
    assert "openai-project" not in seen.headers


def closed_objects(schema: object) -> Iterator[tuple[bool, bool]]:
    """For each object of a schema: is it closed, and are all its properties required."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema.get("additionalProperties") is False, set(schema["required"]) == set(schema["properties"])
        for child in schema.values():
            yield from closed_objects(child)
    elif isinstance(schema, list):
        for child in schema:
            yield from closed_objects(child)


async def test_a_provider_with_schema_support_is_held_to_the_strict_schema(server: ModelServer, make: Make) -> None:
    await make("openai", json_output=JsonOutput.SCHEMA).complete(a_request())
    shape = server.seen[0].body["response_format"]
    assert shape["type"] == "json_schema"
    assert (shape["json_schema"]["name"], shape["json_schema"]["strict"]) == ("proposal", True)
    schema = shape["json_schema"]["schema"]
    objects = list(closed_objects(schema))
    assert len(objects) == 3  # proposal, reasoning step, claim
    assert all(closed and required for closed, required in objects)
    assert "pattern" not in json.dumps(schema)
    assert server.seen[0].messages[0]["content"] == "You trade."


@pytest.mark.parametrize("wire", WIRES)
async def test_a_provider_with_json_mode_reads_the_schema_in_its_system_message(
    wire: str, server: ModelServer, make: Make
) -> None:
    await make(wire, json_output=JsonOutput.OBJECT).complete(a_request())
    seen = server.seen[0]
    sent = seen.body if wire == "openai" else seen.body["parameters"]
    assert sent["response_format"] == {"type": "json_object"}
    system = seen.messages[0]
    assert system["role"] == "system"
    assert system["content"].startswith("You trade.")
    assert '"win_probability"' in system["content"]
    assert "JSON" in system["content"]


async def test_extra_fields_of_a_provider_are_sent(server: ModelServer, make: Make) -> None:
    await make("openai", extra_body={"thinking": {"type": "disabled"}}).complete(a_request())
    assert server.seen[0].body["thinking"] == {"type": "disabled"}


async def test_dashscope_is_asked_for_a_message_without_thinking(server: ModelServer, make: Make) -> None:
    await make("dashscope").complete(a_request())
    parameters = server.seen[0].body["parameters"]
    assert (parameters["result_format"], parameters["enable_thinking"]) == ("message", False)


REFUSALS = [
    (400, {"openai": "invalid_request_error", "dashscope": "InvalidParameter"}, FailureKind.BAD_REQUEST, False),
    (401, {"openai": "invalid_api_key", "dashscope": "InvalidApiKey"}, FailureKind.AUTHENTICATION, False),
    (403, {"openai": "forbidden", "dashscope": "AccessDenied"}, FailureKind.PERMISSION, False),
    (404, {"openai": "model_not_found", "dashscope": "ModelNotFound"}, FailureKind.NOT_FOUND, False),
    (422, {"openai": "invalid", "dashscope": "InvalidParameter"}, FailureKind.BAD_REQUEST, False),
    (429, {"openai": "insufficient_quota", "dashscope": "Arrearage"}, FailureKind.QUOTA_EXHAUSTED, False),
    (400, {"openai": "content_filter", "dashscope": "DataInspectionFailed"}, FailureKind.CONTENT_POLICY, False),
    (429, {"openai": "rate_limit_exceeded", "dashscope": "Throttling.RateQuota"}, FailureKind.RATE_LIMITED, True),
    (500, {"openai": "server_error", "dashscope": "InternalError"}, FailureKind.SERVER_ERROR, True),
    (503, {"openai": "overloaded", "dashscope": "ModelUnavailable"}, FailureKind.SERVER_ERROR, True),
]


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(("status", "codes", "kind", "retryable"), REFUSALS)
async def test_a_refusal_is_classified_after_exactly_one_request(
    wire: str, status: int, codes: dict[str, str], kind: FailureKind, retryable: bool, server: ModelServer, make: Make
) -> None:
    server.script(Reply(status=status, code=codes[wire], message="no"))
    failure = await failure_of(make(wire))
    assert (failure.kind, failure.retryable, failure.http_status) == (kind.value, retryable, status)
    assert server.calls == 1


@pytest.mark.parametrize("wire", WIRES)
async def test_a_key_that_the_provider_repeats_is_not_passed_on(wire: str, server: ModelServer, make: Make) -> None:
    server.script(Reply(status=401, code="invalid_api_key", message="Your api key: key-1 is invalid"))
    said = str(await failure_of(make(wire)))
    assert "key-1" not in said
    assert "Your api key: [key] is invalid" in said


@pytest.mark.parametrize("wire", WIRES)
async def test_a_gateway_error_in_html_is_a_server_error(wire: str, server: ModelServer, make: Make) -> None:
    server.script(Reply(status=502, raw=b"<html>bad gateway</html>", content_type="text/html"))
    failure = await failure_of(make(wire))
    assert (failure.kind, failure.retryable) == (FailureKind.SERVER_ERROR.value, True)


@pytest.mark.parametrize("wire", WIRES)
async def test_an_error_without_its_usual_fields_still_fails_by_its_meaning(
    wire: str, server: ModelServer, make: Make
) -> None:
    server.script(Reply(status=500, body={"oops": True}))
    failure = await failure_of(make(wire))
    assert failure.retryable
    assert server.calls == 1


@pytest.mark.parametrize("wire", WIRES)
async def test_the_wait_a_provider_asks_for_is_carried(wire: str, server: ModelServer, make: Make) -> None:
    in_half_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    server.script(
        Reply(status=429, headers={"Retry-After": "7"}),
        Reply(status=429, headers={"retry-after-ms": "1500"}),
        Reply(status=503, headers={"Retry-After": in_half_a_minute}),
        Reply(status=503, headers={"Retry-After": "7", "x-should-retry": "false"}),
    )
    model = make(wire)
    assert (await failure_of(model)).retry_after_s == Decimal(7)
    assert (await failure_of(model)).retry_after_s == Decimal("1.5")
    dated = (await failure_of(model)).retry_after_s
    assert dated is not None
    assert Decimal(20) < dated <= Decimal(30)
    forbidden = await failure_of(model)
    assert (forbidden.retryable, forbidden.retry_after_s) == (False, None)
    assert server.calls == 4


@pytest.mark.parametrize("wire", WIRES)
async def test_a_silent_provider_is_left_at_the_time_out(wire: str, server: ModelServer, make: Make) -> None:
    server.script(Reply(delay_s=3))
    began = time.monotonic()
    failure = await failure_of(make(wire), a_request(timeout_s=Decimal("0.3")))
    assert (failure.kind, failure.retryable) == (FailureKind.TIMEOUT.value, True)
    assert time.monotonic() - began < 2
    assert server.calls == 1


@pytest.mark.parametrize("wire", WIRES)
async def test_blank_lines_that_keep_the_line_open_do_not_stretch_the_time_out(
    wire: str, server: ModelServer, make: Make
) -> None:
    server.script(Reply(drip_s=3))
    failure = await failure_of(make(wire), a_request(timeout_s=Decimal("0.4")))
    assert failure.kind == FailureKind.TIMEOUT.value


@pytest.mark.parametrize("wire", WIRES)
async def test_blank_lines_before_an_answer_do_no_harm(wire: str, server: ModelServer, make: Make) -> None:
    server.script(Reply(text="late", drip_s=0.2))
    assert (await make(wire).complete(a_request())).text == "late"


@pytest.mark.parametrize("wire", WIRES)
async def test_a_refused_connection_is_retryable(wire: str, make: Make) -> None:
    failure = await failure_of(make(wire, url="http://127.0.0.1:9"))
    assert (failure.kind, failure.retryable) == (FailureKind.UNREACHABLE.value, True)


@pytest.mark.parametrize("wire", WIRES)
async def test_a_line_dropped_after_the_request_is_not_paid_for_twice(wire: str, make: Make) -> None:
    async with dropping_server() as (url, requests):
        failure = await failure_of(make(wire, url=url))
    assert (failure.kind, failure.retryable) == (FailureKind.UNREACHABLE.value, True)
    assert len(requests) == 1


@pytest.mark.parametrize("wire", WIRES)
async def test_half_a_body_is_not_an_answer(wire: str, server: ModelServer, make: Make) -> None:
    server.script(Reply(cut=True))
    failure = await failure_of(make(wire))
    assert (failure.kind, failure.retryable) == (FailureKind.UNREACHABLE.value, True)
    assert server.calls == 1


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(
    ("raw", "content_type"),
    [
        (b'{"choices": [', "application/json"),
        (b"[1, 2]", "application/json"),
        (b'{"error": {"message": "in a 200"}}', "application/json"),
        (b'{"choices": [{"index": 0}], "output": {"choices": [{"message": {}}]}}', "application/json"),
        (b'{"choices": [], "output": {"choices": []}}', "application/json"),
        (b'{"output": "text"}', "application/json"),
        (b"<html>hello</html>", "text/html"),
        (b"\xff\xfe\x00", "application/json"),
        (b"", "application/json"),
    ],
)
async def test_a_200_that_is_no_answer_is_a_failure_and_nothing_else(
    wire: str, raw: bytes, content_type: str, server: ModelServer, make: Make
) -> None:
    server.script(Reply(raw=raw, content_type=content_type))
    failure = await failure_of(make(wire))
    assert failure.retryable
    assert failure.kind in (FailureKind.UNREADABLE.value, FailureKind.EMPTY.value)


@pytest.mark.parametrize("wire", WIRES)
async def test_an_empty_answer_is_asked_for_again_and_a_withheld_one_is_not(
    wire: str, server: ModelServer, make: Make
) -> None:
    server.script(Reply(text=""), Reply(text="", finish_reason="content_filter"))
    model = make(wire)
    empty, withheld = await failure_of(model), await failure_of(model)
    assert (empty.kind, empty.retryable) == (FailureKind.EMPTY.value, True)
    assert (withheld.kind, withheld.retryable) == (FailureKind.CONTENT_POLICY.value, False)


@pytest.mark.parametrize("wire", WIRES)
async def test_a_cut_off_answer_is_kept_and_says_so(wire: str, server: ModelServer, make: Make) -> None:
    server.script(Reply(text='{"action": "bu', finish_reason="length"))
    answer = await make(wire).complete(a_request())
    assert (answer.text, answer.finish_reason) == ('{"action": "bu', "length")


async def test_deepseek_giving_up_for_want_of_resources_is_a_server_error(server: ModelServer, make: Make) -> None:
    server.script(Reply(text="half", finish_reason="insufficient_system_resource"))
    failure = await failure_of(make("openai"))
    assert (failure.kind, failure.retryable) == (FailureKind.SERVER_ERROR.value, True)


async def test_insufficient_quota_on_the_compatible_mode_of_qwen_is_throttling(server: ModelServer, make: Make) -> None:
    server.script(Reply(status=429, code="insufficient_quota"))
    failure = await failure_of(make("openai", quota_is_throttling=True))
    assert (failure.kind, failure.retryable) == (FailureKind.RATE_LIMITED.value, True)


@pytest.mark.parametrize("wire", WIRES)
async def test_two_models_of_two_addresses_do_not_share_a_global(wire: str, server: ModelServer, make: Make) -> None:
    with running_model_server() as other:
        other.script(Reply(text="other"))
        server.script(Reply(text="first"))
        first, second = make(wire), make(wire, url=other.url)
        assert (await first.complete(a_request())).text == "first"
        assert (await second.complete(a_request())).text == "other"
        assert (server.calls, other.calls) == (1, 1)


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("reply", [Reply(text="x"), Reply(status=500), Reply(raw=b"{"), Reply(cut=True)])
async def test_nothing_stays_open_after_aclose(wire: str, reply: Reply, server: ModelServer) -> None:
    server.script(reply)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = model_of(wire, server.url)
        with contextlib.suppress(ModelFailure):
            await model.complete(a_request())
        await model.aclose()
        await model.aclose()
        del model
        gc.collect()
    assert [str(warning.message) for warning in caught if warning.category is ResourceWarning] == []
