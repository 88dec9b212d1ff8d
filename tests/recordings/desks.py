"""Desks under decisions, people and the watch."""

from __future__ import annotations

from eventually import eventually
from fakes.sequence_house import SequenceHouse
from fakes.told_market import OPENS_AT, Told
from recordings.path import RecordedPath

from trading.risk.models import Mode
from workflows.account_desk import AccountDesk
from workflows.names import Signal, Update, desk_workflow
from workflows.protocol import Defend, Hand, Lift, ModeChange


async def _desk(house: SequenceHouse) -> str:
    await house.reserve(house.wish("first"))
    await house.reserve(house.wish("first"))
    await house.reserve(house.wish("second", notional="90000"))
    await halt(house)
    await house.reserve(house.wish("third"))
    await house.desk().signal(AccountDesk.close)
    await house.desk().result()
    return desk_workflow(house.realm, "composite")


async def _desk_by_hand(house: SequenceHouse) -> str:
    await house.desk().execute_update(Update.PAUSE, hand("op-1"))
    await house.desk().execute_update(Update.RESUME, hand("op-2"))
    await house.desk().signal(Signal.HALT, hand("op-3"))
    await eventually(lambda: _has_no_errands(house, hands=3), what="the halt")
    await house.desk().execute_update(Update.FLATTEN, hand("op-4").model_copy(update={"symbol": "BTC/USDT"}))
    await eventually(lambda: _has_no_errands(house), what="the errands")
    await house.desk().signal(AccountDesk.close)
    await house.desk().result()
    return desk_workflow(house.realm, "composite")


async def _desk_defends(house: SequenceHouse) -> str:
    """A freeze and a defence by the watch's word, a wish refused, and a person who lifts the defence."""
    await house.desk().signal(Signal.DEFEND, _crash("b1", symbol="BTC/USDT"))
    await house.desk().signal(Signal.DEFEND, _crash("b2"))
    await eventually(lambda: _are_kept(house, 2), what="the protections")
    await house.reserve(house.wish("w1"))
    kept = await house.store.protections(house.realm)
    defence = next(one.protection for one in kept if one.protection.symbol is None)
    lift = Lift(protection_id=defence.id, operation_id="op-1", who="ada", reason="calm")
    await house.desk().execute_update(Update.LIFT, lift)
    await eventually(lambda: _is_idle(house), what="the errands")
    await house.desk().signal(AccountDesk.close)
    await house.desk().result()
    return house.desk().id


async def _are_kept(house: SequenceHouse, count: int) -> bool:
    return len(await house.store.protections(house.realm)) == count


async def _is_idle(house: SequenceHouse) -> bool:
    state = await house.desk().query(AccountDesk.state)
    return state is not None and not state.errands


async def _has_no_errands(house: SequenceHouse, *, hands: int = 4) -> bool:
    state = await house.desk().query(AccountDesk.state)
    return state is not None and len(state.hands) == hands and not state.errands


def _crash(operation_id: str, symbol: str | None = None) -> Defend:
    return Defend(operation_id=operation_id, reason="flash_crash: all fell", symbol=symbol, as_of=OPENS_AT)


def hand(operation_id: str) -> Hand:
    return Hand(operation_id=operation_id, who="a person", reason="storm")


async def halt(house: SequenceHouse) -> None:
    change = ModeChange(operation_id="op-1", mode=Mode.HALTED, reason="storm", who="a person")
    await house.desk().execute_update(Update.CHANGE_MODE, change)


PATHS = (
    RecordedPath("desk-reserve-and-halt", _desk, Told()),
    RecordedPath("desk-hands", _desk_by_hand, Told()),
    RecordedPath("desk-defends", _desk_defends, Told()),
)
