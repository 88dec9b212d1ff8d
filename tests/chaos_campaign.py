"""One short campaign for all chaos tests, run in this process on a private stack of real ones."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from workers.stack.environment import trial_environment
from workers.stack.home import claim
from workers.stack.house import MarketSource
from workers.trials.campaign import CampaignOutcome, CampaignSpec, run_campaign

MARKET_FROM = datetime(2024, 3, 8, tzinfo=UTC)
SPEC = CampaignSpec(
    kind="chaos",
    market=MarketSource(
        symbols=("ADA/USDT", "BNB/USDT", "BTC/USDT", "ETH/USDT"),
        seed=2,
        generated_from=MARKET_FROM,
        generated_days=28,
        crash_days=(24,),
    ),
    symbols=("BNB/USDT", "BTC/USDT", "ETH/USDT"),
    start=MARKET_FROM + timedelta(days=22, hours=12),
    end=MARKET_FROM + timedelta(days=24),
    accounts=("composite",),
    decide_every=timedelta(hours=4),
)
"""From the noon before a Sunday that ends a month and a quarter: every sequence runs.

Nine entries in a day and a half, most of them stopped out: hardly an instant without an order."""


@dataclass(frozen=True)
class Ended:
    """A campaign that ran to its end, and the records it left."""

    outcome: CampaignOutcome
    home: Path
    said: list[str]

    @property
    def summary(self) -> dict[str, Any]:
        return self.outcome.summary

    def rows(self, database: str, query: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(f"file:{self.home / database}?mode=ro", uri=True) as connection:
            return connection.execute(query).fetchall()

    def venue_orders(self) -> list[str]:
        """The client id of every order that the exchange ever accepted."""
        return [json.loads(body)["client_id"] for (body,) in self.rows("exchange.sqlite", "SELECT body FROM orders")]

    def intended_orders(self) -> list[str]:
        """The client ids of the orders that the ledger says the venue has."""
        query = "SELECT client_order_id FROM orders WHERE venue_order_id IS NOT NULL"
        return [name for (name,) in self.rows("perennial.sqlite", query)]

    def exits_sent_with_an_entry(self) -> int:
        """The exits that the venue placed from a list which their entry led."""
        query = """SELECT count(*) FROM orders AS leg JOIN orders AS lead ON lead.client_order_id = leg.led_by
            WHERE lead.leg = 'entry' AND leg.venue_order_id IS NOT NULL"""
        ((count,),) = self.rows("perennial.sqlite", query)
        return int(count)


def campaign(home: Path, **changes: Any) -> Ended:
    """Run the campaign with these changes to its plan of kills."""
    said: list[str] = []

    def note(fraction: Decimal, text: str) -> None:
        said.append(f"{fraction:.2f} {text}")

    with claim(home) as claimed:
        outcome = asyncio.run(
            run_campaign(
                claimed,
                replace(SPEC, **changes),
                env=dict(trial_environment(os.environ).env),
                announce=said.append,
                progress=note,
            )
        )
    return Ended(outcome, home, said)
