"""DeepSeek, Qwen's compatible mode and every other endpoint that speaks OpenAI's chat completions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import openai
from openai.types.chat import ChatCompletion
from openai.types.completion_usage import CompletionUsage

from activities.models.failures import FailureKind, broken, refused
from activities.models.json_output import JsonOutput, messages_for, response_format
from activities.models.port import ChatAnswer, ChatRequest, ModelFailure
from activities.models.pricing import TokenPrice

_FREE = TokenPrice()
_OVERLOADED = "insufficient_system_resource"
"""DeepSeek's finish reason for an answer that its servers gave up on."""


class OpenAIChatModel:
    """A `ChatModel` over the official client. One `complete` is one HTTP request: retries belong to Temporal.

    `extra_body` holds fields of the provider's own (a switch for its thinking mode). `quota_is_throttling`: see
    `failures.kind_of`. The answer is bounded by the request's `timeout_s` in all: the client's own time-out counts from
    byte to byte, and DeepSeek keeps a waiting line open with blank lines.
    """

    is_rule_based = False

    def __init__(
        self,
        *,
        provider: str,
        name: str,
        api_key: str,
        base_url: str,
        price: TokenPrice = _FREE,
        json_output: JsonOutput = JsonOutput.SCHEMA,
        extra_body: Mapping[str, object] | None = None,
        quota_is_throttling: bool = False,
    ) -> None:
        self.provider = provider
        self.name = name
        self._price = price
        self._json_output = json_output
        self._extra_body = dict(extra_body or {})
        self._quota_is_throttling = quota_is_throttling
        # The client would add an OpenAI organisation and project from the environment to a request to any provider.
        foreign: Any = {"OpenAI-Organization": openai.Omit(), "OpenAI-Project": openai.Omit()}
        self._client = openai.AsyncOpenAI(api_key=api_key, base_url=base_url, max_retries=0, default_headers=foreign)

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        try:
            async with asyncio.timeout(float(request.timeout_s)):
                completion = await self._ask(request)
        except TimeoutError as error:
            raise broken(self.provider, FailureKind.TIMEOUT, f"no answer within {request.timeout_s} s") from error
        except openai.APITimeoutError as error:
            raise broken(self.provider, FailureKind.TIMEOUT, f"no answer within {request.timeout_s} s") from error
        except openai.APIConnectionError as error:
            raise broken(self.provider, FailureKind.UNREACHABLE, f"{error} {error.__cause__ or ''}".strip()) from error
        except openai.APIStatusError as error:
            raise self._refused(error) from error
        except (openai.APIError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise broken(self.provider, FailureKind.UNREADABLE, f"the body is not an answer: {error}") from error
        try:
            return self._answer(completion)
        except (AttributeError, TypeError, ValueError) as error:
            # The client builds its models without checking: a missing message or a count in words shows only here.
            raise broken(self.provider, FailureKind.UNREADABLE, f"not a chat completion: {error}") from error

    async def aclose(self) -> None:
        await self._client.close()

    async def _ask(self, request: ChatRequest) -> object:
        shape: Any = response_format(self._json_output, request) or openai.omit
        messages: Any = messages_for(self._json_output, request)
        answer: object = await self._client.chat.completions.create(
            model=self.name,
            messages=messages,
            response_format=shape,
            temperature=float(request.temperature),
            top_p=float(request.top_p),
            max_tokens=request.max_tokens,
            extra_body=self._extra_body or None,
            timeout=float(request.timeout_s),
        )
        return answer

    def _refused(self, error: openai.APIStatusError) -> ModelFailure:
        code = error.code or error.type
        return refused(
            self.provider,
            status=error.status_code,
            code=str(code) if code else None,
            message=error.message,
            headers=error.response.headers,
            quota_is_throttling=self._quota_is_throttling,
            secret=self._client.api_key,
        )

    def _answer(self, completion: object) -> ChatAnswer:
        """The answer in `completion`; a 200 with another body reaches us as text, a list or an empty shell."""
        if not isinstance(completion, ChatCompletion) or not completion.choices:
            raise broken(self.provider, FailureKind.UNREADABLE, "the body is not a chat completion", http_status=200)
        choice = completion.choices[0]
        reason = str(choice.finish_reason or "stop")
        if reason == "content_filter" or choice.message.refusal:
            said = choice.message.refusal or "the answer was withheld by a content filter"
            raise broken(self.provider, FailureKind.CONTENT_POLICY, said, http_status=200)
        if reason == _OVERLOADED:
            raise broken(self.provider, FailureKind.SERVER_ERROR, "generation broke off: overloaded", http_status=200)
        if not choice.message.content:
            raise broken(self.provider, FailureKind.EMPTY, f"empty answer, finish reason {reason}", http_status=200)
        prompt, completed, cached = _tokens(completion.usage)
        return ChatAnswer(
            text=choice.message.content,
            model=completion.model or self.name,
            prompt_tokens=prompt,
            completion_tokens=completed,
            cost_usd=self._price.cost_usd(prompt_tokens=prompt, completion_tokens=completed, cached_tokens=cached),
            finish_reason=reason,
        )


def _tokens(usage: CompletionUsage | None) -> tuple[int, int, int]:
    """Prompt, completion and cached prompt tokens; an endpoint that reports no usage counts as none."""
    if usage is None:
        return 0, 0, 0
    details = usage.prompt_tokens_details
    cached = (
        (details.cached_tokens if details else None) or (usage.model_extra or {}).get("prompt_cache_hit_tokens") or 0
    )
    return usage.prompt_tokens or 0, usage.completion_tokens or 0, int(cached)
