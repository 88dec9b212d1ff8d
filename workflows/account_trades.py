"""What a decision does for each of its accounts: the gate, a person where one is needed, and the order."""

from __future__ import annotations

from typing import NamedTuple

from temporalio import workflow
from temporalio.exceptions import ApplicationError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.exchange.quoting import QUOTE_CALL, QuoteCalls, QuoteRequest
    from activities.market.port import Observation
    from activities.models.verification import PlaybookRequest, VerificationCalls
    from activities.store.calls import ENTITY_CALL
    from trading.decision.approval import MANUAL_MODE, AnswerVerb, is_within_collar, proposed_trade
    from trading.decision.models import AccountOutcome, Fusion, FusionOutcome, PositionView
    from trading.orders.entries import entry_order, entry_times
    from trading.orders.exits import exit_plan, with_exits
    from trading.orders.sending import outcome_of_order
    from trading.orders.slicing import Size, shown_part, slices_of
    from trading.orders.symbols import Quote
    from trading.orders.wishes import ExitTerms
    from trading.risk.models import GateAnswer, GateRequest, Permit, PlanBound
    from trading.risk.wishes import gate_request
    from workflows.approvals import Approvals
    from workflows.gate_asking import ask_the_gate
    from workflows.holding import position_in
    from workflows.names import (
        PROTECTING_TASK_TIMEOUT,
        Signal,
        desk_workflow,
        exchange_queue,
        execution_workflow,
        guard_workflow,
    )
    from workflows.options import at, labels
    from workflows.order_execution import OrderExecution
    from workflows.protocol import DecisionRequest, ExecutionRequest, GatePassage, Placed, ReduceRequest, Watched
    from workflows.scene import observe


class View(NamedTuple):
    """What one account acts on: the fused view, the observation under it, and who approved it where one had to."""

    fusion: Fusion
    seen: Observation
    approved_by: str | None = None

    @property
    def opens(self) -> bool:
        return self.fusion.outcome is FusionOutcome.OPEN


class Asks(NamedTuple):
    """An account's trade that must not go on without a person, and why."""

    account: str
    quote: Quote
    because: tuple[str, ...]


