"""The market's breakers at a desk: refused at once, written down, kept across desks, lifted by people (C20)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from eventually import eventually
from fakes.people import audited, hand, has_mode, state_of
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, OPENS_AT, SYMBOL, Told
from store_rows import a_prepared

from activities.store.ports.journal import IntentRefused
from trading.orders.models import Leg
from trading.playbook import first_playbook, revised
from trading.policy.model import Policy
from trading.policy.table import changed
from trading.risk.models import GateAnswer, Mode, ProtectionKind
from workflows.account_desk import AccountDesk
from workflows.names import Signal, Update
from workflows.protocol import Defend, HandDone, Lift

pytestmark = pytest.mark.temporal

OpenHouse = Callable[..., Awaitable[SequenceHouse]]


def news(operation_id: str = "b1", symbol: str | None = None, reason: str = "flash_crash: all fell") -> Defend:
    return Defend(operation_id=operation_id, reason=reason, symbol=symbol, as_of=OPENS_AT)


def codes(answer: GateAnswer) -> list[str]:
    return [denial.code for denial in answer.denials]


async def protections(house: SequenceHouse) -> list[str]:
    return [one.id for one in (await state_of(house)).exposure.protections]


async def test_a_fallen_symbol_is_frozen_for_its_time_and_no_other(open_house: OpenHouse) -> None:
    house = await open_house(Told(coordinated=False))
    before = await house.permit(name="before")
    fell = news(symbol=SYMBOL, reason="symbol_fall: 11 % in a quarter of an hour")
    await house.desk().signal(Signal.DEFEND, fell)
    await house.desk().signal(Signal.DEFEND, fell)
    assert codes(await house.reserve(house.wish("now"))) == ["symbol_frozen"]
    order = house.entry(before)
    with pytest.raises(IntentRefused) as refused:
        await house.store.record_intent(order, a_prepared(order))
    assert refused.value.code == "epoch_older", "what was permitted before the fall is void"
    other = await house.reserve(house.wish("other", symbol="ETH/USDT"))
    assert other.permit is not None, other.denials
    later = OPENS_AT + timedelta(hours=5)
    free = await house.reserve(house.wish("later", now=later))
    assert free.permit is not None, "four hours of market time are over"
    (kept,) = await house.store.protections(house.realm)
    assert (kept.account, kept.protection.symbol, kept.protection.kind) == (
        ACCOUNT,
        SYMBOL,
        ProtectionKind.SYMBOL_FREEZE,
    )
    assert [what for what, _, _ in await audited(house, ACCOUNT)] == [f"symbol_freeze {SYMBOL}"]


async def test_a_defence_outlives_its_desk_and_a_person_lifts_it(open_house: OpenHouse) -> None:
    house = await open_house(Told(coordinated=False))
    await house.desk().signal(Signal.DEFEND, news())
    await eventually(lambda: has_mode(house, Mode.DEFENSIVE), what="the defence")
    assert codes(await house.reserve(house.wish("now"))) == ["defensive_mode"]
    await house.desk().signal(AccountDesk.close)
    await house.desk().result()
    await house.start_desk()  # with nothing but what the database has
    assert codes(await house.reserve(house.wish("again"))) == ["defensive_mode"]
    (standing,) = await protections(house)
    unknown = Lift(protection_id="b0", operation_id="op-0", who="ada", reason="calm")
    refused = await house.desk().execute_update(Update.LIFT, unknown, result_type=HandDone)
    assert not refused.accepted
    assert standing in refused.reason
    lift = Lift(protection_id=standing, operation_id="op-1", who="ada", reason="calm")
    done = await house.desk().execute_update(Update.LIFT, lift, result_type=HandDone)
    assert await house.desk().execute_update(Update.LIFT, lift, result_type=HandDone) == done
    assert (done.accepted, done.state) == (True, "auto")
    assert (await house.reserve(house.wish("after"))).permit is not None
    (kept,) = await house.store.protections(house.realm)
    assert (kept.lifted_by, kept.lifted_because) == ("ada", "calm")
    assert (await audited(house, ACCOUNT))[-1] == (f"lift {standing}", "ada", "calm")


async def test_whoever_resumes_the_account_ends_its_defence_but_no_freeze(open_house: OpenHouse) -> None:
    house = await open_house(Told(coordinated=False))
    await house.desk().signal(Signal.DEFEND, news())
    await house.desk().signal(Signal.DEFEND, news("b2", SYMBOL))
    await house.desk().execute_update(Update.RESUME, hand(), result_type=HandDone)
    assert codes(await house.reserve(house.wish("now"))) == ["symbol_frozen"]
    lifted = {one.protection.kind: one.lifted_by for one in await house.store.protections(house.realm)}
    assert lifted == {ProtectionKind.ACCOUNT_DEFENCE: "ada", ProtectionKind.SYMBOL_FREEZE: None}


async def test_a_defence_keeps_the_position(open_house: OpenHouse) -> None:
    house = await open_house()
    await house.bought(notional="5000", stop="6800")
    held = (await house.guard_state()).position
    await house.desk().signal(Signal.DEFEND, news())
    await eventually(lambda: _has_no_errands(house), what="the withdrawal")
    state = await house.guard_state()
    assert (state.position, state.reduces, state.leaving) == (held, (), None), "stops and positions stay"


async def test_only_systemic_risk_lowers_holdings_to_the_safe_level(open_house: OpenHouse) -> None:
    """2 % are safe: what is held beyond it is sold, and the stop follows what is left."""
    careful = revised(first_playbook(), policy=changed(Policy(), systemic_safe_fraction="0.02"))
    house = await open_house(Told(playbook=careful))
    await house.bought(notional="5000", stop="6800")
    held = (await house.guard_state()).position
    await house.desk().signal(Signal.DEFEND, news(reason="systemic_risk: volatility index 47"))
    await eventually(lambda: _is_selling(house), what="the guard hears it")
    await house.settle(house.guard().id)
    await house.play(await house.market_now() + timedelta(minutes=1))
    await eventually(lambda: _has_sold(house, held), what="the sale")
    left = (await house.guard_state()).position
    assert held * 7000 > 3000
    assert float(left * 7000) == pytest.approx(2000, abs=30)


async def _is_selling(house: SequenceHouse) -> bool:
    state = await house.guard_state()
    return state.leaving is not None or any(report.leg is Leg.EXIT for report in state.exits.values())


async def _has_sold(house: SequenceHouse, held: Decimal) -> bool:
    return (await house.guard_state()).position < held


async def _has_no_errands(house: SequenceHouse) -> bool:
    state = await state_of(house)
    return state.errands == () and state.exposure.mode is Mode.DEFENSIVE
