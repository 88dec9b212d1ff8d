"""One trade decision, from observation to order: durable, verified, and at most once."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.common import VersioningBehavior

with workflow.unsafe.imports_passed_through():
    from activities.market.port import Observation
    from activities.models.fusing import FuseRequest, FusionCalls
    from activities.models.verification import VERIFY_CALL
    from activities.store.calls import ENTITY_CALL, STORE_CALL, RecallRef, StoreCalls
    from trading.decision.models import AccountOutcome, DecisionSummary, Fusion, PositionView, Stance
    from trading.decision.outcomes import found_by, outcome_of_fusion, outcome_of_insufficient
    from trading.decision.story import decision_story
    from workflows.account_trades import AccountTrades, Asks, View
    from workflows.approvals import AnsweredByPeople, Approvals
    from workflows.names import ACTION, OUTCOME, Signal
    from workflows.opinions import Opinions
    from workflows.protocol import DecisionRequest, DecisionResult, Placed, Ready
    from workflows.scene import Scene, observe


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class TradeDecision(AnsweredByPeople):
    """Observe and recall, ask two models, verify, fuse, pass the gate, execute, record (C01)."""

    @workflow.init
    def __init__(self, request: DecisionRequest) -> None:
        self._request = request
        self._head = request.head
        self._turn = False
        self._approvals = Approvals(request)
        self._trades = AccountTrades(request, self._approvals)
        self._summary = DecisionSummary(head=request.head)

    @workflow.run
    async def run(self, request: DecisionRequest) -> DecisionResult:
        """Return the decision's summary; one that was taken before is returned as it was, and nothing is done."""
        opened = await workflow.execute_local_activity_method(StoreCalls.open_decision, self._head, **STORE_CALL)
        if opened.finished is not None:
            return DecisionResult(summary=opened.finished, already_decided=True)
        self._trades.plans = {bound.account: bound for bound in opened.plans}
        self._note(plan=opened.plans[0].period if opened.plans else None)
        position = opened.position
        observation, recall = await asyncio.gather(observe(request, position), self._recall())
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
        steps = [await self._trades.step(account, view) for account in self._head.accounts]
        outcomes = await self._concluded(steps, view)
        if self._trades.changed is not None and len(outcomes) == 1:
            self._note(fusion=self._trades.changed)
        return await self._end(tuple(outcomes))

    async def _concluded(self, steps: list[AccountOutcome | Asks], view: View) -> list[AccountOutcome]:
        """Accounts that wait for a person wait side by side; where none is waited for, they pass the gate in order."""
        if self._request.coordinator is not None:
            return [await self._trades.concluded(step, view) for step in steps]
        return await asyncio.gather(*(self._trades.concluded(step, view) for step in steps))

    @workflow.signal(name=Signal.TURN, description="Who started this decision lets it pass the gate")
    def turn(self) -> None:
        self._turn = True

    @workflow.signal(name=Signal.PLACED, description="An execution tells what became of its order")
    def placed(self, news: Placed) -> None:
        self._trades.hear(news)

    @workflow.query(description="The decision so far")
    def summary(self) -> DecisionSummary:
        return self._summary

    async def _recall(self) -> RecallRef:
        return await workflow.execute_local_activity_method(StoreCalls.recall, self._head, **STORE_CALL)

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
        if self._request.gatekeeper is None:
            return
        await workflow.get_external_workflow_handle(self._request.gatekeeper).signal(
            Signal.READY, Ready(decision_id=self._head.decision_id, workflow_id=workflow.info().workflow_id)
        )
        await workflow.wait_condition(lambda: self._turn, timeout_summary="turn at the gate")

    async def _end_for_all(self, outcome: str, *reasons: str) -> DecisionResult:
        return await self._end(
            tuple(AccountOutcome(account=name, outcome=outcome, reasons=reasons) for name in self._head.accounts)
        )

    async def _end(self, outcomes: tuple[AccountOutcome, ...]) -> DecisionResult:
        self._note(outcomes=outcomes)
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._approvals.have_begun:
            await workflow.execute_activity_method(StoreCalls.finish_decision, self._summary, **ENTITY_CALL)
        else:
            await workflow.execute_local_activity_method(StoreCalls.finish_decision, self._summary, **STORE_CALL)
        action = self._summary.fusion.outcome.value if self._summary.fusion else "none"
        workflow.upsert_search_attributes([OUTCOME.value_set(found_by(outcomes)), ACTION.value_set(action)])
        return DecisionResult(summary=self._summary, watched=tuple(self._trades.watched), also=tuple(self._trades.also))

    def _note(self, **changes: object) -> None:
        self._summary = self._summary.model_copy(update=changes)
        workflow.set_current_details("\n\n".join((decision_story(self._summary), *self._approvals.answers)))
