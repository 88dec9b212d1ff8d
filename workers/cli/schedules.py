"""`perennial schedules`: what the Temporal service starts by itself, and an operator's hand on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.card import table
from workers.cli.command import group
from workers.cli.ending import Refusal, emit, run
from workers.cli.inputs import person_of
from workers.cli.place import client_of, records, settings_or_refusal

if TYPE_CHECKING:
    from workers.schedules import Plant

Json = Annotated[bool, typer.Option("--json", help="one JSON object as the last line")]
Name = Annotated[str, typer.Argument(metavar="ID", help="as `perennial schedules list` shows it, or its last part")]
Reason = Annotated[str, typer.Option(help="why; it is shown beside the schedule")]
Who = Annotated[str, typer.Option(help="who asks; default: the user of this machine")]


def list_schedules(json: Json = False) -> None:
    """Schedules of this realm, with their next times and who paused them.

    Example: perennial schedules list --json
    """

    async def asked(plant: Plant) -> dict[str, Any]:
        from workers.schedules import listed, missing

        rows = await listed(plant.client, plant.realm)
        return {"schedules": rows, "missing": list(missing(rows, plant))}

    answer = _on_the_stack(asked)
    columns = ("id", "next", "last", "paused", "note")
    text = table(
        answer["schedules"], columns, empty="no schedules in this realm: `perennial schedules apply` makes them"
    )
    emit(answer, as_json=json, text=text)


def apply(json: Json = False) -> None:
    """Create what is missing and correct what differs; a pause and its note stay. Safe to repeat.

    Example: perennial schedules apply
    """

    async def asked(plant: Plant) -> dict[str, Any]:
        from workers import schedules

        async with records(settings_or_refusal()) as store:
            plant = await schedules.under_policy(plant, store)
        return {"applied": await schedules.apply(plant)}

    answer = _on_the_stack(asked)
    emit(answer, as_json=json, text=table(answer["applied"], ("id", "done"), empty="no schedule has a workflow yet"))


def pause(schedule: Name, reason: Reason, who: Who = "", json: Json = False) -> None:
    """Start nothing more by this schedule until it is resumed; what runs goes on.

    Example: perennial schedules pause daily-planning --reason "the venue is under maintenance"
    """
    note = f"{_given(reason)} ({person_of(who)})"
    _changed(schedule, "paused", lambda plant: plant.handle(schedule).pause(note=note), json=json, note=note)


def resume(schedule: Name, reason: Reason = "resumed", who: Who = "", json: Json = False) -> None:
    """Let a paused schedule start its runs again.

    Example: perennial schedules resume daily-planning --reason "the venue is back"
    """
    note = f"{_given(reason)} ({person_of(who)})"
    _changed(schedule, "resumed", lambda plant: plant.handle(schedule).unpause(note=note), json=json, note=note)


def trigger(schedule: Name, json: Json = False) -> None:
    """Start one run now, also where the schedule is paused; a period that was run before keeps its first result.

    Example: perennial schedules trigger daily-planning
    """
    _changed(schedule, "triggered", lambda plant: plant.handle(schedule).trigger(), json=json)


def backfill(
    schedule: Name,
    first: Annotated[str, typer.Option("--from", help="first day, 2024-01-28")],
    last: Annotated[str, typer.Option("--to", help="last day, included")],
    json: Json = False,
) -> None:
    """Run past days, one after the other, each with its own time. Nothing of the past is ever traded.

    Example: perennial schedules backfill daily-planning --from 2024-01-28 --to 2024-01-30
    """
    start, end = _day(first, "--from"), _day(last, "--to")
    if end < start:
        raise Refusal(f"--to {last} is before --from {first}")

    async def asked(plant: Plant) -> dict[str, Any]:
        from workers import schedules

        days = await schedules.backfill(plant, schedule, first=start, last=end)
        return {"id": f"{plant.realm}/{plant.row(schedule).kind.value}", "done": "backfilled", "days": days}

    answer = _on_the_stack(asked)
    emit(answer, as_json=json, text=f"{answer['id']}: days {first} to {last} are being run, one after the other")


def _changed(
    schedule: str, done: str, change: Callable[[Plant], Awaitable[None]], *, json: bool, note: str | None = None
) -> None:
    async def asked(plant: Plant) -> dict[str, Any]:
        await change(plant)
        return {"id": f"{plant.realm}/{plant.row(schedule).kind.value}", "done": done, "note": note}

    answer = _on_the_stack(asked)
    emit(answer, as_json=json, text=f"{answer['id']} {done}")


def _given(reason: str) -> str:
    if not reason.strip():
        raise Refusal("--reason is empty: say why")
    return reason.strip()


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Refusal(f"{option} {text!r} is no day: write 2024-01-28") from None


def _on_the_stack(question: Callable[[Plant], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    """Ask at the running stack. An unknown or missing schedule ends in one sentence."""

    async def asked() -> dict[str, Any]:
        from temporalio.service import RPCError, RPCStatusCode

        from workers.schedules import UnknownScheduleError

        async with _plant() as plant:
            try:
                return await question(plant)
            except UnknownScheduleError as unknown:
                raise Refusal(str(unknown)) from None
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
                raise Refusal("the schedule is not there yet: `perennial schedules apply` makes it") from None

    return run(asked)


@asynccontextmanager
async def _plant() -> AsyncIterator[Plant]:
    from workers.schedules import plant_of
    from workers.stack.home import attach

    settings = settings_or_refusal()
    stack = attach(settings.home)
    if stack is None:
        raise Refusal(f"no stack runs in {settings.home}: start `perennial up` first")
    yield plant_of(settings, await client_of(settings, stack), realm=stack.realm)


COMMANDS = {
    "schedules": group(
        "schedules",
        {
            "list": list_schedules,
            "apply": apply,
            "pause": pause,
            "resume": resume,
            "trigger": trigger,
            "backfill": backfill,
        },
        help_text="List, apply, pause, resume, trigger and backfill the schedules of this realm.",
    )
}
