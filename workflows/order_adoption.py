"""A person makes a foreign order ours: written down, taken over, and followed like any other from then on."""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from datetime import timedelta

    from activities.exchange.adopting import AdoptCalls, Adoption, AdoptRequest
    from activities.exchange.calls import SYNC_CALL
    from activities.store.calls import STORE_CALL, HandRecord, StoreCalls
    from trading.orders.entries import entry_times
    from trading.orders.exits import exit_plan
    from trading.orders.models import OrderRequest
    from trading.orders.wishes import ExitTerms
    from workflows.names import (
        OUTCOME,
        PROTECTING_TASK_TIMEOUT,
        Signal,
        exchange_queue,
        execution_workflow,
        guard_workflow,
    )
    from workflows.options import at, labels
    from workflows.order_execution import OrderExecution
    from workflows.protocol import EntryNews, ExecutionRequest, HandDone, Placed


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class OrderAdoption:
    """A purchase gets an execution, and with it a guard; of a sale the guard of its position is told, and owns it.

    A balance that no order explains is no order: reconciliation names it as a transfer, and nothing is adopted.
    """

    def __init__(self) -> None:
        self._placed: Placed | None = None

    @workflow.run
    async def run(self, request: AdoptRequest) -> HandDone:
        """What came of the wish: the order's state, or why it stays foreign."""
        wish = request.wish
        if not wish.who.strip() or not wish.reason.strip():
            raise ApplicationError(
                "an adoption names who and why: both must be given", type="ReasonMissing", non_retryable=True
            )
        operation_id = wish.operation_id or f"adopt-{wish.client_order_id}"
        await self._write_down(request, operation_id)
        taken = await workflow.execute_activity_method(
            AdoptCalls.adopt_order,
            request,
            **at(exchange_queue(request.realm, request.venue), f"adopt {wish.client_order_id}", SYNC_CALL),
        )
        state = await self._followed(taken)
        workflow.upsert_search_attributes([OUTCOME.value_set("adopted" if taken.objection is None else "foreign")])
        return HandDone(
            operation_id=operation_id,
            target=wish.client_order_id,
            accepted=taken.objection is None,
            reason=taken.objection or wish.reason,
            state=state,
        )

    @workflow.signal(name=Signal.PLACED, description="The execution has taken the order in")
    def placed(self, news: Placed) -> None:
        self._placed = news

    async def _write_down(self, request: AdoptRequest, operation_id: str) -> None:
        record = HandRecord(
            realm=request.realm,
            operation_id=operation_id,
            subject=request.wish.client_order_id,
            what="adopt",
            who=request.wish.who,
            reason=request.wish.reason,
        )
        await workflow.execute_local_activity_method(StoreCalls.record_hand, record, **STORE_CALL)

    async def _followed(self, taken: Adoption) -> str:
        if taken.order is None:
            return "foreign"
        if taken.sold is not None:
            name = taken.order.client_order_id
            await self._tell_guard(taken.order, EntryNews(client_order_id=name, report=taken.sold, adopted=taken.order))
            return taken.sold.status.value
        if not await self._execute(taken, taken.order):
            return "followed already"
        await workflow.wait_condition(lambda: self._placed is not None, timeout_summary="order taken in")
        assert self._placed is not None
        return self._placed.report.status.value

    async def _tell_guard(self, order: OrderRequest, news: EntryNews) -> None:
        guard = workflow.get_external_workflow_handle(guard_workflow(order.realm, order.account, order.symbol))
        try:
            await guard.signal(Signal.FILLED, news)
        except ApplicationError:
            workflow.logger.info("nobody guards %s of %s: the ledger has the sale", order.symbol, order.account)

    async def _execute(self, taken: Adoption, order: OrderRequest) -> bool:
        """Start the execution; False where one follows the order already, and will tell its own owner."""
        permit, levels = taken.permit, taken.levels
        assert permit is not None  # a purchase is adopted with both
        assert levels is not None
        times = entry_times(order, permit.terms, horizon_hours=taken.horizon_hours)
        request = ExecutionRequest(
            order=order,
            permit=permit,
            stop_price=levels.stop_price,
            target_price=levels.target_price,
            exit_at=order.as_of + timedelta(hours=taken.horizon_hours),
            expires_at=times.expires_at,
            terms=ExitTerms(plan=exit_plan(permit.terms)),
            owner=workflow.info().workflow_id,
        )
        try:
            await workflow.start_child_workflow(
                OrderExecution.run,
                request,
                id=execution_workflow(order.realm, order.client_order_id),
                parent_close_policy=ParentClosePolicy.ABANDON,
                task_timeout=PROTECTING_TASK_TIMEOUT,
                static_summary=f"adopted {order.side.value} {order.symbol} for {order.account}",
                search_attributes=labels(realm=order.realm, accounts=(order.account,), symbol=order.symbol),
            )
        except WorkflowAlreadyStartedError:
            return False
        return True
