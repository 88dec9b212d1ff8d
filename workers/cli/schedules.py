"""`perennial schedules`: what the Temporal service starts by itself."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from workers.cli.card import table
from workers.cli.command import group
from workers.cli.ending import Refusal, emit, run
from workers.cli.place import settings_or_refusal


def list_schedules(
    json: Annotated[bool, typer.Option("--json", help="one JSON object as the last line")] = False,
) -> None:
    """Schedules of this realm, with their next times and who paused them.

    Example: perennial schedules list --json
    """
    rows = run(_listed)
    columns = ("id", "next", "paused", "note")
    emit({"schedules": rows}, as_json=json, text=table(rows, columns, empty="no schedules in this realm"))


async def _listed() -> list[dict[str, Any]]:
    from workers.runtime.starting import connect
    from workers.stack.home import attach

    settings = settings_or_refusal()
    stack = attach(settings.home)
    if stack is None:
        raise Refusal(f"no stack runs in {settings.home}: start `perennial up` first")
    client = await connect(target=stack.temporal_address, namespace=stack.namespace)
    rows: list[dict[str, Any]] = []
    async for schedule in await client.list_schedules():
        if not schedule.id.startswith(f"{stack.realm}/"):
            continue
        info, state = schedule.info, schedule.schedule.state if schedule.schedule else None
        times = info.next_action_times if info else []
        rows.append(
            {
                "id": schedule.id,
                "next": times[0].isoformat().replace("+00:00", "Z") if times else None,
                "paused": bool(state and state.paused),
                "note": state.note if state else "",
            }
        )
    return sorted(rows, key=lambda row: str(row["id"]))


COMMANDS = {"schedules": group("schedules", {"list": list_schedules}, help_text="List the schedules of this realm.")}
