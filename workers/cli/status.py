"""`perennial status`: what runs, what is held, what was decided last. Reads records only."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from workers.cli.command import command
from workers.cli.ending import emit, run
from workers.cli.place import records, settings_or_refusal


def status(
    realm: Annotated[str, typer.Option(help="default: the profile's")] = "",
    json: Annotated[bool, typer.Option("--json", help="one JSON object as the last line")] = False,
) -> None:
    """The state of the house in one look.

    Example: perennial status --json
    """
    answer = run(lambda: _status(realm))
    emit(answer, as_json=json, text=_readable(answer))


async def _status(realm: str) -> dict[str, Any]:
    from activities.store.reading import status as read_status
    from workers.stack.home import attach

    settings = settings_or_refusal()
    stack = attach(settings.home)
    async with records(settings) as store:
        recorded = await read_status(store, realm or settings.realm)
        sources = await store.source_scores(settings.venue_row.venue)
    return {
        "profile": settings.profile.value,
        "realm": realm or settings.realm,
        "running": stack is not None,
        "web_ui": stack.temporal_ui if stack else None,
        "parts": dict(stack.pids) if stack else {},
        **recorded,
        "sources": [
            {"name": one.name, "score": one.score, "last": one.last.value if one.last else None, "answers": one.answers}
            for one in sources
        ],
    }


def _readable(answer: dict[str, Any]) -> str:
    lines = [f"profile {answer['profile']}, realm {answer['realm']}"]
    if answer["running"]:
        lines.append(f"running: {', '.join(answer['parts'])}; Web UI {answer['web_ui']}")
    else:
        lines.append("not running: `perennial up` starts the stack")
    for key, value in answer.items():
        if key not in {"profile", "realm", "running", "web_ui", "parts"}:
            lines.append(f"{key.replace('_', ' ')}: {_shown(value)}")
    return "\n".join(lines)


def _shown(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(_shown(item) for item in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(item)}" for key, item in value.items()) or "none"
    return "none" if value is None else str(value)


COMMANDS = {"status": command("status", status)}
