"""Entry and stop one after the other, in a house that nobody ticks: how long what filled was held without a stop."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually

from activities.store.open import open_store
from activities.store.playbooks import keep_playbook
from trading.ids import client_order_id
from trading.orders.models import Leg, OrderRequest, OrderType, Side, VenueOrder
from trading.playbook import first_playbook
from trading.risk.models import GateAnswer, GateRequest, Permit
from workers.operator.accounts import open_simulated_accounts
from workers.operator.place import Place
from workers.operator.simulated import market_time
from workers.runtime.site import Site
from workers.runtime.wiring import open_exchange
from workers.stack.environment import trial_environment
from workers.stack.home import claim
from workers.stack.house import VENUE, HouseSpec, MarketSource, house
from workflows.names import TASK_TIMEOUT, QueueRole, Update, desk_workflow, execution_workflow, task_queue
from workflows.order_execution import OrderExecution
from workflows.protocol import ExecutionRequest

pytestmark = [pytest.mark.stack, pytest.mark.alone]

REALM, ACCOUNT, SYMBOL = "simulated", "composite", "BTC/USDT"
OPENS_AT = datetime(2024, 1, 24, tzinfo=UTC)
MARKET = MarketSource(
    symbols=(SYMBOL,), seed=2, generated_from=datetime(2024, 1, 1, tzinfo=UTC), generated_days=28, crash_days=()
)
SPEC = HouseSpec(realm=REALM, market=MARKET, start_at=OPENS_AT, clock="realtime")
ENTRIES = 3
PROTECTED_WITHIN_S = 5
"""The bound of the product's contract, with Temporal, database and venue up."""


async def test_a_filled_entry_has_its_stop_at_the_venue_within_five_seconds(tmp_path: Path) -> None:
    """The user data stream wakes the one who follows the entry; the times are the venue's own, of fill and of stop."""
    env = trial_environment(os.environ).env
    with claim(tmp_path) as home:
        async with house(home, SPEC, env=env) as running:
            store = await open_store(running.database_url)
            site = Site(
                realm=REALM,
                venue=VENUE,
                venue_url=running.venue_url,
                market_is_replayed=True,
                database_url=running.database_url,
                models={},
            )
            exchange = open_exchange(site)
            try:
                place = Place(realm=REALM, venue=VENUE, venue_url=running.venue_url, client=running.client, store=store)
                playbook_hash = await keep_playbook(store, first_playbook())
                await open_simulated_accounts(place, (ACCOUNT,), playbook_hash=playbook_hash)
                seconds = [await unprotected_s(place, exchange, number) for number in range(ENTRIES)]
            finally:
                await exchange.aclose()
                await store.aclose()
    assert len(seconds) == ENTRIES
    assert all(0 <= waited <= PROTECTED_WITHIN_S for waited in seconds), seconds


async def unprotected_s(place: Place, exchange: Any, number: int) -> float:
    """Buy at market without a list; the venue's seconds between the first fill and the stop that covers it."""
    book, now = await exchange.book_top(SYMBOL), await market_time(place)
    permit = await permitted(place, f"wish-{number}", price=book.ask, now=now)
    order = OrderRequest(
        realm=REALM,
        venue=VENUE,
        ledger="main",
        account=ACCOUNT,
        symbol=SYMBOL,
        decision_id=permit.decision_id,
        leg=Leg.ENTRY,
        client_order_id=client_order_id(
            ledger="main", account=ACCOUNT, decision=permit.decision_id, leg=Leg.ENTRY.value
        ),
        side=Side.BUY,
        type=OrderType.MARKET,
        quantity=permit.quantity,
        as_of=now,
        epoch=permit.epoch,
        permit_id=permit.id,
        expected_price=book.ask,
    )
    request = ExecutionRequest(
        order=order,
        permit=permit,
        stop_price=(book.bid * Decimal("0.97")).quantize(Decimal("0.01")),
        expires_at=now + timedelta(minutes=1),
        owner="nobody",
    )
    report = await place.client.execute_workflow(
        OrderExecution.run,
        request,
        id=execution_workflow(REALM, order.client_order_id),
        task_queue=task_queue(REALM, QueueRole.DECISIONS),
        task_timeout=TASK_TIMEOUT,
    )
    assert report.executed_quantity > 0, report.reason

    async def stop_after_the_fill() -> VenueOrder | None:
        balance = (await exchange.account(ACCOUNT)).balance("BTC").total
        rests = [one for one in await exchange.open_orders(ACCOUNT, SYMBOL) if one.type is OrderType.STOP_LOSS]
        return next((one for one in rests if balance - one.quantity < Decimal("0.00001")), None)

    stop = await eventually(stop_after_the_fill, timeout_s=20, what="a stop for all that is held")
    fills = [fill for fill in await exchange.fills(ACCOUNT, SYMBOL) if fill.client_order_id == order.client_order_id]
    return float((stop.created_at - min(fill.filled_at for fill in fills)).total_seconds())


async def permitted(place: Place, name: str, *, price: Decimal, now: datetime) -> Permit:
    wish = GateRequest(
        request_id=name,
        account=ACCOUNT,
        decision_id=name,
        symbol=SYMBOL,
        opens=True,
        size_fraction=Decimal("0.02"),
        price=price,
        stop_price=price * Decimal("0.97"),
        target_price=price * Decimal("1.06"),
        spread_fraction=Decimal("0.0002"),
        atr_fraction=Decimal("0.003"),
        taker_fee=Decimal("0.001"),
        min_notional_usd=Decimal(5),
        risk_regime="normal",
        confidence=Decimal("0.8"),
        win_probability=Decimal("0.6"),
        observed_at=now,
        now=now,
    )
    desk = place.client.get_workflow_handle(desk_workflow(REALM, ACCOUNT))
    answer = await desk.execute_update(Update.RESERVE, wish, result_type=GateAnswer)
    assert answer.permit is not None, answer.denials
    return answer.permit
