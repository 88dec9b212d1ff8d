"""Every verb with its options, from the commands themselves."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

from workers.cli.main import VERBS
from workers.reference.markdown import code, page, section, table

CONTRACT = (
    "With `--json` the last line on stdout is one JSON object; logs and progress go to stderr. Keys are only ever "
    "added. Exit code 0: done. 1: the thing asked about is not well. 2: the request was wrong or something needed is "
    "missing, and one sentence on stderr says what. Money and sizes are strings, ratios fractions, "
    "times ISO 8601 in UTC."
)


def verbs_page() -> str:
    commands = [(name, importlib.import_module(module).COMMANDS[name]) for name, (module, _) in VERBS.items()]
    return page("Verbs", CONTRACT, *(block for name, known in commands for block in _sections(name, known)))


def _sections(name: str, known: Any) -> Iterator[str]:
    if not hasattr(known, "commands"):
        yield _verb(name, known)
        return
    for verb, below in known.commands.items():
        yield _verb(f"{name} {verb}", below)


def _verb(name: str, known: Any) -> str:
    told, _, example = (known.help or "").partition("Example: ")
    blocks = [" ".join(told.split())]
    if example:
        blocks.append(f"    {example.strip()}")
    rows = [_option(one) for one in known.params if not getattr(one, "hidden", False) and one.name != "help"]
    if rows:
        blocks.append(table(("option", "default", "meaning"), rows))
    return section(f"perennial {name}", *blocks)


def _option(one: Any) -> tuple[str, str, str]:
    if one.param_type_name == "argument":
        return code(one.name.upper()), "required" if one.required else "", one.help or ""
    shown = " ".join((*one.opts[:1], *one.secondary_opts))
    default = "required" if one.required else code(_default(one.default))
    return code(shown), default, one.help or ""


def _default(value: Any) -> str:
    if value is None or value is False or value == "":
        return ""
    return str(value).lower() if value is True else str(value)
