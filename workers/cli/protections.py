"""`perennial protections`: what breakers froze or defended, and a person's hand that lifts it (C20)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.card import table
from workers.cli.command import group
from workers.cli.concluding import conclude, reason_of, said
from workers.cli.ending import emit, run
from workers.cli.inputs import person_of
from workers.cli.place import records, running_place, settings_or_refusal

if TYPE_CHECKING:
    from workflows.protocol import HandDone

Json = Annotated[bool, typer.Option("--json", help="one JSON object as the last line")]


def list_protections(
    everything: Annotated[bool, typer.Option("--all", help="lifted and ended ones as well")] = False,
    realm: Annotated[str, typer.Option(help="realm of the records; default: the profile's")] = "",
    json: Json = False,
) -> None:
    """What breakers protect now, newest first; one with a time ends by itself at that market time.

    On a replayed market it is now what the newest record of the realm says.

    Example: perennial protections list --json
    """

    async def read() -> list[dict[str, Any]]:
        from config.markets import VENUES

        settings = settings_or_refusal()
        async with records(settings) as store:
            of_realm = realm or settings.realm
            kept = await store.protections(of_realm)
            now = await store.known_market_time(of_realm)
            if of_realm == settings.realm and not VENUES[settings.profile].market_is_replayed:
                now = datetime.now(UTC)
        ended = {one.protection.id for one in kept if now is not None and not one.protection.holds(now)}
        return [
            {"account": one.account, **one.protection.model_dump(mode="json")}
            | {"lifted_by": one.lifted_by, "lifted_because": one.lifted_because, "ended": one.protection.id in ended}
            for one in kept
            if everything or (one.lifted_by is None and one.protection.id not in ended)
        ]

    rows = run(read)
    columns = ("id", "account", "kind", "symbol", "since", "until", "reason", "lifted_by", "ended")
    emit({"protections": rows}, as_json=json, text=table(rows, columns, empty="nothing is protected"))


def lift(
    protection: Annotated[str, typer.Argument(help="its id, as `perennial protections list` shows it")],
    reason: Annotated[str, typer.Option(help="why; it is kept in the audit")],
    who: Annotated[str, typer.Option(help="who; default: the user of this machine")] = "",
    operation_id: Annotated[str, typer.Option(help="an id under which this is done once; default: a new one")] = "",
    json: Json = False,
) -> None:
    """End a protection: its symbol may be entered again, or its account is automatic again.

    Example: perennial protections lift b0123456789abcdef0123456 --reason "the market is calm" --json
    """
    from workflows.protocol import Lift

    wish = Lift(protection_id=protection, operation_id=operation_id, who=person_of(who), reason=reason_of(reason))

    async def lifted() -> HandDone:
        from workers.operator.hands import lift_protection

        async with running_place(settings_or_refusal(), verb="protections lift") as place:
            return await lift_protection(place, wish)

    conclude(said(lifted), as_json=json)


COMMANDS = {
    "protections": group(
        "protections",
        {"list": list_protections, "lift": lift},
        help_text="What breakers protect, and lifting it.",
    ),
}
