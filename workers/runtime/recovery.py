"""Losing Temporal's state loses no protection: what the database holds open gets its workflows back.

Run at every worker start. A workflow that runs is left as it is, one that came to its end stays ended; so several
workers may do this together, and again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from temporalio.common import TypedSearchAttributes, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from activities.store.listing import accounts_and_symbols
from activities.store.open_trades import OpenPlan, OpenTrade, open_entry_plans, open_trades
from activities.store.ports.faults import StoreUnavailable
from trading.orders.slicing import first_order_id
from trading.risk.desk import reserve
from workers.runtime.recovered_state import execution_of, execution_request, guard_state, is_half_told, resumed_request
from workers.runtime.site import Site
from workflows.account_desk import AccountDesk
from workflows.market_watch import MarketWatch
from workflows.names import (
    PROTECTING_TASK_TIMEOUT,
    TASK_TIMEOUT,
    QueueRole,
    campaign_workflow,
    desk_workflow,
    execution_workflow,
    guard_workflow,
    task_queue,
    watch_workflow,
)
from workflows.options import labels
from workflows.order_execution import OrderExecution
from workflows.position_guard import PositionGuard
from workflows.protocol import (
    DeskRequest,
    DeskState,
    ExecutionRequest,
    GuardRequest,
    WatchRequest,
)

if TYPE_CHECKING:
    from temporalio.client import Client

    from activities.store.open import Store

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0

LOOK_EVERY_S = 600.0
"""Between two looks of a worker at what is open: two reads of the database, and a start that is refused for each."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """Workflow ids that were started because nothing had them; `helpless` is what lacks its levels or its permit."""

    desks: tuple[str, ...] = ()
    guards: tuple[str, ...] = ()
    executions: tuple[str, ...] = ()
    helpless: tuple[str, ...] = ()
    watches: tuple[str, ...] = ()


async def stay_protected(client: Client, site: Site) -> None:
    """`keep_protected` at the start, and in a lasting realm again and again: nothing open stays without its workflow.

    A trial ends with its stack: there the start of each worker is enough.
    """
    while True:
        await keep_protected(client, site)
        if site.is_trial:
            return
        await asyncio.sleep(LOOK_EVERY_S)


async def keep_protected(client: Client, site: Site) -> Recovered:
    """`recover` on the site's database, tried until both servers answer. Errors of the data propagate."""
    from activities.store.open import open_store

    store = await open_store(site.database_url)
    pause_s = FIRST_PAUSE_S
    try:
        while True:
            try:
                found = await recover(client, store, realm=site.realm, venue=site.venue)
                found = replace(found, watches=await _recover_watch(client, store, site))
                break
            except (RPCError, StoreUnavailable) as silent:
                log.warning("open positions could not be looked after yet: %s", silent)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
    finally:
        await store.aclose()
    for name in found.helpless:
        log.error("%s has no levels or no permit on record: nothing guards it until a person does", name)
    started = (*found.desks, *found.guards, *found.executions, *found.watches)
    if started:
        log.warning("started anew what the database holds open: %s", ", ".join(started))
    return found


async def recover(client: Client, store: Store, *, realm: str, venue: str) -> Recovered:
    """Start the desk of every account, the guard of every open position and the execution of every unresolved entry.

    Idempotent. In a campaign that runs, the campaign stays the owner of the clock.
    """
    accounts, _symbols = await accounts_and_symbols(store, realm)
    if not accounts:
        return Recovered()
    trades = await open_trades(store, realm)
    plans = await open_entry_plans(store, realm)
    coordinator = await _running_campaign(client, realm)
    begin = _Beginning(client, realm, venue, coordinator)
    playbook_hash = await _playbook_hash(store, realm)
    found = Recovered()
    for account in accounts:
        mine = [trade for trade in trades if trade.account == account]
        if await begin.desk(account, playbook_hash, await _desk_state(store, realm, account, mine, plans)):
            found = replace(found, desks=(*found.desks, desk_workflow(realm, account)))
    for trade in trades:
        found = await _recover_trade(begin, trade, found, planned=[execution_of(plan) for plan in plans])
    for plan in plans:
        if await begin.execution(execution_of(plan), resumed_request(plan, coordinator=coordinator)):
            found = replace(found, executions=(*found.executions, execution_of(plan)))
    return found


async def _recover_watch(client: Client, store: Store, site: Site) -> tuple[str, ...]:
    """The watch of a lasting realm that has ever been planned; one that a person closed stays closed.

    A trial's watch is its campaign's. A realm without a plan may be a single decision's: it starts nothing by itself.
    """
    found = None if site.is_trial else await store.day_plan_in_force(site.realm, as_of=None)
    if found is None:
        return ()
    accounts = tuple(part.account for part in found.plan.plans)
    request = WatchRequest(
        realm=site.realm,
        venue=site.venue,
        ledger=site.realm,
        accounts=accounts,
        usual=site.usual,
        hours=site.hours,
        market_is_replayed=site.market_is_replayed,
    )
    name = watch_workflow(site.realm)
    begin = _Beginning(client, site.realm, site.venue, None)
    found_by = labels(realm=site.realm, accounts=accounts)
    is_new = await begin.watch(request, name, found_by=found_by)
    return (name,) if is_new else ()


