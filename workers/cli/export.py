"""`perennial export`: the ledger's trades for other programs."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Annotated, Any

import typer

from workers.cli.command import group
from workers.cli.ending import Refusal, emit, run
from workers.cli.place import records, settings_or_refusal


def trades(
    account: Annotated[str, typer.Option(help="only this account; default: all, with a column that names it")] = "",
    output: Annotated[str, typer.Option(help="file to write; default: standard output")] = "",
    realm: Annotated[str, typer.Option(help="realm of the records; default: the profile's")] = "",
    json: Annotated[bool, typer.Option("--json", help="one JSON object with the rows as the last line")] = False,
) -> None:
    """Every fill as CSV: time (UTC), pair, side, quantity, price, fee, fee asset, FIFO gain in the quote asset.

    Example: perennial export trades --account composite --output trades.csv
    """
    columns, rows = run(lambda: _rows(account, realm))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    if output:
        Path(output).expanduser().write_text(text.getvalue(), encoding="utf-8")
    listed: list[dict[str, Any]] = [dict(zip(columns, row, strict=True)) for row in rows]
    shown = f"{len(rows)} trades in {output}" if output else text.getvalue().rstrip("\n")
    emit({"trades": listed, "path": output or None}, as_json=json, text=shown)


async def _rows(account: str, realm: str) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    from trading.ledger.export import COLUMNS, trade_rows

    settings = settings_or_refusal()
    async with records(settings) as store:
        of_realm = realm or settings.realm
        known = await store.accounts(of_realm)
        if account and account not in known:
            raise Refusal(f"account {account!r} is unknown in {of_realm}: known are {', '.join(known) or 'none'}")
        found = {name: trade_rows(await store.ledger_fills(of_realm, name)) for name in known}
    if account:
        return COLUMNS, list(found[account])
    rows = [(*row, name) for name, of_account in found.items() for row in of_account]
    return (*COLUMNS, "account"), sorted(rows, key=lambda row: row[0])


COMMANDS = {"export": group("export", {"trades": trades}, help_text="The ledger for other programs.")}
