"""`perennial protections list`: what stands now, by the market's time, and what has ended (C20)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from command_line import perennial

from activities.store.migrate import migrate
from activities.store.open import open_store
from trading.policy.model import Policy
from trading.risk.breakers import protection_of

SINCE = datetime(2024, 1, 31, 8, tzinfo=UTC)
FOUR_HOURS = timedelta(hours=4)


async def test_a_freeze_whose_market_time_has_passed_is_not_listed_as_standing(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'perennial.sqlite'}"
    await migrate(url)
    store = await open_store(url)
    opening = (("USDT", Decimal(1000)),)
    await store.open_account("simulated", venue="simulated", ledger="l", account="a", opening=opening, as_of=SINCE)
    for number, since, symbol in ((1, SINCE, "BTC/USDT"), (2, SINCE + FOUR_HOURS, "ETH/USDT"), (3, SINCE, None)):
        words = {"account": "a", "operation_id": f"b{number}", "reason": "flash_crash", "who": "watch"}
        kept = protection_of(**words, symbol=symbol, as_of=since, policy=Policy())
        await store.keep_protection("simulated", "a", kept)
    assert await store.known_market_time("simulated") == SINCE + FOUR_HOURS
    await store.aclose()
    standing = perennial(tmp_path, "protections", "list", "--json").answer["protections"]
    assert {row["symbol"] for row in standing} == {"ETH/USDT", None}, "four hours of market time are over for one"
    everything = perennial(tmp_path, "protections", "list", "--all", "--json").answer["protections"]
    assert {(row["symbol"], row["ended"]) for row in everything} == {
        ("BTC/USDT", True),
        ("ETH/USDT", False),
        (None, False),
    }
