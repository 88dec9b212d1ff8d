"""Which checks can fail for which purpose, what settings say, and that no secret is ever printed."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from fakes.exchange import RULES

from activities.store.migrate import migrate
from activities.store.open import open_store
from config.settings import SettingsError, load_settings
from trading.orders.models import OrderType
from trading.orders.venue_account import Balance, VenueAccount, VenueFees
from workers.doctor import machine, venue
from workers.doctor.checks import Check, Purpose, State, counts, is_well
from workers.doctor.configured import settings_checks, unreadable
from workers.doctor.examine import examine
from workers.doctor.records import database_checks
from workers.doctor.service import codec_check

KEY = "sk-never-to-be-seen-0123456789"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PERENNIAL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("TEMPORAL_ADDRESS", raising=False)
    return tmp_path / "home"


def check(name: str, state: State) -> Check:
    return Check(name=name, state=state, detail="", fix="")


@pytest.mark.parametrize(
    ("name", "state", "local", "paper", "live", "worker"),
    [
        # name                  state          local  paper  live   worker
        ("machine.wheels", State.FAILED, False, False, False, False),
        ("machine.orphans", State.FAILED, False, False, False, True),  # a worker in a container has no homes
        ("temporal.program", State.FAILED, False, True, True, True),  # the service runs elsewhere
        ("temporal.service", State.SKIPPED, True, False, False, False),  # local: the first verb starts one
        ("exchange.key", State.FAILED, False, True, False, True),  # paper needs no key
        ("exchange.key", State.SKIPPED, True, True, False, True),
        ("exchange.clock", State.SKIPPED, True, False, False, True),
        ("database.revision", State.SKIPPED, True, False, False, False),
        ("models.primary", State.FAILED, False, False, False, False),
        ("models.primary", State.OK, True, True, True, True),
    ],
)
def test_a_purpose_chooses_which_checks_can_fail(
    name: str, state: State, local: bool, paper: bool, live: bool, worker: bool
) -> None:
    asked = check(name, state)
    assert is_well(asked, Purpose.LOCAL) is local
    assert is_well(asked, Purpose.PAPER) is paper
    assert is_well(asked, Purpose.LIVE) is live
    assert is_well(asked, Purpose.WORKER) is worker


def test_what_does_not_count_is_still_shown() -> None:
    assert not counts(check("machine.orphans", State.FAILED), Purpose.WORKER)
    assert counts(check("machine.orphans", State.FAILED), Purpose.LOCAL)


def test_a_fresh_machine_is_ready_for_local_work_and_nothing_was_made(home: Path) -> None:
    examination = asyncio.run(examine(Purpose.LOCAL))
    counted = {row["name"]: row for row in examination.as_rows() if row["name"] != "temporal.program"}
    assert [name for name, row in counted.items() if not row["ok"]] == []
    assert {row["state"] for row in counted.values()} == {"ok", "skipped"}
    assert not home.exists()


async def test_every_failing_check_has_one_command(home: Path) -> None:
    examination = await examine(Purpose.LIVE)
    failing = [row for row in examination.as_rows() if not row["ok"]]
    assert {"settings.profile", "temporal.service", "exchange.clock"} <= {row["name"] for row in failing}
    assert all(row["fix"] and "\n" not in row["fix"] for row in failing)


async def test_secrets_are_never_printed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERENNIAL_PRIMARY_PROVIDER", "deepseek")
    monkeypatch.setenv("DEEPSEEK_API_KEY", KEY)
    monkeypatch.setenv("BINANCE_API_KEY", f"{KEY}-venue")
    monkeypatch.setenv("BINANCE_API_SECRET", f"{KEY}-secret")
    monkeypatch.setenv("PERENNIAL_DATABASE_URL", f"postgresql://me:{KEY}@127.0.0.1:1/none")
    rows = (await examine(Purpose.LOCAL)).as_rows()
    assert KEY not in str(rows)
    database = next(row for row in rows if row["name"] == "database.revision")
    assert not database["ok"]


async def test_a_missing_model_key_names_the_variable(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERENNIAL_SECONDARY_PROVIDER", "qwen")
    rows = {row["name"]: row for row in (await examine(Purpose.LOCAL)).as_rows()}
    assert not rows["models.secondary"]["ok"]
    assert rows["models.secondary"]["fix"] == "export DASHSCOPE_API_KEY=..."
    assert rows["models.primary"]["ok"]


async def test_settings_that_cannot_be_read_leave_the_machine_looked_at(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERENNIAL_PROFILE", "moon")
    rows = {row["name"]: row for row in (await examine(Purpose.LOCAL)).as_rows()}
    assert not rows["settings.values"]["ok"]
    assert rows["settings.values"]["fix"] == "unset PERENNIAL_PROFILE"
    assert rows["machine.python"]["ok"]


async def test_a_dead_service_is_one_failure_not_a_traceback(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    rows = {row["name"]: row for row in (await examine(Purpose.WORKER)).as_rows()}
    assert not rows["temporal.service"]["ok"]
    assert "127.0.0.1:1" in rows["temporal.service"]["detail"]
    assert "temporal.pollers" not in rows


def test_a_stray_name_is_told_with_what_it_may_have_meant(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERENNIAL_PROFIL", "paper")
    found = {one.name: one for one in settings_checks(load_settings(), Purpose.LOCAL)}
    assert found["settings.unknown"].state is State.FAILED
    assert "did you mean PERENNIAL_PROFILE" in found["settings.unknown"].detail
    assert found["settings.unknown"].fix == "unset PERENNIAL_PROFIL"


def test_live_without_an_address_names_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERENNIAL_PROFILE", "live")
    profile = next(c for c in settings_checks(load_settings(), Purpose.LIVE) if c.name == "settings.profile")
    assert profile.state is State.FAILED
    assert profile.fix.startswith("export PERENNIAL_VENUE_URL=https://api")


def test_a_wrong_value_in_a_file_is_mended_in_the_file(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.env"
    file.write_text("PERENNIAL_PROFILE=moon\n")
    monkeypatch.setenv("PERENNIAL_ENV_FILE", str(file))
    with pytest.raises(SettingsError) as wrong:
        load_settings()
    assert unreadable(wrong.value).fix == f"sed -i.bak '/^PERENNIAL_PROFILE=/d' {file}"


def test_a_database_without_write_ahead_log_is_told_and_left_alone(home: Path) -> None:
    home.mkdir()
    path = home / "perennial.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as old:
        old.execute("CREATE TABLE t (x)")
    before = path.read_bytes()
    found = asyncio.run(_database())
    assert found["database.journal"].state is State.FAILED
    assert found["database.revision"].state is State.SKIPPED
    assert path.read_bytes() == before


def test_a_migrated_database_is_read_without_a_trace(home: Path) -> None:
    asyncio.run(migrate(load_settings().database))
    before = {path.name: path.read_bytes() for path in home.iterdir()}
    found = asyncio.run(_database())
    assert {one.state for one in found.values()} == {State.OK}
    assert {path.name: path.read_bytes() for path in home.iterdir()} == before


def test_a_database_of_an_older_version_names_the_command(home: Path) -> None:
    asyncio.run(migrate(load_settings().database))
    with contextlib.closing(sqlite3.connect(home / "perennial.sqlite")) as old:
        old.execute("UPDATE alembic_version SET version_num = '0000'")
        old.commit()
    revision = asyncio.run(_database())["database.revision"]
    assert revision.state is State.FAILED
    assert revision.fix == "perennial db migrate"


def test_on_live_it_says_who_is_armed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERENNIAL_PROFILE", "live")
    assert asyncio.run(_database())["live.arming"].state is State.SKIPPED
    asyncio.run(migrate(load_settings().database))
    assert asyncio.run(_database())["live.arming"].detail == "no account is armed: nothing is opened"
    asyncio.run(_arm())
    told = asyncio.run(_database())["live.arming"]
    assert told.state is State.OK
    assert told.detail.startswith("armed: composite with 500 USD since ")
    assert told.detail.endswith("(ada: first week)")


async def _arm() -> None:
    store = await open_store(load_settings().database)
    at = datetime(2026, 3, 2, tzinfo=UTC)
    opening = [("USDT", Decimal(1000))]
    await store.open_account("live", venue="binance", ledger="live", account="composite", opening=opening, as_of=at)
    told = {"operation_id": "a", "who": "ada", "reason": "first week"}
    await store.arm("live", "composite", capital_usd=Decimal(500), **told)
    await store.aclose()


async def _database() -> dict[str, Check]:
    return {one.name: one async for one in database_checks(load_settings())}


async def test_the_codec_is_tried_with_its_key(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no key" in (await codec_check(load_settings())).detail
    monkeypatch.setenv("PERENNIAL_CODEC_KEYS", "k1:" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU=")
    sealed = await codec_check(load_settings())
    assert sealed.state is State.OK
    assert "AES-256-GCM under key k1" in sealed.detail


def test_a_wheel_that_cannot_be_loaded_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "COMPILED", ("no_such_wheel",))
    wheels = next(one for one in machine.machine_checks(home, None) if one.name == "machine.wheels")
    assert wheels.state is State.FAILED
    assert "no_such_wheel" in wheels.detail
    assert wheels.fix == "make install"


def account(
    name: str = "composite", *, usdt: str = "1000", trades: bool = True, withdraws: bool = False
) -> VenueAccount:
    cash = Balance(asset="USDT", free=Decimal(usdt), locked=Decimal(0))
    fees = VenueFees(maker=Decimal("0.001"), taker=Decimal("0.001"))
    return VenueAccount(account=name, balances=(cash,), fees=fees, can_trade=trades, can_withdraw=withdraws)


def test_a_key_that_may_withdraw_is_refused_before_it_is_used() -> None:
    assert venue.key_check([account()]).state is State.OK
    thief = venue.key_check([account(), account("aggressive", withdraws=True)])
    assert thief.state is State.FAILED
    assert "aggressive may withdraw" in thief.detail
    assert venue.key_check([account(trades=False)]).state is State.FAILED


@pytest.mark.parametrize(
    ("usdt", "enough"),
    [
        # 5 USD x 1.05 / ((1 - 0.05) x (1 - 0.001)) / 0.02 = 276.59: a thousandth of equity at a stop of a twentieth
        ("276.58", False),
        ("276.60", True),
    ],
)
def test_the_smallest_workable_equity_is_the_one_of_the_formula(usdt: str, enough: bool) -> None:
    rules = {"BTC/USDT": RULES.model_copy(update={"min_notional_usd": Decimal(5)})}
    found = venue.equity_check(rules, [account(usdt=usdt)])
    assert (found.state is State.OK) is enough
    assert "276.59 USD" in found.detail


def test_a_symbol_without_stop_orders_cannot_be_protected() -> None:
    unprotected = RULES.model_copy(update={"order_types": frozenset({OrderType.MARKET})})
    found = venue.filters_check({"BTC/USDT": unprotected})
    assert found.state is State.FAILED
    assert "could not be protected" in found.detail
