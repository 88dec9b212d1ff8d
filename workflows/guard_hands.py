"""What people ask of a guard: leave, withdraw what rests, a word on a frozen order."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.store.calls import ENTITY_CALL, HandRecord, StoreCalls
    from trading.orders.wishes import LeaveRequest, Resolution
    from workflows.guard_book import GuardBook
    from workflows.names import Signal, Update
    from workflows.protocol import HandDone


class HeedsPeople(GuardBook):
    """A handler writes down and notes; the loop does it."""

    @workflow.signal(name=Signal.LEAVE, description="A person wants out: withdraw the entries, sell all that is held")
    def leave(self, wish: LeaveRequest) -> None:
        self._take_state(self._state.asked_to_leave(wish))

    @workflow.signal(name=Signal.WITHDRAW, description="Cancel entries that rest, with a reason; the stop stays")
    def withdraw(self, reason: str) -> None:
        self._set(withdraw_because=reason)

    @workflow.update(name=Update.RESOLVE, description="A person's word on a frozen order: filled or absent")
    async def resolve(self, word: Resolution) -> HandDone:
        return await self._heard(word)

    @resolve.validator
    def _check_resolve(self, word: Resolution) -> None:
        if not word.who.strip() or not word.reason.strip():
            raise ApplicationError("a word on an order names who and why: both must be given", type="ReasonMissing")
        if not self._state.is_frozen(word.client_order_id):
            frozen = ", ".join(self._state.frozen_ids) or "none"
            raise ApplicationError(
                f"order {word.client_order_id!r} is not frozen here: frozen are {frozen}", type="NotFrozen"
            )

    @workflow.signal(name=Signal.RESOLVE, description="A person's word on a frozen order; not without who and why")
    async def hear_resolve(self, word: Resolution) -> None:
        if word.who.strip() and word.reason.strip() and self._state.is_frozen(word.client_order_id):
            await self._heard(word)

    async def _heard(self, word: Resolution) -> HandDone:
        """Written down first; the loop then holds it against the venue."""
        operation_id = word.operation_id or f"resolve-{word.client_order_id}-{word.verdict.value}"
        await workflow.execute_activity_method(
            StoreCalls.record_hand,
            HandRecord(
                realm=self._request.realm,
                operation_id=operation_id,
                subject=word.client_order_id,
                what=f"resolve {word.verdict.value}",
                who=word.who,
                reason=word.reason,
            ),
            **ENTITY_CALL,
        )
        self._set(resolutions=(*self._state.resolutions, word))
        return HandDone(
            operation_id=operation_id,
            target=word.client_order_id,
            accepted=True,
            reason=word.reason,
            state="asked at the venue",
        )

    async def _take_words(self) -> None:
        """Take in what people say of frozen orders: of an exit here, of an entry through its execution."""
        for word in self._state.resolutions:
            self._set(resolutions=self._state.resolutions[1:])
            execution = self._state.execution_of(word.client_order_id)
            if execution is not None:
                try:
                    await workflow.get_external_workflow_handle(execution).signal(Signal.RESOLVE, word)
                except ApplicationError:
                    workflow.logger.info("the execution %s has ended: nothing is frozen there", execution)
            for order in self._state.at_the_venue:
                if order.client_order_id == word.client_order_id:
                    self._take_report(order, await self._venue.resolve(order.key, word))

    async def _withdraw_entries(self) -> None:
        """Ask the executions of resting entries to cancel them; one that has ended has nothing left to cancel."""
        for entry in self._state.to_withdraw:
            self._set(withdrawn=(*self._state.withdrawn, entry.client_order_id))
            reason = self._state.leave.reason if self._state.leave else self._state.withdraw_because
            try:
                await workflow.get_external_workflow_handle(entry.execution).signal(Signal.CANCEL, reason)
            except ApplicationError:
                workflow.logger.info("the execution %s has ended: nothing to cancel", entry.execution)
