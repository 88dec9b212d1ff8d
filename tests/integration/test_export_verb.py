"""`perennial export trades`: the ledger's fills as CSV, of one account or of all, and what is asked for wrongly."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from command_line import Said, perennial
from store_rows import NOON, D, a_fill, a_prepared, a_request, a_venue_order

from activities.store.migrate import migrate
from activities.store.open import Store, open_store
from trading.ledger.export import COLUMNS
from trading.orders.models import Leg, OrderRequest, OrderType, Side

REALM = "simulated"


@pytest.fixture
async def home(tmp_path: Path) -> Path:
    """A home in which `composite` bought and sold, `conservative` bought, and `aggressive` did nothing."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'perennial.sqlite'}"
    await migrate(url)
    store = await open_store(url)
    opening = (("USDT", Decimal(100_000)),)
    for account in ("composite", "conservative", "aggressive"):
        await store.open_account(REALM, venue="simulated", ledger="l", account=account, opening=opening, as_of=NOON)
    bought = {"realm": REALM, "account": "composite"}
    sold = {**bought, "leg": Leg.TARGET, "side": Side.SELL, "type": OrderType.MARKET}
    await filled(store, a_request(**bought), trade_id="1", price=D(5000), filled_at=NOON)
    await filled(store, a_request(**sold), trade_id="2", price=D(6000), filled_at=NOON + timedelta(hours=2))
    other = a_request(**bought | {"account": "conservative"})
    await filled(store, other, trade_id="3", price=D(5500), filled_at=NOON + timedelta(hours=1))
    await store.aclose()
    return tmp_path


async def filled(store: Store, request: OrderRequest, **fill: object) -> None:
    await store.record_intent(request, a_prepared(request))
    one = a_fill(request, quantity=D("0.1"), commission=D(0), **fill)
    await store.record_order(request.key, a_venue_order(request, one), (one,))


def rows_of(said: Said) -> list[dict[str, str]]:
    assert said.code == 0, said.err
    return list(csv.DictReader(io.StringIO(said.out)))


def test_one_account_has_its_own_columns_and_gains(home: Path) -> None:
    bought, sold = rows_of(perennial(home, "export", "trades", "--account", "composite"))
    assert tuple(bought) == COLUMNS
    assert (bought["time"], bought["side"], bought["price"], bought["fifo_gain"]) == (
        "2020-03-12T12:00:00Z",
        "BUY",
        "5000",
        "0",
    )
    assert (sold["pair"], sold["quantity"], sold["fifo_gain"]) == ("BTC/USDT", "0.1", "100")


def test_all_accounts_are_in_the_order_of_time_and_named(home: Path) -> None:
    output = home / "trades.csv"
    told = perennial(home, "export", "trades", "--output", str(output))
    assert told.out.strip() == f"3 trades in {output}"
    rows = list(csv.DictReader(output.open()))
    assert tuple(rows[0]) == (*COLUMNS, "account")
    assert [(row["account"], row["side"]) for row in rows] == [
        ("composite", "BUY"),
        ("conservative", "BUY"),
        ("composite", "SELL"),
    ]
    answer = perennial(home, "export", "trades", "--output", str(output), "--json").answer
    assert answer == {"trades": rows, "path": str(output)}


def test_an_account_without_trades_is_a_head_and_an_unknown_one_a_sentence(home: Path) -> None:
    assert perennial(home, "export", "trades", "--account", "aggressive").out == ",".join(COLUMNS) + "\n"
    unknown = perennial(home, "export", "trades", "--account", "nobody")
    assert unknown.is_one_sentence, unknown.err
    assert "known are aggressive, composite, conservative" in unknown.err
    nowhere = perennial(home, "export", "trades", "--output", str(home / "no" / "such" / "folder.csv"))
    assert nowhere.is_one_sentence, nowhere.err
