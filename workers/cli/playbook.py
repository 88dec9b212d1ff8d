"""`perennial playbook`: the versions of what the agent decides by, and the change from one to another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.card import table
from workers.cli.command import group
from workers.cli.ending import Refusal, emit, run
from workers.cli.inputs import person_of
from workers.cli.place import records, settings_or_refusal
from workers.cli.teaching import set_threshold, told_of

if TYPE_CHECKING:
    from activities.store.open import Store
    from activities.store.ports.playbooks import RegisteredPlaybook
    from trading.playbook import Playbook

Json = Annotated[bool, typer.Option("--json", help="one JSON object as the last line")]
Realm = Annotated[str, typer.Option(help="realm of the records; default: the profile's")]
Version = Annotated[str, typer.Argument(help="as `perennial playbook list` shows it")]
Reason = Annotated[str, typer.Option(help="why; it is kept in the audit")]
Who = Annotated[str, typer.Option(help="who changes it; default: the user of this machine")]
Loosening = Annotated[bool, typer.Option("--approve-loosening", help="accept limits that admit more risk")]

COLUMNS = ("version", "status", "parent", "created_from", "who", "why")


def list_playbooks(realm: Realm = "", json: Json = False) -> None:
    """Every version of this realm, oldest first; a realm's first use registers the first one.

    Example: perennial playbook list --json
    """

    async def asked(store: Store, where: str) -> dict[str, Any]:
        return {"playbooks": [_row(row) for row in await _registered(store, where, is_usual=not realm)]}

    answer = _asked(asked, realm=realm)
    emit(answer, as_json=json, text=table(answer["playbooks"], COLUMNS, empty="no playbook yet"))


def show(version: Version, realm: Realm = "", json: Json = False) -> None:
    """One version in full: policy, principles, prompts, strategies, role weights.

    Example: perennial playbook show 0123456789ab --json
    """
    import json as codec

    async def asked(store: Store, where: str) -> dict[str, Any]:
        row, playbook = await _version(store, where, version, is_usual=not realm)
        return {**_row(row), "content": playbook.model_dump(mode="json", exclude={"version", "parent"})}

    answer = _asked(asked, realm=realm)
    head = "\n".join(f"{name:<13} {answer[name]}" for name in COLUMNS)
    emit(answer, as_json=json, text=f"{head}\n{codec.dumps(answer['content'], indent=2, ensure_ascii=False)}")


def diff(
    old: Annotated[str, typer.Argument(help="version to compare from")],
    new: Annotated[str, typer.Argument(help="version to compare to")],
    realm: Realm = "",
    json: Json = False,
) -> None:
    """What differs between two versions, and which changes of limits admit more risk.

    Example: perennial playbook diff 0123456789ab ba9876543210
    """

    async def asked(store: Store, where: str) -> dict[str, Any]:
        from trading.playbook import diff as compared
        from trading.policy.table import loosens

        _, before = await _version(store, where, old, is_usual=not realm)
        _, after = await _version(store, where, new, is_usual=not realm)
        changes = [change.model_dump(mode="json") for change in compared(before, after)]
        return {"old": old, "new": new, "changes": changes, "loosens": list(loosens(before.policy, after.policy))}

    answer = _asked(asked, realm=realm)
    text = table(answer["changes"], ("path", "old", "new"), empty="the two hold the same")
    loosened = f"\nloosens: {', '.join(answer['loosens'])}" if answer["loosens"] else ""
    emit(answer, as_json=json, text=text + loosened)


def activate(
    version: Version, reason: Reason, who: Who = "", approve_loosening: Loosening = False, json: Json = False
) -> None:
    """Let new decisions take this version. One that loosens a limit needs --approve-loosening.

    Example: perennial playbook activate 0123456789ab --reason "evolution of week 5" --who anna
    """

    async def asked(store: Store, realm: str) -> dict[str, Any]:
        signed = person_of(who)
        return await _told(
            await store.activate_playbook(
                realm, version, reason=reason, who=signed, approve_loosening=approve_loosening
            )
        )

    answer = _asked(asked)
    emit(answer, as_json=json, text=f"{answer['version']} is active, after {answer['replaced'] or 'none'}")


def rollback(reason: Reason, who: Who = "", approve_loosening: Loosening = False, json: Json = False) -> None:
    """Return to the version that the active one replaced.

    Example: perennial playbook rollback --reason "worse than before" --who anna
    """

    async def asked(store: Store, realm: str) -> dict[str, Any]:
        signed = person_of(who)
        return await _told(
            await store.rollback_playbook(realm, reason=reason, who=signed, approve_loosening=approve_loosening)
        )

    answer = _asked(asked)
    emit(answer, as_json=json, text=f"{answer['version']} is active again")


async def _told(row: RegisteredPlaybook) -> dict[str, Any]:
    """The row, and the running desks and watch that were told of it."""
    told = await told_of(settings_or_refusal(), version=row.version, playbook_hash=row.content_hash)
    return {**_row(row), "told": told}


def _row(row: RegisteredPlaybook) -> dict[str, Any]:
    return row.model_dump(mode="json")


async def _registered(store: Store, realm: str, *, is_usual: bool) -> tuple[RegisteredPlaybook, ...]:
    """The versions of a realm. Only the profile's own realm gets its first one by being asked."""
    if is_usual:
        await store.active_playbook(realm)
    return await store.playbooks(realm)


async def _version(store: Store, realm: str, version: str, *, is_usual: bool) -> tuple[RegisteredPlaybook, Playbook]:
    from trading.playbook import from_json

    rows = await _registered(store, realm, is_usual=is_usual)
    found = next((row for row in rows if row.version == version), None)
    if found is None:
        known = ", ".join(row.version for row in rows) or "none"
        raise Refusal(f"playbook {version!r} is unknown in {realm}: allowed are {known}")
    return found, from_json(await store.get(found.content_hash))


def _asked(question: Callable[[Store, str], Awaitable[dict[str, Any]]], *, realm: str = "") -> dict[str, Any]:
    async def asked() -> dict[str, Any]:
        from activities.store.ports.playbooks import PlaybookRefused

        async with _registry() as (store, usual):
            try:
                return await question(store, realm or usual)
            except PlaybookRefused as refused:
                hint = ": --approve-loosening accepts it" if refused.code == "loosens" else ""
                raise Refusal(f"{refused}{hint}") from None

    return run(asked)


@asynccontextmanager
async def _registry() -> AsyncIterator[tuple[Store, str]]:
    settings = settings_or_refusal()
    async with records(settings) as store:
        yield store, settings.realm


COMMANDS = {
    "playbook": group(
        "playbook",
        {
            "list": list_playbooks,
            "show": show,
            "diff": diff,
            "set": set_threshold,
            "activate": activate,
            "rollback": rollback,
        },
        help_text="List, show, compare, change and activate versions of the playbook.",
    )
}
