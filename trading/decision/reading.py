"""From a model's text to a proposal: strict JSON, strict schema, every deviation named by its path (C08)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from trading.decision.codes import finding
from trading.decision.models import Action, Claim, Finding, Proposal, ReasoningStep

MAX_ANSWER_CHARS = 60_000
FRACTION_FIELDS = frozenset({"size_fraction", "confidence", "win_probability"})
NUMBER_FIELDS = FRACTION_FIELDS | {"entry_price", "stop_price", "target_price", "horizon_hours"}
PLAIN_NUMBER = re.compile(r"-?\d{1,20}(\.\d{1,20})?")
FENCE = re.compile(r"```[a-zA-Z]*\s*\n?(.*?)```", re.DOTALL)
EXPECTED_OBJECT = "one JSON object after the schema"

_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}
_LENGTHS = {
    "too_short": ("min_length", "at least", "items"),
    "too_long": ("max_length", "at most", "items"),
    "string_too_short": ("min_length", "at least", "characters"),
    "string_too_long": ("max_length", "at most", "characters"),
}
_ALLOWED_FIELDS = {"steps": tuple(ReasoningStep.model_fields), "claims": tuple(Claim.model_fields)}


@dataclass(slots=True)
class _Noticed:
    """What the decoder saw that a dictionary cannot show."""

    duplicates: list[str] = field(default_factory=list)
    not_finite: list[str] = field(default_factory=list)


def read_proposal(text: str) -> tuple[Proposal | None, tuple[Finding, ...]]:
    """The proposal that `text` holds, and what deviates from the schema; `None` where there is no valid one.

    A code fence, text around the object and numbers written as text are forgiven with a note; duplicate keys, NaN,
    infinities, unknown fields, missing fields and values out of range are not. Never raises on any text.
    """
    if len(text) > MAX_ANSWER_CHARS:
        return None, (finding("answer_too_long", path="", expected=MAX_ANSWER_CHARS, found=len(text)),)
    if not text.strip():
        return None, (finding("answer_empty", path="", expected=EXPECTED_OBJECT, found="nothing"),)
    noticed = _Noticed()
    value, findings = _decode(text, noticed)
    findings += [finding("duplicate_key", path=key, expected="once", found="twice") for key in noticed.duplicates]
    findings += [
        finding("not_a_number", path="", expected="a finite number", found=token) for token in noticed.not_finite
    ]
    if not isinstance(value, dict):
        return None, tuple(findings)
    value, forgiven = _forgive(value)
    findings += forgiven
    try:
        proposal = Proposal.model_validate(value)
    except ValidationError as error:
        return None, (*findings, *(_schema_finding(detail) for detail in error.errors(include_url=False)))
    broken = bool(noticed.duplicates or noticed.not_finite)
    return (None if broken else proposal), tuple(findings)


def _decode(text: str, noticed: _Noticed) -> tuple[Any, list[Finding]]:
    findings: list[Finding] = []
    body = text.strip().removeprefix("\ufeff").strip()
    if not body.startswith("{") and (fence := FENCE.search(body)) is not None:
        findings.append(finding("fenced_answer", path="", expected="bare JSON", found="a code fence"))
        around = (body[: fence.start()] + body[fence.end() :]).strip()
        body = fence.group(1).strip() or body
        if around:
            findings.append(finding("prose_around_json", path="", expected="bare JSON", found=around))
            if _objects(around):
                return None, [*findings, _several(1 + _objects(around))]
    elif not body.startswith(("{", "[")) and "{" in body:
        at = body.index("{")
        findings.append(finding("prose_around_json", path="", expected="bare JSON", found=body[:at]))
        body = body[at:]
    decoder = json.JSONDecoder(
        object_pairs_hook=lambda pairs: _object(pairs, noticed),
        parse_float=Decimal,
        parse_int=_integer,
        parse_constant=lambda token: _not_finite(token, noticed),
    )
    try:
        value, end = decoder.raw_decode(body)
    except (ValueError, RecursionError, InvalidOperation) as error:
        findings.append(finding("not_json", path="", expected=EXPECTED_OBJECT, found=error))
        return None, findings
    rest = body[end:].strip()
    if rest:
        if _objects(rest):
            return None, [*findings, _several(1 + _objects(rest))]
        findings.append(finding("prose_around_json", path="", expected="bare JSON", found=rest))
    if not isinstance(value, dict):
        kind = "a list" if isinstance(value, list) else f"a {type(value).__name__}"
        findings.append(finding("not_json", path="", expected=EXPECTED_OBJECT, found=kind))
    return value, findings


def _several(count: int) -> Finding:
    return finding("several_answers", path="", expected="exactly one JSON object", found=f"{count} JSON objects")


def _objects(text: str) -> int:
    """How many complete JSON objects stand one after the other in `text`."""
    decoder, count, at = json.JSONDecoder(), 0, text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            count += isinstance(value, dict) and bool(value)
        at = text.find("{", end)
    return count


def _integer(token: str) -> Decimal | int:
    return int(token) if len(token) <= 30 else Decimal(token)


def _not_finite(token: str, noticed: _Noticed) -> None:
    noticed.not_finite.append(token)


def _object(pairs: list[tuple[str, Any]], noticed: _Noticed) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for key, value in pairs:
        if key in seen:
            noticed.duplicates.append(key)
        seen[key] = value
    return seen


def _forgive(value: dict[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
    """Numbers given as text, and cited values given as numbers, in the form that the schema wants."""
    findings: list[Finding] = []
    fixed = dict(value)
    for name in sorted(NUMBER_FIELDS & fixed.keys()):
        given = fixed[name]
        if isinstance(given, str) and PLAIN_NUMBER.fullmatch(given):
            findings.append(finding("number_as_text", path=name, expected="a JSON number", found=given))
            fixed[name] = Decimal(given)
        elif isinstance(given, bool):
            fixed[name] = str(given).lower()
    claims = fixed.get("claims")
    if isinstance(claims, list):
        fixed["claims"] = [_forgive_claim(at, claim, findings) for at, claim in enumerate(claims)]
    return fixed, findings


def _forgive_claim(at: int, claim: Any, findings: list[Finding]) -> Any:
    if not isinstance(claim, dict):
        return claim
    stated = claim.get("value")
    if isinstance(stated, (int, Decimal)) and not isinstance(stated, bool):
        findings.append(finding("value_as_number", path=f"claims.{at}.value", expected="text", found=stated))
        return {**claim, "value": format(Decimal(stated), "f")}
    return claim


def _schema_finding(detail: ErrorDetails) -> Finding:
    path = ".".join(str(part) for part in detail["loc"])
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "missing":
        return finding(
            "field_missing", path=path, expected="a value, or null where the schema allows it", found="nothing"
        )
    if kind == "extra_forbidden":
        allowed = _ALLOWED_FIELDS.get(str(detail["loc"][0]), tuple(Proposal.model_fields))
        return finding("field_unknown", path=path, expected=", ".join(allowed), found=given)
    if kind == "enum":
        return finding("wrong_choice", path=path, expected=", ".join(Action), found=_named(given))
    if kind in _BOUNDS:
        return _range_finding(path, given, kind, context)
    if kind in _LENGTHS:
        key, words, unit = _LENGTHS[kind]
        found = f"{len(given)} {unit}" if isinstance(given, (str, list, tuple)) else given
        return finding("wrong_length", path=path, expected=f"{words} {context[key]} {unit}", found=found)
    if kind == "finite_number":
        return finding("not_a_number", path=path, expected="a finite number", found=given)
    return finding("wrong_type", path=path, expected=detail["msg"], found=_named(given))


def _range_finding(path: str, given: Any, kind: str, context: dict[str, Any]) -> Finding:
    key, words = _BOUNDS[kind]
    number = Decimal(given) if isinstance(given, (int, Decimal)) else None
    if path in FRACTION_FIELDS and number is not None and 1 < number <= 100:
        return finding("percent_for_fraction", path=path, expected=format(number / 100, "f"), found=given)
    return finding("out_of_range", path=path, expected=f"{words} {context[key]}", found=given)


def _named(given: Any) -> str:
    if given is None:
        return "null"
    return f"{given!r}" if isinstance(given, str) else f"{given} ({type(given).__name__})"
