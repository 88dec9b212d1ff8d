"""`perennial report`: one period of one account, from the records, as Markdown and as a page. Reads records only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.command import command
from workers.cli.ending import Refusal, emit, run
from workers.cli.inputs import time_of
from workers.cli.place import records, settings_or_refusal

if TYPE_CHECKING:
    from activities.store.open import Store

KINDS = ("daily", "weekly", "monthly", "quarterly")


def report(
    kind: Annotated[str, typer.Argument(help="daily, weekly, monthly or quarterly")],
    date: Annotated[str, typer.Option(help="a day of the period, in the market profile's zone")],
    account: Annotated[str, typer.Option(help="default: composite, or the only one there is")] = "",
    realm: Annotated[str, typer.Option(help="default: the profile's, or the only one there is")] = "",
    home: Annotated[str, typer.Option(help="folder of the records; default: PERENNIAL_HOME")] = "",
    json: Annotated[bool, typer.Option("--json", help="one JSON object as the last line")] = False,
) -> None:
    """Write the report of a period as Markdown and as one HTML page below the home's reports folder.

    It is made anew from the records and changes none of them; `kept` says whether the house kept the same one.

    Example: perennial report daily --date 2024-01-24
    """
    if kind not in KINDS:
        raise Refusal(f"report {kind!r} is unknown: allowed are {', '.join(KINDS)}")
    day = time_of(date, "--date").date()
    if home:
        _use_home(home)

    async def made() -> dict[str, Any]:
        return await _report(kind, day.isoformat(), account=account, realm=realm)

    answer = run(made)
    text = f"{answer['title']} of {answer['account']}: {answer['path']}\n{answer['html']}"
    emit(answer, as_json=json, text=text)


def _use_home(home: str) -> None:
    """Only records of an existing home can be reported: a misspelt one must not be made."""
    folder = Path(home).expanduser().absolute()
    if not folder.is_dir():
        raise Refusal(f"--home {home}: no such folder")
    os.environ["PERENNIAL_HOME"] = str(folder)


async def _report(kind: str, day: str, *, account: str, realm: str) -> dict[str, Any]:
    from activities.reports.calls import ReportRequest, build, write_files
    from activities.reports.charts import best_drawing
    from activities.reports.rendering import TemplateRenderer
    from activities.reports.source import StoreSource

    settings = settings_or_refusal()
    async with records(settings) as store:
        where = realm or await _only_realm(store, settings.realm)
        who = await _account(store, where, account)
        request = ReportRequest.model_validate(
            {"realm": where, "account": who, "kind": kind, "day": day, "zone": settings.zone or "UTC"}
        )
        report = (await build(StoreSource(store, knowledge=settings.knowledge()), request)).report
        renderer = TemplateRenderer(best_drawing())
        markdown = renderer.markdown(report)
        files = write_files(settings.home / "reports", report, markdown=markdown, html=renderer.html(report))
        return {
            "path": files.markdown_path,
            "kind": kind,
            "period": report.period.name,
            "html": files.html_path,
            "title": report.title,
            "account": who,
            "realm": where,
            "profile": report.profile,
            "is_complete": report.is_complete,
            "model_knows_period": report.model_knows_period,
            "kept": await _kept(store, where, kind, who, report.period.name, markdown),
        }


async def _kept(store: Store, realm: str, kind: str, account: str, period: str, markdown: str) -> str:
    """`same`, `differs` or `none`: how the report that the house kept for the period compares."""
    from trading.ids import content_hash

    kept = await store.find_report(realm, kind=kind, account=account, period=period)
    if kept is None:
        return "none"
    return "same" if kept == content_hash(markdown) else "differs"


async def _only_realm(store: Store, usual: str) -> str:
    """The profile's realm; in a home that holds a single campaign, the campaign's."""
    from activities.store.listing import realms

    known = await realms(store)
    return known[0] if len(known) == 1 else usual


async def _account(store: Store, realm: str, wanted: str) -> str:
    from activities.store.listing import accounts_and_symbols

    known, _ = await accounts_and_symbols(store, realm)
    if not known:
        raise Refusal(f"realm {realm} has no account on record")
    if wanted in known:
        return wanted
    if wanted:
        raise Refusal(f"account {wanted!r} is unknown in realm {realm}: allowed are {', '.join(known)}")
    if len(known) == 1 or "composite" in known:
        return "composite" if "composite" in known else known[0]
    raise Refusal(f"realm {realm} has several accounts: name one with --account, of {', '.join(known)}")


COMMANDS = {"report": command("report", report)}
