"""`perennial pool`: the gene pool as the newest evolution left it, and the life of one strategy. Reads records only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.card import table
from workers.cli.command import group
from workers.cli.ending import Refusal, emit, run
from workers.cli.place import records, settings_or_refusal

if TYPE_CHECKING:
    from activities.evolution.port import PoolRecords, StrategyWeek
    from trading.evolution.pool import PoolEntry, PoolEvent
    from trading.evolution.promotion import Promotion

Realm = Annotated[str, typer.Option(help="realm of the records; default: the profile's")]
Json = Annotated[bool, typer.Option("--json", help="one JSON object as the last line")]

AFTER_ALL = "9999-W99"
COLUMNS = ("strategy", "kind", "status", "origin", "born_at", "budget_factor", "score", "weeks", "trades", "wins")
EVENT_COLUMNS = ("at", "kind", "why")
WEEK_COLUMNS = ("period", "from", "to", "trades", "wins", "return", "score")


def list_pool(realm: Realm = "", json: Json = False) -> None:
    """Every strategy that is or was in the pool, shadows included, with the trials that were ever made.

    Example: perennial pool list --json
    """
    found = run(lambda: _read(realm))
    rows = [_row(entry, found) for entry in found.pool.entries]
    answer = {"version": found.pool.version, "trials": found.pool.trials, "strategies": rows}
    head = f"pool {found.pool.version}: {len(rows)} strategies, {found.pool.trials} trials"
    emit(answer, as_json=json, text=f"{head}\n{table(rows, COLUMNS, empty='none')}")


def show(
    name: Annotated[str, typer.Argument(help="as `perennial pool list` shows it")],
    realm: Realm = "",
    json: Json = False,
) -> None:
    """One strategy: its genes, where it comes from, what happened to it and why, its weeks and its examination.

    Example: perennial pool show breakout --json
    """
    import json as codec
    from decimal import Decimal

    from trading.reports.wording import percent

    found = run(lambda: _read(realm))
    try:
        entry = found.pool.entry(name)
    except LookupError as unknown:
        raise Refusal(str(unknown)) from None
    verdict = found.verdicts.get(name)
    answer = {
        **_row(entry, found),
        "lineage": entry.lineage.model_dump(mode="json"),
        "weekly_scores": [str(score) for score in entry.weekly_scores],
        "examination": None if verdict is None else verdict.model_dump(mode="json"),
        "events": [_event(event) for event in found.pool.history if event.strategy == name],
        "history": [_week(week) for week in found.weeks.get(name, ())],
        "genes": entry.strategy.model_dump(mode="json"),
    }
    lineage = entry.lineage
    weeks = [{**week, "return": percent(Decimal(week["return_fraction"]), signed=True)} for week in answer["history"]]
    lines = [
        *(f"{column:<13} {'-' if answer[column] is None else answer[column]}" for column in COLUMNS),
        *([f"{'parents':<13} {', '.join(lineage.parents)}"] if lineage.parents else []),
        *([f"{'changed':<13} {'; '.join(lineage.changes)}"] if lineage.changes else []),
        *_examined(verdict),
        "",
        table(answer["events"], EVENT_COLUMNS, empty="nothing happened to it"),
        "",
        table(weeks, WEEK_COLUMNS, empty="no week yet"),
        "",
        codec.dumps(answer["genes"], indent=2, ensure_ascii=False),
    ]
    emit(answer, as_json=json, text="\n".join(lines))


def _examined(verdict: Promotion | None) -> list[str]:
    """The examination in words: promoted, or every reason against it."""
    if verdict is None:
        return [f"{'examination':<13} none"]
    if verdict.promoted:
        return [f"{'examination':<13} promoted"]
    return [f"{'examination':<13} not promoted: {'; '.join(each.message for each in verdict.against)}"]


async def _read(realm: str) -> PoolRecords:
    settings = settings_or_refusal()
    where = realm or settings.realm
    async with records(settings) as store:
        found = await store.gene_pool(where, before=AFTER_ALL)
        if found is None:
            raise Refusal(f"no evolution yet in {where}: `perennial schedules trigger weekly-evolution` makes one")
        return found


def _row(entry: PoolEntry, found: PoolRecords) -> dict[str, Any]:
    weeks = found.weeks.get(entry.strategy.name, ())
    return {
        "strategy": entry.strategy.name,
        "kind": entry.strategy.kind,
        "status": entry.status.value,
        "origin": entry.lineage.origin,
        "born_at": _iso(entry.born_at),
        "budget_factor": str(entry.budget_factor),
        "score": str(entry.weekly_scores[-1]) if entry.weekly_scores else None,
        "weeks": len(weeks),
        "trades": sum(len(week.record.trades) for week in weeks),
        "wins": sum(week.record.wins for week in weeks),
    }


def _event(event: PoolEvent) -> dict[str, Any]:
    return {
        "at": _iso(event.at),
        "kind": event.kind,
        "why": "; ".join(each.message for each in event.reasons),
        "reasons": [each.model_dump(mode="json") for each in event.reasons],
    }


def _week(week: StrategyWeek) -> dict[str, Any]:
    record = week.record
    return {
        "period": week.period,
        "from": _iso(record.start),
        "to": _iso(record.end),
        "trades": len(record.trades),
        "wins": record.wins,
        "return_fraction": str((record.equity[-1] - 1).normalize()),
        "score": None if week.score is None else str(week.score),
    }


def _iso(at: Any) -> str:
    text: str = at.isoformat()
    return text.replace("+00:00", "Z")


COMMANDS = {
    "pool": group("pool", {"list": list_pool, "show": show}, help_text="List the gene pool, or show one strategy.")
}
