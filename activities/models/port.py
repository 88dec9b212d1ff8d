"""The port to language models: one question, one answer, its tokens and its cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

from pydantic import Field

from trading.contract import Contract
from trading.decision.models import Message
from trading.strategies.models import Strategy


class ChatRequest(Contract):
    """One call: messages in, JSON after `json_schema` out.

    `strategies` are those of the decision's playbook, for analysts that follow rules; no language model is sent them.
    """

    messages: tuple[Message, ...]
    schema_name: str
    json_schema: str = Field(description="the JSON schema of the answer, as JSON text")
    temperature: Decimal = Decimal("0.3")
    top_p: Decimal = Decimal("0.9")
    max_tokens: int = 4000
    timeout_s: Decimal = Decimal(60)
    strategies: tuple[Strategy, ...] = ()


class ChatAnswer(Contract):
    """One finished answer. `text` is what the model wrote, unparsed."""

    text: str
    model: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    finish_reason: str = "stop"


class ModelFailure(Exception):
    """A call that gave no answer. `retryable` is decided where it is known; the activity translates it for Temporal."""

    def __init__(
        self,
        message: str,
        *,
        kind: str,
        retryable: bool,
        retry_after_s: Decimal | None = None,
        http_status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.http_status = http_status


class ChatModel(Protocol):
    """One model of one provider. `complete` raises `ModelFailure` and nothing else that the network may do."""

    provider: str
    name: str
    is_rule_based: bool

    async def complete(self, request: ChatRequest) -> ChatAnswer: ...

    async def aclose(self) -> None: ...
