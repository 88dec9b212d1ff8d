"""Which realm a worker process may serve: no profile answers for another one, whatever the command line says."""

from __future__ import annotations

import dataclasses

import pytest

from activities.exchange.port import RealmRefused
from config.markets import VENUES, Profile
from config.settings import Settings
from workers.runtime.starting import site_of
from workers.runtime.wiring import open_exchange
from workflows.names import QueueRole

SIMULATOR = "http://127.0.0.1:9999"
ROLES = (QueueRole.DECISIONS,)


def settings(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("PERENNIAL_PROFILE", profile.value)
    return Settings()


@pytest.mark.parametrize("realm", [profile.value for profile in Profile if profile is not Profile.SIMULATED])
@pytest.mark.parametrize("venue", ["", "binance"])
def test_a_simulated_market_never_takes_the_orders_of_a_real_realm(
    realm: str, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=f"realm '{realm}' is served by profile {realm}"):
        site_of(settings(Profile.SIMULATED, monkeypatch), roles=ROLES, realm=realm, venue=venue, venue_url=SIMULATOR)


@pytest.mark.parametrize("profile", [profile for profile in Profile if profile is not Profile.SIMULATED])
@pytest.mark.parametrize("realm", ["replay-march", "chaos-1", "simulated"])
def test_a_real_venue_never_takes_the_orders_of_a_trial(
    profile: Profile, realm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"https://{sorted(VENUES[profile].hosts)[0]}"
    with pytest.raises(ValueError, match="profile simulated"):
        site_of(settings(profile, monkeypatch), roles=ROLES, realm=realm, venue_url=address)


@pytest.mark.parametrize("profile", [profile for profile in Profile if profile is not Profile.SIMULATED])
def test_a_real_profile_refuses_a_simulator_s_address(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=f"profile {profile.value} refuses 127.0.0.1"):
        site_of(settings(profile, monkeypatch), roles=ROLES, venue_url=SIMULATOR)


def test_a_trial_runs_on_the_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    site = site_of(settings(Profile.SIMULATED, monkeypatch), roles=ROLES, realm="replay-march", venue_url=SIMULATOR)
    assert (site.realm, site.venue, site.market_is_replayed) == ("replay-march", "simulated", True)


@pytest.mark.parametrize("profile", [Profile.SIMULATED, Profile.TESTNET])
def test_an_adapter_refuses_a_live_account_s_host_whoever_made_its_site(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings refuse it first; the adapter does not rely on them."""
    own = SIMULATOR if profile is Profile.SIMULATED else f"https://{sorted(VENUES[profile].hosts)[0]}"
    site = site_of(settings(profile, monkeypatch), roles=ROLES, venue_url=own)
    assert open_exchange(site).venue == VENUES[profile].venue
    with pytest.raises(RealmRefused, match=r"refuses api\.binance\.com"):
        open_exchange(dataclasses.replace(site, venue_url="https://api.binance.com"))


def test_an_unknown_provider_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="'oracle' is unknown: allowed are"):
        site_of(settings(Profile.SIMULATED, monkeypatch), venue_url=SIMULATOR, primary="oracle")
