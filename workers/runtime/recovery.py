"""Losing Temporal's state loses no protection: what the database holds open gets its workflows back.

Run at every worker start. A workflow that runs is left as it is, one that came to its end stays ended; so several
workers may do this together, and again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from temporalio.common import TypedSearchAttributes, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from activities.store.listing import accounts_and_symbols
from activities.store.open_trades import OpenEntry, OpenTrade, open_trades
from activities.store.port import Intent, StoreUnavailable
from trading.ledger.outcome import position_quantity
from trading.orders.entries import entry_times
from trading.orders.exits import Trail, exit_plan, trail_behind
from trading.orders.guarding import TARGET
from trading.orders.models import Leg, OrderReport, OrderRequest, OrderStatus, OrderType, OutcomeClass
from trading.orders.slicing import first_order_id
from trading.orders.wishes import ExitPlan, ExitTerms
from trading.risk.desk import reserve
from workers.runtime.site import Site
from workflows.account_desk import AccountDesk
from workflows.names import (
    TASK_TIMEOUT,
    QueueRole,
    campaign_workflow,
    decision_workflow,
    desk_workflow,
    execution_workflow,
    guard_workflow,
    task_queue,
)
from workflows.options import labels
from workflows.order_execution import OrderExecution
from workflows.position_guard import PositionGuard
from workflows.protocol import (
    DeskRequest,
    DeskState,
    ExecutionRequest,
    Expect,
    GuardRequest,
    GuardState,
    ReduceRequest,
)

if TYPE_CHECKING:
    from temporalio.client import Client

    from activities.store.open import Store

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0

NOT_TOLD = frozenset({OrderStatus.INTENDED, OrderStatus.PENDING_NEW})

LOOK_EVERY_S = 600.0
"""Between two looks of a worker at what is open: two reads of the database, and a start that is refused for each."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """Workflow ids that were started because nothing had them; `helpless` is what lacks its levels or its permit."""

    desks: tuple[str, ...] = ()
    guards: tuple[str, ...] = ()
    executions: tuple[str, ...] = ()
    helpless: tuple[str, ...] = ()


async def stay_protected(client: Client, site: Site) -> None:
    """`keep_protected` at the start, and in a lasting realm again and again: nothing open stays without its workflow.

    A trial ends with its stack: there the start of each worker is enough.
    """
    while True:
        await keep_protected(client, site)
        if "-" in site.realm:
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
                break
            except (RPCError, StoreUnavailable) as silent:
                log.warning("open positions could not be looked after yet: %s", silent)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
    finally:
        await store.aclose()
    for name in found.helpless:
        log.error("%s has no levels or no permit on record: nothing guards it until a person does", name)
    started = (*found.desks, *found.guards, *found.executions)
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
    coordinator = await _running_campaign(client, realm)
    begin = _Beginning(client, realm, venue, coordinator)
    playbook_hash = await _playbook_hash(store, realm)
    found = Recovered()
    for account in accounts:
        mine = [trade for trade in trades if trade.account == account]
        if await begin.desk(account, playbook_hash, await _desk_state(store, realm, account, mine)):
            found = replace(found, desks=(*found.desks, desk_workflow(realm, account)))
    for trade in trades:
        found = await _recover_trade(begin, trade, found)
    return found


async def _recover_trade(begin: _Beginning, trade: OpenTrade, found: Recovered) -> Recovered:
    """The guard first, with all that it knew; then the executions that still have something to tell it."""
    guard = guard_workflow(begin.realm, trade.account, trade.symbol)
    if any(entry.levels is None for entry in trade.entries):
        return replace(found, helpless=(*found.helpless, guard))
    if any(entry.is_filled for entry in trade.entries) and await begin.guard(trade):
        found = replace(found, guards=(*found.guards, guard))
    for entry in trade.entries:
        if not entry.is_unresolved and not _is_half_told(entry, trade):
            continue
        name = execution_workflow(begin.realm, first_order_id(entry.intent.request))
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
        return await self._start(PositionGuard.run, request, name, summary=summary, found_by=found_by)

    async def execution(self, name: str, request: ExecutionRequest) -> bool:
        order = request.order
        summary = f"{order.side.value} {order.symbol} for {order.account}"
        found_by = labels(realm=self.realm, accounts=(order.account,), symbol=order.symbol, as_of=order.as_of)
        return await self._start(OrderExecution.run, request, name, summary=summary, found_by=found_by)

    async def _start(
        self, workflow: Any, request: Any, name: str, *, summary: str, found_by: TypedSearchAttributes
    ) -> bool:
        try:
            await self.client.start_workflow(
                workflow,
                request,
                id=name,
                task_queue=task_queue(self.realm, QueueRole.DECISIONS),
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                task_timeout=TASK_TIMEOUT,
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
    """The active playbook of a lasting realm; a trial's is the one of its newest decision, else the first one."""
    if "-" not in realm:
        return (await store.active_playbook(realm)).content_hash
    from activities.store.playbooks import find_playbook, keep_playbook
    from activities.store.reading import decision_list
    from trading.playbook import first_playbook

    newest = await decision_list(store, realm, limit=1)
    known = await find_playbook(store, newest[0]["playbook_version"]) if newest else None
    return known or await keep_playbook(store, first_playbook())


