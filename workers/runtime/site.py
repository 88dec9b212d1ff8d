"""Where a worker process works: the addresses and identities it is started with. No trading number is among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from config.providers import ProviderSpec
from trading.decision.models import Role
from trading.planning.hours import MarketHours
from workflows.names import DEPLOYMENT, LOCAL_BUILD, QueueRole

ALL_ROLES = (
    QueueRole.DECISIONS,
    QueueRole.CALLS,
    QueueRole.MODELS,
    QueueRole.MARKET,
    QueueRole.COMPUTE,
    QueueRole.EXCHANGE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """A provider's row with what settings say about it; the key never leaves the process."""

    spec: ProviderSpec
    name: str
    base_url: str | None
    api_key: str | None = field(default=None, repr=False)
    think_s: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueKey:
    """An account's key at a venue."""

    api_key: str = field(repr=False)
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Everything that wiring needs to construct adapters for the roles of one process.

    `market_is_replayed` is true for a simulated venue, whose clock is asked instead of the wall's. `report_folder` is
    where period reports are written as files; without one they are kept in the database alone. `knowledge` says until
    when models have read, by name. `market_urls` are further sources of the venue's market data. `hours`
    and the `usual` symbols are the watch's. `orders_url` is where orders go when that is not the venue itself: a paper
    venue on this machine. `venue_hosts` are the only ones that a real venue's adapter speaks to.
    """

    realm: str
    venue: str
    venue_url: str
    market_is_replayed: bool
    database_url: str
    models: Mapping[Role, ModelChoice]
    roles: tuple[QueueRole, ...] = ALL_ROLES
    venue_key: Callable[[str], VenueKey] | None = field(default=None, repr=False)
    base_timeframe: str = "1h"
    build_id: str = LOCAL_BUILD
    deployment: str = DEPLOYMENT
    health_host: str = "127.0.0.1"
    health_port: int = 0
    codec_active: str | None = None
    codec_keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    cached_workflows: int = 500
    grace_s: int = 10
    report_folder: Path | None = None
    knowledge: Mapping[str, datetime] = field(default_factory=dict)
    market_urls: tuple[str, ...] = ()
    hours: MarketHours = field(default_factory=MarketHours)
    usual: tuple[str, ...] = ()
    orders_url: str = ""
    venue_hosts: frozenset[str] = frozenset()

    @property
    def is_trial(self) -> bool:
        """Whether the realm ends with its run: a lasting one has the name of its profile."""
        return "-" in self.realm


def chosen_roles(text: str) -> tuple[QueueRole, ...]:
    """Roles from comma-separated text; empty means all. Raises `ValueError` that names the allowed ones."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in {role.value for role in ALL_ROLES}]
    if unknown:
        allowed = ", ".join(role.value for role in ALL_ROLES)
        raise ValueError(f"role {unknown[0]!r} is unknown: allowed are {allowed}")
    return tuple(role for role in ALL_ROLES if role.value in names) or ALL_ROLES
