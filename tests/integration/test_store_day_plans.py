"""A day's plan is kept once for all its accounts; a day's numbers and holdings are those of its own time."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

from store_rows import NOON, REALM, a_fill, a_head, a_prepared, a_request, a_venue_order

from activities.store.open import Store
from trading.orders.models import Leg, OrderRequest, Side
from trading.planning.hours import MarketHours
from trading.planning.models import AccountPlan, DayNumbers, DayPlan
from trading.planning.plans import Morning, plan_the_day
from trading.playbook import first_playbook

D = Decimal
DAY = NOON.date()
HOURS = MarketHours()
ACCOUNTS = ("aggressive", "composite")
HOUR = timedelta(hours=1)


def a_plan(as_of: datetime = NOON) -> DayPlan:
    return plan_the_day(
        Morning(
            as_of=as_of,
            hours=HOURS,
            playbook=first_playbook(),
            accounts=ACCOUNTS,
            yesterday=DayNumbers(day=as_of.date() - timedelta(days=1)),
            snapshots={},
            recalls={},
            held={},
        )
    )


async def opened(store: Store) -> None:
    await store.open_account(
        REALM, venue="simulated", ledger="main", account="main", opening=[("USDT", D(10_000))], as_of=NOON - 24 * HOUR
    )


async def traded(store: Store, request: OrderRequest, *, trade: str, at: datetime) -> None:
    await store.record_intent(request, a_prepared(request))
    fill = a_fill(request, trade_id=trade, venue_order_id=trade, filled_at=at)
    await store.record_order(request.key, a_venue_order(request, fill, venue_order_id=trade), (fill,))


async def test_two_runs_of_a_day_keep_the_first_plan_whole(store: Store) -> None:
    plans = [a_plan(), a_plan(NOON + HOUR)]
    kept = await asyncio.gather(*(store.keep_day_plan(REALM, plan) for plan in plans))
    assert kept[0] == kept[1]
    assert await store.find_day_plan(REALM, DAY.isoformat()) == kept[0]
    stored = DayPlan.model_validate_json(await store.get(kept[0].plan_hash))
    assert stored in plans
    assert [account for account, _ in kept[0].accounts] == list(ACCOUNTS)
    parts = [AccountPlan.model_validate_json(await store.get(name)) for _, name in kept[0].accounts]
    assert tuple(parts) == stored.plans
    assert await store.find_plan(REALM, account="composite", period=DAY.isoformat()) == kept[0].accounts[1][1]
    assert await store.find_day_plan("paper", DAY.isoformat()) is None


async def test_the_plan_before_is_the_newest_earlier_day_and_no_week(store: Store) -> None:
    await store.keep_day_plan(REALM, a_plan(NOON - 48 * HOUR))
    await store.keep_day_plan(REALM, a_plan(NOON))
    await store.keep_plan(REALM, account="all", period="2020-W10", as_of=NOON, content_hash="0" * 64)
    before = await store.day_plan_before(REALM, DAY.isoformat())
    assert before is not None
    assert before.day == (NOON - 48 * HOUR).date()
    assert await store.day_plan_before(REALM, before.day.isoformat()) is None


async def test_a_days_numbers_end_with_the_day(store: Store) -> None:
    await opened(store)
    start, end = HOURS.bounds(DAY)
    for at in (start, start + HOUR, end):
        await store.record_equity(REALM, "main", as_of=at, marks=[])
    for number, at in enumerate((start - HOUR, start, end - HOUR, end)):
        await store.record_outcome(
            REALM,
            "main",
            "BTC/USDT",
            f"d{number}",
            pnl_usd=D(10) if number == 1 else D(-4),
            return_fraction=D(0),
            exit_reason="stop",
            closed_at=at,
        )
    await store.open_decision(a_head(as_of=start))
    await store.open_decision(a_head(as_of=end))
    await traded(store, a_request(), trade="1", at=NOON)
    await store.record_equity(REALM, "main", as_of=NOON + HOUR, marks=[("BTC/USDT", D(4000))])
    await store.record_equity(REALM, "main", as_of=end + HOUR, marks=[("BTC/USDT", D(9000))])
    await store.record_equity(REALM, "main", as_of=end, marks=[("BTC/USDT", D(6000))])
    numbers = await store.day_numbers(REALM, ("main", "nobody"), day=DAY, hours=HOURS)
    mine, nobody = numbers.accounts
    assert (mine.closed_trades, mine.winning_trades, mine.pnl_usd) == (2, 1, D(6))
    assert (mine.equity_start_usd, mine.equity_low_usd, mine.equity_end_usd) == (D(10_000), D("9899.6"), D("10099.4"))
    assert mine.return_fraction == D("0.00994")
    assert (nobody.equity_end_usd, nobody.return_fraction, nobody.closed_trades) == (None, None, 0)
    assert (numbers.decisions, numbers.entries) == (1, 1)


async def test_what_is_held_is_what_the_fills_of_that_time_leave(store: Store) -> None:
    await opened(store)
    await traded(store, a_request(), trade="1", at=NOON)
    sale = a_request(leg=Leg.EXIT, side=Side.SELL, quantity=D("0.0999"))
    await traded(store, sale, trade="2", at=NOON + HOUR)
    assert await store.held_symbols(REALM, "main", as_of=NOON - HOUR) == frozenset()
    assert await store.held_symbols(REALM, "main", as_of=NOON) == frozenset({"BTC/USDT"})
    assert await store.held_symbols(REALM, "main", as_of=NOON + HOUR) == frozenset(), (
        "commission leaves nothing to sell"
    )
