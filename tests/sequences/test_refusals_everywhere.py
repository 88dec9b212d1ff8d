"""What a venue may refuse while something is held: the guard lives on, and does not hammer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from eventually import eventually
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, OPENS_AT, SYMBOL, Told
from temporalio.client import WorkflowExecutionStatus

from activities.exchange.binance_session import Reply
from activities.exchange.port import ClockEvent
from trading.orders.answers import Answered
from trading.orders.models import Leg, OrderRequest, OrderStatus, OrderType, Side, TimeInForce
from workflows.names import Signal
from workflows.protocol import ReduceRequest

pytestmark = pytest.mark.temporal

OpenHouse = Callable[..., Awaitable[SequenceHouse]]
MINUTE = timedelta(minutes=1)


async def history_events(house: SequenceHouse, workflow_id: str) -> int:
    return len((await house.client.get_workflow_handle(workflow_id).fetch_history()).events)


async def grows(house: SequenceHouse, workflow_id: str) -> int:
    before = await history_events(house, workflow_id)
    await asyncio.sleep(3)
    return await history_events(house, workflow_id) - before


def foreign(house: SequenceHouse, **changed: object) -> OrderRequest:
    fields: dict[str, object] = {
        "realm": house.realm,
        "venue": "simulated",
        "ledger": house.ledger,
        "account": ACCOUNT,
        "symbol": SYMBOL,
        "decision_id": "owner",
        "leg": Leg.EXIT,
        "client_order_id": "f" * 32,
        "side": Side.SELL,
        "type": OrderType.MARKET,
        "quantity": Decimal("0.7"),
        "as_of": OPENS_AT,
    }
    return OrderRequest.model_validate(fields | changed)


async def test_what_its_owner_sold_at_the_venue_is_not_offered_without_end(open_house: OpenHouse) -> None:
    house = await open_house()
    await house.bought()
    stop = (await house.guard_state()).stop
    assert stop is not None
    await house.exchange.cancel(stop.key)
    await house.exchange.send(await house.exchange.prepare(foreign(house, quantity=stop.quantity)), protective=True)
    await house.advance(OPENS_AT + MINUTE)
    await house.send_tick(house.guard(), ClockEvent(kind="order", symbol=SYMBOL, client_order_id=stop.client_order_id))
    await asyncio.sleep(2)
    assert await grows(house, house.guard().id) == 0


async def test_an_entry_that_is_frozen_waits_for_a_person(open_house: OpenHouse) -> None:
    house = await open_house()
    permit = await house.permit()
    order = house.entry(permit)
    other = foreign(
        house,
        client_order_id=order.client_order_id,
        side=Side.BUY,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        price=Decimal(6000),
        quantity=Decimal("0.1"),
    )
    await house.exchange.send(await house.exchange.prepare(other), protective=True)
    handle = await house.execute(permit, order, expires_at=OPENS_AT)
    await house.placed()
    await asyncio.sleep(1)
    assert await grows(house, handle.id) == 0


async def test_a_refused_cancel_does_not_end_the_guard(open_house: OpenHouse) -> None:
    house = await open_house()
    await house.bought()
    act = house.exchange._session.act

    async def forbidden(method: str, path: str, fields: object, **options: object) -> Reply:
        if method == "DELETE":
            return Reply(answered=Answered(http_status=403, message="<html>Forbidden</html>"))
        return await act(method, path, fields, **options)  # type: ignore[arg-type]

    house.exchange._session.act = forbidden  # type: ignore[method-assign,assignment]
    await house.guard().signal(
        Signal.REDUCE,
        ReduceRequest(request_id="less", decision_id="less", quantity=Decimal("0.1"), reason="decision"),
    )
    await asyncio.sleep(3)
    described = await house.guard().describe()
    house.exchange._session.act = act  # type: ignore[method-assign]
    assert described.status is WorkflowExecutionStatus.RUNNING


async def test_an_entry_that_froze_while_the_venue_was_silent_is_protected_once_it_speaks(
    open_house: OpenHouse,
) -> None:
    """It filled, unheard: when the venue answers again, its fill counts and gets its stop."""
    house = await open_house(Told(coordinated=False))
    permit = await house.permit()
    order = house.entry(permit)
    find = house.exchange.find
    await house.exchange.send(await house.exchange.prepare(order), protective=False)
    await house.advance(OPENS_AT + MINUTE)
    await house.store.record_intent(order, await house.exchange.prepare(order))
    await house.store.record_status(order.key, OrderStatus.FROZEN, reason="the venue was silent")

    async def nothing(key: object) -> None:
        return None

    house.exchange.find = nothing  # type: ignore[method-assign,assignment]
    handle = await house.execute(permit, order, expires_at=OPENS_AT)
    await asyncio.sleep(2)
    assert await grows(house, handle.id) == 0
    house.exchange.find = find  # type: ignore[method-assign]
    report = await asyncio.wait_for(handle.result(), 20)
    assert report.status is OrderStatus.FILLED
    await eventually(lambda: _stop(house), what="the stop")


async def _stop(house: SequenceHouse) -> bool:
    return (await house.guard_state()).stop is not None
