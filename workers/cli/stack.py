"""`perennial up`: the local stack, until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import Annotated

import typer

from config.markets import DEFAULT_ACCOUNTS, Profile
from workers.cli.command import command
from workers.cli.ending import Refusal, emit, run, say
from workers.cli.inputs import files_of, histories_of
from workers.cli.place import children_environment, lasting_spec, remember_files, settings_or_refusal


def up(
    data: Annotated[list[str] | None, typer.Option(help="BTC/USDT=FILE for a new simulated home, repeatable")] = None,
    json: Annotated[bool, typer.Option("--json", help="addresses as one JSON object once everything is ready")] = False,
) -> None:
    """Start Temporal with its Web UI, a simulated exchange and a worker, and keep them running.

    Example: perennial up
    """
    files = files_of(data or [])
    histories_of(files)
    run(lambda: _up(files, as_json=json))


async def _up(files: dict[str, str], *, as_json: bool) -> None:
    from activities.store.open import open_store
    from workers import schedules
    from workers.operator.accounts import open_simulated_accounts
    from workers.operator.place import Place
    from workers.stack.home import claim
    from workers.stack.house import VENUE, house

    settings = settings_or_refusal()
    if settings.profile is not Profile.SIMULATED:
        raise Refusal(
            f"`perennial up` serves profile simulated so far, not {settings.profile.value}: "
            "run `perennial worker` against your Temporal service for another profile"
        )
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
                    realm=spec.realm, venue=VENUE, venue_url=running.venue_url, client=running.client, store=store
                )
                playbook_hash = (await store.active_playbook(spec.realm)).content_hash
                await open_simulated_accounts(place, DEFAULT_ACCOUNTS, playbook_hash=playbook_hash)
                await schedules.start_watch(schedules.plant_of(settings, running.client, realm=spec.realm))
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
            emit(addresses, as_json=as_json, text=text + "\nrunning; Ctrl-C stops it and keeps everything")
            await _until_stopped(running.stack, stop)


async def _until_stopped(stack: object, stop: asyncio.Event) -> None:
    """Until a signal, or until a part could not be kept running."""
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 1)
        failure: str = stack.first_failure()  # type: ignore[attr-defined]
        if failure:
            raise Refusal(failure)


COMMANDS = {"up": command("up", up)}
