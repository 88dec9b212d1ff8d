"""What follows the books of a wiped venue: who guarded what is gone ends, and the desk counts anew (venue.md)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.exchange.calls import RECONCILE_CALL
    from activities.exchange.resetting import ResetRequest, ResettingCalls
    from trading.ledger.venue_reset import LedgerClosing
    from workflows.names import Signal, desk_workflow, exchange_queue, execution_workflow, guard_workflow
    from workflows.options import at
    from workflows.periods import PeriodRequest


async def heed_wipe(request: PeriodRequest, wiped: Sequence[str], *, look: datetime) -> tuple[LedgerClosing, ...]:
    """Books in doubt, and those closed now. The ledger comes first, so that whoever is still there sends nothing.

    The desk is told last: until then its permits are void, so no entry meets a guard that is about to end.
    """
    found = await workflow.execute_activity_method(
        ResettingCalls.heed_wipe,
        ResetRequest(
            realm=request.realm, venue=request.venue, accounts=request.accounts, wiped=tuple(wiped), look=look
        ),
        **at(exchange_queue(request.realm, request.venue), "venue wiped?", RECONCILE_CALL),
    )
    for closing in found.closings:
        if closing.closed_at is not None:
            names = [guard_workflow(request.realm, closing.account, symbol) for symbol in closing.symbols]
            names += [execution_workflow(request.realm, order) for order in closing.executions]
            for name in names:
                await _end(name)
            await _tell_desk(request.realm, closing)
    return found.closings


async def _end(name: str) -> None:
    try:
        await workflow.get_external_workflow_handle(name).cancel()
    except ApplicationError:
        workflow.logger.info("%s has ended already", name)


async def _tell_desk(realm: str, closing: LedgerClosing) -> None:
    desk = workflow.get_external_workflow_handle(desk_workflow(realm, closing.account))
    try:
        await desk.signal(Signal.VENUE_RESET, closing)
    except ApplicationError:
        workflow.logger.info("the desk of %s is gone; a new one reads the new books", closing.account)
