"""`perennial proposals`: what reflections ask of people, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.card import table
from workers.cli.command import group
from workers.cli.ending import Refusal, emit, run
from workers.cli.place import records, settings_or_refusal

if TYPE_CHECKING:
    from activities.store.ports.proposals import KeptProposal

Json = Annotated[bool, typer.Option("--json", help="one JSON object as the last line")]
Realm = Annotated[str, typer.Option(help="realm of the records; default: the profile's")]

COLUMNS = ("id", "status", "asked_by", "kind", "what", "because", "who", "reason")


def list_proposals(
    waiting: Annotated[bool, typer.Option("--open", help="only those that wait for a person")] = False,
    realm: Realm = "",
    json: Json = False,
) -> None:
    """What reflections asked of people, oldest first. Trades that wait are in the Web UI and in `decisions show`.

    Example: perennial proposals list --open --json
    """
    rows = [_row(kept) for kept in _read(realm)]
    shown = [row for row in rows if row["status"] == "open" or not waiting]
    emit({"proposals": shown}, as_json=json, text=table(shown, COLUMNS, empty="nothing was asked yet"))


def show(
    proposal: Annotated[str, typer.Argument(help="as `perennial proposals list` shows it")],
    realm: Realm = "",
    json: Json = False,
) -> None:
    """One proposal with its evidence, how to answer it, and who answered.

    Example: perennial proposals show p0123456789abcde --json
    """
    found = [_row(kept) for kept in _read(realm)]
    row = next((row for row in found if row["id"] == proposal), None)
    if row is None:
        known = ", ".join(str(row["id"]) for row in found) or "none"
        raise Refusal(f"proposal {proposal!r} is unknown: known are {known}")
    emit(row, as_json=json, text="\n".join(f"{name:<16} {value}" for name, value in row.items() if value is not None))


def _row(kept: KeptProposal) -> dict[str, Any]:
    asked = kept.proposal
    return {
        "id": asked.id,
        "status": kept.status.value,
        "kind": asked.kind,
        "what": asked.sentence,
        "because": asked.reason,
        "asked_by": f"{kept.job} {kept.period}",
        "as_of": kept.as_of.isoformat().replace("+00:00", "Z"),
        "subject": asked.subject,
        "old": asked.old,
        "new": asked.new,
        "evidence": list(asked.evidence),
        "who": kept.who,
        "reason": kept.reason,
        "operation_id": kept.operation_id,
        "answered_with": kept.answered_with,
        "playbook_version": kept.version,
    }


def _read(realm: str) -> tuple[KeptProposal, ...]:
    async def read() -> tuple[KeptProposal, ...]:
        settings = settings_or_refusal()
        async with records(settings) as store:
            return await store.proposals(realm or settings.realm)

    found: tuple[KeptProposal, ...] = run(read)
    return found


COMMANDS = {
    "proposals": group(
        "proposals",
        {"list": list_proposals, "show": show},
        help_text="What reflections ask of people: approve, reject or modify it by its id.",
    )
}
