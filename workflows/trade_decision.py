"""One trade decision, from observation to order: durable, verified, and at most once."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import NamedTuple

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ActivityError, is_cancelled_exception
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.asking import ASK_CALL, AskCalls, Question
    from activities.exchange.quoting import QUOTE_CALL, QuoteCalls, QuoteRequest
    from activities.market.calls import OBSERVE_CALL, REPLAYED_OBSERVE_CALL, MarketCalls
    from activities.market.port import Observation, ObserveRequest
    from activities.models.fusing import FuseRequest, FusionCalls
    from activities.models.verification import VERIFY_CALL, PlaybookRequest, VerificationCalls
    from activities.store.calls import STORE_CALL, GateRecord, PositionRequest, RecallRef, StoreCalls
    from trading.decision.approval import (
        MANUAL_MODE,
        AnswerVerb,
        PersonAnswer,
        ProposedTrade,
        is_within_collar,
        proposed_trade,
    )
    from trading.decision.models import (
        AccountOutcome,
        DecisionSummary,
        Fusion,
        FusionOutcome,
        PositionView,
        Stance,
    )
    from trading.decision.outcomes import outcome_of_fusion, outcome_of_insufficient
    from trading.decision.story import decision_story
    from trading.orders.entries import entry_order, entry_times, outcome_of_order
    from trading.orders.models import Quote
    from trading.risk.models import GateAnswer, Permit
    from trading.risk.wishes import gate_request
    from workflows.approvals import Approvals
    from workflows.names import (
        ACTION,
        OUTCOME,
        TASK_TIMEOUT,
        QueueRole,
        Signal,
        Update,
        desk_workflow,
        exchange_queue,
        execution_workflow,
        guard_workflow,
        task_queue,
    )
    from workflows.opinions import Opinions, Scene
    from workflows.options import at, labels
    from workflows.order_execution import OrderExecution
    from workflows.protocol import (
        DecisionRequest,
        DecisionResult,
        ExecutionRequest,
        HandDone,
        Placed,
        Ready,
        ReduceRequest,
        Watched,
    )


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


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class TradeDecision:
    """Observe and recall, ask two models, verify, fuse, pass the gate, execute, record (C01)."""

    @workflow.init
    def __init__(self, request: DecisionRequest) -> None:
        self._request = request
        self._head = request.head
        self._turn = False
        self._approvals = Approvals(request)
        self._placed: dict[str, Placed] = {}
        self._watched: list[Watched] = []
        self._also: list[str] = []
        self._summary = DecisionSummary(head=request.head)

    @workflow.run
    async def run(self, request: DecisionRequest) -> DecisionResult:
        """Return the decision's summary; one that was taken before is returned as it was, and nothing is done."""
        opened = await workflow.execute_local_activity_method(StoreCalls.open_decision, self._head, **STORE_CALL)
        if opened.finished is not None:
            return DecisionResult(summary=opened.finished, already_decided=True)
        position = opened.position
        observation, recall = await asyncio.gather(self._observe(position), self._recall())
        if observation is None:
            return await self._end_for_all("market_unavailable")
        self._note(
            snapshot_hash=observation.snapshot_hash,
            trend_regime=observation.trend_regime,
            risk_regime=observation.risk_regime,
        )
        if observation.insufficient:
            return await self._end_for_all(outcome_of_insufficient(observation.insufficient))
        stances = await Opinions(request, Scene(observation, recall.recall_hash, position)).both()
        self._note(stances=stances)
        fusion = await self._fuse(stances, observation, position)
        ended = outcome_of_fusion(fusion)
        if ended is not None:
            return await self._end_for_all(ended, *fusion.reasons)
        await self._my_turn()
        view = View(fusion, observation)
        steps = [await self._act(account, view) for account in self._head.accounts]
        outcomes = await asyncio.gather(*(self._with_a_person(step, view) for step in steps))
        return await self._end(tuple(outcomes))

    @workflow.signal(name=Signal.TURN, description="The coordinator lets this decision pass the gate")
    def turn(self) -> None:
        self._turn = True

    @workflow.signal(name=Signal.PLACED, description="An execution tells what became of its order")
    def placed(self, news: Placed) -> None:
        self._placed[news.account] = news

    @workflow.update(name=Update.APPROVE, description="Let a proposal go on as it is")
    async def approve(self, answer: PersonAnswer) -> HandDone:
        return await self._approvals.answered(answer, AnswerVerb.APPROVE)

    @workflow.update(name=Update.REJECT, description="End a proposal")
    async def reject(self, answer: PersonAnswer) -> HandDone:
        return await self._approvals.answered(answer, AnswerVerb.REJECT)

    @workflow.update(name=Update.MODIFY, description="Let a proposal go on with another size or other levels")
    async def modify(self, answer: PersonAnswer) -> HandDone:
        return await self._approvals.answered(answer, AnswerVerb.MODIFY)

    @approve.validator
    def _check_approve(self, answer: PersonAnswer) -> None:
        self._approvals.check(answer, AnswerVerb.APPROVE)

    @reject.validator
    def _check_reject(self, answer: PersonAnswer) -> None:
        self._approvals.check(answer, AnswerVerb.REJECT)

    @modify.validator
    def _check_modify(self, answer: PersonAnswer) -> None:
        self._approvals.check(answer, AnswerVerb.MODIFY)

    @workflow.signal(name=Signal.APPROVE, description="As the update, without an answer")
    async def hear_approve(self, answer: PersonAnswer) -> None:
        await self._approvals.heard(answer, AnswerVerb.APPROVE)

    @workflow.signal(name=Signal.REJECT, description="As the update, without an answer")
    async def hear_reject(self, answer: PersonAnswer) -> None:
        await self._approvals.heard(answer, AnswerVerb.REJECT)

    @workflow.signal(name=Signal.MODIFY, description="As the update, without an answer")
    async def hear_modify(self, answer: PersonAnswer) -> None:
        await self._approvals.heard(answer, AnswerVerb.MODIFY)

    @workflow.query(description="The proposals that wait for a person")
    def proposals(self) -> list[ProposedTrade]:
        return list(self._approvals.waiting)

    @workflow.query(description="The decision so far")
    def summary(self) -> DecisionSummary:
        return self._summary

    def _position_request(self, account: str) -> PositionRequest:
        return PositionRequest(realm=self._head.realm, account=account, symbol=self._head.symbol)

    async def _observe(self, position: PositionView, *, as_of: datetime | None = None) -> Observation | None:
        """The market at the decision's time, or at a later one; `None` where it does not answer."""
        head = self._head
        try:
            return await workflow.execute_activity_method(
                MarketCalls.observe_market,
                ObserveRequest(
                    realm=head.realm,
                    venue=head.venue,
                    symbol=head.symbol,
                    as_of=as_of or head.as_of,
                    position=position,
                ),
                **at(task_queue(head.realm, QueueRole.MARKET), f"observe {head.symbol}", self._observe_call),
            )
        except ActivityError as failed:
            if is_cancelled_exception(failed):
                raise
            workflow.logger.warning("the market could not be observed: %s", failed.cause)
            return None

    async def _recall(self) -> RecallRef:
        return await workflow.execute_local_activity_method(StoreCalls.recall, self._head, **STORE_CALL)

    @property
    def _observe_call(self) -> workflow.ActivityConfig:
        return REPLAYED_OBSERVE_CALL if self._request.coordinator else OBSERVE_CALL

    async def _fuse(self, stances: tuple[Stance, Stance], seen: Observation, position: PositionView) -> Fusion:
        fusion = await workflow.execute_local_activity_method(
            FusionCalls.fuse,
            FuseRequest(
                head=self._head,
                primary=stances[0],
                secondary=stances[1],
                regime=seen.trend_regime,
                playbook_hash=self._request.playbook_hash,
                last_price=seen.last_price,
                has_position=position.is_open,
            ),
            **VERIFY_CALL,
        )
        self._note(fusion=fusion)
        return fusion

    async def _my_turn(self) -> None:
        """In a campaign, symbols pass the gate in a stated order, so that one history gives one result."""
        if self._request.coordinator is None or not self._request.takes_turns:
            return
        await workflow.get_external_workflow_handle(self._request.coordinator).signal(
            Signal.READY, Ready(decision_id=self._head.decision_id, workflow_id=workflow.info().workflow_id)
        )
        await workflow.wait_condition(lambda: self._turn, timeout_summary="turn at the gate")

    async def _act(self, account: str, view: View) -> AccountOutcome | Asks:
        """Gate and execution for one account, or the question that a person has to answer first."""
        position = await workflow.execute_local_activity_method(
            StoreCalls.position_view, self._position_request(account), **STORE_CALL
        )
        if not view.opens and not position.is_open:
            return AccountOutcome(account=account, outcome="held", reasons=("nothing_to_sell",))
        quote = await self._quote(account)
        if view.fusion.approval_because:
            return Asks(account, quote, view.fusion.approval_because)
        answer = await self._gate(account, view, quote)
        if [denial.code for denial in answer.denials] == [MANUAL_MODE]:
            return Asks(account, quote, (MANUAL_MODE,))
        return await self._execute(account, view, answer, quote)

    async def _with_a_person(self, step: AccountOutcome | Asks, view: View) -> AccountOutcome:
        """Wait for the answer; then look at the market again, for what was approved may be gone (§4.8)."""
        if isinstance(step, AccountOutcome):
            return step
        policy = await workflow.execute_local_activity_method(
            VerificationCalls.policy, PlaybookRequest(playbook_hash=self._request.playbook_hash), **STORE_CALL
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
        if ruling.verb is AnswerVerb.MODIFY and len(self._head.accounts) == 1:
            self._note(fusion=ruling.fusion)
        quote = await self._quote(step.account)
        if not is_within_collar(quote.ask, trade.price, policy.collar_fraction):
            moved = f"the ask moved from {trade.price} to {quote.ask}"
            return AccountOutcome(account=step.account, outcome="stale", reasons=(moved,))
        position = await workflow.execute_local_activity_method(
            StoreCalls.position_view, self._position_request(step.account), **STORE_CALL
        )
        seen = await self._observe(position, as_of=quote.market_time)
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
        head, seen = self._head, view.seen
        wish = gate_request(
            head,
            view.fusion,
            quote,
            account=account,
            risk_regime=seen.risk_regime,
            atr_fraction=seen.atr_fraction,
            observed_at=seen.as_of,
            approved_by=view.approved_by,
        )
        reply = await workflow.execute_activity_method(
            AskCalls.ask,
            Question(
                entity=desk_workflow(head.realm, account),
                name=Update.RESERVE,
                request_id=wish.request_id,
                body=wish.model_dump(mode="json"),
            ),
            **at(task_queue(head.realm, QueueRole.CALLS), f"gate of {account}", ASK_CALL),
        )
        answer = GateAnswer.model_validate(reply.body)
        await workflow.execute_local_activity_method(
            StoreCalls.record_gate, GateRecord(head=head, account=account, answer=answer), **STORE_CALL
        )
        return answer

    async def _open_position(self, account: str, view: View, permit: Permit, quote: Quote) -> AccountOutcome:
        head, fusion = self._head, view.fusion
        assert fusion.stop_price is not None  # a verified buy has a stop; the gate refuses one without
        since = view.seen.as_of if view.approved_by is not None else head.as_of
        order = entry_order(head, fusion, permit, quote, as_of=since)
        times = entry_times(order.type, horizon_hours=fusion.horizon_hours, since=since)
        execution = execution_workflow(head.realm, order.client_order_id)
        await workflow.start_child_workflow(
            OrderExecution.run,
            ExecutionRequest(
                order=order,
                permit=permit,
                stop_price=fusion.stop_price,
                target_price=fusion.target_price,
                exit_at=times.exit_at,
                expires_at=times.expires_at,
                owner=workflow.info().workflow_id,
                coordinator=self._request.coordinator,
            ),
            id=execution,
            parent_close_policy=ParentClosePolicy.ABANDON,
            task_timeout=TASK_TIMEOUT,
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
        if not report.is_terminal:
            self._watched.append(Watched(entity=execution, orders=(order.client_order_id,), wakes_at=times.expires_at))
        self._also.append(guard_workflow(head.realm, account, head.symbol))
        return AccountOutcome(
            account=account,
            outcome=outcome_of_order(report.status, done="opened"),
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
        await workflow.get_external_workflow_handle(guard).signal(
            Signal.REDUCE,
            ReduceRequest(
                request_id=permit.id,
                decision_id=head.decision_id,
                permit=permit,
                quantity=permit.quantity,
                owner=workflow.info().workflow_id,
                reason="decision",
            ),
        )
        await workflow.wait_condition(lambda: account in self._placed, timeout_summary="exit at the venue")
        report = self._placed[account].report
        self._also.append(guard)
        return AccountOutcome(
            account=account,
            outcome=outcome_of_order(report.status, done="reduced"),
            reasons=(report.reason,) if report.reason else (),
            permit_id=permit.id,
            notional_usd=permit.notional_usd,
            client_order_ids=(report.client_order_id,),
            execution_ids=(guard,),
        )

    async def _end_for_all(self, outcome: str, *reasons: str) -> DecisionResult:
        return await self._end(
            tuple(AccountOutcome(account=name, outcome=outcome, reasons=reasons) for name in self._head.accounts)
        )

    async def _end(self, outcomes: tuple[AccountOutcome, ...]) -> DecisionResult:
        self._note(outcomes=outcomes)
        await workflow.wait_condition(workflow.all_handlers_finished)
        await workflow.execute_local_activity_method(StoreCalls.finish_decision, self._summary, **STORE_CALL)
        action = self._summary.fusion.outcome.value if self._summary.fusion else "none"
        workflow.upsert_search_attributes([OUTCOME.value_set(outcomes[0].outcome), ACTION.value_set(action)])
        return DecisionResult(summary=self._summary, watched=tuple(self._watched), also=tuple(self._also))

    def _note(self, **changes: object) -> None:
        self._summary = self._summary.model_copy(update=changes)
        workflow.set_current_details(decision_story(self._summary))
