"""Guards of a position, up to each exit."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from eventually import eventually
from fakes.closed_market import close_the_market, waits_for_the_market
from fakes.sequence_house import SequenceHouse
from fakes.told_market import FLAT, OPENS_AT, Told
from recordings.desks import hand
from recordings.executions import bought
from recordings.path import HOUR, Play, RecordedPath

from trading.orders.wishes import ExitPlan
from workflows.names import Update

LISTED = ExitPlan(slippage_fraction=Decimal("0.002"))
FALL = (7000, 7010, 6600, 6650)
RISE = (7000, 7500, 6990, 7450)
FALLING = Told(hours=[FLAT, FALL])
RISING = Told(hours=[FLAT, RISE])


def _guard(**trade: Any) -> Play:
    async def play(house: SequenceHouse) -> str:
        await bought(house, **trade)
        await house.play(OPENS_AT + 6 * HOUR)
        await house.guard().result()
        return house.guard().id

    return play


async def _flattened(house: SequenceHouse) -> str:
    await house.bought(stop="6800")
    await house.desk().execute_update(Update.FLATTEN, hand("op-1"))
    await eventually(lambda: _is_leaving(house), what="the sale")
    await house.settle(house.guard().id)
    await house.play(await house.market_now() + timedelta(minutes=1))
    await house.guard().result()
    return house.guard().id


async def _flattened_after_a_break(house: SequenceHouse) -> str:
    """A person wants out while the symbol is in BREAK; it trades again three minutes later."""
    await house.bought(stop="6800")
    open_it = close_the_market(house)
    await house.desk().execute_update(Update.FLATTEN, hand("op-1"))
    await eventually(lambda: waits_for_the_market(house), what="the guard has seen that the market is closed")
    await house.settle(house.guard().id)
    await house.play(OPENS_AT + timedelta(minutes=3))
    open_it()
    await house.play(OPENS_AT + timedelta(minutes=6))
    await house.guard().result()
    return house.guard().id


async def _is_leaving(house: SequenceHouse) -> bool:
    return (await house.guard_state()).leaving is not None


PATHS = (
    RecordedPath("guard-stop", _guard(stop="6800"), FALLING),
    RecordedPath("guard-target", _guard(target="7400"), RISING),
    RecordedPath("guard-list-target", _guard(target="7400", plan=LISTED), RISING),
    RecordedPath("guard-time-exit", _guard(exit_at=OPENS_AT + 5 * HOUR), Told()),
    RecordedPath("guard-flatten", _flattened, Told()),
    RecordedPath("guard-market-closed", _flattened_after_a_break, Told()),
)
