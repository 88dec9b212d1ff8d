"""`perennial reconcile`: is the ledger what the venue says?"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from workers.cli.card import table
from workers.cli.command import command
from workers.cli.ending import NotWell, Refusal, emit, run
from workers.cli.place import settings_or_refusal


def reconcile(json: Annotated[bool, typer.Option("--json", help="one JSON object as the last line")] = False) -> None:
    """Compare orders, fills and balances with the venue; exit code 1 where they differ.

    Example: perennial reconcile --json
    """
    answer = run(_reconciled)
    columns = ("kind", "id", "ours", "venue")
    equal = f"equal: {answer['orders_checked']} orders and {answer['fills_checked']} fills compared"
    emit(answer, as_json=json, text=table(answer["differences"], columns, empty=equal))
    if answer["differences"]:
        raise NotWell


async def _reconciled() -> dict[str, Any]:
    """Through the stack that runs, or one started for the verb's duration."""
    from activities.exchange.reconcile import ReconcileCalls, ReconcileRequest
    from activities.store.listing import accounts_and_symbols
    from config.markets import DEFAULT_SYMBOLS
    from workers.cli.place import place_of
    from workers.runtime.starting import site_of
    from workers.runtime.wiring import open_exchange

    settings = settings_or_refusal()
    if not (settings.home / "perennial.sqlite").exists() and settings.database_url is None:
        raise Refusal(f"no records yet in {settings.home}: there is nothing to compare")
    async with place_of(settings, verb="reconcile", files={}, start_at=None) as (place, _):
        site = site_of(
            settings, realm=place.realm, venue=place.venue, venue_url=place.venue_url, orders_url=place.orders_url
        )
        exchange = open_exchange(site)
        try:
            accounts, symbols = await accounts_and_symbols(place.store, place.realm)
            found = await ReconcileCalls(exchange, place.store).reconcile(
                ReconcileRequest(
                    realm=place.realm,
                    venue=place.venue,
                    accounts=accounts,
                    symbols=tuple(dict.fromkeys((*symbols, *DEFAULT_SYMBOLS))),
                )
            )
        finally:
            await exchange.aclose()
    return found.model_dump(mode="json")


COMMANDS = {"reconcile": command("reconcile", reconcile)}
