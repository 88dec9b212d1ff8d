"""Settings: where values come from, what is refused, and that no secret is ever shown."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from config.environment import READ_ELSEWHERE
from config.markets import DEFAULT_ACCOUNTS, DEFAULT_HISTORY, MARKETS, VENUES, Profile, check_venue_host
from config.reference import SHOWN_SECRET, env_example, known_names, sources, stray_names, without_password
from config.settings import Settings, SettingsError, load_settings
from trading.ids import check_realm
from trading.policy.table import ROWS

SECRET = "hunter2-do-not-show"
CODEC_KEY = base64.b64encode(bytes(range(32))).decode()
OURS = ("PERENNIAL_", "BINANCE_", "DEEPSEEK_", "DASHSCOPE_", "OPENAI_", "SILICONFLOW_")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.upper().startswith(OURS):
            monkeypatch.delenv(name)


def test_nothing_set_is_simulated_and_keyless() -> None:
    settings = load_settings()
    assert settings.profile is Profile.SIMULATED
    assert settings.realm == "simulated"
    assert settings.zone_name == "UTC"
    assert settings.database == f"sqlite+aiosqlite:///{Path.home()}/.local/share/perennial/perennial.sqlite"
    assert settings.primary().spec.kind == settings.secondary().spec.kind == "rules"
    assert settings.primary().name != settings.secondary().name
    assert settings.venue_key("composite") is None
    assert settings.codec() == (None, {})
    assert {row.origin for row in sources(settings)} == {"default"}


def test_environment_wins_over_the_named_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "my.env"
    file.write_text("PERENNIAL_PROFILE=paper\nPERENNIAL_LOG_LEVEL=debug\nDEEPSEEK_API_KEY=" + SECRET + "\n")
    monkeypatch.setenv("PERENNIAL_ENV_FILE", str(file))
    monkeypatch.setenv("PERENNIAL_PROFILE", "testnet")
    settings = load_settings()
    assert settings.profile is Profile.TESTNET
    assert settings.log_level == "DEBUG"
    origins = {row.variable: row.origin for row in sources(settings)}
    assert origins["PERENNIAL_PROFILE"] == "environment"
    assert origins["PERENNIAL_LOG_LEVEL"] == f"file {file}"
    assert origins["DEEPSEEK_API_KEY"] == f"file {file}"
    assert origins["PERENNIAL_HOME"] == "default"


def test_a_file_that_lies_about_is_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PERENNIAL_PROFILE=live\n")
    monkeypatch.chdir(tmp_path)
    assert load_settings().profile is Profile.SIMULATED


def test_a_named_file_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PERENNIAL_ENV_FILE", str(tmp_path / "gone.env"))
    with pytest.raises(SettingsError, match=r"PERENNIAL_ENV_FILE is .*not a file"):
        load_settings()


WRONG = [
    ("PERENNIAL_PROFILE", "liv", "PERENNIAL_PROFILE.*'simulated', 'paper', 'testnet', 'demo' or 'live'"),
    ("PERENNIAL_ZONE", "Mars/Olympus", "PERENNIAL_ZONE: 'Mars/Olympus' is no time zone"),
    ("PERENNIAL_MARKET", "tulips", "PERENNIAL_MARKET: 'tulips' is unknown: allowed are crypto"),
    ("PERENNIAL_LOG_LEVEL", "loud", "PERENNIAL_LOG_LEVEL: 'LOUD'|'loud' is unknown"),
    ("PERENNIAL_HEALTH_PORT", "70000", "PERENNIAL_HEALTH_PORT: .*less than or equal to 65535"),
    ("PERENNIAL_PRIMARY_PROVIDER", "oracle", "PERENNIAL_PRIMARY_PROVIDER: 'oracle' is unknown: allowed are .*deepseek"),
    ("PERENNIAL_SECONDARY_PROVIDER", "oracle", "PERENNIAL_SECONDARY_PROVIDER: 'oracle' is unknown"),
    ("PERENNIAL_PRIMARY_TIMEOUT_S", "0", "PERENNIAL_PRIMARY_TIMEOUT_S: .*greater than 0"),
    ("PERENNIAL_CODEC_KEYS", f"a:{SECRET}", "PERENNIAL_CODEC_KEYS: key 1 must be NAME:BASE64 of 32 bytes"),
    ("PERENNIAL_CODEC_KEYS", f"a:{CODEC_KEY},a:{CODEC_KEY}", "key name 'a' is given twice"),
    ("PERENNIAL_VENUE_URL", "https://api.binance.com", "profile simulated refuses api.binance.com"),
]


@pytest.mark.parametrize(("name", "value", "sentence"), WRONG)
def test_a_wrong_value_is_named_with_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=sentence) as caught:
        load_settings()
    assert SECRET not in str(caught.value)
    assert CODEC_KEY not in str(caught.value)


def test_no_secret_is_ever_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "DEEPSEEK_API_KEY": f"{SECRET}-1",
        "DASHSCOPE_API_KEY": f"{SECRET}-2",
        "OPENAI_API_KEY": f"{SECRET}-3",
        "SILICONFLOW_API_KEY": f"{SECRET}-4",
        "PERENNIAL_DATABASE_URL": f"postgresql://ada:{SECRET}-5@db/perennial?password={SECRET}-6",
        "PERENNIAL_CODEC_KEYS": f"2026a:{CODEC_KEY}",
        "BINANCE_API_KEY_COMPOSITE": f"{SECRET}-7",
        "BINANCE_API_SECRET_COMPOSITE": f"{SECRET}-8",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    shown = [repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())]
    shown += [str(sources(settings)), repr(settings.given()), repr(settings.venue_key("composite"))]
    for text in shown:
        assert SECRET not in text
        assert CODEC_KEY not in text
    for value in (*(f"{SECRET}-{n}" for n in (1, 2, 3, 4, 5, 7, 8)), f"2026a:{CODEC_KEY}"):
        assert value in settings.secrets()
    rows = {row.variable: row.value for row in sources(settings)}
    assert rows["DEEPSEEK_API_KEY"] == SHOWN_SECRET
    assert rows["BINANCE_API_SECRET_COMPOSITE"] == SHOWN_SECRET
    assert rows["PERENNIAL_DATABASE_URL"] == "postgresql://db/perennial"


def test_stray_names_are_reported_with_what_they_may_have_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERENNIAL_PROFIL", "live")
    monkeypatch.setenv("perennial_max_trade_fraction", "0.9")
    monkeypatch.setenv("PERENNIAL_REQUIRE_ALL", "1")
    assert [str(stray) for stray in stray_names()] == [
        "PERENNIAL_MAX_TRADE_FRACTION is unknown",
        "PERENNIAL_PROFIL is unknown: did you mean PERENNIAL_PROFILE?",
    ]
    assert load_settings().profile is Profile.SIMULATED, "a stray name overrides nothing"


def test_no_setting_is_a_trading_number() -> None:
    assert {row.field for row in ROWS}.isdisjoint(Settings.model_fields)
    assert known_names().isdisjoint(READ_ELSEWHERE)


HOSTS = [
    # profile, address, whether it belongs
    (Profile.SIMULATED, "http://127.0.0.1:9100", True),
    (Profile.SIMULATED, "http://localhost:9100/", True),
    (Profile.SIMULATED, "http://exchange-sim:9100", True),
    (Profile.SIMULATED, "https://sim.example.org", True),
    (Profile.SIMULATED, "http://sim.example.org", False),
    (Profile.SIMULATED, "https://api.binance.com", False),
    (Profile.SIMULATED, "https://fapi.binance.com", False),
    (Profile.SIMULATED, "https://api.binance.us", False),
    (Profile.PAPER, "https://data-api.binance.vision", True),
    (Profile.PAPER, "https://api.binance.com", False),
    (Profile.TESTNET, "https://testnet.binance.vision", True),
    (Profile.TESTNET, "https://TESTNET.binance.vision.", True),
    (Profile.TESTNET, "https://api.binance.com", False),
    (Profile.TESTNET, "http://testnet.binance.vision", False),
    (Profile.TESTNET, "http://127.0.0.1:9100", False),
    (Profile.DEMO, "https://demo-api.binance.com", True),
    (Profile.DEMO, "https://testnet.binance.vision", False),
    (Profile.LIVE, "https://api.binance.com", True),
    (Profile.LIVE, "https://api1.binance.com:443", True),
    (Profile.LIVE, "https://api.binance.com:8443", False),
    (Profile.LIVE, "https://testnet.binance.vision", False),
    (Profile.LIVE, "https://api.binance.com.evil.org", False),
    (Profile.LIVE, "https://api.binance.com@evil.org", False),
    (Profile.LIVE, "https://evil.org/api.binance.com", False),
    (Profile.LIVE, "https://user@api.binance.com", False),
    (Profile.LIVE, "http://api.binance.com", False),
    (Profile.LIVE, "http://127.0.0.1:9100", False),
    (Profile.LIVE, "ftp://api.binance.com", False),
    (Profile.LIVE, "api.binance.com", False),
    (Profile.LIVE, "", False),
]


@pytest.mark.parametrize(("profile", "address", "belongs"), HOSTS)
def test_an_address_belongs_to_its_profile_or_is_refused(profile: Profile, address: str, belongs: bool) -> None:
    if belongs:
        assert check_venue_host(profile, address) == address.rstrip("/")
        return
    with pytest.raises(ValueError, match=r"refuses|must"):
        check_venue_host(profile, address)


def test_no_host_belongs_to_two_profiles_and_every_default_to_its_own() -> None:
    hosts = [host for row in VENUES.values() for host in row.hosts]
    assert len(hosts) == len(set(hosts))
    for profile, row in VENUES.items():
        assert row.profile is profile
        if row.base_url is not None:
            assert check_venue_host(profile, row.base_url) == row.base_url
    assert set(VENUES) == set(Profile)


def test_live_has_no_default_address_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERENNIAL_PROFILE", "live")
    with pytest.raises(
        SettingsError, match=r"profile live has no default address: set PERENNIAL_VENUE_URL to https:// and one of api"
    ):
        load_settings().venue_address()
    monkeypatch.setenv("PERENNIAL_VENUE_URL", "https://testnet.binance.vision")
    with pytest.raises(SettingsError, match=r"refuses testnet\.binance\.vision, a host of profile testnet"):
        load_settings()
    monkeypatch.setenv("PERENNIAL_VENUE_URL", "https://api.binance.com/")
    assert load_settings().venue_address() == "https://api.binance.com"


@pytest.mark.parametrize("profile", ["paper", "testnet", "demo"])
def test_other_profiles_have_their_venue(monkeypatch: pytest.MonkeyPatch, profile: str) -> None:
    monkeypatch.setenv("PERENNIAL_PROFILE", profile)
    settings = load_settings()
    assert settings.venue_address() == VENUES[Profile(profile)].base_url
    assert check_realm(settings.realm) == profile


def test_keys_of_accounts_are_pairs_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERENNIAL_PROFILE", "testnet")
    monkeypatch.setenv("BINANCE_API_KEY", "k0")
    monkeypatch.setenv("BINANCE_API_SECRET", "s0")
    monkeypatch.setenv("BINANCE_API_KEY_MY_ACCOUNT", "k1")
    monkeypatch.setenv("BINANCE_API_SECRET_MY_ACCOUNT", "s1")
    settings = load_settings()
    single, own = settings.venue_key("composite"), settings.venue_key("my-account")
    assert single is not None
    assert own is not None
    assert (single.api_key.get_secret_value(), single.secret.get_secret_value()) == ("k0", "s0")
    assert (own.api_key.get_secret_value(), own.secret.get_secret_value()) == ("k1", "s1")
    with pytest.raises(SettingsError, match=r"account aggressive has no key.*set BINANCE_API_KEY_AGGRESSIVE and"):
        settings.venue_key("aggressive")


def test_half_a_key_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINANCE_API_KEY_COMPOSITE", SECRET)
    with pytest.raises(SettingsError, match="half a key: BINANCE_API_SECRET_COMPOSITE is missing") as caught:
        load_settings()
    assert SECRET not in str(caught.value)


def test_a_model_is_its_row_with_what_is_set_over_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERENNIAL_PRIMARY_PROVIDER", "deepseek")
    with pytest.raises(SettingsError, match="provider deepseek needs a key: set DEEPSEEK_API_KEY"):
        load_settings().primary()
    monkeypatch.setenv("DEEPSEEK_API_KEY", SECRET)
    plain = load_settings().primary()
    assert plain.base_url == plain.spec.base_url
    assert plain.timeout_s == plain.spec.timeout_s
    monkeypatch.setenv("PERENNIAL_PRIMARY_MODEL", "other-model")
    monkeypatch.setenv("PERENNIAL_PRIMARY_BASE_URL", "http://127.0.0.1:8000/v1")
    monkeypatch.setenv("PERENNIAL_PRIMARY_TIMEOUT_S", "12.5")
    mine = load_settings().primary()
    assert (mine.name, mine.base_url, mine.timeout_s) == ("other-model", "http://127.0.0.1:8000/v1", Decimal("12.5"))
    assert mine.api_key is not None
    assert mine.api_key.get_secret_value() == SECRET
    assert SECRET not in repr(mine)
    assert load_settings().secondary().name == "rules-reversion", "the other model has settings of its own"


def test_a_key_never_travels_in_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERENNIAL_SECONDARY_PROVIDER", "openai-compatible")
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://models.example.org/v1")
    with pytest.raises(SettingsError, match="must use https"):
        load_settings().secondary()
    monkeypatch.setenv("OPENAI_BASE_URL", f"https://me:{SECRET}@models.example.org/v1")
    with pytest.raises(SettingsError, match="without user or query") as caught:
        load_settings().secondary()
    assert SECRET not in str(caught.value)
    monkeypatch.setenv("OPENAI_BASE_URL", "https://models.example.org/v1")
    assert load_settings().secondary().base_url == "https://models.example.org/v1"


DATABASES = [
    ("postgres://app@db:5432/perennial", "postgresql+psycopg://app@db:5432/perennial"),
    ("postgresql://app@db/perennial", "postgresql+psycopg://app@db/perennial"),
    ("postgresql+psycopg://app@db/perennial", "postgresql+psycopg://app@db/perennial"),
    ("sqlite:///data/p.sqlite", "sqlite+aiosqlite:///data/p.sqlite"),
    ("sqlite+aiosqlite:///data/p.sqlite", "sqlite+aiosqlite:///data/p.sqlite"),
]


@pytest.mark.parametrize(("given", "used"), DATABASES)
def test_a_database_address_gets_its_driver(monkeypatch: pytest.MonkeyPatch, given: str, used: str) -> None:
    monkeypatch.setenv("PERENNIAL_DATABASE_URL", given)
    assert load_settings().database == used


def test_a_password_is_cut_from_an_address() -> None:
    assert without_password(f"postgresql://a:{SECRET}@db:5432/p?sslpassword={SECRET}") == "postgresql://db:5432/p"


def test_codec_keys_rotate_by_order(monkeypatch: pytest.MonkeyPatch) -> None:
    other = base64.b64encode(bytes(32)).decode()
    monkeypatch.setenv("PERENNIAL_CODEC_KEYS", f"new:{CODEC_KEY}, old:{other}")
    active, keys = load_settings().codec()
    assert active == "new"
    assert keys == {"new": bytes(range(32)), "old": bytes(32)}


def test_zone_and_home_follow_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PERENNIAL_ZONE", "Asia/Shanghai")
    monkeypatch.setenv("PERENNIAL_HOME", str(tmp_path))
    settings = load_settings()
    assert settings.zone_name == "Asia/Shanghai"
    assert settings.database == f"sqlite+aiosqlite:///{tmp_path}/perennial.sqlite"


def test_example_file_is_the_generated_one_and_sets_nothing() -> None:
    file = Path(__file__).resolve().parents[2] / ".env.example"
    assert file.read_text(encoding="utf-8") == env_example(), "write config.reference.env_example() to .env.example"
    assert all(line.startswith("#") for line in env_example().splitlines() if line)
    for name in known_names() - {"PERENNIAL_ENV_FILE"}:
        assert f"#{name}=" in env_example()


def test_example_file_with_every_line_uncommented_is_valid(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines = [line[1:] if line.startswith("#PERENNIAL") else line for line in env_example().splitlines()]
    file = tmp_path / "all.env"
    file.write_text("\n".join(lines))
    monkeypatch.setenv("PERENNIAL_ENV_FILE", str(file))
    defaults = load_settings().model_dump(exclude={"env_file"})
    monkeypatch.delenv("PERENNIAL_ENV_FILE")
    assert load_settings().model_dump(exclude={"env_file"}) == defaults


def test_crypto_day_and_default_market() -> None:
    crypto = MARKETS["crypto"]
    assert (crypto.zone, crypto.days_per_year, crypto.has_sessions) == ("UTC", 365, False)
    assert crypto.review_at < crypto.plan_at < crypto.plan_final_at < crypto.session_start_at
    assert DEFAULT_ACCOUNTS == ("aggressive", "conservative", "composite")
    assert DEFAULT_HISTORY.days * 24 > 500, "enough hourly candles for a first decision"
    assert all(day < DEFAULT_HISTORY.days for day in DEFAULT_HISTORY.crash_days)


def test_cut_offs_are_those_that_are_stated_for_a_model_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    stated = load_settings().knowledge()
    assert stated["gpt-4.1-mini"] == datetime(2024, 6, 1, tzinfo=UTC)
    assert "rules-momentum" not in stated
    assert "qwen-plus" not in stated, "nobody states one: it is taken to know all of history"
    monkeypatch.setenv("PERENNIAL_SECONDARY_PROVIDER", "qwen")
    monkeypatch.setenv("PERENNIAL_SECONDARY_MODEL", "qwen-of-tomorrow")
    monkeypatch.setenv("PERENNIAL_SECONDARY_KNOWLEDGE_UNTIL", "2026-01-31")
    assert load_settings().knowledge()["qwen-of-tomorrow"] == datetime(2026, 1, 31, tzinfo=UTC)
