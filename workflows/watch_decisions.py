"""The decisions that a watch starts: abandoned, each under its own id, and passed through the gate in their order."""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.workflow import ChildWorkflowHandle, ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from trading.decision.models import DecisionHead
    from trading.ids import decision_id
    from trading.watching.models import WatchedTrigger
    from workflows.clock import MarketTime
    from workflows.names import TASK_TIMEOUT, decision_workflow
    from workflows.options import labels
    from workflows.protocol import DecisionRequest, DecisionResult, WatchRequest
    from workflows.trade_decision import TradeDecision
    from workflows.watched_day import WatchedDay

Decision = ChildWorkflowHandle[TradeDecision, DecisionResult]

PLAN = "plan"
TRIGGER = "trigger"


class Decisions:
    """Starts them, and in a campaign sees them through."""

    def __init__(self, request: WatchRequest, day: WatchedDay, time: MarketTime) -> None:
        self._request = request
        self._day = day
        self._time = time
        self._ready: set[str] = set()

    def hear_ready(self, workflow_id: str) -> None:
        self._ready.add(workflow_id)

    def head(
        self, symbol: str, now: datetime, *, cause: str, accounts: tuple[str, ...], of: WatchedTrigger | None = None
    ) -> DecisionHead:
        request = self._request
        facts = cause if of is None else f"{cause}:{of.id}"
        return DecisionHead(
            decision_id=decision_id(ledger=request.ledger, symbol=symbol, as_of=now, cause=facts),
            realm=request.realm,
            venue=request.venue,
            ledger=request.ledger,
            symbol=symbol,
            as_of=now,
            cause=cause,
            accounts=accounts,
            playbook_version=self._day.plan.playbook_version,
        )

    async def start(self, head: DecisionHead, *, takes_turns: bool) -> Decision | None:
        """Its handle, or nothing where the same is being decided already."""
        request = self._request
        name = decision_workflow(request.realm, head.decision_id)
        try:
            return await workflow.start_child_workflow(
                TradeDecision.run,
                DecisionRequest(
                    head=head,
                    playbook_hash=self._day.plan.playbook_hash,
                    coordinator=request.coordinator,
                    gatekeeper=workflow.info().workflow_id if takes_turns and self._time.is_ticked else None,
                    approvals=request.approvals,
                ),
                id=name,
                parent_close_policy=ParentClosePolicy.ABANDON,
                task_timeout=TASK_TIMEOUT,
                static_summary=f"{head.symbol} at {head.as_of:%Y-%m-%d %H:%M} ({head.cause})",
                search_attributes=labels(
                    realm=request.realm,
                    accounts=head.accounts,
                    symbol=head.symbol,
                    playbook=head.playbook_version,
                    as_of=head.as_of,
                ),
            )
        except WorkflowAlreadyStartedError:
            workflow.logger.info("%s is being decided already", name)
            return None

    async def seen_through(self, decisions: list[Decision]) -> list[DecisionResult]:
        """Thought in parallel, passed through the gate one after the other in their order: one history, one result."""
        await workflow.wait_condition(
            lambda: all(one.done() or one.id in self._ready for one in decisions), timeout_summary="decisions"
        )
        results = []
        for decision in decisions:
            if decision.id in self._ready and not decision.done():
                await decision.signal(TradeDecision.turn)
            results.append(await decision)
        self._ready.clear()
        return results
