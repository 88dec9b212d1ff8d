"""A test venue is wiped: two looks close the books, nothing of the new account is sold, the next decision trades."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually
from fakes.people import audited
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, OPENS_AT, SYMBOL, VENUE, Told, file_of
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle

from activities.exchange.placing import OrderPlacement, Patience
from activities.exchange.reconcile import ReconcileCalls, ReconcileRequest
from activities.store.ports.faults import StoreRefused
from activities.store.reading import order_list, status
from trading.ledger import venue_reset
from trading.orders.models import Leg, OrderReport, OrderStatus
from workers.exchange_sim.app import create_app
from workers.exchange_sim.config import SimConfig
from workflows.maintenance import Maintenance
from workflows.names import OUTCOME, QueueRole
from workflows.periods import PeriodRequest

pytestmark = pytest.mark.temporal
OpenHouse = Callable[..., Awaitable[SequenceHouse]]
Wipe = Callable[[SequenceHouse], Awaitable[None]]
FRESH = {"USDT": Decimal(20000), "BTC": Decimal(1)}


@pytest.fixture
def wiped_now_and_then(monkeypatch: pytest.MonkeyPatch) -> Callable[[SequenceHouse], None]:
    """Makes the house's realm one whose venue is wiped now and then."""
    return lambda house: monkeypatch.setattr(venue_reset, "WIPED_REALMS", frozenset({house.realm}))


async def look(house: SequenceHouse, number: int) -> str:
    """The hourly look, and what it says of itself."""
    name = f"{house.realm}/maintenance/all/{number}"
    await house.client.execute_workflow(
        Maintenance.run,
        PeriodRequest(
            realm=house.realm,
            venue=VENUE,
            ledger=house.ledger,
            accounts=(ACCOUNT,),
            usual=(SYMBOL,),
            as_of=OPENS_AT + timedelta(hours=number),
        ),
        id=name,
        task_queue=house.queue(QueueRole.DECISIONS),
    )
    told = await house.client.get_workflow_handle(name).describe()
    return str(told.typed_search_attributes.get(OUTCOME))


@pytest.fixture
async def wipe(tmp_path: Path) -> AsyncIterator[Wipe]:
    """The same market, and a venue without memory: accounts keep their keys and get other balances."""
    async with AsyncExitStack() as opened:

        async def wiped(house: SequenceHouse) -> None:
            app = create_app(
                SimConfig(
                    db_path=str(tmp_path / "wiped.sqlite"),
                    files={SYMBOL: str(tmp_path / "house-1" / file_of(SYMBOL))},
                    start_at=await house.market_now(),
                    enforce_limits=False,
                )
            )
            await opened.enter_async_context(app.router.lifespan_context(app))
            house.transport.app = app
            await house.clock.open_account(ACCOUNT, FRESH)

        yield wiped


async def card(house: SequenceHouse) -> str:
    shown = await house.desk().query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return str(shown.current_details)


async def sold(house: SequenceHouse) -> list[str]:
    """Everything of ours that the new venue has seen."""
    return [order.client_order_id for order in await house.exchange.orders(ACCOUNT, SYMBOL)]


async def test_two_looks_close_the_books_and_the_next_decision_trades_from_the_new_balances(
    wiped_now_and_then: Callable[[SequenceHouse], None], open_house: OpenHouse, wipe: Wipe
) -> None:
    house = await open_house(Told(coordinated=False))
    wiped_now_and_then(house)
    position = await held(house)
    second = await house.permit(name="resting", notional="500")
    resting = await house.execute(second, house.entry(second, price=Decimal("6900.00")))
    await eventually(lambda: rests(house, 2), what="the entry that rests")
    await wipe(house)

    assert await look(house, 1) == "differences"
    shown = (await status(house.store, house.realm))["venue_resets"]
    assert [(one["account"], one["closed_at"]) for one in shown] == [(ACCOUNT, None)]
    assert await look(house, 2) == "venue_reset"

    assert await sold(house) == [], "a fresh account's own coins are nobody's exit"
    for handle in (house.guard(), resting):
        await eventually(lambda handle=handle: ended(handle), what="the end of who guarded what is gone")
    assert (await position.describe()).status is not WorkflowExecutionStatus.RUNNING
    exposure = await house.store.exposure(house.realm, ACCOUNT)
    assert exposure is not None
    assert (exposure.cash_usd, exposure.holdings) == (FRESH["USDT"], ())
    assert (exposure.peak_equity_usd, exposure.day_start_equity_usd) == (FRESH["USDT"], FRESH["USDT"])
    old = await order_list(house.store, house.realm)
    assert {row["status"] for row in old} == {"FILLED", "EXPIRED"}, "kept, and nothing of it open"
    assert await house.store.ledger_fills(house.realm, ACCOUNT) == ()
    assert await house.store.open_items(house.realm) == ()
    await eventually(lambda: shows(house, "venue_reset"), what="the desk's card")
    assert "equity 20000 USD" in await card(house)
    assert [what for what, _who, _why in await audited(house, ACCOUNT)][-2:] == [
        "ledger in doubt",
        "ledger closed as venue_reset",
    ]

    bought = await held(house, "after", notional="2000")
    assert (await bought.result()).status is OrderStatus.FILLED
    assert await look(house, 3) == "equal", "trade ids of before do not meet those of after"


