"""Real money in the records: nothing is opened unarmed, and equity is what a person armed (venue.md)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from store_rows import NOON, D, a_fill, a_prepared, a_request, a_venue_order

from activities.store.open import Store, open_store
from activities.store.ports.faults import StoreRefused
from activities.store.ports.journal import IntentRefused
from trading.orders.models import Leg, OrderType, Side

LIVE = "live"
BOUGHT = a_request(realm=LIVE, quantity=D("0.1"))
SOLD = a_request(realm=LIVE, leg=Leg.TARGET, side=Side.SELL, type=OrderType.MARKET, quantity=D("0.1"), permit_id=None)


@pytest.fixture
async def account(store: Store) -> Store:
    """10,000 USD on a real venue."""
    await store.open_account(
        LIVE, venue="simulated", ledger="main", account="main", opening=[("USDT", D(10_000))], as_of=NOON
    )
    return store


async def arm(store: Store, capital: str = "500", operation: str = "arm-1") -> None:
    await store.arm(LIVE, "main", operation_id=operation, capital_usd=D(capital), who="ada", reason="first week")


async def test_unarmed_no_entry_is_intended_and_an_exit_is(account: Store) -> None:
    with pytest.raises(IntentRefused) as refused:
        await account.record_intent(BOUGHT, a_prepared(BOUGHT))
    assert refused.value.code == "not_armed"
    await account.record_intent(SOLD, a_prepared(SOLD))


async def test_armed_it_is_intended_and_disarmed_no_more(account: Store, database_url: str) -> None:
    await arm(account)
    await account.record_intent(BOUGHT, a_prepared(BOUGHT))
    await account.disarm(LIVE, "main", operation_id="off", who="bob", reason="enough")
    restarted = await open_store(database_url)
    try:
        with pytest.raises(IntentRefused, match="not armed"):
            await restarted.record_intent(BOUGHT, a_prepared(BOUGHT))  # intended before, not yet sent
        told = [(one.what, one.who, one.reason) for one in await restarted.audit(LIVE, subject="main")]
    finally:
        await restarted.aclose()
    assert told == [("disarm", "bob", "enough"), ("arm 500 USD", "ada", "first week")]


async def test_equity_is_the_armed_capital_and_what_was_won_since(account: Store) -> None:
    unarmed = await account.exposure(LIVE, "main")
    assert unarmed is not None
    assert (unarmed.must_be_armed, unarmed.arming, unarmed.equity_usd) == (True, None, D(10_000))
    await arm(account)
    armed = await account.exposure(LIVE, "main")
    assert armed is not None
    seen = (armed.equity_usd, armed.cash_usd, armed.day_start_equity_usd, armed.peak_equity_usd)
    assert seen == (D(500), D(500), D(500), D(500))
    await account.record_intent(BOUGHT, a_prepared(BOUGHT))
    fill = a_fill(BOUGHT, quantity=D("0.1"), price=D(4000), commission=D(0))
    await account.record_order(BOUGHT.key, a_venue_order(BOUGHT, fill), [fill])
    await account.record_equity(LIVE, "main", as_of=datetime.now(UTC), marks=[("BTC/USDT", D(4500))])
    won = await account.exposure(LIVE, "main")
    view = await account.position_view(LIVE, "main", "BTC/USDT")
    assert won is not None
    assert view is not None
    assert (won.cash_usd, won.equity_usd, won.peak_equity_usd) == (D(100), D(550), D(550))
    assert (view.cash_usd, view.equity_usd) == (D(100), D(550))
    await account.record_equity(LIVE, "main", as_of=datetime.now(UTC), marks=[("BTC/USDT", D(4100))])
    await arm(account, "200", "arm-2")  # again, after a loss from the peak: counted from here
    anew = await account.exposure(LIVE, "main")
    assert anew is not None
    assert (anew.equity_usd, anew.peak_equity_usd, anew.day_start_equity_usd) == (D(200), D(200), D(200))


async def test_what_cannot_be_armed_is_refused_with_its_number(account: Store) -> None:
    with pytest.raises(StoreRefused, match="10001 is more than the 10000 USD of main"):
        await arm(account, "10001")
    with pytest.raises(StoreRefused, match="must be above 0"):
        await arm(account, "0")
    with pytest.raises(StoreRefused, match="unknown"):
        await account.arm(LIVE, "nobody", operation_id="x", capital_usd=D(1), who="ada", reason="typo")
    with pytest.raises(StoreRefused, match="realm testnet needs no arming"):
        await account.arm("testnet", "main", operation_id="x", capital_usd=D(1), who="ada", reason="typo")
    assert await account.armings(LIVE) == ()


async def test_the_same_operation_arms_once_and_another_ends_the_one_before(account: Store) -> None:
    await arm(account)
    await arm(account)
    await arm(account, "700", "arm-2")
    kept = {one.arming.id: (one.arming.capital_usd, one.ended_by) for one in await account.armings(LIVE)}
    assert kept == {"arm-1": (D(500), "ada"), "arm-2": (D(700), None)}
