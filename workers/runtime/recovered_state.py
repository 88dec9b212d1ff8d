"""What a guard and an execution knew, put together from the ledger after Temporal's own state was lost. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from activities.store.open_trades import NOT_TOLD, OpenEntry, OpenPlan, OpenTrade
from activities.store.ports.journal import Intent
from trading.ledger.outcome import position_quantity
from trading.money import ZERO
from trading.orders.entries import entry_times
from trading.orders.exits import Trail, exit_plan, trail_behind
from trading.orders.guarding import TARGET
from trading.orders.models import Leg, OrderReport, OrderRequest, OrderStatus, OrderType, OutcomeClass
from trading.orders.slicing import first_order_id
from trading.orders.wishes import ExitPlan, ExitTerms
from workflows.names import decision_workflow, execution_workflow
from workflows.protocol import ExecutionRequest, Expect, GuardState, ReduceRequest, Resumed


def guard_state(trade: OpenTrade, *, realm: str) -> GuardState:
    """What a guard of this trade would carry: reports, the exits at the venue, and the ledger's own quantity.

    An exit whose intent was written and that the venue has not confirmed is wanted again under its own client id, so
    that it is asked about before anything is sent. An entry whose exits came with it and have not been told is not
    known here: its execution tells of both, and until then nothing is sent beside what the venue placed.
    """
    entries = _reports(entry.intent for entry in trade.entries)
    exits = _reports(trade.exits)
    unheard = {entry.intent.request.client_order_id for entry in trade.entries if is_half_told(entry, trade)}
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
    adopted = [order for order in unresolved if _is_adopted(order)]
    unresolved = [order for order in unresolved if not _is_adopted(order)]
    state = state.model_copy(
        update={
            "covering": tuple(order.request for order in adopted),
            "exits": exits | {one.request.client_order_id: one.report or _in_doubt(one.request) for one in adopted},
        }
    )
    leads = {order.request.client_order_id for order in unresolved if order.status is OrderStatus.INTENDED}
    unresolved = [order for order in unresolved if order.request.led_by not in leads]
    if not unresolved:
        return state
    for order in unresolved[:-1]:  # of a list both are there; an earlier one of another kind has been replaced
        if order.report is not None and order.request.list_client_order_id is not None:
            state = state.model_copy(update=_standing(order, trade))
    return state.model_copy(update=_standing(unresolved[-1], trade, exits=state.exits))


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


def is_half_told(entry: OpenEntry, trade: OpenTrade) -> bool:
    """Whether the entry has ended, and the venue's word on an exit that came with it is not in the ledger."""
    has_ended = entry.is_filled or not entry.is_unresolved
    return has_ended and any(
        order.request.led_by == entry.intent.request.client_order_id and order.status in NOT_TOLD
        for order in trade.exits
    )


def _is_waiting(order: Intent, trade: OpenTrade) -> bool:
    """Whether the exit is one that its entry's execution has to tell the guard of."""
    leads = {entry.intent.request.client_order_id for entry in trade.entries}
    return order.status in NOT_TOLD and order.request.led_by in leads


def _is_adopted(order: Intent) -> bool:
    """Whether it is a sale that a person placed: ours are at the market."""
    return order.request.leg is Leg.EXIT and order.request.type is not OrderType.MARKET


def _standing(order: Intent, trade: OpenTrade, *, exits: Mapping[str, OrderReport] | None = None) -> dict[str, Any]:
    """The place of an exit that is not final: at the venue, frozen, or to be asked about."""
    request = order.request
    place = "stop" if request.leg is Leg.STOP else "leaving"
    if request.leg is Leg.TARGET and request.type is OrderType.LIMIT_MAKER:
        place = "target"
    if order.status is OrderStatus.FROZEN and not order.is_tried_on:
        reason = order.report.reason if order.report is not None else ""
        why = reason or f"{request.leg.value} order unknown at the venue"
        beside = {one.leg.value: one for one in request.beside}
        return {place: request, **beside, "frozen": why, "frozen_order": request.client_order_id}
    if order.status is not OrderStatus.INTENDED and not order.is_tried_on:
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


def execution_of(plan: OpenPlan) -> str:
    """The workflow id under which a sliced entry is followed."""
    return execution_workflow(plan.plan.realm, plan.plan.client_order_id)


def resumed_request(plan: OpenPlan, *, coordinator: str | None) -> ExecutionRequest:
    """A sliced entry as its decision started it, from its newest order on; from the beginning where it has none."""
    request = ExecutionRequest.model_validate_json(plan.plan.request)
    request = request.model_copy(update={"coordinator": coordinator})
    newest = plan.newest
    if newest is None or newest.permit is None:
        return request
    report = newest.intent.report
    resumed = Resumed(
        order=newest.intent.request,
        permit=newest.permit,
        net_base=report.net_base if report is not None else ZERO,
    )
    return request.model_copy(update={"resumed": resumed})
