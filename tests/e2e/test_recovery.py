"""Temporal's state is lost while a position is open: after the next start its guard is back, with the same exits."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.exchange.reconcile import ReconcileCalls, ReconcileRequest
from activities.store.open import Store, open_store
from activities.store.playbooks import keep_playbook
from activities.store.reading import decision_list, order_list, position_list
from trading.orders.models import OrderStatus, VenueOrder
from trading.playbook import first_playbook
from workers.operator.accounts import open_simulated_accounts
from workers.operator.deciding import decide, head_of, protected
from workers.operator.place import Place
from workers.operator.simulated import advance_simulated, market_time
from workers.runtime.site import Site
from workers.runtime.wiring import open_exchange
from workers.stack.environment import trial_environment
from workers.stack.home import claim
from workers.stack.house import VENUE, House, HouseSpec, MarketSource, house
from workers.stack.temporal_server import STATE_FILE
from workflows.account_desk import AccountDesk
from workflows.daily_planning import DailyPlanning
from workflows.market_watch import MarketWatch
from workflows.names import QueueRole, Signal, desk_workflow, guard_workflow, task_queue, watch_workflow
from workflows.periods import PeriodKind, PeriodRequest, period_workflow
from workflows.position_guard import PositionGuard
from workflows.protocol import GuardState, ReduceRequest, WatchState

pytestmark = pytest.mark.stack

REALM, ACCOUNT, SYMBOL = "simulated", "composite", "BTC/USDT"
MARKET_FROM = datetime(2024, 1, 1, tzinfo=UTC)
BUYS_AT = datetime(2024, 1, 24, tzinfo=UTC)
"""Both rule analysts buy BTC here in the generated market of seed 2."""

EXITS = {"stop", "target"}

MARKET = MarketSource(
    symbols=("ADA/USDT", "BNB/USDT", "BTC/USDT", "ETH/USDT"),
    seed=2,
    generated_from=MARKET_FROM,
    generated_days=28,
    crash_days=(24,),
)
SPEC = HouseSpec(realm=REALM, market=MARKET, start_at=BUYS_AT)


@dataclass
class Open:
    """A running house with its records, as a verb would have it."""

    house: House
    place: Place
    store: Store

    async def exchange(self, question: Callable[[Any], Awaitable[Any]]) -> Any:
        """Ask the venue through the real adapter."""
        site = Site(
            realm=REALM,
            venue=VENUE,
            venue_url=self.house.venue_url,
            market_is_replayed=True,
            database_url=self.house.database_url,
            models={},
        )
        exchange = open_exchange(site)
        try:
            return await question(exchange)
        finally:
            await exchange.aclose()

    async def resting(self) -> set[str]:
        """Client ids of what rests at the venue."""
        found: tuple[VenueOrder, ...] = await self.exchange(lambda venue: venue.open_orders(ACCOUNT))
        return {order.client_order_id for order in found}

    async def differences(self) -> int:
        asked = ReconcileRequest(realm=REALM, venue=VENUE, accounts=(ACCOUNT,), symbols=(SYMBOL,))
        found = await self.exchange(lambda venue: ReconcileCalls(venue, self.store).reconcile(asked))
        return len(found.differences)

    async def held(self) -> Decimal:
        rows = await position_list(self.store, REALM)
        return sum((Decimal(row["quantity"]) for row in rows), Decimal(0))

    async def guard(self) -> GuardState:
        handle = self.place.client.get_workflow_handle_for(PositionGuard.run, guard_workflow(REALM, ACCOUNT, SYMBOL))
        return await handle.query(PositionGuard.state)

    async def guard_or_none(self) -> GuardState | None:
        try:
            return await self.guard()
        except RPCError as missing:
            if missing.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None

    async def lot_is_known(self) -> bool:
        """The guard asks for the filters when it first compares its stop with the position."""
        return (await self.guard()).lot is not None

    async def entry_is_filled(self) -> bool:
        reports = (await self.guard()).entries.values()
        return bool(reports) and all(report.status is OrderStatus.FILLED for report in reports)

    async def desk_mode(self) -> str:
        desk = self.place.client.get_workflow_handle_for(AccountDesk.run, desk_workflow(REALM, ACCOUNT))
        state = await desk.query(AccountDesk.state)
        assert state is not None
        return state.exposure.mode.value

    async def close(self) -> None:
        """Ask the guard to sell all of it, and let the market take the order."""
        guard = self.place.client.get_workflow_handle(guard_workflow(REALM, ACCOUNT, SYMBOL))
        wish = ReduceRequest(
            request_id="close", decision_id="d-close", quantity=await self.held(), reason="the test is over"
        )
        await guard.signal(Signal.REDUCE, wish)
        await eventually(self.is_leaving, timeout_s=20, what="the sale is at the venue")
        now = await market_time(self.place)
        await advance_simulated(self.place, now + timedelta(seconds=5), request_id="sale")

    async def is_leaving(self) -> bool:
        return (await self.guard()).leaving is not None

    async def is_flat(self) -> bool:
        """The guard has ended, and what is left is dust."""
        guard = self.place.client.get_workflow_handle(guard_workflow(REALM, ACCOUNT, SYMBOL))
        ended = (await guard.describe()).status is WorkflowExecutionStatus.COMPLETED
        return ended and await self.held() < Decimal("0.001")


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Open]:
    env = trial_environment(os.environ).env
    with claim(folder) as home:
        async with house(home, SPEC, env=env) as running:
            store = await open_store(running.database_url)
            try:
                place = Place(realm=REALM, venue=VENUE, venue_url=running.venue_url, client=running.client, store=store)
                yield Open(running, place, store)
            finally:
                await store.aclose()


async def buy(at: Open) -> dict[str, str]:
    """Take the decision that buys, as one list; its exits rest when this returns. Their client ids by leg."""
    playbook = first_playbook()
    playbook_hash = await keep_playbook(at.store, playbook)
    await open_simulated_accounts(at.place, (ACCOUNT,), playbook_hash=playbook_hash)
    head = head_of(at.place, symbol=SYMBOL, as_of=BUYS_AT, account=ACCOUNT, playbook_version=playbook.version)
    orders = await decide(at.place, head, playbook_hash=playbook_hash)
    assert orders, "the decision bought nothing: the market of this test no longer fits"
    await advance_simulated(at.place, BUYS_AT + timedelta(seconds=5), request_id="fill")
    assert await protected(at.place, orders, within_s=20)
    return {row["leg"]: row["client_order_id"] for row in await order_list(at.store, REALM) if row["leg"] in EXITS}


def lose_temporal(home: Path) -> None:
    files = list(home.glob(f"{STATE_FILE}*"))
    assert files
    for file in files:
        file.unlink()


async def plan(at: Open) -> None:
    """Plan the day, as the schedule would: from then on the realm has a watch."""
    await at.place.client.execute_workflow(
        DailyPlanning.run,
        PeriodRequest(
            realm=REALM,
            venue=VENUE,
            ledger=REALM,
            accounts=(ACCOUNT,),
            as_of=await market_time(at.place),
            symbols=(SYMBOL,),
            market_is_replayed=True,
        ),
        id=period_workflow(REALM, PeriodKind.DAILY_PLANNING, "by-hand"),
        task_queue=task_queue(REALM, QueueRole.DECISIONS),
    )


async def watched_period(at: Open) -> str | None:
    """The period of the plan that the watch has; `None` while there is no watch."""
    watch = at.place.client.get_workflow_handle_for(MarketWatch.run, watch_workflow(REALM))
    try:
        state: WatchState = await watch.query(MarketWatch.state)
    except RPCError as missing:
        if missing.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None
    return state.plan.period if state.now is not None and state.plan is not None else None


async def sessions_decisions(at: Open) -> list[Any] | None:
    rows = [row for row in await decision_list(at.store, REALM) if row["cause"] == "plan"]
    return rows or None


async def test_a_lost_watch_is_back_and_polls_the_market_to_the_sessions_decision(tmp_path: Path) -> None:
    async with opened(tmp_path) as before:
        playbook_hash = await keep_playbook(before.store, first_playbook())
        await open_simulated_accounts(before.place, (ACCOUNT,), playbook_hash=playbook_hash)
        await plan(before)
        assert await watched_period(before) is None, "nobody has started one"
    lose_temporal(tmp_path)
    async with opened(tmp_path) as after:
        day = f"{BUYS_AT:%Y-%m-%d}"
        period = await eventually(lambda: watched_period(after), timeout_s=30, what="the watch, with the market's time")
        assert period == day
        eight = BUYS_AT.replace(hour=8)
        await advance_simulated(after.place, eight, request_id="session")
        (row,) = await eventually(lambda: sessions_decisions(after), timeout_s=60, what="the session's decision")
        assert (row["symbol"], row["as_of"][:16]) == (SYMBOL, f"{eight:%Y-%m-%dT%H:%M}")


async def test_losing_temporals_state_loses_no_protection(tmp_path: Path) -> None:
    """The guard has its plan, its trail's terms and both exits again, and sends nothing beside them."""
    async with opened(tmp_path) as before:
        exits = await buy(before)
        await eventually(before.entry_is_filled, timeout_s=20, what="the guard has the entry's last report")
        known = await before.guard()
        assert set(exits) == EXITS, "entry, stop and target went to the venue as one list"
        assert await before.resting() == set(exits.values())
        held = await before.held()
    lose_temporal(tmp_path)

    async with opened(tmp_path) as after:
        await eventually(after.guard_or_none, timeout_s=20, what="the guard of the open position")
        await eventually(after.lot_is_known, timeout_s=20, what="the guard has looked at its exits")
        back = await after.guard()
        assert (back.expected, back.entries, back.opening) == (known.expected, known.entries, known.opening)
        assert (back.stop, back.target, back.exits) == (known.stop, known.target, known.exits)
        assert back.is_protected
        assert await after.resting() == set(exits.values())
        assert await after.desk_mode() == "auto"
        assert await after.held() == held

        await after.close()
        await eventually(after.is_flat, timeout_s=30, what="the position is sold")
        assert await after.resting() == set()
        assert await after.differences() == 0
