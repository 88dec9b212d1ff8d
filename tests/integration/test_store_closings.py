"""Books that a wiped venue ends, on both databases: one transaction, idempotent by its look, history kept."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from store_rows import NOON, D, a_fill, a_prepared, a_request, a_venue_order

from activities.store.open import Store
from activities.store.ports.journal import IntentRefused
from activities.store.tables import FillRow, LedgerClosingRow
from trading.orders.models import Leg, OrderStatus, Side

REALM, ACCOUNT = "testnet", "main"
FRESH = (("BTC", D(1)), ("USDT", D(777)))
HOUR = timedelta(hours=1)


@pytest.fixture
async def traded(store: Store) -> Store:
    await store.open_account(
        REALM, venue="simulated", ledger="main", account=ACCOUNT, opening=[("USDT", D(10000))], as_of=NOON - HOUR
    )
    await buy(store, revision=0)
    await store.record_equity(REALM, ACCOUNT, as_of=NOON, marks=[("BTC/USDT", D(9000))])
    return store


async def buy(store: Store, *, revision: int) -> None:
    """An entry that fills with the venue's first trade id."""
    request = a_request(realm=REALM, revision=revision, epoch=revision)
    fill = a_fill(request)
    await store.record_intent(request, a_prepared(request))
    await store.record_sent(request.key)
    await store.record_order(request.key, a_venue_order(request, fill), [fill])


async def look(store: Store, number: int, *, is_gone: bool = True) -> object:
    return await store.heed_wipe(
        REALM, ACCOUNT, look=NOON + number * HOUR, at=NOON + number * HOUR, is_gone=is_gone, balances=FRESH
    )


async def test_the_second_look_begins_new_books_once(traded: Store) -> None:
    first = await look(traded, 1)
    assert await look(traded, 1) == first, "a look that is tried again is one look"
    assert (await traded.positions(REALM, ACCOUNT))[0].quantity > 0
    closed = await look(traded, 2)
    assert await look(traded, 2) == closed
    assert await traded.positions(REALM, ACCOUNT) == ()
    assert await traded.opening_balances(REALM, ACCOUNT) == FRESH
    assert (await traded.ledger_orders(REALM, ACCOUNT), await traded.ledger_fills(REALM, ACCOUNT)) == ((), ())
    exposure = await traded.exposure(REALM, ACCOUNT)
    assert exposure is not None
    assert (exposure.epoch, exposure.cash_usd, exposure.peak_equity_usd) == (1, D(777), D(777))
    assert exposure.day_start_equity_usd == D(777)
    async with traded.database.read() as connection:
        row = (await connection.execute(select(LedgerClosingRow.__table__))).mappings().one()
    assert row["closed_as"] == "venue_reset"
    assert '"symbol":"BTC/USDT"' in row["books"]

    await buy(traded, revision=1)
    async with traded.database.read() as connection:
        ids = sorted((await connection.execute(select(FillRow.trade_id))).scalars())
    assert len(ids) == 2
    assert ids[1].endswith(f":{ids[0]}"), "the venue gave the same trade id again"
    await traded.record_equity(REALM, ACCOUNT, as_of=NOON + 3 * HOUR, marks=[])
    after = await traded.exposure(REALM, ACCOUNT)
    assert after is not None
    assert after.peak_equity_usd < D(1000), "drawdown counts from the new books"


async def test_nothing_is_sent_in_doubt_and_no_exit_of_what_is_gone(traded: Store) -> None:
    exit_ = a_request(realm=REALM, leg=Leg.EXIT, side=Side.SELL, permit_id=None)
    for number in (1, 2):
        await look(traded, number)
        with pytest.raises(IntentRefused) as refused:
            await traded.record_intent(exit_, a_prepared(exit_))
        assert refused.value.code == "venue_reset"
    old = a_request(realm=REALM, revision=0, epoch=0)
    with pytest.raises(IntentRefused):
        await traded.record_sent(old.key)
    await buy(traded, revision=1)
    assert (await traded.record_intent(exit_, a_prepared(exit_))).status is OrderStatus.INTENDED


async def test_a_look_that_finds_our_orders_ends_the_doubt(traded: Store) -> None:
    assert await look(traded, 1) is not None
    assert await look(traded, 2, is_gone=False) is None
    doubted = await look(traded, 3)
    assert getattr(doubted, "closed_at", NOON) is None, "two looks in a row are needed"
    assert len(await traded.ledger_fills(REALM, ACCOUNT)) == 1
