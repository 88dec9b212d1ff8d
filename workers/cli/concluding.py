"""How a hand ends on the command line: what the house refused, what it did; exit code 1 where it did not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workers.cli.ending import NotWell, Refusal, emit, run

if TYPE_CHECKING:
    from workflows.protocol import HandDone


def said(work: Any) -> HandDone:
    """The answer of the running house; what it refuses to take is the user's to mend."""
    from workers.operator.place import HandRefused

    try:
        done: HandDone = run(work)
    except HandRefused as refused:
        raise Refusal(str(refused)) from None
    return done


def conclude(done: HandDone, *, as_json: bool) -> None:
    word = "done" if done.accepted else "not done"
    text = f"{word}: {done.target} is {done.state} ({done.reason})\noperation {done.operation_id}"
    emit(done.model_dump(mode="json"), as_json=as_json, text=text)
    if not done.accepted:
        raise NotWell


def reason_of(given: str) -> str:
    if not given.strip():
        raise Refusal("--reason is empty: say why, it is kept in the audit")
    return given.strip()
