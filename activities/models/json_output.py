"""The JSON schema of an answer, said in the dialect that a provider accepts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from activities.models.port import ChatRequest
from trading.decision.models import Message


class JsonOutput(StrEnum):
    """How a provider is made to answer in JSON: held to the schema, held to JSON alone, or only asked."""

    SCHEMA = "json_schema"
    OBJECT = "json_object"
    PROMPT = "prompt"


_UNSUPPORTED = frozenset({"title", "default", "pattern", "minLength", "maxLength", "examples"})
"""Keywords that the strict subset refuses, or whose regular expressions it cannot run; our verification holds them."""


def strict_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """`schema` in the strict subset: objects closed, all their properties required, unsupported keywords left out.

    An optional property stays optional through its `null` type, which pydantic states for `X | None`.
    """
    kept: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("properties", "$defs"):
            kept[key] = {name: strict_schema(child) for name, child in value.items()}
        elif key not in _UNSUPPORTED:
            kept[key] = _strict(value)
    if "properties" in kept:
        kept["required"] = list(kept["properties"])
        kept["additionalProperties"] = False
    return kept


def _strict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return strict_schema(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_strict(item) for item in value]
    return value


def response_format(output: JsonOutput, request: ChatRequest) -> dict[str, Any] | None:
    """The `response_format` parameter, the same in the OpenAI and the DashScope protocol; `None` leaves it out."""
    if output is JsonOutput.PROMPT:
        return None
    if output is JsonOutput.OBJECT:
        return {"type": "json_object"}
    schema = strict_schema(json.loads(request.json_schema))
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
