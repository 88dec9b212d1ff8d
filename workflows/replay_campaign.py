"""Runs history through the same workflows as live: from market event to market event, settling each before the next."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.workflow import ChildWorkflowHandle, ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.exchange.calls import CLOCK_CALL, CampaignCalls
    from activities.exchange.port import AdvanceRequest, ClockEvent, ClockStop, Level, MarkRequest, OpenAccounts
    from activities.exchange.reconcile import ReconcileCalls, ReconcileRequest, Reconciliation
    from trading.decision.models import DecisionHead
    from trading.ids import decision_id
    from workflows.account_desk import AccountDesk
    from workflows.names import (
        TASK_TIMEOUT,
        Signal,
        decision_workflow,
        desk_workflow,
        exchange_queue,
    )
    from workflows.options import at, labels
    from workflows.protocol import (
        CampaignProgress,
        CampaignRequest,
        CampaignResult,
        CampaignState,
        DecisionRequest,
        DecisionResult,
        DeskRequest,
        Ready,
        Settled,
        Tick,
        Watched,
    )
    from workflows.trade_decision import TradeDecision

DAY = timedelta(days=1)


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class ReplayCampaign:
    """Sets the market clock to the next event, ticks what the event touches, and follows it until it is settled."""

    @workflow.init
    def __init__(self, request: CampaignRequest) -> None:
        self._request = request
        self._state = request.state or CampaignState(now=request.start)
        self._ready: set[str] = set()
        self._settled: dict[int, Settled] = {}

    @workflow.run
    async def run(self, request: CampaignRequest) -> CampaignResult:
        """Run to the end of the period; the result holds the comparison of ledger and exchange."""
        if request.state is None:
            await self._open()
        while self._state.now < request.end:
            await self._step()
            if workflow.info().is_continue_as_new_suggested():
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(request.model_copy(update={"state": self._state}))
        await self._mark()
        return CampaignResult(progress=self._progress(done=True), reconciliation=await self._reconciled())

    @workflow.signal(name=Signal.READY, description="A decision wants to pass the gate")
    def ready(self, wish: Ready) -> None:
        self._ready.add(wish.workflow_id)

    @workflow.signal(name=Signal.SETTLED, description="An entity has handled a tick")
    def settled(self, answer: Settled) -> None:
        self._settled[answer.number] = answer

    @workflow.query(description="Where the campaign is")
    def progress(self) -> CampaignProgress:
        return self._progress(done=self._state.now >= self._request.end)

    async def _open(self) -> None:
        """Fresh accounts at the venue and in the ledger, a desk for each, and the first decisions if they are due."""
        request = self._request
        await workflow.execute_activity_method(
            CampaignCalls.open_accounts,
            OpenAccounts(
                realm=request.realm,
                venue=request.venue,
                ledger=request.ledger,
                accounts=request.accounts,
                quote_asset=request.quote_asset,
                capital=request.capital_usd,
                as_of=request.start,
            ),
            **at(self._venue_queue, "open accounts", CLOCK_CALL),
        )
        for account in request.accounts:
            await self._open_desk(account)
        await self._advance(request.start)
        if self._is_decision_time(request.start):
            await self._decide()

    async def _open_desk(self, account: str) -> None:
        request = self._request
        try:
            await workflow.start_child_workflow(
                AccountDesk.run,
                DeskRequest(
                    realm=request.realm,
                    venue=request.venue,
                    account=account,
                    playbook_hash=request.playbook_hash,
                ),
                id=desk_workflow(request.realm, account),
                parent_close_policy=ParentClosePolicy.ABANDON,
                task_timeout=TASK_TIMEOUT,
                static_summary=f"desk of {account}",
                search_attributes=labels(realm=request.realm, accounts=(account,)),
            )
        except WorkflowAlreadyStartedError:
            return

    async def _step(self) -> None:
        """One move of the market clock, and all that follows from it."""
        due = self._next_due()
        stop = await self._advance(due)
        await self._settle(self._touched(stop))
        if stop.now < due:
            return
        await self._settle(dict.fromkeys(self._awake(due), ()))
        if self._is_decision_time(due):
            await self._decide()

    def _next_due(self) -> datetime:
        """The next time that something of ours is due: a decision, an expiry, a time exit, the end."""
        wakes = [w.wakes_at for w in self._state.watched.values() if w.wakes_at is not None]
        later = [at for at in wakes if at > self._state.now]
        return min([self._request.end, self._next_decision_time(), *later])

    def _next_decision_time(self) -> datetime:
        midnight = self._state.now.replace(hour=0, minute=0, second=0, microsecond=0)
        every = timedelta(seconds=self._request.decide_every_s)
        return midnight + ((self._state.now - midnight) // every + 1) * every

    def _is_decision_time(self, at: datetime) -> bool:
        midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
        on_grid = (at - midnight) % timedelta(seconds=self._request.decide_every_s) == timedelta(0)
        return on_grid and at < self._request.end

    async def _advance(self, to: datetime) -> ClockStop:
        number = self._next_number()
        stop = await workflow.execute_activity_method(
            CampaignCalls.advance_clock,
            AdvanceRequest(realm=self._request.realm, to=to, levels=self._levels(), request_id=f"advance-{number}"),
            **at(self._venue_queue, f"market to {to:%Y-%m-%d %H:%M}", CLOCK_CALL),
        )
        days = (stop.now - self._request.start) // DAY
        self._state = self._state.model_copy(update={"now": stop.now, "days": days})
        return stop

    def _levels(self) -> tuple[Level, ...]:
        return tuple(level for watched in self._state.watched.values() for level in watched.levels)

    def _touched(self, stop: ClockStop) -> dict[str, tuple[ClockEvent, ...]]:
        """Which entity each event belongs to, in a stated order; an event of nobody's order is nobody's."""
        owners = {order: w.entity for w in self._state.watched.values() for order in w.orders}
        touched: dict[str, tuple[ClockEvent, ...]] = {}
        for event in stop.events:
            owner = (
                owners.get(event.client_order_id)
                if event.client_order_id is not None
                else (event.level_id or "").partition("#")[0]
            )
            if owner:
                touched[owner] = (*touched.get(owner, ()), event)
        return dict(sorted(touched.items()))

    def _awake(self, at: datetime) -> list[str]:
        due = [w.entity for w in self._state.watched.values() if w.wakes_at is not None and w.wakes_at <= at]
        return sorted(due)

    async def _settle(self, touched: dict[str, tuple[ClockEvent, ...]]) -> None:
        """Tick what was touched, then what these told, until nobody has anything left to do at this time."""
        wave = touched
        while wave:
            numbers = [await self._tick(entity, events) for entity, events in wave.items()]
            answers = [await self._answer(entity, number) for entity, number in zip(wave, numbers, strict=True)]
            told = sorted({entity for answer in answers if answer is not None for entity in answer.also})
            wave = dict.fromkeys(told, ())

    async def _tick(self, entity: str, events: tuple[ClockEvent, ...]) -> int | None:
        number = self._next_number()
        tick = Tick(number=number, as_of=self._state.now, events=events)
        try:
            await workflow.get_external_workflow_handle(entity).signal(Signal.TICK, tick)
        except ApplicationError:
            self._forget(entity)
            return None
        self._state = self._state.model_copy(update={"ticks": self._state.ticks + 1})
        return number

    async def _answer(self, entity: str, number: int | None) -> Settled | None:
        if number is None:
            return None
        await workflow.wait_condition(lambda: number in self._settled, timeout_summary=f"{entity} settles")
        answer = self._settled.pop(number)
        if answer.closed:
            self._forget(entity)
        else:
            self._watch(answer.watched)
        return answer

    def _watch(self, watched: Watched) -> None:
        everything = {**self._state.watched, watched.entity: watched}
        self._state = self._state.model_copy(update={"watched": dict(sorted(everything.items()))})

    def _forget(self, entity: str) -> None:
        rest = {name: watched for name, watched in self._state.watched.items() if name != entity}
        self._state = self._state.model_copy(update={"watched": rest})

    async def _decide(self) -> None:
        """One decision a symbol: thought in parallel, passed through the gate in the stated order of symbols."""
        await self._mark()
        decisions = [await self._start_decision(symbol) for symbol in self._request.symbols]
        await workflow.wait_condition(
            lambda: all(d.done() or d.id in self._ready for d in decisions), timeout_summary="decisions"
        )
        results = [await self._through_the_gate(decision) for decision in decisions]
        self._ready.clear()
        for watched in (w for result in results for w in result.watched):
            self._watch(watched)
        await self._settle(dict.fromkeys(_distinct(e for result in results for e in result.also), ()))
        self._state = self._state.model_copy(update={"decisions": self._state.decisions + len(results)})

    async def _start_decision(self, symbol: str) -> ChildWorkflowHandle[TradeDecision, DecisionResult]:
        request = self._request
        head = DecisionHead(
            decision_id=decision_id(ledger=request.ledger, symbol=symbol, as_of=self._state.now, cause="plan"),
            realm=request.realm,
            venue=request.venue,
            ledger=request.ledger,
            symbol=symbol,
            as_of=self._state.now,
            cause="plan",
            accounts=request.accounts,
            playbook_version=request.playbook_version,
        )
        return await workflow.start_child_workflow(
            TradeDecision.run,
            DecisionRequest(
                head=head,
                playbook_hash=request.playbook_hash,
                coordinator=workflow.info().workflow_id,
                takes_turns=len(request.symbols) > 1,
                approvals=request.approvals,
            ),
            id=decision_workflow(request.realm, head.decision_id),
            parent_close_policy=ParentClosePolicy.ABANDON,
            task_timeout=TASK_TIMEOUT,
            static_summary=f"{symbol} at {head.as_of:%Y-%m-%d %H:%M}",
            search_attributes=labels(
                realm=request.realm,
                accounts=request.accounts,
                symbol=symbol,
                playbook=request.playbook_version,
                as_of=head.as_of,
            ),
        )

    async def _through_the_gate(self, decision: ChildWorkflowHandle[TradeDecision, DecisionResult]) -> DecisionResult:
        if not decision.done() and decision.id in self._ready:
            await decision.signal(TradeDecision.turn)
        return await decision

    async def _mark(self) -> None:
        """Value every account at the best bids, so that limits and the equity curve follow the market."""
        request = self._request
        await workflow.execute_activity_method(
            CampaignCalls.mark_accounts,
            MarkRequest(
                realm=request.realm,
                venue=request.venue,
                accounts=request.accounts,
                symbols=request.symbols,
                as_of=self._state.now,
            ),
            **at(self._venue_queue, "equity", CLOCK_CALL),
        )

    async def _reconciled(self) -> Reconciliation:
        request = self._request
        return await workflow.execute_activity_method(
            ReconcileCalls.reconcile,
            ReconcileRequest(
                realm=request.realm, venue=request.venue, accounts=request.accounts, symbols=request.symbols
            ),
            **at(self._venue_queue, "ledger against exchange", CLOCK_CALL),
        )

    @property
    def _venue_queue(self) -> str:
        return exchange_queue(self._request.realm, self._request.venue)

    def _next_number(self) -> int:
        number = self._state.number + 1
        self._state = self._state.model_copy(update={"number": number})
        return number

    def _progress(self, *, done: bool) -> CampaignProgress:
        request, state = self._request, self._state
        whole = (request.end - request.start).total_seconds()
        passed = (state.now - request.start).total_seconds()
        return CampaignProgress(
            now=state.now,
            fraction=Decimal(round(passed / whole * 10_000)) / 10_000 if whole else Decimal(1),
            decisions=state.decisions,
            ticks=state.ticks,
            days=state.days,
            done=done,
        )


def _distinct(names: Iterable[str]) -> list[str]:
    return sorted(set(names))
