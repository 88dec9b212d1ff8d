"""The hourly look at ledger and venue: it reports, writes transfers down once, and touches nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, OPENS_AT, VENUE, Told

from workflows.maintenance import Maintenance
from workflows.names import QueueRole
from workflows.periods import PeriodDone, PeriodRequest

pytestmark = pytest.mark.temporal
OpenHouse = Callable[..., Awaitable[SequenceHouse]]


async def looked(house: SequenceHouse, hour: int) -> PeriodDone:
    as_of = OPENS_AT + timedelta(hours=hour)
    done: PeriodDone = await house.client.execute_workflow(
        Maintenance.run,
        PeriodRequest(realm=house.realm, venue=VENUE, ledger=house.ledger, accounts=(ACCOUNT,), as_of=as_of),
        id=f"{house.realm}/maintenance/all/{hour}",
        task_queue=house.queue(QueueRole.DECISIONS),
    )
    return done


async def test_a_traded_account_is_equal(open_house: OpenHouse) -> None:
    house = await open_house()
    await house.bought()
    await looked(house, 1)
    details = await house.client.get_workflow_handle(f"{house.realm}/maintenance/all/1").describe()
    assert "PerennialOutcome" in {pair.key.name for pair in details.typed_search_attributes}
    assert await house.store.audit(house.realm, subject=ACCOUNT) == ()


async def test_an_unexplained_balance_is_written_down_once(open_house: OpenHouse) -> None:
    house = await open_house(Told(venue_capital=Decimal(100_500)))
    await looked(house, 1)
    await looked(house, 2)
    (entry,) = [one for one in await house.store.audit(house.realm, subject=ACCOUNT) if "transfer" in one.what]
    assert "500" in entry.reason
    assert (await house.reserve(house.wish("free"))).permit is not None, "it freezes nothing"
