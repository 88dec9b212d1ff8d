"""From settings to a serving worker: what the command line gives wins over what the environment says."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from config.markets import DEFAULT_SYMBOLS, MARKETS, Profile, check_venue_host
from config.providers import PROVIDERS
from config.settings import Settings, SettingsError, load_settings
from trading.decision.models import Role
from trading.ids import check_realm
from workers.runtime.site import ALL_ROLES, ModelChoice, Site, VenueKey
from workflows.names import QueueRole

if TYPE_CHECKING:
    from temporalio.client import Client

log = logging.getLogger(__name__)


class TemporalUnreachableError(RuntimeError):
    """No Temporal service answers at the address. Handled by verbs: shown, exit code 2."""


CONNECT_TRIES = 20
CONNECT_PAUSE_S = 0.5


def site_of(
    settings: Settings,
    *,
    roles: tuple[QueueRole, ...] = ALL_ROLES,
    realm: str = "",
    venue: str = "",
    venue_url: str = "",
    orders_url: str = "",
    database_url: str = "",
    health_port: int = 0,
    primary: str = "",
    secondary: str = "",
    build_id: str = "",
    think_s: str = "0",
) -> Site:
    """The site of a worker. Raises `SettingsError` or `ValueError`, each naming the setting and what is allowed.

    A realm other than the profile's own belongs to a trial, and a trial's venue is always a simulated one; no profile
    serves another profile's realm, or a simulated market would fill orders that were meant for a real one.
    """
    for provider in (primary, secondary):
        if provider and provider not in PROVIDERS:
            raise ValueError(f"model provider {provider!r} is unknown: allowed are {', '.join(sorted(PROVIDERS))}")
    chosen = settings.model_copy(
        update={
            name: value for name, value in (("primary_provider", primary), ("secondary_provider", secondary)) if value
        }
    )
    row = settings.venue_row
    if realm and check_realm(realm) != settings.realm:
        if realm in {profile.value for profile in Profile}:
            raise ValueError(f"realm {realm!r} is served by profile {realm}, not by {settings.profile.value}")
        if settings.profile is not Profile.SIMULATED:
            raise ValueError(
                f"realm {realm!r} is a trial's: it runs on profile simulated, not {settings.profile.value}"
            )
    address = check_venue_host(settings.profile, venue_url) if venue_url else settings.venue_address()
    codec_active, codec_keys = settings.codec()
    return Site(
        realm=check_realm(realm or settings.realm),
        venue=venue or row.venue,
        venue_url=address,
        market_is_replayed=row.market_is_replayed,
        database_url=database_url or settings.database,
        models=_models(chosen, think_s=Decimal(think_s)) if QueueRole.MODELS in roles else {},
        roles=roles,
        venue_key=_key_ring(settings) if row.needs_key else None,
        build_id=build_id or settings.build_id,
        health_host=settings.health_host,
        health_port=health_port or settings.health_port,
        codec_active=codec_active,
        codec_keys=codec_keys,
        knowledge=chosen.knowledge(),
        market_urls=settings.market_addresses(),
        hours=MARKETS[settings.market].hours(settings.zone_name),
        usual=DEFAULT_SYMBOLS,
        orders_url=_orders_url(settings, orders_url),
        venue_hosts=row.hosts,
    )


def _orders_url(settings: Settings, given: str) -> str:
    """A paper venue is on this machine; every other profile's orders go to its venue and nowhere else."""
    if given and settings.profile is not Profile.PAPER:
        raise ValueError(f"an address for orders alone is for profile paper, not for {settings.profile.value}")
    if not given:
        return ""
    return check_venue_host(Profile.SIMULATED, given)


def _key_ring(settings: Settings) -> Callable[[str], VenueKey]:
    """Each account's key, looked up when it is needed; a missing one names the settings to set."""

    def key_of(account: str) -> VenueKey:
        key = settings.venue_key(account)
        if key is None:
            raise ValueError(f"account {account} has no key at this venue")
        return VenueKey(api_key=key.api_key.get_secret_value(), secret=key.secret.get_secret_value())

    return key_of


def _models(settings: Settings, *, think_s: Decimal) -> dict[Role, ModelChoice]:
    return {
        role: ModelChoice(
            spec=model.spec,
            name=model.name,
            base_url=model.base_url,
            api_key=model.api_key.get_secret_value() if model.api_key else None,
            think_s=think_s,
        )
        for role, model in ((Role.PRIMARY, settings.primary()), (Role.SECONDARY, settings.secondary()))
    }


async def serve_from_settings(
    *,
    roles: tuple[QueueRole, ...],
    realm: str,
    venue: str,
    venue_url: str,
    orders_url: str,
    database_url: str,
    temporal: str,
    namespace: str,
    health_port: int,
    primary: str,
    secondary: str,
    build_id: str,
    think_s: str,
) -> None:
    """Connect and serve until SIGTERM."""
    from config.logs import configure_logging
    from workers.runtime.process import serve

    settings = load_settings()
    configure_logging(settings.log_level, secrets=settings.secrets())
    try:
        site = site_of(
            settings,
            roles=roles,
            realm=realm,
            venue=venue,
            venue_url=venue_url,
            orders_url=orders_url,
            database_url=database_url,
            health_port=health_port,
            primary=primary,
            secondary=secondary,
            build_id=build_id,
            think_s=think_s,
        )
    except ValueError as wrong:
        raise SettingsError(str(wrong)) from None
    client = await connect(
        target=temporal, namespace=namespace, codec_active=site.codec_active, codec_keys=site.codec_keys
    )
    await serve(client, site)


async def connect(
    *, target: str = "", namespace: str = "", codec_active: str | None = None, codec_keys: object = None
) -> Client:
    """A client with our plugin; the SDK's own environment configuration fills what is not given.

    Tried for ten seconds, because servers and workers start side by side; then `TemporalUnreachableError`.
    """
    from temporalio.client import Client
    from temporalio.envconfig import ClientConfig

    from workers.runtime.core_logs import forward_core_logs
    from workers.runtime.plugin import perennial_plugin

    forward_core_logs()
    options: dict[str, Any] = {"target_host": target} if target else dict(ClientConfig.load_client_connect_config())
    options.setdefault("target_host", "localhost:7233")
    if namespace:
        options["namespace"] = namespace
    plugin = perennial_plugin(active_key=codec_active, keys=codec_keys)  # type: ignore[arg-type]
    for _ in range(CONNECT_TRIES - 1):
        try:
            return await Client.connect(plugins=[plugin], **options)
        except RuntimeError:
            await asyncio.sleep(CONNECT_PAUSE_S)
    try:
        return await Client.connect(plugins=[plugin], **options)
    except RuntimeError as error:
        raise TemporalUnreachableError(
            f"no Temporal service answers at {options['target_host']} ({reason_of(error)}): "
            "start `perennial up`, or set TEMPORAL_ADDRESS"
        ) from error


def configured_temporal() -> str | None:
    """Where the SDK's own configuration (TEMPORAL_ADDRESS, its profile file) says the service is; `None` if nowhere."""
    from temporalio.envconfig import ClientConfig

    return ClientConfig.load_client_connect_config().get("target_host")


def reason_of(error: Exception) -> str:
    """The innermost sentence of what the SDK says when it cannot connect."""
    told = re.findall(r'message: "([^"]+)"', str(error))
    return told[-1] if told else str(error).splitlines()[0]
