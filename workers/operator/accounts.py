"""Accounts at a venue and in the ledger, and a desk for each: done once, however often called."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from temporalio.common import WorkflowIDConflictPolicy

from workers.operator.place import Place
from workflows.names import TASK_TIMEOUT, QueueRole, desk_workflow, task_queue
from workflows.options import labels

CAPITAL_USD = Decimal(1_000_000)


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
