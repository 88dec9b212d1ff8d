"""The JSON schema of a proposal for providers with structured output: strict, closed, without references."""

from __future__ import annotations

from typing import Any

from trading.decision.models import Proposal
from trading.ids import canonical_json

PROPOSAL_SCHEMA_NAME = "proposal"
_UNSUPPORTED = frozenset({"title", "default", "minLength", "maxLength", "pattern"})


def strict_schema(model_schema: dict[str, Any]) -> dict[str, Any]:
    """A pydantic schema as strict structured output takes it.

    References are inlined, every object is closed and requires all its properties, decimals are JSON numbers, optional
    values are `null`-able instead of absent, and keywords that providers refuse (lengths of text, patterns, defaults)
    are left out: what they say is checked by verification.
    """
    strict: dict[str, Any] = _strict(model_schema, model_schema.get("$defs", {}))
    return strict


def _strict(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_strict(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _strict(definitions[node["$ref"].rpartition("/")[2]], definitions)
    kept = {key: value for key, value in node.items() if key not in _UNSUPPORTED and key != "$defs"}
    if "anyOf" in kept:
        kept["anyOf"] = _alternatives(kept["anyOf"])
        if len(kept["anyOf"]) == 1:
            kept |= kept.pop("anyOf")[0]
    if "properties" in kept:
        properties = {name: _strict(value, definitions) for name, value in kept["properties"].items()}
        return {**kept, "properties": properties, "required": list(properties), "additionalProperties": False}
    return {key: _strict(value, definitions) for key, value in kept.items()}


def _alternatives(options: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the text form of a decimal: pydantic offers it beside the number."""
    if any(option.get("type") == "number" for option in options):
        return [option for option in options if option.get("type") != "string"]
    return options


PROPOSAL_SCHEMA: str = canonical_json(strict_schema(Proposal.model_json_schema()))
"""What `ChatRequest.json_schema` carries for a proposal (C08)."""
