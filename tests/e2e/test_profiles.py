"""Profiles beyond the simulated one: the same processes, another venue.

There is no real venue here. A simulated exchange whose market time is the wall's stands in for it, and the processes
under test are started with a table of venues in which it is the profile's host: nothing in the program allows that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from command_line import perennial, up
from exchange_process import ExchangeProcess
from temporalio.client import Client

from trading.facts.models import RiskRegime
from trading.risk.models import GateAnswer, GateRequest
from workers.exchange_sim.config import api_key, api_secret
from workers.runtime.plugin import perennial_plugin

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

TABLE_OF_VENUES = """
import dataclasses
from config import markets
rows = []
for row in markets._ROWS:
    if row.profile == "{profile}":
        row = dataclasses.replace(row, base_url="{url}" if row.base_url else None, hosts=frozenset({{"localhost"}}))
    rows.append(row)
markets._ROWS = tuple(rows)
markets.VENUES.update({{row.profile: row for row in rows}})
"""


@dataclass(frozen=True)
class Venue:
    """What stands in for a real venue, and the settings that lead a profile there."""

    exchange: ExchangeProcess
    url: str
    folder: Path

    def settings(self, profile: str) -> dict[str, str]:
        seam = self.folder / profile
        seam.mkdir(exist_ok=True)
        (seam / "sitecustomize.py").write_text(TABLE_OF_VENUES.format(profile=profile, url=self.url))
        keys = {
            "BINANCE_API_KEY_COMPOSITE": api_key("composite"),
            "BINANCE_API_SECRET_COMPOSITE": api_secret("composite"),
        }
        keyed = keys if profile != "paper" else {}
        return {"PYTHONPATH": str(seam), "PERENNIAL_PROFILE": profile, "PERENNIAL_VENUE_URL": self.url, **keyed}


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    folder = tmp_path_factory.mktemp("venue")
    now = datetime.now(UTC).replace(microsecond=0)
    first = now.replace(hour=0, minute=0, second=0) - timedelta(days=30)
    exchange = ExchangeProcess(
        folder / "venue.sqlite",
        generate_symbols=["BTC/USDT", "ETH/USDT"],
        generate_seed=5,
        generate_start=first.isoformat(),
        generate_days=34,
        start=now.isoformat(),
        clock="realtime",
    )
    exchange.open("composite", USDT="20000")
    yield Venue(exchange, f"http://localhost:{exchange.port}", folder)
    exchange.close()


async def asked(addresses: dict[str, Any], venue: Venue, name: str) -> GateAnswer:
    """A wish to buy for 3 % of equity, put to the account's desk now."""
    price = Decimal(str(venue.exchange.price()))
    now = datetime.now(UTC)
    wish = GateRequest(
        request_id=name,
        account="composite",
        decision_id=name,
        symbol="BTC/USDT",
        opens=True,
        size_fraction=Decimal("0.03"),
        price=price,
        stop_price=price * Decimal("0.98"),
        taker_fee=Decimal("0.001"),
        min_notional_usd=Decimal(5),
        risk_regime=RiskRegime.NORMAL,
        confidence=Decimal("0.8"),
        win_probability=Decimal("0.6"),
        observed_at=now,
        now=now,
    )
    client = await Client.connect(addresses["temporal"], plugins=[perennial_plugin()])
    desk = client.get_workflow_handle(f"{addresses['profile']}/desk/composite")
    return await desk.execute_update("reserve", wish, result_type=GateAnswer)


async def test_live_observes_until_a_person_arms_it_and_again_after_a_restart(venue: Venue, tmp_path: Path) -> None:
    home, live = tmp_path / "home", venue.settings("live")
    arm = ("live", "arm", "--account", "composite", "--capital", "500", "--reason", "first week", "--json")
    with up(home, **live) as addresses:
        assert (addresses["profile"], addresses["accounts"], addresses["armed"]) == ("live", ["composite"], [])
        refused = await asked(addresses, venue, "w1")
        assert [one.code for one in refused.denials] == ["not_armed"]
        decided = perennial(home, "decide", "BTC/USDT", "--json", **live)
        assert decided.code == 0, decided.err
        assert decided.answer["orders"] == []
        elsewhere = perennial(home, "decide", "BTC/USDT")
        assert elsewhere.is_one_sentence
        assert "runs profile live, and this is simulated" in elsewhere.err
        armed = perennial(home, *arm, **live)
        assert (armed.code, armed.answer["state"]) == (0, "armed with 500 USD")
    with up(home, **live) as addresses:
        assert addresses["armed"] == ["composite"]
        answer = await asked(addresses, venue, "w2")
        assert answer.permit is not None
        assert answer.permit.notional_usd <= 15
        (standing,) = perennial(home, "status", "--json", **live).answer["armed"]
        assert (standing["account"], standing["capital_usd"], standing["reason"]) == ("composite", "500", "first week")
        gone = perennial(home, "live", "disarm", "--account", "composite", "--reason", "enough", "--json", **live)
        assert (gone.code, gone.answer["state"]) == (0, "not armed")
        refused = await asked(addresses, venue, "w3")
        assert [one.code for one in refused.denials] == ["not_armed"]
        told = perennial(home, "live", "status", "--json", **live).answer
        assert told["observing"] == ["composite"]
        assert [(one["capital_usd"], one["ended_because"]) for one in told["armings"]] == [("500", "enough")]
        assert perennial(home, "reconcile", "--json", **live).answer["differences"] == []
        planned = perennial(home, "schedules", "list", "--json", **live).answer["schedules"]
        assert {row["id"] for row in planned} >= {"live/daily-planning", "live/maintenance"}


async def test_paper_fills_at_the_public_quote_and_sends_nothing_there(venue: Venue, tmp_path: Path) -> None:
    home, paper = tmp_path / "home", venue.settings("paper")
    with up(home, **paper) as addresses:
        assert addresses["accounts"] == ["aggressive", "conservative", "composite"]
        answer = await asked(addresses, venue, "w1")
        assert answer.permit is not None, answer.denials
        decided = perennial(home, "decide", "BTC/USDT", "--json", **paper)
        assert decided.code == 0, decided.err
        assert perennial(home, "reconcile", "--json", **paper).answer["differences"] == []
        assert perennial(home, "status", "--json", **paper).answer["profile"] == "paper"


async def test_testnet_opens_what_the_venue_holds_and_trades_unarmed(venue: Venue, tmp_path: Path) -> None:
    home, testnet = tmp_path / "home", venue.settings("testnet")
    with up(home, **testnet) as addresses:
        answer = await asked(addresses, venue, "w1")
        assert answer.permit is not None, answer.denials
        assert answer.permit.notional_usd <= 600
        refused = perennial(home, "live", "status", **testnet)
        assert refused.is_one_sentence
        assert "this is testnet" in refused.err
