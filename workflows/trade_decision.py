"""One trade decision, from observation to order: durable, verified, and at most once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import NamedTuple

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ActivityError, is_cancelled_exception
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.asking import ASK_CALL, AskCalls, Question
    from activities.exchange.quoting import QUOTE_CALL, Quote, QuoteCalls, QuoteRequest
    from activities.market.calls import OBSERVE_CALL, REPLAYED_OBSERVE_CALL, MarketCalls
    from activities.market.port import Observation, ObserveRequest
    from activities.models.calls import CAMPAIGN_MODEL_CALL, MODEL_CALL, ModelCalls, ProposeRequest
    from activities.models.fusing import FuseRequest, FusionCalls
    from activities.models.verification import VERIFY_CALL, VerificationCalls, VerifyRequest
    from activities.store.calls import STORE_CALL, GateRecord, PositionRequest, RecallRef, StoreCalls
    from trading.decision.cross import are_opposed
    from trading.decision.models import (
        AccountOutcome,
        DecisionSummary,
        Fusion,
        FusionOutcome,
        PositionView,
        Role,
        Stance,
        Verdict,
    )
    from trading.decision.outcomes import outcome_of_fusion, outcome_of_insufficient
    from trading.decision.story import decision_story
    from trading.decision.verify import absent, after_correction
    from trading.ids import client_order_id
    from trading.orders.models import Leg, OrderRequest, OrderStatus, OrderType, Side, TimeInForce
    from trading.risk.models import GateAnswer, GateRequest, Permit
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
    from workflows.options import at, labels
    from workflows.order_execution import OrderExecution
    from workflows.protocol import (
        DecisionRequest,
        DecisionResult,
        ExecutionRequest,
        Placed,
        Ready,
        ReduceRequest,
        Watched,
    )

MARKET_ENTRY_VALID = timedelta(seconds=30)
RESTING_ENTRY_SHARE = 4
"""A resting entry waits for a quarter of its horizon, then its idea is old."""


class Scene(NamedTuple):
    """What both models are shown: the observation, what is remembered, and the lead account's position."""

    seen: Observation
    recall_hash: str
    position: PositionView


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class TradeDecision:
    """Observe and recall, ask two models, verify, fuse, pass the gate, execute, record (C01)."""

    @workflow.init
    def __init__(self, request: DecisionRequest) -> None:
        self._request = request
        self._head = request.head
        self._turn = False
        self._used_correction: set[Role] = set()
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
        if observation.insufficient:
            return await self._end_for_all(outcome_of_insufficient(observation.insufficient))
        scene = Scene(observation, recall.recall_hash, position)
        stances = await self._two_opinions(scene)
        fusion = await self._fuse(stances, observation, position)
        ended = outcome_of_fusion(fusion)
        if ended is not None:
            return await self._end_for_all(ended, *fusion.reasons)
        await self._my_turn()
        outcomes = [await self._act(account, fusion, observation) for account in self._head.accounts]
        return await self._end(tuple(outcomes))

    @workflow.signal(name=Signal.TURN, description="The coordinator lets this decision pass the gate")
    def turn(self) -> None:
        self._turn = True

    @workflow.signal(name=Signal.PLACED, description="An execution tells what became of its order")
    def placed(self, news: Placed) -> None:
        self._placed[news.account] = news

    @workflow.query(description="The decision so far")
    def summary(self) -> DecisionSummary:
        return self._summary

    def _position_request(self, account: str) -> PositionRequest:
        return PositionRequest(realm=self._head.realm, account=account, symbol=self._head.symbol)

    async def _observe(self, position: PositionView) -> Observation | None:
        head = self._head
        try:
            seen = await workflow.execute_activity_method(
                MarketCalls.observe_market,
                ObserveRequest(
                    realm=head.realm, venue=head.venue, symbol=head.symbol, as_of=head.as_of, position=position
                ),
                **at(task_queue(head.realm, QueueRole.MARKET), f"observe {head.symbol}", self._observe_call),
            )
        except ActivityError as failed:
            if is_cancelled_exception(failed):
                raise
            workflow.logger.warning("the market could not be observed: %s", failed.cause)
            return None
        self._note(snapshot_hash=seen.snapshot_hash, trend_regime=seen.trend_regime, risk_regime=seen.risk_regime)
        return seen

    async def _recall(self) -> RecallRef:
        return await workflow.execute_local_activity_method(StoreCalls.recall, self._head, **STORE_CALL)

    async def _two_opinions(self, scene: Scene) -> tuple[Stance, Stance]:
        """Both models in parallel; opposite directions are shown to both once, before they count (C02)."""
        primary, secondary = await asyncio.gather(
            self._opinion(Role.PRIMARY, scene), self._opinion(Role.SECONDARY, scene)
        )
        if are_opposed(primary, secondary):
            primary, secondary = await asyncio.gather(
                self._reconsider(primary, secondary, scene), self._reconsider(secondary, primary, scene)
            )
        self._note(stances=(primary, secondary))
        return primary, secondary

    async def _opinion(self, role: Role, scene: Scene) -> Stance:
        """One model's verified answer, with at most one correction round."""
        stance = await self._answer(role, scene)
        if stance.verdict is Verdict.REPAIRABLE:
            return await self._corrected(stance, scene, other=None)
        return stance

    async def _reconsider(self, own: Stance, other: Stance, scene: Scene) -> Stance:
        """The model's answer knowing that the other one is opposed; who was corrected before stays with his word."""
        if own.role in self._used_correction:
            return own
        return await self._corrected(own, scene, other=other)

    async def _corrected(self, own: Stance, scene: Scene, *, other: Stance | None) -> Stance:
        self._used_correction.add(own.role)
        return after_correction(await self._answer(own.role, scene, own=own, other=other))

    async def _answer(
        self, role: Role, scene: Scene, *, own: Stance | None = None, other: Stance | None = None
    ) -> Stance:
        """Ask and verify; a model that cannot answer abstains."""
        head, step = self._head, "correction" if own else "proposal"
        try:
            answer = await workflow.execute_activity_method(
                ModelCalls.propose,
                ProposeRequest(
                    head=head,
                    role=role,
                    step=step,
                    snapshot_hash=scene.seen.snapshot_hash,
                    recall_hash=scene.recall_hash,
                    playbook_hash=self._request.playbook_hash,
                    correction_of=own.answer_hash if own else None,
                    own=own,
                    other=other,
                    position=scene.position,
                ),
                **at(task_queue(head.realm, QueueRole.MODELS), f"{role.value} {step}", self._model_call),
            )
        except ActivityError as failed:
            if is_cancelled_exception(failed):
                raise
            workflow.logger.warning("the %s model gave no answer: %s", role.value, failed.cause)
            return absent(role=role, model="", is_rule_based=False, because="model_unavailable")
        return await workflow.execute_local_activity_method(
            VerificationCalls.verify,
            VerifyRequest(
                head=head,
                role=role,
                step=step,
                answer=answer,
                snapshot_hash=scene.seen.snapshot_hash,
                recall_hash=scene.recall_hash,
                playbook_hash=self._request.playbook_hash,
                position=scene.position,
            ),
            **VERIFY_CALL,
        )

    @property
    def _observe_call(self) -> workflow.ActivityConfig:
        return REPLAYED_OBSERVE_CALL if self._request.coordinator else OBSERVE_CALL

    @property
    def _model_call(self) -> workflow.ActivityConfig:
        return CAMPAIGN_MODEL_CALL if self._request.coordinator else MODEL_CALL

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

    async def _act(self, account: str, fusion: Fusion, seen: Observation) -> AccountOutcome:
        """Gate and execution for one account."""
        opens = fusion.outcome is FusionOutcome.OPEN
        position = await workflow.execute_local_activity_method(
            StoreCalls.position_view, self._position_request(account), **STORE_CALL
        )
        if not opens and not position.is_open:
            return AccountOutcome(account=account, outcome="held", reasons=("nothing_to_sell",))
        quote = await self._quote(account)
        answer = await self._gate(account, fusion, seen, quote)
        if answer.permit is None:
            codes = tuple(denial.code for denial in answer.denials)
            outcome = "stale_as_of" if "stale_observation" in codes else "refused_by_gate"
            return AccountOutcome(account=account, outcome=outcome, reasons=codes)
        if opens:
            return await self._open_position(account, fusion, answer.permit, quote)
        return await self._reduce_position(account, fusion, answer.permit)

    async def _quote(self, account: str) -> Quote:
        head = self._head
        return await workflow.execute_activity_method(
            QuoteCalls.quote,
            QuoteRequest(realm=head.realm, venue=head.venue, account=account, symbol=head.symbol),
            **at(exchange_queue(head.realm, head.venue), f"quote {head.symbol}", QUOTE_CALL),
        )

    async def _gate(self, account: str, fusion: Fusion, seen: Observation, quote: Quote) -> GateAnswer:
        head = self._head
        opens = fusion.outcome is FusionOutcome.OPEN
        wish = GateRequest(
            request_id=f"{head.decision_id}:{account}:gate",
            account=account,
            decision_id=head.decision_id,
            symbol=head.symbol,
            opens=opens,
            size_fraction=fusion.size_fraction,
            price=quote.ask if opens else quote.bid,
            limit_price=fusion.entry_price if opens else None,
            stop_price=fusion.stop_price if opens else None,
            target_price=fusion.target_price if opens else None,
            spread_fraction=quote.spread_fraction,
            atr_fraction=seen.atr_fraction,
            taker_fee=quote.taker_fee,
            min_notional_usd=quote.min_notional_usd,
            risk_regime=seen.risk_regime,
            confidence=fusion.confidence,
            win_probability=fusion.win_probability,
            low_certainty=fusion.low_certainty,
            observed_at=seen.as_of,
            now=quote.market_time,
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

    async def _open_position(self, account: str, fusion: Fusion, permit: Permit, quote: Quote) -> AccountOutcome:
        assert fusion.stop_price is not None  # a verified buy has a stop; the gate refuses one without
        head = self._head
        order = self._entry(account, fusion, permit, quote)
        execution = execution_workflow(head.realm, order.client_order_id)
        resting = order.type is OrderType.LIMIT
        horizon = timedelta(hours=fusion.horizon_hours)
        expires_at = head.as_of + (horizon / RESTING_ENTRY_SHARE if resting else MARKET_ENTRY_VALID)
        await workflow.start_child_workflow(
            OrderExecution.run,
            ExecutionRequest(
                order=order,
                permit=permit,
                stop_price=fusion.stop_price,
                target_price=fusion.target_price,
                exit_at=head.as_of + horizon,
                expires_at=expires_at,
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
            self._watched.append(Watched(entity=execution, orders=(order.client_order_id,), wakes_at=expires_at))
        self._also.append(guard_workflow(head.realm, account, head.symbol))
        return AccountOutcome(
            account=account,
            outcome=_order_outcome(report.status, opened="opened"),
            reasons=(report.reason,) if report.reason else (),
            permit_id=permit.id,
            notional_usd=permit.notional_usd,
            client_order_ids=(order.client_order_id,),
            execution_ids=(execution,),
        )

    def _entry(self, account: str, fusion: Fusion, permit: Permit, quote: Quote) -> OrderRequest:
        head = self._head
        at_market = fusion.entry_price is None or fusion.entry_price >= quote.ask
        return OrderRequest(
            realm=head.realm,
            venue=head.venue,
            ledger=head.ledger,
            account=account,
            symbol=head.symbol,
            decision_id=head.decision_id,
            leg=Leg.ENTRY,
            client_order_id=client_order_id(
                ledger=head.ledger, account=account, decision=head.decision_id, leg=Leg.ENTRY.value
            ),
            side=Side.BUY,
            type=OrderType.MARKET if at_market else OrderType.LIMIT,
            time_in_force=None if at_market else TimeInForce.GTC,
            quantity=permit.quantity,
            price=None if at_market else fusion.entry_price,
            as_of=head.as_of,
            epoch=permit.epoch,
            permit_id=permit.id,
            expected_price=quote.ask,
        )

    async def _reduce_position(self, account: str, fusion: Fusion, permit: Permit) -> AccountOutcome:
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
            outcome=_order_outcome(report.status, opened="reduced"),
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
        await workflow.execute_local_activity_method(StoreCalls.finish_decision, self._summary, **STORE_CALL)
        action = self._summary.fusion.outcome.value if self._summary.fusion else "none"
        workflow.upsert_search_attributes([OUTCOME.value_set(outcomes[0].outcome), ACTION.value_set(action)])
        return DecisionResult(summary=self._summary, watched=tuple(self._watched), also=tuple(self._also))

    def _note(self, **changes: object) -> None:
        self._summary = self._summary.model_copy(update=changes)
        workflow.set_current_details(decision_story(self._summary))


def _order_outcome(status: OrderStatus, *, opened: str) -> str:
    if status is OrderStatus.FROZEN:
        return "order_frozen"
    if status in {OrderStatus.REFUSED, OrderStatus.REJECTED}:
        return "order_refused"
    return opened
