"""`perennial db`: bring the database to its newest form, describe it, and take its digest."""

from __future__ import annotations

from typing import Annotated

import typer

from workers.cli.command import group
from workers.cli.ending import NotWell, emit, run
from workers.cli.place import records, settings_or_refusal

Json = Annotated[bool, typer.Option("--json", help="one JSON object as the last line")]


def migrate(json: Json = False) -> None:
    """Create or upgrade the tables; safe to repeat, and when several processes start together.

    Example: perennial db migrate
    """
    from activities.store.migrate import migrate as upgrade

    settings = settings_or_refusal()
    settings.home.mkdir(parents=True, exist_ok=True)
    revision = run(lambda: upgrade(settings.database))
    emit({"revision": revision}, as_json=json, text=f"the database is at revision {revision}")


def info(json: Json = False) -> None:
    """Which revision the database has, and which one this version of Perennial needs.

    Example: perennial db info --json
    """
    from activities.store.migrate import current_revision, head_revision

    settings = settings_or_refusal()
    head = head_revision()
    current = run(lambda: current_revision(settings.database))
    kind = "postgresql" if settings.database.startswith("postgresql") else "sqlite"
    text = f"{kind}, revision {current or 'none'}, needed {head}"
    emit({"kind": kind, "revision": current, "needed": head}, as_json=json, text=text)
    if current != head:
        raise NotWell


def digest(
    realm: Annotated[str, typer.Option(help="default: the profile's, or the only one there is")] = "",
    json: Json = False,
) -> None:
    """One hash over all business columns: two runs of one history have the same.

    Example: perennial db digest --json
    """

    async def taken() -> tuple[str, str]:
        settings = settings_or_refusal()
        async with records(settings) as store:
            where = realm or await _only_realm(store, settings.realm)
            return where, await store.digest(where)

    where, value = run(taken)
    emit({"realm": where, "digest": value}, as_json=json, text=f"{where} {value}")


async def _only_realm(store: object, usual: str) -> str:
    """The profile's realm; in a home that holds a single campaign, the campaign's."""
    from activities.store.listing import realms

    known = await realms(store)  # type: ignore[arg-type]
    return known[0] if len(known) == 1 else usual


COMMANDS = {
    "db": group("db", {"migrate": migrate, "info": info, "digest": digest}, help_text="Migrate, describe, digest.")
}
