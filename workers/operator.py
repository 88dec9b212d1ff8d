"""What an operator's verb does to a running house: open accounts and desks, start one decision, read its end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from temporalio.common import WorkflowIDConflictPolicy

from trading.decision.models import DecisionHead
from trading.ids import decision_id
from workflows.names import (
    TASK_TIMEOUT,
    QueueRole,
    decision_workflow,
    desk_workflow,
    task_queue,
)
from workflows.options import labels

if TYPE_CHECKING:
    from temporalio.client import Client

    from activities.store.open import Store

CAPITAL_USD = Decimal(1_000_000)
SETTLES_WITHIN = timedelta(seconds=5)
POLL_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an operator works: a realm at a venue, its Temporal service and its records."""

    realm: str
    venue: str
    venue_url: str
    client: Client
    store: Store

    @property
    def ledger(self) -> str:
        """The lasting realm's ledger has its name; ids derive from it."""
        return self.realm


async def open_simulated_accounts(place: Place, accounts: Sequence[str], *, playbook_hash: str) -> None:
    """Accounts at the simulated venue and in the ledger, and a desk for each; done once, however often called."""
    from activities.exchange.simulated_clock import SimulatedClock
    from workflows.account_desk import AccountDesk
    from workflows.protocol import DeskRequest

    clock = SimulatedClock(realm=place.realm, base_url=place.venue_url)
    try:
        now = await clock.now()
        for account in accounts:
            await clock.open_account(account, {"USDT": CAPITAL_USD})
            await place.store.open_account(
                place.realm,
                venue=place.venue,
                ledger=place.ledger,
                account=account,
                opening=(("USDT", CAPITAL_USD),),
                as_of=now,
            )
    finally:
        await clock.aclose()
    for account in accounts:
        await place.client.start_workflow(
            AccountDesk.run,
            DeskRequest(realm=place.realm, venue=place.venue, account=account, playbook_hash=playbook_hash),
            id=desk_workflow(place.realm, account),
            task_queue=task_queue(place.realm, QueueRole.DECISIONS),
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            task_timeout=TASK_TIMEOUT,
            static_summary=f"desk of {account}",
            search_attributes=labels(realm=place.realm, accounts=(account,)),
        )


def head_of(place: Place, *, symbol: str, as_of: datetime, account: str, playbook_version: str) -> DecisionHead:
    """The head of a decision that a person asked for: asked twice for one time, it is one decision."""
    return DecisionHead(
        decision_id=decision_id(ledger=place.ledger, symbol=symbol, as_of=as_of, cause=f"person:{account}"),
        realm=place.realm,
        venue=place.venue,
        ledger=place.ledger,
        symbol=symbol,
        as_of=as_of,
        cause=f"person:{account}",
        accounts=(account,),
        playbook_version=playbook_version,
    )


async def decide(place: Place, head: DecisionHead, *, playbook_hash: str) -> tuple[str, ...]:
    """Take the decision, or find it taken; the client ids of the orders that it placed now."""
    from workflows.protocol import DecisionRequest
    from workflows.trade_decision import TradeDecision

    handle = await place.client.start_workflow(
        TradeDecision.run,
        DecisionRequest(head=head, playbook_hash=playbook_hash),
        id=decision_workflow(place.realm, head.decision_id),
        task_queue=task_queue(place.realm, QueueRole.DECISIONS),
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        task_timeout=TASK_TIMEOUT,
        static_summary=f"{head.symbol} at {head.as_of:%Y-%m-%d %H:%M}",
        search_attributes=labels(
            realm=head.realm,
            accounts=head.accounts,
            symbol=head.symbol,
            playbook=head.playbook_version,
            as_of=head.as_of,
        ),
    )
    result = await handle.result()
    if result.already_decided:
        return ()
    return tuple(order for outcome in result.summary.outcomes for order in outcome.client_order_ids)


async def card_of(place: Place, decision: str) -> dict[str, Any] | None:
    """The decision's card, with what happened since; `None` where it was never taken."""
    from activities.store.reading import decision_card

    return await decision_card(place.store, place.realm, decision)


async def protected(place: Place, orders: Sequence[str], *, within_s: float) -> bool:
    """Wait until each entry is final and what it filled has a stop at the venue; whether it came to that in time."""
    from activities.store.reading import order_list

    deadline = asyncio.get_running_loop().time() + within_s
    while True:
        rows = await order_list(place.store, place.realm)
        mine = [row for row in rows if row["client_order_id"] in orders]
        stops = [row for row in rows if row["leg"] == "stop" and row["status"] == "NEW"]
        final = all(row["status"] not in {"INTENDED", "NEW", "PARTIALLY_FILLED"} for row in mine)
        filled = any(Decimal(str(row["executed_quantity"])) > 0 for row in mine)
        if mine and final and (stops or not filled):
            return True
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(POLL_S)


async def market_time(place: Place) -> datetime:
    """The simulated market's time."""
    from activities.exchange.simulated_clock import SimulatedClock

    clock = SimulatedClock(realm=place.realm, base_url=place.venue_url)
    try:
        return await clock.now()
    finally:
        await clock.aclose()


async def advance_simulated(place: Place, to: datetime, *, request_id: str) -> datetime:
    """Run a simulated market forward to `to`, through every event on the way; never back. Market time afterwards."""
    from activities.exchange.simulated_clock import SimulatedClock

    clock = SimulatedClock(realm=place.realm, base_url=place.venue_url)
    try:
        now, number = await clock.now(), 0
        while now < to:
            stop = await clock.advance(to, (), request_id=f"{request_id}-{number}")
            now, number = stop.now, number + 1
        return now
    finally:
        await clock.aclose()
