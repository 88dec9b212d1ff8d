"""Accounts at a venue and in the ledger, and a desk for each: done once, however often called."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from temporalio.common import WorkflowIDConflictPolicy

from workers.operator.place import Place
from workflows.names import TASK_TIMEOUT, QueueRole, desk_workflow, task_queue
from workflows.options import labels

if TYPE_CHECKING:
    from activities.exchange.port import Exchange

CAPITAL_USD = Decimal(1_000_000)


async def open_simulated_accounts(
    place: Place, accounts: Sequence[str], *, playbook_hash: str, as_of: datetime | None = None
) -> None:
    """Accounts at a venue of our own and in the ledger, and a desk for each.

    `as_of` is the time of their opening where the venue's clock is not the market's: on paper.
    """
    from activities.exchange.simulated_clock import SimulatedClock

    clock = SimulatedClock(realm=place.realm, base_url=place.orders_url or place.venue_url)
    try:
        now = as_of or await clock.now()
        for account in accounts:
            await clock.open_account(account, {"USDT": CAPITAL_USD})
            await _open_in_ledger(place, account, (("USDT", CAPITAL_USD),), as_of=now)
    finally:
        await clock.aclose()
    await start_desks(place, accounts, playbook_hash=playbook_hash)


async def open_venue_accounts(place: Place, exchange: Exchange, accounts: Sequence[str], *, playbook_hash: str) -> None:
    """The venue's own accounts in the ledger, each with what it holds now as its owner's; and a desk for each.

    Raises `VenueUnavailable` and `VenueRefused` as the venue answers; accounts before the one refused are open.
    """
    now = await exchange.market_time()
    known = await place.store.accounts(place.realm)
    for account in accounts:
        if account not in known:
            told = await exchange.account(account)
            opening = tuple((one.asset, one.total) for one in told.balances if one.total > 0)
            await _open_in_ledger(place, account, opening, as_of=now)
    await start_desks(place, accounts, playbook_hash=playbook_hash)


async def _open_in_ledger(
    place: Place, account: str, opening: Sequence[tuple[str, Decimal]], *, as_of: datetime
) -> None:
    await place.store.open_account(
        place.realm, venue=place.venue, ledger=place.ledger, account=account, opening=opening, as_of=as_of
    )


async def start_desks(place: Place, accounts: Sequence[str], *, playbook_hash: str) -> None:
    """A desk for each account; one that runs is left as it is."""
    from workflows.account_desk import AccountDesk
    from workflows.protocol import DeskRequest

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
