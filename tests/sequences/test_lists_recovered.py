"""Temporal's state is lost while a list's entry has ended at the venue and its exits were not told: none stays open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from eventually import eventually
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, FLAT, OPENS_AT, SYMBOL, VENUE, Told

from activities.exchange.quoting import QuoteCalls, QuoteRequest
from trading.decision.models import DecisionSummary, Fusion, FusionOutcome
from trading.orders.exits import with_exits
from trading.orders.models import OrderStatus
from trading.orders.wishes import ExitPlan
from trading.risk.models import GateAnswer
from workers.runtime.recovery import recover

pytestmark = pytest.mark.temporal

OpenHouse = Callable[..., Awaitable[SequenceHouse]]


async def test_exits_of_an_expired_entry_come_to_their_end(open_house: OpenHouse) -> None:
    """The worker died between the entry's end and theirs: a start of the house finds them and asks the venue."""
    house = await open_house(Told(hours=[FLAT] * 3, coordinated=False))
    permit = await house.permit()
    head = house.head(decision_id=permit.decision_id)
    fusion = Fusion(outcome=FusionOutcome.OPEN, stop_price=Decimal(6790), target_price=Decimal(7430), horizon_hours=24)
    await house.store.open_decision(head)
    await house.store.record_gate(head, GateAnswer(request_id="wish", permit=permit), account=ACCOUNT)
    await house.store.finish_decision(DecisionSummary(head=head, fusion=fusion))
    quote = await QuoteCalls(house.exchange).quote(
        QuoteRequest(realm=house.realm, venue=VENUE, account=ACCOUNT, symbol=SYMBOL)
    )
    levels = {"stop_price": Decimal(6790), "target_price": Decimal(7430)}
    entry = with_exits(house.entry(permit, worst_price=Decimal(6900)), quote, **levels, plan=ExitPlan())
    entry = entry.model_copy(update={"price": Decimal(6900)})  # below the market: it dies at once
    assert len(entry.beside) == 2 if quote.oco_allowed else entry.beside
    prepared = await house.exchange.prepare(entry)
    await house.store.record_intent(entry, prepared)
    await house.store.record_sent(entry.key)
    await house.exchange.send(prepared, protective=False)
    await house.advance(OPENS_AT + timedelta(minutes=1))
    found = await house.exchange.find(entry.key)
    assert found is not None
    assert found.status is OrderStatus.EXPIRED
    await house.store.record_order(entry.key, found, ())

    async def statuses() -> set[OrderStatus]:
        return {order.status for order in await house.store.ledger_orders(house.realm, ACCOUNT)}

    assert await statuses() == {OrderStatus.EXPIRED, OrderStatus.INTENDED}
    recovered = await recover(house.client, house.store, realm=house.realm, venue=VENUE)
    assert (len(recovered.executions), recovered.helpless) == (1, ())

    async def all_ended() -> bool:
        return OrderStatus.INTENDED not in await statuses() and OrderStatus.PENDING_NEW not in await statuses()

    await eventually(all_ended, what="the end of every leg")
    again = await recover(house.client, house.store, realm=house.realm, venue=VENUE)
    assert again.executions == ()
