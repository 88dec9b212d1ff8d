"""Lines around data from outside, and the escape that keeps such data from closing them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from trading.decision.exact_json import exact_json, read_exact_json
from trading.prompt_text import DATA_BEGIN, DATA_END

_MARKER = re.compile(r"-{3,}\s*(?:BEGIN|END)\s+DATA\s*-{3,}", re.IGNORECASE)
_INSTRUCTION = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b[^.\n]{0,30}\b(?:previous|prior|above|earlier|all|your|these)\b[^.\n]{0,30}"
    r"\b(?:instructions?|rules?|prompts?|limits?|guidelines)\b|\bsystem prompt\b|\byou are now\b|\bnew instructions?:",
    re.IGNORECASE,
)
_LINE_BREAKS = {ord(character): f"\\u{ord(character):04x}" for character in "\x7f\x85\u2028\u2029\ufeff"}
_RUN_OF_DASHES = re.compile(r"---")


def fenced(heading: str, data: Any) -> str:
    """`heading`, then `data` as one line of JSON between the two marker lines.

    Dashes in a row and exotic line breaks are written as JSON escapes, so nothing in the data can be read as a marker
    or start a line; decoding the JSON gives the data back unchanged.
    """
    body = _RUN_OF_DASHES.sub(r"\\u002d\\u002d\\u002d", exact_json(data).translate(_LINE_BREAKS))
    return f"{heading}\n{DATA_BEGIN}\n{body}\n{DATA_END}"


def unfenced(heading: str, text: str) -> Any:
    """The data under `heading` in `text`; `ValueError` when the block is absent, there twice or broken."""
    begin, end = f"{heading}\n{DATA_BEGIN}\n", f"\n{DATA_END}"
    if text.count(begin) != 1:
        raise ValueError(f"the prompt must hold the block {heading!r} exactly once; found {text.count(begin)}")
    body, closed, _ = text.split(begin, 1)[1].partition(end)
    if not closed:
        raise ValueError(f"the block {heading!r} is not closed by {DATA_END}")
    return read_exact_json(body)


def markers_in(text: str) -> Iterator[str]:
    """Whatever in `text` looks like a marker line of a prompt."""
    return (match.group() for match in _MARKER.finditer(text))


def instructions_in(text: str) -> Iterator[str]:
    """Whatever in `text` speaks to a model instead of about a market."""
    return (match.group() for match in _INSTRUCTION.finditer(text))
