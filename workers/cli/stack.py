"""`perennial up`: the local stack, until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from trading.risk.arming import must_be_armed
from workers.cli.command import command
from workers.cli.ending import Refusal, emit, run, say
from workers.cli.inputs import files_of, histories_of
from workers.cli.place import children_environment, lasting_spec, remember_files, settings_or_refusal

if TYPE_CHECKING:
    from config.settings import Settings
    from workers.operator.place import Place


def up(
    data: Annotated[list[str] | None, typer.Option(help="BTC/USDT=FILE for a new simulated home, repeatable")] = None,
    json: Annotated[bool, typer.Option("--json", help="addresses as one JSON object once everything is ready")] = False,
) -> None:
    """Start Temporal with its Web UI, the profile's venue and a worker, and keep them running.

    Profile simulated has an exchange of its own, paper one that fills against live quotes; testnet, demo and live
    trade at theirs, live only what a person armed.

    Example: perennial up
    """
    files = files_of(data or [])
    histories_of(files)
    run(lambda: _up(files, as_json=json))


async def _up(files: dict[str, str], *, as_json: bool) -> None:
    from activities.store.open import open_store
    from workers.operator.place import Place
    from workers.stack.home import claim
    from workers.stack.house import house

    settings = settings_or_refusal()
    spec = lasting_spec(settings, files=files, clock="realtime", start_at=None, web_ui=True)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    with claim(settings.home) as home:
        async with house(home, spec, env=children_environment(settings), announce=say) as running:
            remember_files(home.path, files)
            store = await open_store(running.database_url)
            try:
                place = Place(
                    realm=spec.realm,
                    venue=spec.venue,
                    venue_url=running.venue_url,
                    orders_url=running.orders_url,
                    client=running.client,
                    store=store,
                )
                await _begin(place, settings)
                armed = [one.account for one in await store.armings(spec.realm) if one.ended_by is None]
            finally:
                await store.aclose()
            temporal = running.stack.state
            addresses = {
                "profile": settings.profile.value,
                "web_ui": temporal.temporal_ui,
                "temporal": temporal.temporal_address,
                "exchange": running.venue_url,
                "home": str(home.path),
            }
            text = "\n".join(f"{name:<9} {where}" for name, where in addresses.items())
            if must_be_armed(spec.realm):
                text += f"\narmed     {', '.join(armed) or 'nothing: it observes, see `perennial live arm --help`'}"
            answer = {**addresses, "accounts": list(settings.accounts()), "armed": armed}
            emit(answer, as_json=as_json, text=text + "\nrunning; Ctrl-C stops it and keeps everything")
            await _until_stopped(running.stack, stop)


async def _begin(place: Place, settings: Settings) -> None:
    """Accounts, desks and the watch; where the market's clock is the wall's, its schedules as well."""
    from workers import schedules
    from workers.operator.accounts import open_simulated_accounts, open_venue_accounts
    from workers.runtime.starting import site_of
    from workers.runtime.wiring import open_exchange

    playbook_hash = (await place.store.active_playbook(place.realm)).content_hash
    accounts, row = settings.accounts(), settings.venue_row
    plant = schedules.plant_of(settings, place.client, realm=place.realm)
    if row.market_is_replayed:
        await open_simulated_accounts(place, accounts, playbook_hash=playbook_hash)
    else:
        exchange = open_exchange(site_of(settings, venue_url=place.venue_url, orders_url=place.orders_url))
        try:
            if place.orders_url:
                now = await exchange.market_time()
                await open_simulated_accounts(place, accounts, playbook_hash=playbook_hash, as_of=now)
            else:
                await open_venue_accounts(place, exchange, accounts, playbook_hash=playbook_hash)
        finally:
            await exchange.aclose()
        await schedules.apply(await schedules.under_policy(plant, place.store))
    await schedules.start_watch(plant)


async def _until_stopped(stack: object, stop: asyncio.Event) -> None:
    """Until a signal, or until a part could not be kept running."""
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 1)
        failure: str = stack.first_failure()  # type: ignore[attr-defined]
        if failure:
            raise Refusal(failure)


COMMANDS = {"up": command("up", up)}
