"""A venue that refused for a moment: what is held is protected again, and a person is heard."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from eventually import eventually
from fakes.closed_market import close_the_market, waits_for_the_market
from fakes.frozen_entry import another_order, frozen_entry, is_resolved
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, OPENS_AT, SYMBOL, VENUE, Told
from temporalio.client import WorkflowUpdateFailedError

from activities.exchange.binance_session import Reply
from trading.decision.models import DecisionSummary, Fusion, FusionOutcome
from trading.orders.answers import Answered
from trading.orders.models import OrderStatus, OrderType
from trading.orders.wishes import LeaveRequest, ReduceRequest, Resolution, Verdict
from trading.risk.models import GateAnswer, Permit
from workers.operator.orders import resolve_order
from workers.operator.place import HandRefused, Place
from workflows.names import Signal, Update
from workflows.protocol import HandDone

pytestmark = pytest.mark.temporal
OpenHouse = Callable[..., Awaitable[SequenceHouse]]
MINUTE = timedelta(minutes=1)


def forbid_sales(house: SequenceHouse) -> Callable[[], None]:
    act = house.exchange._session.act

    async def forbidden(method: str, path: str, fields: Any, **options: Any) -> Reply:
        if method == "POST" and dict(fields).get("side") == "SELL":
            return Reply(answered=Answered(http_status=403, message="<html>Forbidden</html>"))
        return await act(method, path, fields, **options)

    house.exchange._session.act = forbidden

    def allow() -> None:
        house.exchange._session.act = act

    return allow


async def stops(house: SequenceHouse) -> list[Any]:
    return [o for o in await house.exchange.open_orders(ACCOUNT, SYMBOL) if o.type is OrderType.STOP_LOSS]


async def gave_up(house: SequenceHouse) -> bool:
    state = await house.guard_state()
    return state.retry_at is not None and state.refuses_stops and state.stop is None


async def test_a_firewall_s_minute_leaves_no_position_naked(open_house: OpenHouse) -> None:
    house = await open_house()
    allow = forbid_sales(house)
    await house.bought()
    await eventually(lambda: gave_up(house), what="the guard rests after three refused sales and a refused stop")
    allow()
    for n in range(1, 4):
        await house.play(OPENS_AT + n * MINUTE)
        await house.settle(house.guard().id)
    assert await stops(house), "the venue takes orders again"
    assert (await house.guard_state()).retry_at is None


async def test_what_could_not_be_sold_in_a_closed_market_is_protected_a_minute_after_it_opens(
    open_house: OpenHouse,
) -> None:
    """It closed between look and sale; however long the break, the next try is never further away than a minute."""
    house = await open_house()
    await house.bought()
    open_it = close_the_market(house, told_late=1)
    await house.guard().signal(Signal.LEAVE, LeaveRequest(operation_id="x", who="me", reason="out"))
    await eventually(lambda: gave_up(house), what="the guard rests after three refused sales and a refused stop")
    await house.settle(house.guard().id)
    await house.play(OPENS_AT + 10 * MINUTE)
    assert await stops(house) == []
    open_it()
    await house.play(OPENS_AT + 12 * MINUTE)
    assert len(await stops(house)) == 1, "rests do not grow with the break"
    assert (await house.guard_state()).is_protected


async def test_a_stop_stays_while_nothing_could_take_its_place(open_house: OpenHouse) -> None:
    """A person wants out while the symbol is in BREAK: the stop is not withdrawn, and the wish waits for the market."""
    house = await open_house()
    await house.bought()
    (before,) = await stops(house)
    open_it = close_the_market(house)
    await house.guard().signal(Signal.LEAVE, LeaveRequest(operation_id="x", who="me", reason="out"))
    await eventually(lambda: waits_for_the_market(house), what="the guard has seen that the market is closed")
    await house.settle(house.guard().id)
    await house.play(OPENS_AT + 10 * MINUTE)
    assert [stop.client_order_id for stop in await stops(house)] == [before.client_order_id]
    state = await house.guard_state()
    assert (state.is_protected, state.refused_sales) == (True, 0)
    assert state.leave is not None, "the wish is kept"
    open_it()
    await house.play(OPENS_AT + 12 * MINUTE)
    assert await stops(house) == []
    assert (await house.exchange.account(ACCOUNT)).balance("BTC").total < Decimal("0.0001")


async def test_less_is_not_sold_in_a_closed_market_and_who_asked_is_told(open_house: OpenHouse) -> None:
    house = await open_house()
    await house.bought()
    (before,) = await stops(house)
    close_the_market(house)
    wish = ReduceRequest(
        request_id="less", decision_id="d", quantity=Decimal("0.001"), owner=house.coordinator_id, reason="decision"
    )
    await house.guard().signal(Signal.REDUCE, wish)
    await eventually(lambda: waits_for_the_market(house), what="the guard has seen that the market is closed")
    assert [stop.client_order_id for stop in await stops(house)] == [before.client_order_id]
    told = (await house.placed(2))[-1].report
    assert (told.status, told.reason) == (OrderStatus.REFUSED, "not_trading")


async def test_a_person_s_leave_is_heard_by_a_frozen_guard(open_house: OpenHouse) -> None:
    house = await open_house()
    allow = forbid_sales(house)
    await house.bought()
    allow()
    await house.guard().signal(Signal.LEAVE, LeaveRequest(operation_id="x", who="me", reason="out"))
    await house.settle(house.guard().id)
    await house.play(OPENS_AT + MINUTE)
    await house.settle(house.guard().id)
    assert (await house.exchange.account(ACCOUNT)).balance("BTC").total < Decimal("0.0001")


async def test_a_person_says_what_became_of_a_frozen_entry(open_house: OpenHouse) -> None:
    house = await open_house()
    handle, name = await frozen_entry(house)
    word = Resolution(client_order_id=name, verdict=Verdict.FILLED, who="me", reason="it is in the order history")
    with pytest.raises(WorkflowUpdateFailedError):
        await house.guard().execute_update(Update.RESOLVE, word.model_copy(update={"client_order_id": "another"}))
    done = await house.guard().execute_update(Update.RESOLVE, word, result_type=HandDone)
    assert (done.accepted, done.target) == (True, name)
    await eventually(lambda: is_resolved(handle), what="the execution takes it in")
    await house.settle(handle.id)
    await house.play(OPENS_AT + MINUTE)
    assert (await handle.result()).status is OrderStatus.FILLED
    assert await stops(house), "what it filled is protected"
    (entry,) = await house.store.audit(house.realm, subject=name)
    assert (entry.what, entry.who, entry.reason) == ("resolve filled", "me", "it is in the order history")


async def test_the_word_is_taken_as_a_signal_too_but_not_without_a_name(open_house: OpenHouse) -> None:
    house = await open_house()
    handle, name = await frozen_entry(house)
    nameless = Resolution(client_order_id=name, verdict=Verdict.FILLED, who="", reason="seen")
    await house.guard().signal(Signal.RESOLVE, nameless)
    await house.guard().signal(Signal.RESOLVE, nameless.model_copy(update={"who": "me"}))
    await eventually(lambda: is_resolved(handle), what="the execution takes it in")
    (entry,) = await house.store.audit(house.realm, subject=name)
    assert (entry.what, entry.who) == ("resolve filled", "me")


@pytest.mark.parametrize("settles_itself", [True, False])
async def test_the_verb_finds_a_guard_where_none_runs(open_house: OpenHouse, *, settles_itself: bool) -> None:
    """Temporal's state was lost, or a person terminated it: the word starts what it needs."""
    house = await open_house(Told(coordinated=True))
    find = house.exchange.find
    handle, name = await frozen_entry(house)
    if not settles_itself:
        house.exchange.find = another_order(find)  # type: ignore[method-assign]
    permit = await house.permit(name="kept")
    await house.store.open_decision(house.head(decision_id="wish"))
    await kept_on_record(house, permit)
    await handle.terminate("lost")
    await house.guard().terminate("lost")
    place = Place(realm=house.realm, venue=VENUE, venue_url="http://venue", client=house.client, store=house.store)
    word = Resolution(client_order_id=name, verdict=Verdict.FILLED, who="me", reason="it is in the order history")
    unknown = word.model_copy(update={"client_order_id": "0" * 32})
    with pytest.raises(HandRefused, match="is unknown"):
        await resolve_order(place, unknown)
    done = await resolve_order(place, word)
    assert (done.accepted, done.target) == (True, name)
    assert done.state in {"NEW", "FILLED"}
    (entry,) = await house.store.audit(house.realm, subject=name)
    assert (entry.what, entry.who) == ("resolve filled", "me")
    await eventually(lambda: has_thawed(house), what="the guard has heard of it: the ledger knows first")
    with pytest.raises(HandRefused, match="not frozen"):
        await resolve_order(place, word.model_copy(update={"operation_id": "again"}))


async def has_thawed(house: SequenceHouse) -> bool:
    return not (await house.guard_state()).frozen_ids


async def kept_on_record(house: SequenceHouse, permit: Permit) -> None:
    """What a real decision leaves in the database: the levels and the gate's answer."""
    (intent,) = await house.store.ledger_orders(house.realm, ACCOUNT)
    mine = permit.model_copy(update={"id": intent.request.permit_id})
    head = house.head(decision_id="wish")
    await house.store.record_gate(head, GateAnswer(request_id="wish", permit=mine), account=ACCOUNT)
    fusion = Fusion(outcome=FusionOutcome.OPEN, stop_price=Decimal(6790), target_price=Decimal(7430))
    await house.store.finish_decision(DecisionSummary(head=head, fusion=fusion))
