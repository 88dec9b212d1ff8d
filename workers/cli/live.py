"""`perennial live`: real money needs a person's leave, for one account and up to a capital."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from config.markets import Profile
from workers.cli.card import table
from workers.cli.command import group
from workers.cli.concluding import conclude, reason_of, said
from workers.cli.ending import Refusal, emit, run
from workers.cli.inputs import account_of, amount_of, person_of
from workers.cli.place import records, running_place, settings_or_refusal

if TYPE_CHECKING:
    from config.settings import Settings
    from workflows.protocol import HandDone

Account = Annotated[str, typer.Option(help="the account; none is meant where none is named")]
Reason = Annotated[str, typer.Option(help="why; it is kept in the audit")]
Who = Annotated[str, typer.Option(help="who; default: the user of this machine")]
Operation = Annotated[str, typer.Option(help="an id under which this is done once; default: a new one")]
Json = Annotated[bool, typer.Option("--json", help="one JSON object as the last line")]


def arm(
    account: Account,
    capital: Annotated[str, typer.Option(help="USD: sizes are shares of it, and exposure never exceeds it")],
    reason: Reason,
    who: Who = "",
    operation_id: Operation = "",
    json: Json = False,
) -> None:
    """Let an account open positions with real money, up to a capital; an earlier arming of it ends.

    Example: perennial live arm --account composite --capital 500 --reason "first week" --json
    """
    from workflows.protocol import Arm

    name = account_of(account, "--account")
    wish = Arm(
        operation_id=operation_id,
        capital_usd=amount_of(capital, "--capital"),
        who=person_of(who),
        reason=reason_of(reason),
    )

    async def armed() -> HandDone:
        from workers.operator.hands import arm_account

        async with running_place(_live(), verb="live arm") as place:
            return await arm_account(place, name, wish)

    conclude(said(armed), as_json=json)


def disarm(account: Account, reason: Reason, who: Who = "", operation_id: Operation = "", json: Json = False) -> None:
    """Open nothing with real money any more: entries that rest are withdrawn, positions stay held and protected.

    Example: perennial live disarm --account composite --reason "enough" --json
    """
    from workflows.protocol import Hand

    name = account_of(account, "--account")
    hand = Hand(operation_id=operation_id, who=person_of(who), reason=reason_of(reason))

    async def disarmed() -> HandDone:
        from workers.operator.hands import lay_hand

        async with running_place(_live(), verb="live disarm") as place:
            return await lay_hand(place, "disarm", name, hand)

    conclude(said(disarmed), as_json=json)


def status(json: Json = False) -> None:
    """Which accounts are armed, with how much, by whom, since when and why; and every arming before.

    Example: perennial live status --json
    """

    async def read() -> dict[str, Any]:
        settings = _live()
        async with records(settings) as store:
            accounts = await store.accounts(settings.realm)
            kept = await store.armings(settings.realm)
        rows = [
            {"account": one.account, **one.arming.model_dump(mode="json", exclude={"offset_usd"})}
            | {"ended_by": one.ended_by, "ended_because": one.ended_because}
            for one in kept
        ]
        armed = {row["account"] for row in rows if row["ended_by"] is None}
        observing = [name for name in accounts if name not in armed]
        return {"profile": settings.profile.value, "observing": observing, "armings": rows}

    answer = run(read)
    columns = ("account", "capital_usd", "since", "who", "reason", "ended_by", "ended_because")
    shown = table(answer["armings"], columns, empty="nothing was ever armed")
    observing = ", ".join(answer["observing"]) or "none"
    emit(answer, as_json=json, text=f"{shown}\nnot armed, so they only observe: {observing}")


def _live() -> Settings:
    settings = settings_or_refusal()
    if settings.profile is not Profile.LIVE:
        raise Refusal(f"only profile live is armed, and this is {settings.profile.value}: set PERENNIAL_PROFILE=live")
    return settings


COMMANDS = {
    "live": group("live", {"arm": arm, "disarm": disarm, "status": status}, help_text="Real money, on a person's word.")
}
