"""Orders of another client: reconciliation names them, a person makes them ours, and then they are guarded as ours."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from eventually import eventually
from fakes.another_client import cancelled, ordered
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, FLAT, SYMBOL, VENUE, Told
from temporalio.client import WorkflowFailureError

from activities.exchange.adopting import AdoptRequest
from activities.exchange.reconcile import ReconcileCalls, ReconcileRequest, Reconciliation
from activities.store.open_trades import open_trades
from trading.orders.adopting import AdoptWish
from trading.orders.models import OrderType, Side
from trading.orders.wishes import LeaveRequest, ReduceRequest
from workers.runtime.recovered_state import guard_state
from workers.runtime.recovery import recover
from workflows.names import QueueRole, Signal, adoption_workflow
from workflows.order_adoption import OrderAdoption
from workflows.protocol import HandDone

pytestmark = pytest.mark.temporal
OpenHouse = Callable[..., Awaitable[SequenceHouse]]
ALONE = Told(hours=[FLAT] * 4, coordinated=False)


async def reconciled(house: SequenceHouse) -> Reconciliation:
    return await ReconcileCalls(house.exchange, house.store).reconcile(
        ReconcileRequest(realm=house.realm, venue=VENUE, accounts=(ACCOUNT,), symbols=(SYMBOL,))
    )


async def adopted(house: SequenceHouse, name: str, *, run: str = "", **changed: Any) -> HandDone:
    wish = AdoptWish.model_validate({"client_order_id": name, "who": "me", "reason": "I bought it"} | changed)
    request = AdoptRequest(
        realm=house.realm, venue=VENUE, ledger=house.ledger, accounts=(ACCOUNT,), symbols=(SYMBOL,), wish=wish
    )
    done: HandDone = await house.client.execute_workflow(
        OrderAdoption.run,
        request,
        id=adoption_workflow(house.realm, name) + run,
        task_queue=house.queue(QueueRole.DECISIONS),
    )
    return done


async def held(house: SequenceHouse) -> Decimal:
    return sum((one.quantity for one in await house.store.positions(house.realm, ACCOUNT)), Decimal(0))


async def stops(house: SequenceHouse) -> list[Decimal]:
    found = await house.exchange.open_orders(ACCOUNT, SYMBOL)
    return [order.quantity for order in found if order.type is OrderType.STOP_LOSS]


async def is_protected(house: SequenceHouse) -> bool:
    return await stops(house) == [await held(house)] and await held(house) > 0


async def later(house: SequenceHouse, minutes: int = 1) -> None:
    """Market time that nobody of ours waits for."""
    await house.advance(await house.market_now() + timedelta(minutes=minutes))


async def test_a_purchase_of_another_client_becomes_a_guarded_position(open_house: OpenHouse) -> None:
    house = await open_house(ALONE)
    await ordered(house.transport, "web_7")
    await later(house)
    before = await reconciled(house)
    assert (before.differences, before.foreign_orders, before.transfers) == ((), ("web_7",), ())
    assert await held(house) == 0
    done = await adopted(house, "web_7", stop_price="6800")
    assert (done.accepted, done.state, done.target) == (True, "FILLED", "web_7")
    await eventually(lambda: is_protected(house), what="a stop for all that it brought")
    after = await reconciled(house)
    assert (after.differences, after.foreign_orders, after.transfers) == ((), (), ())
    (position,) = await house.store.positions(house.realm, ACCOUNT)
    assert position.quantity == Decimal("0.0999"), "net of commission"
    (entry,) = await house.store.audit(house.realm, subject="web_7")
    assert (entry.what, entry.who, entry.reason) == ("adopt", "me", "I bought it")
    state = await house.guard_state()
    assert state.plan is not None
    assert (state.plan.stop_price, state.plan.exit_at is not None) == (Decimal(6800), True)
    again = await adopted(house, "web_7", run="-again", stop_price="6900")
    assert again.accepted, "twice is once"
    assert await held(house) == Decimal("0.0999")
    found = await recover(house.client, house.store, realm=house.realm, venue=VENUE)
    assert (found.helpless, found.guards) == ((), ()), "it has its levels and its permit on record"


async def test_a_purchase_that_rests_is_followed_until_it_fills(open_house: OpenHouse) -> None:
    dip = (7000, 7010, 6940, 7000)
    house = await open_house(Told(hours=[FLAT, dip, FLAT, FLAT], coordinated=False))
    await ordered(house.transport, "web_8", type="LIMIT", price="6950", timeInForce="GTC")
    await later(house)
    done = await adopted(house, "web_8")
    assert (done.accepted, done.state) == (True, "NEW")
    again = await adopted(house, "web_8", run="-again")
    assert (again.accepted, again.state) == (True, "followed already")
    assert await stops(house) == []
    await later(house, 120)
    await eventually(lambda: is_protected(house), what="what it filled is protected")
    plan = (await house.guard_state()).plan
    assert plan is not None
    assert plan.stop_price == Decimal(6950) * Decimal("0.95"), "as far away as policy allows any stop"
    assert (await reconciled(house)).differences == ()


async def test_an_adopted_purchase_joins_the_open_trade_and_its_levels(open_house: OpenHouse) -> None:
    house = await open_house(ALONE)
    await ordered(house.transport, "web_1")
    await later(house)
    await adopted(house, "web_1", stop_price="6810")
    await eventually(lambda: is_protected(house), what="the first is protected")
    await ordered(house.transport, "web_2")
    await later(house)
    await adopted(house, "web_2")
    await eventually(lambda: is_protected(house), what="one stop for both")
    assert await held(house) == Decimal("0.1998")
    plan = (await house.guard_state()).plan
    assert plan is not None
    assert plan.stop_price == Decimal(6810)


async def test_a_sale_that_is_over_shrinks_the_position_and_its_stop(open_house: OpenHouse) -> None:
    house = await open_house(ALONE)
    for name in ("web_1", "web_2"):
        await ordered(house.transport, name)
        await later(house)
    await ordered(house.transport, "web_3", side="SELL", quantity="0.05")
    await later(house)
    refused = await adopted(house, "web_3")
    assert (refused.accepted, refused.state) == (False, "foreign")
    assert "is not ours" in refused.reason, "before a purchase is ours, its sale cannot be"
    await adopted(house, "web_1")
    await eventually(lambda: is_protected(house), what="the purchase is protected")
    sold = await adopted(house, "web_3", run="-again")
    assert (sold.accepted, sold.state) == (True, "FILLED")
    await eventually(lambda: is_protected(house), what="the stop is for what is left")
    assert await held(house) == Decimal("0.0499")
    left = await reconciled(house)
    assert (left.differences, left.foreign_orders) == ((), ("web_2",))


async def beside_a_sale(open_house: OpenHouse, *hours: tuple[int, ...]) -> SequenceHouse:
    """A guarded purchase of 0.0999, and a person's sale of 0.05 at 7400 that rests, adopted."""
    house = await open_house(Told(hours=[FLAT, *hours, *[FLAT] * 3], coordinated=False))
    for name in ("web_0", "web_1"):  # the first stays the owner's: it lets the sale rest beside the stop
        await ordered(house.transport, name)
        await later(house)
    await adopted(house, "web_1", stop_price="6800")
    await eventually(lambda: is_protected(house), what="the purchase is protected")
    await ordered(house.transport, "web_9", side="SELL", type="LIMIT", quantity="0.05", price="7400", timeInForce="GTC")
    await later(house)
    done = await adopted(house, "web_9")
    assert (done.accepted, done.state) == (True, "NEW")
    again = await adopted(house, "web_9", run="-again")
    assert (again.accepted, again.state) == (True, "NEW")
    await eventually(lambda: stands(house, "0.0499"), what="the stop is for what the sale leaves")
    return house