async def test_an_exit_of_what_is_gone_is_refused_where_its_guard_comes_late(
    wiped_now_and_then: Callable[[SequenceHouse], None], open_house: OpenHouse, wipe: Wipe
) -> None:
    house = await open_house(Told(coordinated=False))
    wiped_now_and_then(house)
    await held(house)
    await wipe(house)
    await look(house, 1)
    late = (await house.guard_state()).stop
    assert late is not None
    placement = OrderPlacement(house.exchange, house.store, pause=asyncio.sleep, patience=Patience())
    for number in (2, 3):
        exit_ = late.model_copy(update={"client_order_id": f"{number}" * 32, "leg": Leg.EXIT, "revision": 90 + number})
        report = await placement.place(exit_)
        assert (report.status, report.reason.partition(":")[0]) == (OrderStatus.REFUSED, "venue_reset")
        await look(house, number)
    assert await sold(house) == []


async def test_an_outage_and_a_venue_that_finds_its_orders_again_reset_nothing(
    wiped_now_and_then: Callable[[SequenceHouse], None], open_house: OpenHouse, wipe: Wipe
) -> None:
    house = await open_house(Told(coordinated=False))
    wiped_now_and_then(house)
    await held(house)
    known = house.transport.app
    silent = Silent(known, times=6)
    house.transport.app = silent
    assert await look(house, 1) == "equal"
    assert silent.times <= 0
    house.transport.app = known
    assert (await status(house.store, house.realm))["venue_resets"] == []

    await wipe(house)
    assert await look(house, 2) == "differences"
    assert len((await status(house.store, house.realm))["venue_resets"]) == 1
    house.transport.app = known
    assert await look(house, 3) == "equal", "the orders are there again: the first look is forgotten"
    assert (await status(house.store, house.realm))["venue_resets"] == []
    exposure = await house.store.exposure(house.realm, ACCOUNT)
    assert exposure is not None
    assert len(exposure.holdings) == 1
    assert (await house.guard().describe()).status is WorkflowExecutionStatus.RUNNING


async def test_where_nobody_wipes_a_venue_the_same_finding_is_told_and_resets_nothing(
    open_house: OpenHouse, wipe: Wipe
) -> None:
    house = await open_house(Told(coordinated=False))
    await held(house)
    await wipe(house)
    assert [await look(house, number) for number in (1, 2)] == ["differences", "differences"]
    assert (await status(house.store, house.realm))["venue_resets"] == []
    request = ReconcileRequest(realm=house.realm, venue=VENUE, accounts=(ACCOUNT,), symbols=(SYMBOL,))
    assert (await ReconcileCalls(house.exchange, house.store).reconcile(request)).wiped == (ACCOUNT,)
    with pytest.raises(StoreRefused, match="that is an alarm there"):
        await house.store.heed_wipe(
            house.realm, ACCOUNT, look=OPENS_AT, at=OPENS_AT, is_gone=True, balances=(("USDT", Decimal(1)),)
        )


class Silent:
    """A venue that answers with 503 so many times."""

    def __init__(self, venue: Any, *, times: int) -> None:
        self._venue = venue
        self.times = times

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.times -= 1
        if self.times >= 0 and scope["path"].startswith("/api/v3/"):
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b"Service Unavailable."})
            return
        await self._venue(scope, receive, send)


async def held(house: SequenceHouse, name: str = "wish", *, notional: str = "5000") -> WorkflowHandle[Any, OrderReport]:
    """A position bought at the market, with its stop at the venue."""
    now = await house.market_now()
    permit = await house.permit(name=name, notional=notional, now=now)
    order = house.entry(permit, as_of=now)
    handle = await house.execute(permit, order, expires_at=now + timedelta(seconds=30))
    await eventually(lambda: house.exchange.find(order.key), what="the entry at the venue")
    await house.advance(now + timedelta(seconds=2))
    await eventually(lambda: has_a_stop(house), what="the stop at the venue")
    return handle


async def has_a_stop(house: SequenceHouse) -> bool:
    return any(order.stop_price is not None for order in await house.exchange.open_orders(ACCOUNT, SYMBOL))


async def rests(house: SequenceHouse, count: int) -> bool:
    return len(await house.exchange.open_orders(ACCOUNT, SYMBOL)) == count


async def ended(handle: Any) -> bool:
    return (await handle.describe()).status is not WorkflowExecutionStatus.RUNNING


async def shows(house: SequenceHouse, text: str) -> bool:
    return text in await card(house)
