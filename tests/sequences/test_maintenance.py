"""The hourly look at ledger and venue: it reports, writes transfers down once, and touches nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from eventually import eventually
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, FLAT, OPENS_AT, SYMBOL, VENUE, Told
from fakes.watched_market import knows, start_watch, tell_plan

from activities.store.reading import equity_series
from trading.playbook import first_playbook, revised
from trading.policy.table import changed
from trading.watching.quality import Answer
from workflows.maintenance import Maintenance
from workflows.market_watch import MarketWatch
from workflows.names import OUTCOME, QueueRole
from workflows.periods import PeriodDone, PeriodRequest

pytestmark = pytest.mark.temporal
OpenHouse = Callable[..., Awaitable[SequenceHouse]]
SAGGING = (7000, 7005, 6850, 6860)
SAGGED = (6860, 6870, 6850, 6860)


async def looked(house: SequenceHouse, hour: int) -> PeriodDone:
    as_of = OPENS_AT + timedelta(hours=hour)
    done: PeriodDone = await house.client.execute_workflow(
        Maintenance.run,
        PeriodRequest(
            realm=house.realm, venue=VENUE, ledger=house.ledger, accounts=(ACCOUNT,), usual=(SYMBOL,), as_of=as_of
        ),
        id=f"{house.realm}/maintenance/all/{hour}",
        task_queue=house.queue(QueueRole.DECISIONS),
    )
    return done


async def test_a_traded_account_is_equal(open_house: OpenHouse) -> None:
    house = await open_house()
    await house.bought()
    await looked(house, 1)
    details = await house.client.get_workflow_handle(f"{house.realm}/maintenance/all/1").describe()
    assert [(one.name, one.last) for one in await house.store.source_scores(VENUE)] == [("http://venue", Answer.GOOD)]
    assert "PerennialOutcome" in {pair.key.name for pair in details.typed_search_attributes}
    assert await house.store.audit(house.realm, subject=ACCOUNT) == ()


async def test_an_unexplained_balance_is_written_down_once(open_house: OpenHouse) -> None:
    house = await open_house(Told(venue_capital=Decimal(100_500)))
    await looked(house, 1)
    await looked(house, 2)
    (entry,) = [one for one in await house.store.audit(house.realm, subject=ACCOUNT) if "transfer" in one.what]
    assert "500" in entry.reason
    assert (await house.reserve(house.wish("free"))).permit is not None, "it freezes nothing"


async def test_accounts_are_valued_where_nothing_trades_and_the_limits_see_it(open_house: OpenHouse) -> None:
    """What is held falls; equity, peak and the day's loss follow it without any decision in between."""
    house = await open_house(Told(hours=[FLAT, FLAT, SAGGING, SAGGED]))
    await house.bought(notional="9000")
    await looked(house, 1)
    before = await house.store.exposure(house.realm, ACCOUNT)
    await house.play(OPENS_AT + timedelta(hours=3, minutes=2))
    await looked(house, 3)
    after = await house.store.exposure(house.realm, ACCOUNT)
    rows = await equities(house)
    assert before is not None
    assert after is not None
    assert [at for at, _usd in rows] == [OPENS_AT, OPENS_AT + timedelta(hours=3)], "by the market's time, never later"
    assert round(after.equity_usd, 6) == round(rows[-1][1], 6)
    assert after.equity_usd < before.equity_usd - 40
    assert after.peak_equity_usd == max(before.peak_equity_usd, *(usd for _at, usd in rows))
    details = await house.client.get_workflow_handle(f"{house.realm}/maintenance/all/3").describe()
    assert details.typed_search_attributes.get(OUTCOME) == "equal"


async def test_a_valuation_that_is_filled_in_says_nothing_of_the_past(open_house: OpenHouse) -> None:
    house = await open_house()
    await looked(house, -72)
    assert [at for at, _usd in await equities(house)] == [OPENS_AT]


async def test_a_live_watch_plans_anew_by_what_accounts_are_worth(open_house: OpenHouse) -> None:
    """Nobody ticks and nobody trades: the hourly valuation alone says that a quarter of the target is missing."""
    first = first_playbook()
    strict = revised(first, policy=changed(first.policy, replan_deviation_fraction="0.2"))
    house = await open_house(Told(coordinated=False, playbook=strict))
    watch = await start_watch(house, coordinator=None)
    await eventually(lambda: knows(watch, OPENS_AT), what="the market's time")
    await tell_plan(house, watch)
    await house.advance(OPENS_AT + timedelta(hours=3))
    await looked(house, 3)
    await house.advance(OPENS_AT + timedelta(hours=4))
    await eventually(lambda: planned(house, 2), timeout_s=30, what="the second plan")
    _first, second = await house.store.day_plans(house.realm, OPENS_AT.date())
    assert [(one.course.value, one.return_fraction) for one in second.progress] == [("behind", 0)]
    await watch.signal(MarketWatch.close)
    await watch.result()


async def equities(house: SequenceHouse) -> list[tuple[datetime, Decimal]]:
    rows = await equity_series(house.store, house.realm, account=ACCOUNT)
    return [(datetime.fromisoformat(row["as_of"]), Decimal(row["equity_usd"])) for row in rows]


async def planned(house: SequenceHouse, count: int) -> bool:
    return len(await house.store.day_plans(house.realm, OPENS_AT.date())) == count
