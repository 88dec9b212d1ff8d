"""Entry and stop one after the other, in a house that nobody ticks: how long what filled was held without a stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from eventually import eventually

from activities.exchange.port import Exchange
from activities.store.open import open_store
from activities.store.playbooks import keep_playbook
from trading.ids import client_order_id
from trading.orders.models import Leg, OrderKey, OrderRequest, OrderStatus, OrderType, Side, VenueOrder
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
from workers.stack.stack import Stack
from workers.trials.venue_records import VenueRecords, read_venue
from workflows.names import PROTECTING_TASK_TIMEOUT, QueueRole, Update, desk_workflow, execution_workflow, task_queue
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
ASK_EVERY_S = 0.2
"""Questions weigh at the venue: who asks fifty times a second takes the room that the guard needs."""
PROTECTED_WITHIN_S = 5
"""The bound of the product's contract, with Temporal, database and venue up."""


async def test_a_filled_entry_has_its_stop_at_the_venue_within_five_seconds(tmp_path: Path) -> None:
    """The user data stream wakes the one who follows the entry; the times are the venue's own, of fill and of stop."""
    async with a_desk(tmp_path, workers=1) as desk:
        for number in range(ENTRIES):
            await desk.buy(number)
    check(read_venue(tmp_path / "exchange.sqlite"), entries=ENTRIES)


async def test_a_killed_worker_delays_the_stop_by_no_more_than_that(tmp_path: Path) -> None:
    """One of two dies as soon as the venue has filled the entry: in turn the one that had it in its hands."""
    async with a_desk(tmp_path, workers=2) as desk:
        for number in range(2 * ENTRIES):
            await desk.buy(number, kill=f"worker-{1 + number % 2}")
            await desk.stack.all_ready()
    check(read_venue(tmp_path / "exchange.sqlite"), entries=2 * ENTRIES)


def check(records: VenueRecords, *, entries: int) -> None:
    seconds = records.unprotected_s()
    assert len(seconds) == entries
    assert min(seconds) > 0, "entry and stop are not sent in one list here"
    assert max(seconds) <= PROTECTED_WITHIN_S, seconds


@dataclass(frozen=True, slots=True)
class Desk:
    """An account that buys at market without lists, and may kill workers."""

    place: Place
    exchange: Exchange
    stack: Stack

    async def buy(self, number: int, *, kill: str | None = None) -> None:
        """Buy, kill that worker as soon as the venue has filled it, and wait for the stop that comes after."""
        order = await self._start(f"wish-{number}")
        entry = await eventually(lambda: self._filled(order.key), timeout_s=20, what="the entry fills")
        if kill is not None:
            self.stack.kill(kill)
        await eventually(lambda: self._stopped(since=entry.updated_at), timeout_s=20, what="a stop for what filled")

    async def _filled(self, key: OrderKey) -> VenueOrder | None:
        await asyncio.sleep(ASK_EVERY_S)
        found = await self.exchange.find(key)
        return found if found is not None and found.status is OrderStatus.FILLED else None

    async def _stopped(self, *, since: datetime) -> bool:
        await asyncio.sleep(ASK_EVERY_S)
        resting = await self.exchange.open_orders(ACCOUNT, SYMBOL)
        return any(order.type is OrderType.STOP_LOSS and order.created_at >= since for order in resting)

    async def _start(self, name: str) -> OrderRequest:
        book, now = await self.exchange.book_top(SYMBOL), await market_time(self.place)
        permit = await permitted(self.place, name, price=book.ask, now=now)
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
        await self.place.client.start_workflow(
            OrderExecution.run,
            request,
            id=execution_workflow(REALM, order.client_order_id),
            task_queue=task_queue(REALM, QueueRole.DECISIONS),
            task_timeout=PROTECTING_TASK_TIMEOUT,
        )
        return order


@contextlib.asynccontextmanager
async def a_desk(path: Path, *, workers: int) -> AsyncIterator[Desk]:
    env = trial_environment(os.environ).env
    with claim(path) as home:
        async with house(home, replace(SPEC, worker_roles=("",) * workers), env=env) as running:
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
                yield Desk(place, exchange, running.stack)
            finally:
                await exchange.aclose()
                await store.aclose()


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