class AccountTrades:
    """The accounts of one decision. `watched` and `also` are what a coordinator goes on with."""

    def __init__(self, request: DecisionRequest, approvals: Approvals) -> None:
        self._request = request
        self._head = request.head
        self._approvals = approvals
        self._placed: dict[str, Placed] = {}
        self.watched: list[Watched] = []
        self.also: list[str] = []
        self.plans: dict[str, PlanBound] = {}
        """What each account's plan of the day leaves here; without one the policy alone applies."""
        self.changed: Fusion | None = None
        """The view as a person changed it last."""

    def hear(self, news: Placed) -> None:
        """First news of an account's order."""
        self._placed[news.account] = news

    async def step(self, account: str, view: View) -> AccountOutcome | Asks:
        """Gate and execution for one account, or the question that a person has to answer first."""
        position = await self._held(account)
        if not view.opens and not position.is_open:
            return AccountOutcome(account=account, outcome="held", reasons=("nothing_to_sell",))
        quote = await self._quote(account)
        if view.fusion.approval_because:
            return Asks(account, quote, view.fusion.approval_because)
        answer = await self._gate(account, view, quote)
        if [denial.code for denial in answer.denials] == [MANUAL_MODE]:
            return Asks(account, quote, (MANUAL_MODE,))
        return await self._execute(account, view, answer, quote)

    async def concluded(self, step: AccountOutcome | Asks, view: View) -> AccountOutcome:
        """Wait for the answer; then look at the market again, for what was approved may be gone (§4.8)."""
        if isinstance(step, AccountOutcome):
            return step
        policy = await workflow.execute_activity_method(
            VerificationCalls.policy, PlaybookRequest(playbook_hash=self._request.playbook_hash), **ENTITY_CALL
        )
        trade = proposed_trade(
            self._head,
            view.fusion,
            account=step.account,
            price=step.quote.ask,
            because=step.because,
            expires_s=policy.approval_expires_s,
        )
        ruling = await self._approvals.ruling_on(trade, view.fusion, snapshot_hash=view.seen.snapshot_hash)
        if not ruling.goes_on:
            outcome = "expired" if ruling.verb is AnswerVerb.EXPIRE else "rejected_by_person"
            return AccountOutcome(account=step.account, outcome=outcome, reasons=(f"{ruling.who}: {ruling.reason}",))
        self.changed = ruling.fusion if ruling.verb is AnswerVerb.MODIFY else self.changed
        quote = await self._quote(step.account)
        if not is_within_collar(quote.ask, trade.price, policy.collar_fraction):
            moved = f"the ask moved from {trade.price} to {quote.ask}"
            return AccountOutcome(account=step.account, outcome="stale", reasons=(moved,))
        position = await self._held(step.account)
        seen = await observe(self._request, position, as_of=quote.market_time)
        if seen is None or seen.insufficient:
            return AccountOutcome(account=step.account, outcome="market_unavailable", reasons=("after the approval",))
        approved = View(ruling.fusion, seen, approved_by=ruling.who)
        return await self._execute(step.account, approved, await self._gate(step.account, approved, quote), quote)

    async def _execute(self, account: str, view: View, answer: GateAnswer, quote: Quote) -> AccountOutcome:
        if answer.permit is None:
            codes = tuple(denial.code for denial in answer.denials)
            outcome = "stale_as_of" if "stale_observation" in codes else "refused_by_gate"
            return AccountOutcome(account=account, outcome=outcome, reasons=codes)
        if view.opens:
            return await self._open_position(account, view, answer.permit, quote)
        return await self._reduce_position(account, answer.permit)

    async def _quote(self, account: str) -> Quote:
        head = self._head
        return await workflow.execute_activity_method(
            QuoteCalls.quote,
            QuoteRequest(realm=head.realm, venue=head.venue, account=account, symbol=head.symbol),
            **at(exchange_queue(head.realm, head.venue), f"quote {head.symbol}", QUOTE_CALL),
        )

    async def _gate(self, account: str, view: View, quote: Quote) -> GateAnswer:
        answer = await ask_the_gate(
            self._head, self._wish(account, view, quote), beside_updates=self._approvals.have_begun
        )
        if answer.desk_acts:
            self.also.append(desk_workflow(self._head.realm, account))
        return answer

    def _wish(self, account: str, view: View, quote: Quote) -> GateRequest:
        seen = view.seen
        return gate_request(
            self._head,
            view.fusion,
            quote,
            account=account,
            risk_regime=seen.risk_regime,
            atr_fraction=seen.atr_fraction,
            observed_at=seen.as_of,
            approved_by=view.approved_by,
            plan=self.plans.get(account),
            history=seen.history,
        )

    async def _open_position(self, account: str, view: View, permit: Permit, quote: Quote) -> AccountOutcome:
        head, fusion = self._head, view.fusion
        assert fusion.stop_price is not None  # a verified buy has a stop; the gate refuses one without
        since = view.seen.as_of if view.approved_by is not None else head.as_of
        order = entry_order(head, fusion, permit, quote, as_of=since)
        times = entry_times(order, permit.terms, horizon_hours=fusion.horizon_hours)
        size = Size(notional_usd=permit.notional_usd, lot=quote.lot, hour_volumes_usd=view.seen.hour_volumes_usd)
        slices = slices_of(order, size, permit.terms)
        plan = exit_plan(permit.terms)
        if not slices:
            order = with_exits(order, quote, stop_price=fusion.stop_price, target_price=fusion.target_price, plan=plan)
        execution = execution_workflow(head.realm, order.client_order_id)
        await workflow.start_child_workflow(
            OrderExecution.run,
            ExecutionRequest(
                order=order.model_copy(update={"iceberg_quantity": shown_part(order, size, permit.terms)}),
                permit=permit,
                stop_price=fusion.stop_price,
                target_price=fusion.target_price,
                exit_at=times.exit_at,
                expires_at=times.expires_at,
                slices=slices,
                passage=GatePassage(head=head, wish=self._wish(account, view, quote)),
                terms=ExitTerms(lot=quote.lot, oco_allowed=quote.oco_allowed, plan=plan),
                owner=workflow.info().workflow_id,
                coordinator=self._request.coordinator,
            ),
            id=execution,
            parent_close_policy=ParentClosePolicy.ABANDON,
            task_timeout=PROTECTING_TASK_TIMEOUT,
            static_summary=f"{order.side.value} {head.symbol} for {account}",
            search_attributes=labels(
                realm=head.realm,
                accounts=(account,),
                symbol=head.symbol,
                playbook=head.playbook_version,
                as_of=head.as_of,
            ),
        )
        await workflow.wait_condition(lambda: account in self._placed, timeout_summary="order at the venue")
        report = self._placed[account].report
        if not report.is_terminal or (slices and report.executed_quantity > 0):
            self.watched.append(Watched(entity=execution, orders=(order.client_order_id,), wakes_at=times.expires_at))
        self.also.append(guard_workflow(head.realm, account, head.symbol))
        return AccountOutcome(
            account=account,
            outcome=outcome_of_order(report, done="opened"),
            reasons=(report.reason,) if report.reason else (),
            permit_id=permit.id,
            notional_usd=permit.notional_usd,
            client_order_ids=(order.client_order_id,),
            execution_ids=(execution,),
        )

    async def _reduce_position(self, account: str, permit: Permit) -> AccountOutcome:
        """The guard owns every exit: it is asked to sell, and tells when the order is placed."""
        head = self._head
        guard = guard_workflow(head.realm, account, head.symbol)
        wish = ReduceRequest(
            request_id=permit.id,
            decision_id=head.decision_id,
            permit=permit,
            quantity=permit.quantity,
            owner=workflow.info().workflow_id,
            reason="decision",
        )
        try:
            await workflow.get_external_workflow_handle(guard).signal(Signal.REDUCE, wish)
        except ApplicationError:  # nobody guards it: a rest that is dust at its stop, or a guard that just ended
            return AccountOutcome(account=account, outcome="held", reasons=("nothing_to_sell",))
        await workflow.wait_condition(lambda: account in self._placed, timeout_summary="exit at the venue")
        report = self._placed[account].report
        self.also.append(guard)
        return AccountOutcome(
            account=account,
            outcome=outcome_of_order(report, done="reduced"),
            reasons=(report.reason,) if report.reason else (),
            permit_id=permit.id,
            notional_usd=permit.notional_usd,
            client_order_ids=(report.client_order_id,),
            execution_ids=(guard,),
        )

    async def _held(self, account: str) -> PositionView:
        head, begun = self._head, self._approvals.have_begun
        return await position_in(head.realm, account, head.symbol, beside_updates=begun)
