"""`perennial doctor`: is this machine ready, and if not, which one command helps?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.command import command
from workers.cli.ending import NotWell, Refusal, emit, run

if TYPE_CHECKING:
    from workers.doctor.examine import Examination


def doctor(
    purpose: Annotated[
        str, typer.Option("--for", help="local, paper, live or worker: which checks can fail")
    ] = "local",
    spend: Annotated[
        bool, typer.Option("--spend", help="ask each model with a key for one token, which costs")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="one JSON object as the last line")] = False,
) -> None:
    """Check machine, settings, Temporal, database, venue and models; start and change nothing.

    Exit code 1 when a check that counts fails. Each failing check names one command.

    Example: perennial doctor --for live --json
    """
    from workers.doctor.checks import Purpose
    from workers.doctor.examine import examine

    try:
        wanted = Purpose(purpose)
    except ValueError:
        allowed = ", ".join(one.value for one in Purpose)
        raise Refusal(f"--for {purpose!r}: allowed are {allowed}") from None
    examination = run(lambda: examine(wanted, spend=spend))
    rows = examination.as_rows()
    answer = {"for": wanted.value, "ok": examination.is_well, "checks": rows}
    emit(answer, as_json=json, text=_readable(examination, rows))
    if not examination.is_well:
        raise NotWell


def _readable(examination: Examination, rows: list[dict[str, Any]]) -> str:
    width = max(len(row["name"]) for row in rows)
    lines = []
    for row in rows:
        lines.append(f"{_mark(row):<7} {row['name']:<{width}}  {row['detail']}")
        if row["fix"] and row["state"] != "ok":
            lines.append(f"{'':<7} {'':<{width}}  -> {row['fix']}")
    bad = sum(not row["ok"] for row in rows)
    verdict = "ready" if examination.is_well else f"{bad} failing"
    return "\n".join([*lines, f"for {examination.purpose.value}: {verdict}"])


def _mark(row: dict[str, Any]) -> str:
    if not row["ok"]:
        return "FAILED"
    return {"ok": "ok", "failed": "note", "skipped": "skipped"}[row["state"]]


COMMANDS = {"doctor": command("doctor", doctor)}
