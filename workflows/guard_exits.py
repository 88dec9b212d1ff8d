"""How a guard protects and sells: one stop for what is held, and never a sale beside an order that locks it."""

from __future__ import annotations

from decimal import Decimal

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from trading.money import ZERO
    from trading.orders.guarding import REFUSED_SALES, STOP_REFUSED
    from trading.orders.models import Leg, OrderReport, OrderRequest, OutcomeClass
    from trading.orders.quantise import UnsendableCode
    from trading.orders.wishes import ReduceRequest, not_reduced
    from workflows.guard_book import GuardBook
    from workflows.names import Signal
    from workflows.protocol import Placed


class OwnsExits(GuardBook):
    """Each step looks at the state anew: what the venue told meanwhile is in it."""

    async def _leave_if_due(self) -> None:
        while self._state.reduces and self._state.leaving is None:
            wish = self._state.reduces[0]
            report, left = await self._sell(wish.quantity, leg=Leg.EXIT, decision=wish.decision_id)
            rest = (wish.model_copy(update={"quantity": left, "owner": None}),) if left > 0 else ()
            self._set(reduces=(*rest, *self._state.reduces[1:]))
            await self._tell(wish, report)
        plan = self._state.plan
        if plan is None or self._state.leaving is not None or self._state.tradable <= 0:
            return
        crossed = self._is_crossed()
        reason = self._state.reason_to_leave(now=self._time.known, target_crossed=crossed)
        if reason is not None:
            _, leg = reason
            await self._sell(self._state.position, leg=leg, decision=plan.decision_id)

    async def _protect(self) -> None:
        """Keep one stop at the venue for exactly what is held; a refused stop becomes a sale, an unknown one a wait."""
        plan = self._state.plan
        if plan is None or self._state.leaving is not None or self._state.frozen is not None:
            return
        if self._state.refuses_stops or self._is_kept_by_a_closed_market:
            return
        await self._know_the_lot()
        if self._state.is_protected:
            return
        await self._withdraw_stop()
        wanted = self._state.uncovered
        if wanted == 0 or self._state.frozen is not None or self._is_kept_by_a_closed_market:
            return
        state, order = self._state.protecting(self._request, now=self._time.now)
        self._take_state(state)
        self._show()  # whoever looks while the venue does not answer sees that there is no stop
        report = await self._venue.place(order, f"{order.leg.value} {order.quantity:f}")
        self._set(stop=order, target=next(iter(order.beside), None))
        self._take_report(order, report)
        if report.outcome is OutcomeClass.REFUSED:
            self._set(target=None)
            if self._state.refused_sales >= REFUSED_SALES:
                self._take_state(self._state.without_a_stop())
                return
            self._set(exit_reason=STOP_REFUSED)
            await self._leave_if_due()

    @property
    def _is_kept_by_a_closed_market(self) -> bool:
        return self._state.closed_until is not None and self._state.locking is not None

    async def _withdraw_stop(self) -> None:
        """Cancel the stop and take in what it sold meanwhile; afterwards nothing of ours locks the position."""
        while (resting := self._state.locking) is not None:
            if not await self._is_withdrawn(resting, f"cancel {resting.leg.value}"):
                return

    async def _is_free(self, quantity: Decimal) -> bool:
        """Withdraw sales that a person placed as far as `quantity` needs it, and take in what they sold meanwhile."""
        while (resting := self._state.covering) and self._state.uncovered < self._state.tradable_of(quantity):
            if not await self._is_withdrawn(resting[0], "cancel a person's sale"):
                return False
        return True

    async def _is_withdrawn(self, resting: OrderRequest, summary: str) -> bool:
        """Cancel it and take in what it sold meanwhile; in a closed market it stays, and so does the wish."""
        report = await self._venue.withdraw(resting.key, summary)
        if report is None:
            self._take_state(self._state.waiting_for_the_market(self._time.now))
            return False
        self._take_report(resting, report)
        return report.is_terminal

    async def _sell(self, quantity: Decimal, *, leg: Leg, decision: str) -> tuple[OrderReport | None, Decimal]:
        """Sell at market what one order can sell of `quantity`, and say what is left of it for the next.

        Never beside a stop that is unknown.
        """
        await self._withdraw_stop()
        await self._know_the_lot()
        if not await self._is_free(quantity):
            return None, ZERO
        state = self._state
        if state.plan is None or state.frozen is not None or state.locking is not None:
            return None, ZERO
        wanted = state.tradable_of(quantity)
        amount = state.lot.portion(wanted) if state.lot is not None else wanted
        if amount == 0:
            return None, ZERO
        state, order = state.selling(self._request, leg=leg, decision=decision, quantity=amount, now=self._time.now)
        self._take_state(state)
        report = await self._venue.place(order, f"{order.leg.value} {order.quantity:f}")
        self._set(leaving=order, exit_reason=None)
        self._take_report(order, report)
        refused = report.outcome is OutcomeClass.REFUSED
        return report, ZERO if refused else wanted - amount

    async def _know_the_lot(self) -> None:
        if self._state.wants_the_filters:
            self._take_state(self._state.knowing(await self._venue.quote("filters")))

    async def _tell(self, wish: ReduceRequest, report: OrderReport | None) -> None:
        """Tell whoever asked for less what became of the order; nothing left to sell is an answer too."""
        if wish.owner is None:
            return
        because = UnsendableCode.NOT_TRADING if self._state.closed_until is not None else "nothing_to_reduce"
        told = report or not_reduced(wish, because=because, now=self._time.now)
        placed = Placed(account=self._request.account, execution=workflow.info().workflow_id, report=told)
        try:
            await workflow.get_external_workflow_handle(wish.owner).signal(Signal.PLACED, placed)
        except ApplicationError:
            workflow.logger.info("%s is gone; the reduction was made without it", wish.owner)
