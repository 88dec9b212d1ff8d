"""A rest worth an order at the market and dust at its stop has no guard: selling it fails no decision."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from eventually import eventually
from fakes.scripted_models import sells
from fakes.sequence_house import SequenceHouse
from fakes.told_market import OPENS_AT
from temporalio.client import WorkflowExecutionStatus

from trading.orders.wishes import ReduceRequest
from workflows.names import Signal

pytestmark = pytest.mark.temporal

OpenHouse = Callable[..., Awaitable[SequenceHouse]]


async def test_a_rest_without_a_guard_is_held_and_fails_no_decision(open_house: OpenHouse) -> None:
    house = await open_house()
    report = await house.bought(notional="20", stop="6790")
    left = Decimal("0.00072")  # 5.04 USD at 7000, 4.89 at the stop: the least order is 5
    wish = ReduceRequest(
        request_id="less",
        decision_id="less",
        quantity=report.net_base - left,
        owner=house.coordinator_id,
        reason="decision",
    )
    await house.guard().signal(Signal.REDUCE, wish)
    await house.placed(2)
    await house.settle(house.guard().id)
    await house.play(OPENS_AT + timedelta(minutes=1))
    await house.settle(house.guard().id)
    await eventually(lambda: _is_closed(house), what="the guard's end")
    for model in (house.primary, house.secondary):
        model.__init__(model.name, sells())  # type: ignore[misc]
    result = await asyncio.wait_for(house.decide(as_of=await house.market_now()), 30)
    assert [outcome.outcome for outcome in result.summary.outcomes] == ["held"]


async def _is_closed(house: SequenceHouse) -> bool:
    return (await house.guard().describe()).status is not WorkflowExecutionStatus.RUNNING
