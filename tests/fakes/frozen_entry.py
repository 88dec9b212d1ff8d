"""An entry whose fate is unknown: it waits for a person's word."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from eventually import eventually
from fakes.sequence_house import SequenceHouse

from activities.exchange.port import VenueAnswer
from trading.orders.models import OrderStatus, OutcomeClass
from workflows.order_execution import OrderExecution


def another_order(find: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def found_otherwise(key: Any) -> Any:
        found = await find(key)
        return found and found.model_copy(update={"quantity": found.quantity * 2})

    return found_otherwise


async def frozen_entry(house: SequenceHouse) -> tuple[Any, str]:
    """An entry that filled at the venue, whose reply was lost, and which looked like another's when it was found."""
    find, send = house.exchange.find, house.exchange.send

    async def reply_lost(prepared: Any, *, protective: bool) -> Any:
        await send(prepared, protective=protective)
        return VenueAnswer(outcome=OutcomeClass.UNKNOWN, message="reset")

    house.exchange.find, house.exchange.send = another_order(find), reply_lost  # type: ignore[method-assign]
    permit = await house.permit()
    handle = await house.execute(permit, house.entry(permit))
    (placed,) = await house.placed()
    assert placed.report.status is OrderStatus.FROZEN
    house.exchange.find, house.exchange.send = find, send  # type: ignore[method-assign]
    name = placed.report.client_order_id
    await eventually(lambda: knows_frozen(house, name), what="the guard hears of it")
    return handle, name


async def knows_frozen(house: SequenceHouse, name: str) -> bool:
    return (await house.guard_state()).is_frozen(name)


async def is_resolved(handle: Any) -> bool:
    report = await handle.query(OrderExecution.report)
    return report is not None and report.status is not OrderStatus.FROZEN
