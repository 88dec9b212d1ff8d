"""Market profiles and venues: plain rows. A profile is chosen once; it fixes the venue, its hosts and the realm."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import urlsplit

from trading.planning.hours import MarketHours


class Profile(StrEnum):
    """Where orders go. They differ in configuration only: one code path (architecture §6)."""

    SIMULATED = "simulated"
    PAPER = "paper"
    TESTNET = "testnet"
    DEMO = "demo"
    LIVE = "live"


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueRow:
    """One profile's venue. `base_url` is `None` where a person or the local stack must name it.

    `hosts` are the only ones a request of this profile may go to; a simulated venue is on this machine or on a host
    that is named for it. `needs_key` says whether accounts need a key of their own.
    """

    profile: Profile
    venue: str
    base_url: str | None
    hosts: frozenset[str] = field(default_factory=frozenset)
    needs_key: bool
    market_is_replayed: bool


_ROWS = (
    VenueRow(
        profile=Profile.SIMULATED,
        venue="simulated",
        base_url=None,  # the local stack starts one on a free port and says where
        needs_key=False,
        market_is_replayed=True,
    ),
    VenueRow(
        profile=Profile.PAPER,
        venue="paper",
        base_url="https://data-api.binance.vision",  # public data only: an order cannot even be sent there
        hosts=frozenset({"data-api.binance.vision"}),
        needs_key=False,
        market_is_replayed=False,
    ),
    VenueRow(
        profile=Profile.TESTNET,
        venue="binance",
        base_url="https://testnet.binance.vision",
        hosts=frozenset({"testnet.binance.vision"}),
        needs_key=True,
        market_is_replayed=False,
    ),
    VenueRow(
        profile=Profile.DEMO,
        venue="binance",
        base_url="https://demo-api.binance.com",
        hosts=frozenset({"demo-api.binance.com"}),
        needs_key=True,
        market_is_replayed=False,
    ),
    VenueRow(
        profile=Profile.LIVE,
        venue="binance",
        base_url=None,  # live has no default anywhere: its address is written down by a person
        hosts=frozenset(
            {
                "api.binance.com",
                "api-gcp.binance.com",
                "api1.binance.com",
                "api2.binance.com",
                "api3.binance.com",
                "api4.binance.com",
            }
        ),
        needs_key=True,
        market_is_replayed=False,
    ),
)

VENUES: dict[Profile, VenueRow] = {row.profile: row for row in _ROWS}


class VenueHostError(ValueError):
    """A base URL that does not belong to the profile. Handled by refusing to start: nothing was sent."""


def check_venue_host(profile: Profile, base_url: str) -> str:
    """`base_url` without a trailing slash, or `VenueHostError`: no request of one profile reaches another's host.

    A simulated venue may be on any host that belongs to no real profile; over plain http only loopback and names
    without a dot (a container network) are allowed, so that no signature crosses an open network.
    """
    row = VENUES[profile]
    parts = urlsplit(base_url)
    host = (parts.hostname or "").lower().rstrip(".")
    if parts.scheme not in {"http", "https"} or not host or parts.username or parts.query or parts.fragment:
        raise VenueHostError(f"venue address {base_url!r} must be http(s)://HOST[:PORT], without user or query")
    owner = next((one.profile for one in _ROWS if host in one.hosts), None)
    if profile is Profile.SIMULATED:
        if owner is not None or host.endswith((".binance.com", ".binance.vision", ".binance.us")):
            raise VenueHostError(f"profile simulated refuses {host}, a host of a real venue")
    elif owner is not profile:
        of = "" if owner is None else f", a host of profile {owner.value}"
        raise VenueHostError(f"profile {profile.value} refuses {host}{of}: allowed are {', '.join(sorted(row.hosts))}")
    if parts.scheme == "http" and not is_private_host(host):
        raise VenueHostError(f"venue address {base_url!r} must use https: http is allowed on this machine only")
    if parts.scheme == "https" and profile is not Profile.SIMULATED and parts.port not in {None, 443}:
        raise VenueHostError(f"venue address {base_url!r} must use port 443")
    return base_url.rstrip("/")


def is_private_host(host: str) -> bool:
    """Loopback, or a name without a dot, as containers have: nothing that is reached over an open network."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return "." not in host or host.endswith(".localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketProfile:
    """The habits of a market. Times are local to the zone; a day runs from 00:00 to 24:00 in it."""

    name: str
    zone: str
    plan_at: time
    plan_final_at: time
    session_start_at: time
    review_at: time
    evolution_at: time
    days_per_year: int
    benchmark: str
    benchmark_symbol: str
    has_sessions: bool

    def hours(self, zone: str) -> MarketHours:
        """Its times of day, local to `zone`."""
        return MarketHours(
            zone=zone,
            plan_at=self.plan_at,
            plan_final_at=self.plan_final_at,
            session_start_at=self.session_start_at,
            review_at=self.review_at,
            evolution_at=self.evolution_at,
        )


CRYPTO = MarketProfile(
    name="crypto",
    zone="UTC",
    plan_at=time(7, 0),
    plan_final_at=time(7, 30),
    session_start_at=time(8, 0),
    review_at=time(0, 5),
    evolution_at=time(20, 0),
    days_per_year=365,
    benchmark="buy and hold",
    benchmark_symbol="BTC/USDT",
    has_sessions=False,
)

MARKETS: dict[str, MarketProfile] = {CRYPTO.name: CRYPTO}

DEFAULT_SYMBOLS = ("BTC/USDT", "ETH/USDT", "BNB/USDT", "ADA/USDT")
DEFAULT_ACCOUNTS = ("aggressive", "conservative", "composite")
"""The three accounts of a plan (C09); `composite` is the one that a real venue's single key belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedHistory:
    """The market that a simulated venue shows where no recorded candles are given."""

    seed: int
    start: datetime
    days: int
    timeframe: str
    crash_days: tuple[int, ...] = ()


DEFAULT_HISTORY = GeneratedHistory(
    seed=20200312,
    start=datetime(2024, 1, 1, tzinfo=UTC),
    days=60,
    timeframe="1h",
    crash_days=(40,),
)
"""Sixty days from one seed, long enough for 500 hourly candles of history, with a crash on the forty-first."""
