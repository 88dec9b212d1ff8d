"""Runs history through the same workflows as live: from market event to market event, settling each before the next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.exchange.calls import CLOCK_CALL, RECONCILE_CALL, CampaignCalls
    from activities.exchange.port import AdvanceRequest, ClockStop, MarkRequest, OpenAccounts
    from activities.exchange.reconcile import ReconcileCalls, ReconcileRequest, Reconciliation
    from trading.planning.agenda import Duty, next_duties
    from workflows.account_desk import AccountDesk
    from workflows.campaign_jobs import run_duty
    from workflows.market_watch import MarketWatch
    from workflows.names import (
        TASK_TIMEOUT,
        Signal,
        desk_workflow,
        exchange_queue,
        watch_workflow,
    )
    from workflows.options import at, labels
    from workflows.periods import PeriodRequest
    from workflows.protocol import (
        CampaignProgress,
        CampaignRequest,
        CampaignResult,
        CampaignState,
        DeskRequest,
        Settled,
        WatchRequest,
    )
    from workflows.ticking import Ticking

DAY = timedelta(days=1)


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class ReplayCampaign:
    """Sets the market clock to the next event, ticks what the event touches, and follows it until it is settled.

    Beside the events it keeps the agenda that schedules keep live: each day's review and plan, each week's evolution,
    each month's and quarter's reflection, at their market time and one after the other.
    """

    @workflow.init
    def __init__(self, request: CampaignRequest) -> None:
        self._request = request
        self._marked: tuple[datetime, int] | None = None
        self._ticking = Ticking(
            request.realm, request.state or CampaignState(now=request.start), before_the_watch=self._mark
        )

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
        await self._close()
        return CampaignResult(progress=self._progress(done=True), reconciliation=await self._reconciled())

    @workflow.signal(name=Signal.SETTLED, description="An entity has handled a tick")
    def settled(self, answer: Settled) -> None:
        self._ticking.hear_settled(answer)

    @workflow.query(description="Where the campaign is")
    def progress(self) -> CampaignProgress:
        return self._progress(done=self._state.now >= self._request.end)

    async def _open(self) -> None:
        """Fresh accounts at the venue and in the ledger, desks and watch; a day that has begun is planned at once."""
        request = self._request
        await workflow.execute_local_activity_method(
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
            **CLOCK_CALL,
        )
        for account in request.accounts:
            await self._open_desk(account)
        await self._advance(request.start)
        await self._open_watch()
        if request.hours.at(request.hours.day_of(request.start), request.hours.plan_at) <= request.start:
            await self._do(Duty.PLAN_DAY)
        await self._ticking.settle({watch_workflow(request.realm): ()})

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
                    coordinator=workflow.info().workflow_id,
                ),
                id=desk_workflow(request.realm, account),
                parent_close_policy=ParentClosePolicy.ABANDON,
                task_timeout=TASK_TIMEOUT,
                static_summary=f"desk of {account}",
                search_attributes=labels(realm=request.realm, accounts=(account,)),
            )
        except WorkflowAlreadyStartedError:
            return

    async def _open_watch(self) -> None:
        request = self._request
        await workflow.start_child_workflow(
            MarketWatch.run,
            WatchRequest(
                realm=request.realm,
                venue=request.venue,
                ledger=request.ledger,
                accounts=request.accounts,
                symbols=request.symbols,
                hours=request.hours,
                coordinator=workflow.info().workflow_id,
                approvals=request.approvals,
                decide_every_s=request.decide_every_s,
                ends_at=request.end,
                playbook_hash=request.playbook_hash,
                market_is_replayed=True,
            ),
            id=watch_workflow(request.realm),
            parent_close_policy=ParentClosePolicy.ABANDON,
            task_timeout=TASK_TIMEOUT,
            static_summary="watch of the market",
            search_attributes=labels(realm=request.realm, accounts=request.accounts),
        )

    async def _step(self) -> None:
        """One move of the market clock, and all that follows from it. A day is closed on the way to what comes next."""
        duties = next_duties(self._request.hours, self._state.now)
        closes = [one.at for one in duties if one.duty is Duty.CLOSE_DAY and one.at < self._request.end]
        if closes:
            duties = next_duties(self._request.hours, closes[0])
        wakes = self._ticking.next_wake()
        due = min(at for at in (self._request.end, duties[0].at, wakes) if at is not None)
        marks = {*closes, *([due] if due == wakes else [])}
        stop = await self._advance(due, marks=sorted(at for at in marks if at <= due))
        await self._ticking.settle(self._ticking.touched(stop))
        if stop.now in closes:
            await self._mark()
        if stop.now < due or due >= self._request.end:
            return
        for duty in (one.duty for one in duties if one.at == due):
            await self._do(duty)
        await self._ticking.settle(self._ticking.awake())

    async def _do(self, duty: Duty) -> None:
        """One duty of the agenda; a day that began before the campaign has no review."""
        request, now = self._request, self._state.now
        if duty is Duty.REVIEW_DAY and request.hours.bounds(request.hours.day_of(now))[0] <= request.start:
            return
        done = await run_duty(duty, self._period(now))
        counted = {**self._state.sequences, done: self._state.sequences.get(done, 0) + 1}
        planned = self._state.planned or duty is Duty.PLAN_DAY
        self._ticking.state = self._state.model_copy(update={"sequences": counted, "planned": planned})

    def _period(self, as_of: datetime) -> PeriodRequest:
        request = self._request
        return PeriodRequest(
            realm=request.realm,
            venue=request.venue,
            ledger=request.ledger,
            accounts=request.accounts,
            hours=request.hours,
            as_of=as_of,
            symbols=request.symbols,
            market_is_replayed=True,
            in_campaign=True,
            approvals=request.approvals,
        )

    async def _close(self) -> None:
        """What the end of the last day asks for: nothing waits for the next one."""
        await self._mark()
        await self._do(Duty.REVIEW_DAY)

    async def _advance(self, to: datetime, *, marks: Sequence[datetime] = ()) -> ClockStop:
        """Run the market to `to` or to its first event; the accounts are valued at the times of `marks` on the way."""
        number = self._ticking.next_number()
        stop = await workflow.execute_local_activity_method(
            CampaignCalls.advance_clock,
            AdvanceRequest(
                realm=self._request.realm,
                to=to,
                levels=self._ticking.levels(),
                request_id=f"advance-{number}",
                marks=tuple(self._marks(at) for at in marks),
            ),
            **CLOCK_CALL,
        )
        days = (stop.now - self._request.start) // DAY
        self._ticking.state = self._state.model_copy(update={"now": stop.now, "days": days})
        if stop.marked_at == stop.now:
            self._marked = (stop.now, self._state.ticks)
        return stop

    async def _mark(self) -> None:
        """Value every account at the best bids, so that limits and the equity curve follow the market.

        Nothing has changed since the last time where neither the market nor anybody in it has moved.
        """
        moved = self._state.now, self._state.ticks
        if moved == self._marked:
            return
        self._marked = moved
        await workflow.execute_local_activity_method(
            CampaignCalls.mark_accounts, self._marks(self._state.now), **CLOCK_CALL
        )

    def _marks(self, as_of: datetime) -> MarkRequest:
        request = self._request
        return MarkRequest(
            realm=request.realm,
            venue=request.venue,
            accounts=request.accounts,
            symbols=request.symbols,
            as_of=as_of,
        )

    async def _reconciled(self) -> Reconciliation:
        request = self._request
        return await workflow.execute_activity_method(
            ReconcileCalls.reconcile,
            ReconcileRequest(
                realm=request.realm, venue=request.venue, accounts=request.accounts, symbols=request.symbols
            ),
            **at(exchange_queue(request.realm, request.venue), "ledger against exchange", RECONCILE_CALL),
        )

    @property
    def _state(self) -> CampaignState:
        return self._ticking.state

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
            sequences=state.sequences,
            done=done,
        )