async def stands(house: SequenceHouse, stop: str) -> bool:
    return await stops(house) == [Decimal(stop)]


async def is_left(house: SequenceHouse, quantity: str) -> bool:
    """What the ledger holds; until then the market goes on, for an order fills in time."""
    await house.advance(await house.market_now() + timedelta(seconds=1))
    return await held(house) == Decimal(quantity)


async def is_sold(house: SequenceHouse) -> bool:
    return await is_left(house, "0") and not await house.exchange.open_orders(ACCOUNT, SYMBOL)


async def sold_of_ours(house: SequenceHouse) -> Decimal:
    fills = await house.exchange.fills(ACCOUNT, SYMBOL)
    return sum((fill.quantity for fill in fills if fill.side is Side.SELL), Decimal(0))


async def test_a_sale_that_rests_is_owned_and_the_stop_is_for_what_it_leaves(open_house: OpenHouse) -> None:
    house = await beside_a_sale(open_house, (7000, 7450, 6990, 7000))

    async def comes_back_protected() -> bool:  # the stop stands at the venue before its answer is in the ledger
        recovered = guard_state((await open_trades(house.store, house.realm))[0], realm=house.realm)
        assert [one.client_order_id for one in recovered.covering] == ["web_9"]
        return recovered.is_protected

    await eventually(comes_back_protected, what="a lost guard that knows the sale and its stop")
    await later(house, 120)

    async def is_told() -> bool:  # the ledger has a fill before the guard is told of it
        return await held(house) == Decimal("0.0499") and (await house.guard_state()).covering == ()

    await eventually(is_told, what="its fill is in the ledger and with the guard")
    assert await stops(house) == [Decimal("0.0499")]
    assert (await reconciled(house)).differences == ()


