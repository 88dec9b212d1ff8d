"""Where a verb works: a stack that runs in the home, or one that is started for the verb's own duration."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from config.markets import DEFAULT_HISTORY, DEFAULT_SYMBOLS, Profile
from config.settings import Settings, SettingsError, load_settings
from workers.cli.ending import Refusal, say
from workers.stack.house import VENUE, HouseSpec, MarketSource

if TYPE_CHECKING:
    from temporalio.client import Client

    from activities.store.open import Store
    from workers.operator.place import Place
    from workers.stack.home import StackState

MARKET_FILE = "market.json"

FIRST_DAYS = timedelta(days=30)
"""A new simulated market begins this far into its history, so that there is enough of it to decide on."""


def settings_or_refusal() -> Settings:
    """The settings; a wrong one is the user's to mend and ends the verb with its sentence."""
    try:
        return load_settings()
    except SettingsError as wrong:
        raise Refusal(str(wrong)) from None


def only_simulated(settings: Settings, verb: str) -> None:
    """Without a lasting stack, a verb that can change exposure runs on the simulated venue only."""
    if settings.profile is not Profile.SIMULATED:
        raise Refusal(
            f"{verb} on profile {settings.profile.value} needs a lasting stack, and none runs in {settings.home}: "
            "start `perennial up` first"
        )


def remembered_files(home: Path) -> dict[str, str]:
    """The candle files that this home's market was made of when it began; empty for the generated market."""
    try:
        found: dict[str, str] = json.loads((home / MARKET_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found


def remember_files(home: Path, files: Mapping[str, str]) -> None:
    """Keep the files of a new market, so that later verbs need not name them; the first ones stay."""
    if files and not (home / MARKET_FILE).exists():
        (home / MARKET_FILE).write_text(json.dumps(dict(files), indent=1), encoding="utf-8")


def market_of(files: Mapping[str, str]) -> MarketSource:
    """The market of the given files, or the generated one that a simulated home begins with where there are none."""
    if files:
        return MarketSource(files=files, symbols=tuple(sorted(files)))
    history = DEFAULT_HISTORY
    return MarketSource(
        symbols=DEFAULT_SYMBOLS,
        seed=history.seed,
        generated_from=history.start,
        generated_days=history.days,
        crash_days=history.crash_days,
    )


def first_time(files: Mapping[str, str]) -> datetime | None:
    """Where a new market's clock begins: inside the generated history; at a file's own start where one is given."""
    return None if files else DEFAULT_HISTORY.start + FIRST_DAYS


def lasting_spec(
    settings: Settings, *, files: Mapping[str, str], clock: str, start_at: datetime | None, web_ui: bool
) -> HouseSpec:
    """The profile's house: an exchange of its own where it is simulated, else its venue.

    Raises `SettingsError` where a model, an account or the venue's address is missing: no worker could start.
    """
    settings.primary()
    settings.secondary()
    accounts = settings.accounts()
    from workers.runtime.starting import configured_temporal

    is_simulated = settings.profile is Profile.SIMULATED
    if files and not is_simulated:
        raise Refusal(f"--data makes a simulated market: profile {settings.profile.value} has that of its venue")
    venue_url = "" if is_simulated else settings.venue_address()
    for account in accounts:
        settings.venue_key(account)
    files = files or (remembered_files(settings.home) if is_simulated else {})
    active, keys = settings.codec()
    return HouseSpec(
        realm=settings.realm,
        market=market_of(files),
        profile=settings.profile.value,
        venue=settings.venue_row.venue,
        venue_url=venue_url,
        start_at=start_at or first_time(files),
        clock=clock,
        primary=settings.primary_provider,
        secondary=settings.secondary_provider,
        web_ui=web_ui,
        database_url=settings.database if settings.database_url is not None else "",
        configured_temporal=configured_temporal() is not None,
        codec_active=active,
        codec_keys=keys,
    )


def children_environment(settings: Settings) -> dict[str, str]:
    """The environment of a lasting stack's parts: this process's own. They are told a server of its own by name."""
    return {**os.environ, "PERENNIAL_HOME": str(settings.home)}


@contextlib.asynccontextmanager
async def records(settings: Settings) -> AsyncIterator[Store]:
    """The store of the home or of PERENNIAL_DATABASE_URL, to read only; starts nothing. `Refusal` if it is missing."""
    from activities.store.open import open_store

    url = settings.database
    if settings.database_url is None and not (settings.home / "perennial.sqlite").exists():
        raise Refusal(f"no records yet in {settings.home}: take a decision or start `perennial up` first")
    store = await open_store(url)
    try:
        yield store
    finally:
        await store.aclose()


@contextlib.asynccontextmanager
async def place_of(
    settings: Settings, *, verb: str, files: Mapping[str, str], start_at: datetime | None
) -> AsyncIterator[tuple[Place, bool]]:
    """The running stack of the home, or a private one; and whether its market's clock is ours to move."""
    from workers.stack.home import attach

    state = attach(settings.home)
    if state is not None:
        async with _attached(settings, state) as place:
            yield place, False
        return
    only_simulated(settings, verb)
    async with _started(settings, files=files, start_at=start_at) as place:
        yield place, True


@contextlib.asynccontextmanager
async def running_place(settings: Settings, *, verb: str) -> AsyncIterator[Place]:
    """The stack that runs in the home; `Refusal` where none does, for there is nothing to lay a hand on."""
    from workers.stack.home import attach

    state = attach(settings.home)
    if state is None:
        raise Refusal(f"{verb} works on a running stack, and none runs in {settings.home}: start `perennial up` first")
    async with _attached(settings, state) as place:
        yield place


async def client_of(settings: Settings, state: StackState) -> Client:
    """A client of the running stack's Temporal: its own server, or the configured service where it started none."""
    from workers.runtime.starting import connect

    active, keys = settings.codec()
    namespace = state.namespace if state.temporal_address else ""
    return await connect(target=state.temporal_address, namespace=namespace, codec_active=active, codec_keys=keys)


@contextlib.asynccontextmanager
async def _attached(settings: Settings, state: StackState) -> AsyncIterator[Place]:
    from activities.store.open import open_store
    from workers.operator.place import Place

    if state.profile != settings.profile.value:
        raise Refusal(
            f"the stack in {settings.home} runs profile {state.profile}, and this is {settings.profile.value}: "
            f"set PERENNIAL_PROFILE={state.profile}"
        )
    client = await client_of(settings, state)
    store = await open_store(settings.database)
    try:
        yield Place(
            realm=state.realm,
            venue=settings.venue_row.venue,
            venue_url=state.addresses.get("exchange", ""),
            orders_url=state.addresses.get("orders", ""),
            client=client,
            store=store,
        )
    finally:
        await store.aclose()


@contextlib.asynccontextmanager
async def _started(settings: Settings, *, files: Mapping[str, str], start_at: datetime | None) -> AsyncIterator[Place]:
    from activities.store.open import open_store
    from workers.operator.place import Place
    from workers.stack.home import claim
    from workers.stack.house import house

    spec = lasting_spec(settings, files=files, clock="manual", start_at=start_at, web_ui=False)
    with claim(settings.home) as home:
        async with house(home, spec, env=children_environment(settings), announce=say) as running:
            remember_files(home.path, files)
            store = await open_store(running.database_url)
            try:
                yield Place(
                    realm=spec.realm,
                    venue=VENUE,
                    venue_url=running.venue_url,
                    client=running.client,
                    store=store,
                )
            finally:
                await store.aclose()