async def _desk_state(store: Store, realm: str, account: str, trades: Iterable[OpenTrade]) -> DeskState | None:
    """What the desk promised to entries that are still unresolved; `None` where the ledger says everything."""
    open_entries = [entry for trade in trades for entry in trade.entries if entry.is_unresolved]
    exposure = await store.exposure(realm, account)
    if exposure is None or not open_entries:
        return None
    answers = {}
    for entry in open_entries:
        if entry.answer is not None and entry.permit is not None:
            exposure = reserve(exposure, entry.permit, at=entry.intent.request.as_of)
            answers[entry.answer.request_id] = entry.answer
    return DeskState(exposure=exposure, answers=answers)


def guard_state(trade: OpenTrade, *, realm: str) -> GuardState:
    """What a guard of this trade would carry: reports, the exits at the venue, and the ledger's own quantity.

    An exit whose intent was written and that the venue has not confirmed is wanted again under its own client id, so
    that it is asked about before anything is sent. An entry whose exits came with it and have not been told is not
    known here: its execution tells of both, and until then nothing is sent beside what the venue placed.
    """
    entries = _reports(entry.intent for entry in trade.entries)
    exits = _reports(trade.exits)
    unheard = {entry.intent.request.client_order_id for entry in trade.entries if _is_half_told(entry, trade)}
    state = GuardState(
        opening=trade.quantity - position_quantity(entries.values(), exits.values()),
        expected=tuple(_expected(entry, realm=realm) for entry in trade.entries),
        entries={name: report for name, report in entries.items() if name not in unheard},
        exits=exits,
        revision=max((order.request.revision + 1 for order in trade.exits), default=0),
        as_of=_newest_time(trade),
    )
    state = state.model_copy(
        update={"trail": _trail(state, trade), "first_target_of": _sold_at_first_target(state, trade)}
    )
    unresolved = [order for order in trade.exits if not _is_waiting(order, trade)]
    unresolved = [order for order in unresolved if order.report is None or not order.report.is_terminal]
    leads = {order.request.client_order_id for order in unresolved if order.status is OrderStatus.INTENDED}
    unresolved = [order for order in unresolved if order.request.led_by not in leads]
    if not unresolved:
        return state
    for order in unresolved[:-1]:  # of a list both are there; an earlier one of another kind has been replaced
        if order.report is not None and order.request.list_client_order_id is not None:
            state = state.model_copy(update=_standing(order, trade))
    return state.model_copy(update=_standing(unresolved[-1], trade, exits=exits))


def _trail(state: GuardState, trade: OpenTrade) -> Trail | None:
    """How far the newest stop of the position's plan had followed the price, read from where it was meant to rest."""
    plan = state.plan
    if plan is None:
        return None
    stops = [
        order.request
        for order in trade.exits
        if order.request.leg is Leg.STOP and order.request.decision_id == plan.decision_id
    ]
    bought_at = state.entries[plan.client_order_id].average_price
    newest = max(stops, key=lambda order: order.revision, default=None)
    if newest is None or newest.stop_price is None or bought_at is None:
        return None
    return trail_behind(plan, average_price=bought_at, stop_price=newest.stop_price)


def _sold_at_first_target(state: GuardState, trade: OpenTrade) -> str | None:
    """The position's entry where its own decision has sold before: of what is open that was the first target's share.

    A decision that wants less of it later, or a person, sells in a name of its own.
    """
    plan = state.plan
    if plan is None:
        return None
    names = {(order.request.leg, order.request.decision_id) for order in trade.exits}
    return plan.client_order_id if (Leg.EXIT, plan.decision_id) in names else None


def _is_half_told(entry: OpenEntry, trade: OpenTrade) -> bool:
    """Whether the entry filled, and the venue's word on an exit that came with it is not in the ledger."""
    return entry.is_filled and any(
        order.request.led_by == entry.intent.request.client_order_id and order.status in NOT_TOLD
        for order in trade.exits
    )