async def test_at_the_stop_the_sale_is_withdrawn_and_all_is_sold_once(open_house: OpenHouse) -> None:
    house = await beside_a_sale(open_house, (7000, 7010, 6750, 6760))
    await later(house, 115)  # the price may be back already: what counts is that the stop was hit
    await eventually(lambda: is_sold(house), what="nothing of ours is left")
    assert await sold_of_ours(house) == Decimal("0.0999"), "the stop and the sale after it, and nothing twice"
    assert (await reconciled(house)).differences == ()


async def test_less_of_it_leaves_the_sale_and_leaving_withdraws_it(open_house: OpenHouse) -> None:
    house = await beside_a_sale(open_house)
    wish = ReduceRequest(request_id="less", decision_id="less", quantity=Decimal("0.02"), reason="a person")
    await house.guard().signal(Signal.REDUCE, wish)
    await eventually(lambda: is_left(house, "0.0799"), what="a part is sold")
    await eventually(lambda: stands(house, "0.0299"), what="the sale still stands")
    await house.guard().signal(Signal.LEAVE, LeaveRequest(operation_id="out", who="me", reason="enough"))
    await eventually(lambda: is_left(house, "0"), what="all is sold")
    assert await sold_of_ours(house) == Decimal("0.0999")
    assert await house.exchange.open_orders(ACCOUNT, SYMBOL) == ()


async def test_what_cannot_be_ours_stays_foreign_and_says_why(open_house: OpenHouse) -> None:
    house = await open_house(ALONE)
    await ordered(house.transport, "web_1")
    await later(house)
    for name, wish, why in (
        ("nobody", {}, "the venue has no order nobody"),
        ("web_1", {"stop_price": "7100"}, "would sell at once"),
    ):
        done = await adopted(house, name, **wish)
        assert (done.accepted, done.state) == (False, "foreign")
        assert why in done.reason
    assert (await reconciled(house)).foreign_orders == ("web_1",)
    assert (await house.permit(name="free")).opens, "what is foreign freezes nothing"


async def test_what_was_cancelled_unfilled_or_sold_again_is_not_adopted(open_house: OpenHouse) -> None:
    house = await open_house(ALONE)
    await ordered(house.transport, "web_1", type="LIMIT", price="6500", timeInForce="GTC")
    await later(house)
    await cancelled(house.transport, "web_1")
    assert "filled nothing" in (await adopted(house, "web_1")).reason
    await ordered(house.transport, "web_2")
    await later(house)
    await ordered(house.transport, "web_3", side="SELL", quantity="0.0999")
    await later(house)
    assert "gone again" in (await adopted(house, "web_2")).reason
    assert (await reconciled(house)).differences == ()


async def test_an_adoption_without_a_reason_is_not_taken(open_house: OpenHouse) -> None:
    house = await open_house(ALONE)
    with pytest.raises(WorkflowFailureError):
        await adopted(house, "web_1", reason=" ")
    assert await house.store.audit(house.realm, subject="web_1") == ()
