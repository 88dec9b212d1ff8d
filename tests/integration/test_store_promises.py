"""Promises of desks on both databases: written where the others leave room, and seen until their order is there."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from store_rows import NOON, REALM, D, a_prepared, a_request

from activities.store.open import Store, open_store
from activities.store.ports.faults import StoreRefused
from trading.risk.promises import Promise, Promised

SYMBOL = "BTC/USDT"
LIMIT = D("6000")
"""All that both accounts together may have of the symbol."""


@pytest.fixture
async def two(store: Store) -> Store:
    for account in ("main", "other"):
        await store.open_account(
            REALM, venue="simulated", ledger="main", account=account, opening=[("USDT", D("10000"))], as_of=NOON
        )
    return store


def wanted(permit: str, usd: str, *, mine: str = "0", at: datetime = NOON, replaces: str | None = None) -> Promise:
    """A promise beside `mine` of the same account, under the limit of both."""
    return Promise(
        permit_id=permit,
        symbol=SYMBOL,
        notional_usd=D(usd),
        others_at_most_usd=LIMIT - D(mine) - D(usd),
        made_at=at,
        holds_until=at + timedelta(seconds=120),
        replaces=replaces,
    )


def elsewhere(answer: Promised) -> Decimal:
    return answer.ledger.elsewhere_usd(SYMBOL)


async def test_what_one_desk_promised_the_other_sees_at_once(two: Store) -> None:
    assert (await two.promise(REALM, "main", wanted("p1", "4000"))).stands
    refused = await two.promise(REALM, "other", wanted("p2", "2001"))
    assert (refused.stands, elsewhere(refused)) == (False, D(4000))
    again = await two.promise(REALM, "other", wanted("p2", "2000"))
    assert (again.stands, elsewhere(again)) == (True, D(4000))
    assert (await two.promise(REALM, "main", wanted("p1", "4000"))).stands, "asked again, it stands as it stood"


async def test_a_promise_is_its_orders_from_the_intent_on(two: Store) -> None:
    await two.promise(REALM, "main", wanted("p1", "500"))
    order = a_request(permit_id="p1", price=D("5000"))
    await two.record_intent(order, a_prepared(order))
    seen = await two.promise(REALM, "other", wanted("p2", "100"))
    assert elsewhere(seen) == order.quantity * D("5000"), "counted once"


async def test_a_promise_ends_by_time_by_hand_and_by_the_one_in_its_place(two: Store) -> None:
    await two.promise(REALM, "main", wanted("p1", "1000"))
    await two.promise(REALM, "main", wanted("p2", "600", replaces="p1"))
    assert elsewhere(await two.promise(REALM, "other", wanted("q1", "100"))) == 600
    await two.give_back(REALM, "main", "p2")
    assert elsewhere(await two.promise(REALM, "other", wanted("q2", "100"))) == 0
    await two.promise(REALM, "main", wanted("p3", "700"))
    late = NOON + timedelta(seconds=121)
    assert elsewhere(await two.promise(REALM, "other", wanted("q3", "100", at=late))) == 0


async def test_an_unknown_account_promises_nothing(two: Store) -> None:
    with pytest.raises(StoreRefused, match="unknown"):
        await two.promise(REALM, "nobody", wanted("p1", "100"))


async def test_two_processes_promise_at_once_and_never_more_than_there_is(two: Store, database_url: str) -> None:
    """Each side takes what it is left, as a desk does: sees, shrinks, asks again."""
    second = await open_store(database_url)

    async def side(store: Store, account: str) -> Decimal:
        mine = D(0)
        for number in range(40):
            answer = await store.promise(REALM, account, wanted(f"{account}-{number}", "200", mine=str(mine)))
            mine += D(200) if answer.stands else D(0)
        return mine

    try:
        taken = await asyncio.gather(side(two, "main"), side(second, "other"))
    finally:
        await second.aclose()
    assert sum(taken) == LIMIT, "all of it is given, and nothing twice"
