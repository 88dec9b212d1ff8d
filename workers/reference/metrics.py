"""The metrics that activities and workflows make, read from their source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_PACKAGES = ("activities", "workflows", "workers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    name: str
    kind: str
    unit: str
    meaning: str
    module: str


def metrics() -> tuple[Metric, ...]:
    """Every call of `create_counter`, `create_histogram...` or `create_gauge...` with a literal name, by name."""
    found = [
        metric for package in _PACKAGES for path in sorted((_ROOT / package).rglob("*.py")) for metric in _in(path)
    ]
    return tuple(sorted(found, key=lambda metric: metric.name))


def _in(path: Path) -> Iterator[Metric]:
    text = path.read_text(encoding="utf-8")
    if ".create_" not in text:
        return
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        kind = node.func.attr.removeprefix("create_").split("_")[0]
        words = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        if kind in {"counter", "histogram", "gauge"} and words:
            name, meaning, unit = (*words, "", "")[:3]
            module = path.relative_to(_ROOT).as_posix()
            yield Metric(name=name, kind=kind, unit=unit, meaning=meaning, module=module)
