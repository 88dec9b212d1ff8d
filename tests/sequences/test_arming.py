"""Real money: a person arms an account and takes it back, by update, by signal and by the `temporal` program."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest
from eventually import eventually
from fakes.people import audited, hand, place, state_of, temporal
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, OPENS_AT, Told
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowUpdateFailedError

from trading.orders.models import OrderStatus
from trading.risk import arming
from trading.risk.models import GateAnswer
from workers.operator.hands import arm_account, lay_hand
from workers.operator.place import HandRefused
from workflows.protocol import Arm

pytestmark = pytest.mark.temporal

OpenHouse = Callable[..., Awaitable[SequenceHouse]]
LeaveNeeded = Callable[[SequenceHouse], None]


@pytest.fixture
def real_money(monkeypatch: pytest.MonkeyPatch) -> LeaveNeeded:
    """Makes the house's realm one in which nothing is opened without a person's leave."""
    return lambda house: monkeypatch.setattr(arming, "ARMED_REALMS", frozenset({house.realm}))


def leave(capital: str = "50000", operation: str = "arm-1") -> Arm:
    return Arm(operation_id=operation, capital_usd=Decimal(capital), who="ada", reason="first week")


def codes(answer: GateAnswer) -> list[str]:
    return [one.code for one in answer.denials]


async def test_unarmed_nothing_is_opened_armed_sizes_are_shares_of_the_capital(
    open_house: OpenHouse, real_money: LeaveNeeded
) -> None:
    house = await open_house(Told(coordinated=False))
    real_money(house)
    assert codes(await house.reserve(house.wish("w1"))) == ["not_armed"]
    done = await arm_account(place(house), ACCOUNT, leave())
    assert (done.accepted, done.state) == (True, "armed with 50000 USD")
    answer = await house.reserve(house.wish("w2", size_fraction="0.05"))
    assert answer.permit is not None
    assert answer.permit.notional_usd <= Decimal("0.05") * 50_000
    assert "**armed** with 50000 USD" in await details_of(house)
    assert await audited(house, ACCOUNT) == [("arm 50000 USD", "ada", "first week")]


async def test_disarmed_a_permit_is_void_and_what_rests_is_withdrawn(
    open_house: OpenHouse, real_money: LeaveNeeded
) -> None:
    house = await open_house(Told(coordinated=False))
    real_money(house)
    assert (await arm_account(place(house), ACCOUNT, leave(str(house.told.capital)))).accepted
    permit = await house.permit()
    resting = await house.execute(permit, house.entry(permit, price=Decimal("6900.00")))
    await eventually(lambda: house.exchange.open_orders(ACCOUNT), what="the entry at the venue")
    later = await house.permit(name="later", notional="500")
    done = await lay_hand(place(house), "disarm", ACCOUNT, hand("off"))
    assert (done.accepted, done.state) == (True, "not armed")
    report = await resting.result()
    assert report.status is OrderStatus.CANCELED
    refused = await (await house.execute(later, house.entry(later))).result()
    assert refused.status is OrderStatus.REFUSED
    assert codes(await house.reserve(house.wish("w3"))) == ["not_armed"]
    assert "not armed: it observes" in await details_of(house)


async def test_what_is_asked_for_badly_is_refused_and_shown(open_house: OpenHouse, real_money: LeaveNeeded) -> None:
    house = await open_house(Told(coordinated=False))
    real_money(house)
    with pytest.raises(HandRefused, match="capital above 0, who and why"):
        await arm_account(place(house), ACCOUNT, Arm(operation_id="a", who="ada", reason="no capital"))
    with pytest.raises(HandRefused, match=f"known are {ACCOUNT}"):
        await arm_account(place(house), "somebody", leave())
    with pytest.raises(WorkflowUpdateFailedError):
        await house.desk().execute_update("disarm", hand(who=""))
    done = await arm_account(place(house), ACCOUNT, leave("99000000", "greedy"))
    assert not done.accepted
    assert "99000000 is more than" in done.reason
    await house.desk().signal("arm", leave("98000000", "greedier"))
    await eventually(lambda: shows(house, "98000000 is more than"), what="the refused signal on the card")
    assert await audited(house, ACCOUNT) == []


async def test_the_temporal_program_arms_and_disarms(open_house: OpenHouse, real_money: LeaveNeeded) -> None:
    house = await open_house(Told(coordinated=False))
    real_money(house)
    words = ("-w", house.desk().id, "--name")
    said = '{"capital_usd":"700","who":"ada","reason":"shell"}'
    await temporal(house, "update", "execute", *words, "arm", "--input", said)
    assert "**armed** with 700 USD" in await details_of(house)
    await temporal(house, "signal", *words, "disarm", "--input", "{}")
    await eventually(lambda: shows(house, "not armed"), what="the signal")
    assert (await state_of(house)).exposure.arming is None
    assert await audited(house, ACCOUNT) == [("arm 700 USD", "ada", "shell"), ("disarm", "unnamed", "not given")]


async def test_a_realm_without_real_money_needs_no_leave(open_house: OpenHouse) -> None:
    house = await open_house(Told(coordinated=False))
    done = await arm_account(place(house), ACCOUNT, leave())
    assert not done.accepted
    assert "needs no arming" in done.reason
    assert (await house.reserve(house.wish("w1", now=OPENS_AT))).permit is not None


async def details_of(house: SequenceHouse) -> str:
    """What the Web UI shows of the desk."""
    shown = await house.desk().query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return str(shown.current_details)


async def shows(house: SequenceHouse, text: str) -> bool:
    return text in await details_of(house)
