"""The JSON schema of an answer, said in the dialect that a provider accepts."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any

from activities.models.port import ChatRequest
from trading.decision.models import Message


class JsonOutput(StrEnum):
    """How a provider is made to answer in JSON: held to the schema, held to JSON alone, or only asked."""

    SCHEMA = "json_schema"
    OBJECT = "json_object"
    PROMPT = "prompt"


def response_format(output: JsonOutput, request: ChatRequest) -> dict[str, Any] | None:
    """The `response_format` parameter, the same in the OpenAI and the DashScope protocol; `None` leaves it out.

    The request's schema is sent as it is: whoever writes it keeps to the strict subset (closed objects, all required).
    """
    if output is JsonOutput.PROMPT:
        return None
    if output is JsonOutput.OBJECT:
        return {"type": "json_object"}
    schema = json.loads(request.json_schema)
    return {"type": "json_schema", "json_schema": {"name": request.schema_name, "strict": True, "schema": schema}}


def messages_for(output: JsonOutput, request: ChatRequest) -> list[dict[str, str]]:
    """The messages to send. Where the provider does not hold the schema, it is stated at the end of the system message.

    Providers with a JSON mode also insist on the word JSON in the messages: this text says it.
    """
    messages = [_plain(message) for message in request.messages]
    if output is JsonOutput.SCHEMA:
        return messages
    rule = f"Answer with one JSON object and nothing else. It follows this JSON schema:\n{request.json_schema}"
    if messages and messages[0]["role"] == "system":
        return [{"role": "system", "content": f"{messages[0]['content']}\n\n{rule}"}, *messages[1:]]
    return [{"role": "system", "content": rule}, *messages]


def _plain(message: Message) -> dict[str, str]:
    return {"role": message.role, "content": message.content}