def _is_waiting(order: Intent, trade: OpenTrade) -> bool:
    """Whether the exit is one that its entry's execution has to tell the guard of."""
    leads = {entry.intent.request.client_order_id for entry in trade.entries}
    return order.status in NOT_TOLD and order.request.led_by in leads


def _standing(order: Intent, trade: OpenTrade, *, exits: Mapping[str, OrderReport] | None = None) -> dict[str, Any]:
    """The place of an exit that is not final: at the venue, frozen, or to be asked about."""
    request = order.request
    place = "stop" if request.leg is Leg.STOP else "leaving"
    if request.leg is Leg.TARGET and request.type is OrderType.LIMIT_MAKER:
        place = "target"
    if order.status is OrderStatus.FROZEN:
        reason = order.report.reason if order.report is not None else ""
        why = reason or f"{request.leg.value} order unknown at the venue"
        beside = {one.leg.value: one for one in request.beside}
        return {place: request, **beside, "frozen": why, "frozen_order": request.client_order_id}
    if order.status is not OrderStatus.INTENDED:
        return {place: request}
    if request.leg is Leg.STOP and _moved_since(request, trade):
        # It is cancelled, as a list where it leads one, before another is placed: it may have arrived.
        family = {one.leg.value: one for one in (request, *request.beside)}
        doubts = {one.client_order_id: _in_doubt(one) for one in (request, *request.beside)}
        return {**family, "exits": {**(exits or {}), **doubts}}
    if request.leg is Leg.STOP:
        return {"revision": request.revision}
    if request.leg is Leg.TARGET and not _moved_since(request, trade):
        return {"revision": request.revision, "exit_reason": TARGET}
    if request.leg is Leg.TARGET:
        return {"leaving": request, "frozen": "a target order is in doubt and the position has grown since"}
    wish = ReduceRequest(
        request_id=f"recovered:{request.client_order_id}",
        decision_id=request.decision_id,
        quantity=request.quantity,
        reason="recovered",
    )
    return {"revision": request.revision, "reduces": (wish,)}


def _moved_since(exit_order: OrderRequest, trade: OpenTrade) -> bool:
    """Whether an entry may have filled after the exit was intended: then its quantity is no longer the position's."""
    return any(
        entry.is_unresolved or (entry.intent.report is not None and entry.intent.report.observed_at > exit_order.as_of)
        for entry in trade.entries
    )


def _in_doubt(request: OrderRequest) -> OrderReport:
    """An order that may have been sent, before the venue is asked."""
    return OrderReport(
        client_order_id=request.client_order_id,
        status=OrderStatus.INTENDED,
        outcome=OutcomeClass.UNKNOWN,
        side=request.side,
        leg=request.leg,
        observed_at=request.as_of,
    )


def _reports(orders: Iterable[Intent]) -> dict[str, OrderReport]:
    return {order.request.client_order_id: order.report for order in orders if order.report is not None}


def _newest_time(trade: OpenTrade) -> datetime:
    orders = (*(entry.intent for entry in trade.entries), *trade.exits)
    told = (order.report.observed_at for order in orders if order.report is not None)
    return max(*(order.request.as_of for order in orders), *told)


def _expected(entry: OpenEntry, *, realm: str) -> Expect:
    request, levels = entry.intent.request, entry.levels
    assert levels is not None  # a trade without levels is helpless
    return Expect(
        execution=execution_workflow(realm, first_order_id(request)),
        decision_id=request.decision_id,
        client_order_id=request.client_order_id,
        stop_price=levels.stop_price,
        target_price=levels.target_price,
        exit_at=request.as_of + timedelta(hours=levels.horizon_hours),
        terms=_terms(entry),
        exits=request.beside,
    )


def _terms(entry: OpenEntry) -> ExitTerms:
    """The permit's terms; the symbol's filters are not in the ledger, so the guard asks for them."""
    plan = exit_plan(entry.permit.terms) if entry.permit is not None else ExitPlan()
    return ExitTerms(oco_allowed=None, plan=plan)


def execution_request(entry: OpenEntry, *, realm: str, coordinator: str | None) -> ExecutionRequest | None:
    """The execution of an unresolved entry as its decision started it; `None` where its permit is not on record."""
    order, levels, permit = entry.intent.request, entry.levels, entry.permit
    if levels is None or permit is None:
        return None
    times = entry_times(order, permit.terms, horizon_hours=levels.horizon_hours)
    return ExecutionRequest(
        order=order,
        permit=permit,
        stop_price=levels.stop_price,
        target_price=levels.target_price,
        exit_at=times.exit_at,
        expires_at=times.expires_at,
        terms=_terms(entry),
        owner=decision_workflow(realm, order.decision_id),
        coordinator=coordinator,
    )
