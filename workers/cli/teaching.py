"""`perennial knowledge` and `perennial playbook set`: what people teach the agent, at once and audited (C14)."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.command import group
from workers.cli.ending import Refusal, emit, run
from workers.cli.inputs import person_of
from workers.cli.place import records, running_place, settings_or_refusal

if TYPE_CHECKING:
    from config.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="one JSON object as the last line")]
Reason = Annotated[str, typer.Option(help="why; it is kept in the audit")]
Who = Annotated[str, typer.Option(help="who; default: the user of this machine")]
Operation = Annotated[str, typer.Option(help="an id under which this is done once; default: a new one")]


def set_threshold(
    field: Annotated[str, typer.Argument(help="as docs/reference/policy.md names it, for example max_trade_fraction")],
    value: Annotated[str, typer.Argument(help="a fraction, a count or seconds, as the policy's unit says")],
    reason: Reason,
    approve_loosening: Annotated[bool, typer.Option("--approve-loosening", help="accept more risk")] = False,
    who: Who = "",
    operation_id: Operation = "",
    json: Json = False,
) -> None:
    """Change one threshold: tighter at once, looser only with --approve-loosening. Desks know before the next order.

    Example: perennial playbook set max_trade_fraction 0.03 --reason "smaller for the first week" --json
    """
    change = {"policy_changes": ((field, value),), "approved_by": person_of(who) if approve_loosening else None}
    _teach(f"set {field} {value}", change, reason=reason, who=who, operation_id=operation_id, as_json=json)


def add_knowledge(
    text: Annotated[str, typer.Option(help="one sentence of at most 400 characters")],
    reason: Reason,
    who: Who = "",
    operation_id: Operation = "",
    json: Json = False,
) -> None:
    """Teach the agent a principle: every later decision is shown it with its author, and quotes it by its id.

    Example: perennial knowledge add --text "Trade less in the first hour." --reason "ten years of it" --json
    """
    change = {"principles": (text.strip(),), "author": person_of(who)}
    _teach("knowledge", change, reason=reason, who=who, operation_id=operation_id, as_json=json)


def _teach(what: str, change: dict[str, Any], *, reason: str, who: str, operation_id: str, as_json: bool) -> None:
    if not reason.strip():
        raise Refusal("--reason is empty: say why, it is kept in the audit")
    operation = operation_id or f"taught-{uuid.uuid4().hex[:16]}"

    async def taught() -> dict[str, Any]:
        from activities.store.ports.playbooks import PlaybookRefused, ReviseRequest
        from trading.playbook import from_json

        settings = settings_or_refusal()
        request = ReviseRequest(
            realm=settings.realm,
            operation_id=operation,
            created_from=what,
            why=reason.strip(),
            who=person_of(who),
            refuses_loosening=True,
            **change,
        )
        async with records(settings) as store:
            try:
                done = await store.revise_playbook(request)
            except PlaybookRefused as refused:
                hint = ": --approve-loosening accepts it" if refused.code == "loosens" else ""
                raise Refusal(f"{refused}{hint}") from None
            playbook = from_json(await store.get(done.playbook_hash))
        said = set(request.principles)
        return {
            "operation_id": operation,
            "version": done.version,
            "version_before": done.version_before,
            "changed": done.changed,
            "principles": [each.model_dump() for each in playbook.principles if each.text in said],
            "told": await told_of(settings, version=done.version, playbook_hash=done.playbook_hash),
        }

    answer: dict[str, Any] = run(taught)
    added = "".join(f"; it is {each['id']}" for each in answer["principles"])
    word = "is active" if answer["changed"] else "held that already"
    emit(answer, as_json=as_json, text=f"playbook {answer['version']} {word}{added}\noperation {operation}")


async def told_of(settings: Settings, *, version: str, playbook_hash: str) -> list[str]:
    """Tell the running house, if one runs, which playbook is active now; whom it told."""
    from workers.stack.home import attach

    if attach(settings.home) is None:
        return []
    from workers.reflections import tell_playbook

    async with running_place(settings, verb="playbook") as place:
        return list(await tell_playbook(place, version=version, playbook_hash=playbook_hash))


COMMANDS = {
    "knowledge": group("knowledge", {"add": add_knowledge}, help_text="Teach the agent a principle of yours."),
}
