"""`perennial config`: each setting, its value and where it came from. Secrets are named, never shown."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from workers.cli.card import table
from workers.cli.command import group
from workers.cli.ending import emit, say
from workers.cli.place import settings_or_refusal


def show(json: Annotated[bool, typer.Option("--json", help="one JSON object as the last line")] = False) -> None:
    """Every setting with its value and its source; unknown PERENNIAL_ names are reported.

    Example: perennial config show
    """
    from config.reference import sources, stray_names

    settings = settings_or_refusal()
    rows: list[dict[str, Any]] = [asdict(row) for row in sources(settings)]
    unknown = [str(stray) for stray in stray_names()]
    emit(
        {"settings": rows, "unknown": unknown},
        as_json=json,
        text=table(rows, ("variable", "value", "origin"), empty="no settings"),
    )
    for stray in unknown:
        say(f"perennial: {stray}")


COMMANDS = {"config": group("config", {"show": show}, help_text="Show settings and where each value came from.")}
