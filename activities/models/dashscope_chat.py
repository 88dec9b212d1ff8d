"""Qwen through DashScope's own protocol and client.

Left alone, the client returns HTTP errors instead of raising them, sends a request again when the line breaks, keeps a
session that nobody closes, and takes its address from a global. None of that gets through this module.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import aiohttp
from dashscope.aigc.generation import AioGeneration

from activities.models.failures import FailureKind, broken, refused
from activities.models.json_output import JsonOutput, messages_for, response_format
from activities.models.port import ChatAnswer, ChatRequest, ModelFailure
from activities.models.pricing import TokenPrice

_FREE = TokenPrice()


class _LineBrokenError(Exception):
    """A broken line under a name that the client does not know, so that it cannot send the request a second time."""


async def _send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except TimeoutError as error:
        raise TimeoutError(str(error)) from error
    except aiohttp.ClientConnectionError as error:
        raise _LineBrokenError(f"{type(error).__name__}: {error}") from error


class DashscopeChatModel:
    """A `ChatModel` over dashscope. One `complete` is one HTTP request, in a session that `aclose` closes.

    `thinking=False` is sent as such: Qwen's structured output exists only outside its thinking mode.
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
        json_output: JsonOutput = JsonOutput.OBJECT,
        thinking: bool = False,
    ) -> None:
        self.provider = provider
        self.name = name
        self._api_key = api_key
        self._base_url = base_url
        self._price = price
        self._json_output = json_output
        self._thinking = thinking
        self._session: aiohttp.ClientSession | None = None

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        parameters = self._parameters(request)
        try:
            async with asyncio.timeout(float(request.timeout_s)):
                response: Any = await AioGeneration.call(**parameters)
            if response.status_code != HTTPStatus.OK:
                raise self._refused(response)
            return self._answer(response)
        except TimeoutError as error:
            raise broken(self.provider, FailureKind.TIMEOUT, f"no answer within {request.timeout_s} s") from error
        except (_LineBrokenError, aiohttp.ClientPayloadError) as error:
            raise broken(self.provider, FailureKind.UNREACHABLE, str(error)) from error
        except (aiohttp.ClientError, ValueError, KeyError, TypeError, AttributeError) as error:
            # The client reads the body without looking: what is not its expected shape ends in one of these.
            raise broken(
                self.provider, FailureKind.UNREADABLE, f"the body is not an answer: {type(error).__name__} {error}"
            ) from error

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _parameters(self, request: ChatRequest) -> dict[str, Any]:
        return {
            "model": self.name,
            "messages": messages_for(self._json_output, request),
            "api_key": self._api_key,
            "base_address": self._base_url,
            "session": self._open_session(),
            "request_timeout": float(request.timeout_s),
            "result_format": "message",
            "response_format": response_format(self._json_output, request),
            "temperature": float(request.temperature),
            "top_p": float(request.top_p),
            "max_tokens": request.max_tokens,
            "enable_thinking": self._thinking,
        }

    def _open_session(self) -> aiohttp.ClientSession:
        """The one session, made at the first call because it belongs to the running loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(middlewares=(_send_once,), trust_env=True)
        return self._session

    def _refused(self, response: Any) -> ModelFailure:
        return refused(
            self.provider,
            status=int(response.status_code),
            code=response.code or None,
            message=response.message or "",
            headers=response.headers or {},
            secret=self._api_key,
        )

    def _answer(self, response: Any) -> ChatAnswer:
        choices = response.output.get("choices") or ()
        if not choices:
            raise broken(self.provider, FailureKind.UNREADABLE, "the output holds no choices", http_status=200)
        text = (choices[0].get("message") or {}).get("content")
        reason = str(choices[0].get("finish_reason") or "stop")
        if reason == "content_filter":
            raise broken(self.provider, FailureKind.CONTENT_POLICY, "the answer was withheld", http_status=200)
        if not isinstance(text, str) or not text:
            raise broken(self.provider, FailureKind.EMPTY, f"empty answer, finish reason {reason}", http_status=200)
        prompt, completed, cached = _tokens(response.usage or {})
        return ChatAnswer(
            text=text,
            model=self.name,
            prompt_tokens=prompt,
            completion_tokens=completed,
            cost_usd=self._price.cost_usd(prompt_tokens=prompt, completion_tokens=completed, cached_tokens=cached),
            finish_reason=reason,
        )


def _tokens(usage: Mapping[str, Any]) -> tuple[int, int, int]:
    """Prompt, completion and cached prompt tokens; absent usage counts as none."""
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return int(usage.get("input_tokens") or 0), int(usage.get("output_tokens") or 0), int(cached)
