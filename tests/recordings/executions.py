"""Executions of an entry."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from fakes.sequence_house import SequenceHouse
from fakes.told_market import OPENS_AT, Told
from recordings.path import HOUR, RecordedPath


async def bought(house: SequenceHouse, **trade: Any) -> str:
    permit = await house.permit()
    handle = await house.execute(permit, house.entry(permit), **trade)
    await house.placed()
    await house.settle(handle.id)
    await house.play(OPENS_AT + timedelta(seconds=2))
    await handle.result()
    return handle.id


async def _execution_refused(house: SequenceHouse) -> str:
    permit = await house.permit()
    handle = await house.execute(permit, house.entry(permit))
    await handle.result()
    return handle.id


async def _execution_expired(house: SequenceHouse) -> str:
    permit = await house.permit()
    handle = await house.execute(permit, house.entry(permit, price=Decimal(6900)), expires_at=OPENS_AT + 3 * HOUR)
    await house.placed()
    await house.settle(handle.id)
    await house.play(OPENS_AT + 4 * HOUR)
    await handle.result()
    return handle.id


PATHS = (
    RecordedPath("execution-filled", bought, Told()),
    RecordedPath("execution-refused", _execution_refused, Told(venue_capital=Decimal(100))),
    RecordedPath("execution-expired", _execution_expired, Told()),
)