async def _recover_trade(
    begin: _Beginning, trade: OpenTrade, found: Recovered, *, planned: Collection[str]
) -> Recovered:
    """The guard first, with all that it knew; then the executions that still have something to tell it."""
    guard = guard_workflow(begin.realm, trade.account, trade.symbol)
    if any(entry.levels is None for entry in trade.entries):
        return replace(found, helpless=(*found.helpless, guard))
    if any(entry.is_filled for entry in trade.entries) and await begin.guard(trade):
        found = replace(found, guards=(*found.guards, guard))
    for entry in trade.entries:
        if not entry.is_unresolved and not is_half_told(entry, trade):
            continue
        name = execution_workflow(begin.realm, first_order_id(entry.intent.request))
        if name in planned:
            continue
        request = execution_request(entry, realm=begin.realm, coordinator=begin.coordinator)
        if request is None:
            found = replace(found, helpless=(*found.helpless, name))
        elif await begin.execution(name, request):
            found = replace(found, executions=(*found.executions, name))
    return found


@dataclass(frozen=True, slots=True)
class _Beginning:
    """Starts workflows that neither run nor came to their end. Each method says whether it started one."""

    client: Client
    realm: str
    venue: str
    coordinator: str | None

    async def desk(self, account: str, playbook_hash: str, state: DeskState | None) -> bool:
        request = DeskRequest(
            realm=self.realm, venue=self.venue, account=account, playbook_hash=playbook_hash, state=state
        )
        name = desk_workflow(self.realm, account)
        found_by = labels(realm=self.realm, accounts=(account,))
        return await self._start(AccountDesk.run, request, name, summary=f"desk of {account}", found_by=found_by)

    async def watch(self, request: WatchRequest, name: str, *, found_by: TypedSearchAttributes) -> bool:
        return await self._start(MarketWatch.run, request, name, summary="watch of the market", found_by=found_by)

    async def guard(self, trade: OpenTrade) -> bool:
        order = trade.entries[-1].intent.request
        request = GuardRequest(
            realm=self.realm,
            venue=order.venue,
            ledger=order.ledger,
            account=trade.account,
            symbol=trade.symbol,
            coordinator=self.coordinator,
            state=guard_state(trade, realm=self.realm),
        )
        name = guard_workflow(self.realm, trade.account, trade.symbol)
        summary = f"guard of {trade.symbol} for {trade.account}"
        found_by = labels(realm=self.realm, accounts=(trade.account,), symbol=trade.symbol)
        return await self._start(
            PositionGuard.run, request, name, summary=summary, found_by=found_by, task_timeout=PROTECTING_TASK_TIMEOUT
        )

    async def execution(self, name: str, request: ExecutionRequest) -> bool:
        order = request.order
        summary = f"{order.side.value} {order.symbol} for {order.account}"
        found_by = labels(realm=self.realm, accounts=(order.account,), symbol=order.symbol, as_of=order.as_of)
        return await self._start(
            OrderExecution.run, request, name, summary=summary, found_by=found_by, task_timeout=PROTECTING_TASK_TIMEOUT
        )

    async def _start(
        self,
        workflow: Any,
        request: Any,
        name: str,
        *,
        summary: str,
        found_by: TypedSearchAttributes,
        task_timeout: timedelta = TASK_TIMEOUT,
    ) -> bool:
        try:
            await self.client.start_workflow(
                workflow,
                request,
                id=name,
                task_queue=task_queue(self.realm, QueueRole.DECISIONS),
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                task_timeout=task_timeout,
                static_summary=summary,
                search_attributes=found_by,
            )
        except WorkflowAlreadyStartedError:
            return False
        return True


async def _running_campaign(client: Client, realm: str) -> str | None:
    """The campaign that owns the realm's clock, if one runs."""
    from temporalio.client import WorkflowExecutionStatus
    from temporalio.service import RPCStatusCode

    name = campaign_workflow(realm)
    try:
        described = await client.get_workflow_handle(name).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    return name if described.status is WorkflowExecutionStatus.RUNNING else None


async def _playbook_hash(store: Store, realm: str) -> str:
    """The active playbook; a trial that registers none has the one of its newest decision, else the first one."""
    if "-" not in realm or await store.playbooks(realm):
        return (await store.active_playbook(realm)).content_hash
    from activities.store.playbooks import find_playbook, keep_playbook
    from activities.store.reading import decision_list
    from trading.playbook import first_playbook

    newest = await decision_list(store, realm, limit=1)
    known = await find_playbook(store, newest[0]["playbook_version"]) if newest else None
    return known or await keep_playbook(store, first_playbook())


async def _desk_state(
    store: Store, realm: str, account: str, trades: Iterable[OpenTrade], plans: Iterable[OpenPlan]
) -> DeskState | None:
    """What the desk promised to entries that are still unresolved; `None` where the ledger says everything."""
    kept = {plan.newest.permit.id for plan in plans if plan.newest is not None and plan.newest.permit is not None}
    entries = [entry for trade in trades for entry in trade.entries]
    open_entries = [
        entry
        for entry in entries
        if entry.is_unresolved or (entry.permit is not None and entry.permit.id in kept and entry.intent.report)
    ]
    exposure = await store.exposure(realm, account)
    if exposure is None or not open_entries:
        return None
    answers = {}
    for entry in open_entries:
        if entry.answer is not None and entry.permit is not None:
            exposure = reserve(exposure, entry.permit, at=entry.intent.request.as_of)
            answers[entry.answer.request_id] = entry.answer
    return DeskState(exposure=exposure, answers=answers)
