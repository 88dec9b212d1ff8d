"""`perennial decide`: one trade decision, from facts to order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.card import readable_card
from workers.cli.command import command
from workers.cli.ending import Refusal, emit, run, say
from workers.cli.inputs import account_of, files_of, histories_of, symbol_of, time_of
from workers.cli.place import place_of, records, settings_or_refusal

if TYPE_CHECKING:
    from config.settings import Settings
    from workers.operator.place import Place


def decide(
    symbol: Annotated[str, typer.Argument(help="for example BTC/USDT")],
    as_of: Annotated[str, typer.Option(help="market time of the decision; default: now")] = "",
    account: Annotated[str, typer.Option(help="the account that decides")] = "composite",
    data: Annotated[list[str] | None, typer.Option(help="BTC/USDT=FILE for a new simulated home, repeatable")] = None,
    json: Annotated[bool, typer.Option("--json", help="one JSON object as the last line")] = False,
) -> None:
    """Take one trade decision and show its card. The same time asked twice is one decision.

    Example: perennial decide BTC/USDT --as-of 2024-01-31T08:00:00Z --json
    """
    name = symbol_of(symbol)
    at = time_of(as_of, "--as-of") if as_of else None
    if at is not None and at.microsecond:
        raise Refusal(f"--as-of {as_of}: whole seconds only")
    who = account_of(account, "--account")
    files = files_of(data or [])
    histories_of(files)
    card = run(lambda: _decided(name, at, account=who, files=files))
    emit(card, as_json=json, text=readable_card(card))


async def _decided(symbol: str, at: datetime | None, *, account: str, files: Mapping[str, str]) -> dict[str, Any]:
    from workers.operator.deciding import SETTLES_WITHIN, card_of, decide, head_of, protected, waiting_in
    from workers.operator.simulated import advance_simulated

    settings = settings_or_refusal()
    if at is not None and (known := await _known(symbol, at, account)) is not None:
        return known
    async with place_of(settings, verb="decide", files=files, start_at=at) as (place, clock_is_ours):
        playbook = await place.store.active_playbook(place.realm)
        playbook_hash = playbook.content_hash
        await _check_symbol(place.venue_url, symbol)
        now = await _market_time(settings, place, account, playbook_hash=playbook_hash)
        if clock_is_ours and at is not None and now < at:
            now = await advance_simulated(place, at, request_id=f"to-{at:%Y%m%dT%H%M%S}")
        head = head_of(
            place,
            symbol=symbol,
            as_of=at or now.replace(microsecond=0),
            account=account,
            playbook_version=playbook.version,
        )
        orders = await decide(place, head, playbook_hash=playbook_hash)
        if orders:
            if clock_is_ours:
                later = head.as_of + SETTLES_WITHIN
                await advance_simulated(place, later, request_id=head.decision_id)
            await protected(place, orders, within_s=5 if clock_is_ours else 15)
        card = await card_of(place, head.decision_id)
        waiting = await waiting_in(place, head.decision_id)
    if card is None:
        raise Refusal(f"the decision {head.decision_id} left no card")
    if waiting:
        say(f"waits for a person: perennial approve {waiting[0].id} --reason WHY")
        return card | {"outcome": "waiting_for_approval", "waiting": [one.model_dump(mode="json") for one in waiting]}
    return card


async def _market_time(settings: Settings, place: Place, account: str, *, playbook_hash: str) -> datetime:
    """The market's time; on a simulated venue the account is opened where there is none yet."""
    from workers.operator.accounts import open_simulated_accounts
    from workers.operator.simulated import market_time
    from workers.runtime.starting import site_of
    from workers.runtime.wiring import open_exchange

    if settings.venue_row.market_is_replayed:
        await open_simulated_accounts(place, (account,), playbook_hash=playbook_hash)
        return await market_time(place)
    known = await place.store.accounts(place.realm)
    if account not in known:
        raise Refusal(f"account {account!r} is unknown in {place.realm}: known are {', '.join(known) or 'none'}")
    exchange = open_exchange(site_of(settings, venue_url=place.venue_url, orders_url=place.orders_url))
    try:
        return await exchange.market_time()
    finally:
        await exchange.aclose()


async def _known(symbol: str, at: datetime, account: str) -> dict[str, Any] | None:
    """The card of a decision that was taken before: nothing needs to be started for it."""
    from activities.store.reading import decision_card
    from trading.ids import decision_id

    settings = settings_or_refusal()
    identity = decision_id(ledger=settings.realm, symbol=symbol, as_of=at, cause=f"person:{account}")
    try:
        async with records(settings) as store:
            card = await decision_card(store, settings.realm, identity)
    except Refusal:
        return None
    return card if card is not None and card["outcome"] != "open" else None


async def _check_symbol(venue_url: str, symbol: str) -> None:
    import httpx

    async with httpx.AsyncClient(trust_env=False, timeout=5) as http:
        listed = (await http.get(f"{venue_url}/api/v3/exchangeInfo")).json()["symbols"]
    names = sorted(f"{row['baseAsset']}/{row['quoteAsset']}" for row in listed)
    if symbol not in names:
        raise Refusal(f"symbol {symbol} is not traded at this venue: allowed are {', '.join(names)}")


COMMANDS = {"decide": command("decide", decide)}
