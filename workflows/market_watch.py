"""Starts every decision of a realm: at the session's start, on a researcher's grid, at the prices of the plan."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.workflow import ChildWorkflowHandle, ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.exchange.port import Level
    from activities.market.watching import WATCH_CALL, MarketWatchCalls, WatchMarket, WatchNews
    from activities.planning.watching import ProgressQuestion, WatchCalls, WatchQuestion
    from activities.store.calls import STORE_CALL
    from trading.decision.models import DecisionHead
    from trading.ids import decision_id
    from trading.watching.anomalies import replayed_crash
    from trading.watching.due import is_due, judged_at, next_due
    from trading.watching.models import Anomaly, WatchedTrigger, Watchlist
    from trading.watching.triggers import awaited, firing
    from workflows.clock import MarketTime
    from workflows.daily_planning import DailyPlanning
    from workflows.names import TASK_TIMEOUT, QueueRole, Signal, decision_workflow, desk_workflow, task_queue
    from workflows.options import at, labels
    from workflows.periods import PeriodKind, PeriodRequest, period_workflow
    from workflows.protocol import (
        DecisionRequest,
        DecisionResult,
        Defend,
        Planned,
        PlaybookNews,
        Ready,
        Tick,
        Watched,
        WatchRequest,
        WatchState,
    )
    from workflows.trade_decision import TradeDecision
    from workflows.venue_orders import first_of

Decision = ChildWorkflowHandle[TradeDecision, DecisionResult]

PLAN = "plan"
TRIGGER = "trigger"
CRASH = "crash:"
KEPT_ANOMALIES = 100
"""What was told looks this far back; an anomaly's id names its window, so an older one cannot come again."""


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class MarketWatch:
    """One a realm, always on. It starts decisions and abandons them; what they do is theirs (C09).

    In a campaign it lets them pass the gate one after the other, and answers a tick when they have ended.
    """

    @workflow.init
    def __init__(self, request: WatchRequest) -> None:
        self._request = request
        self._state = request.state or WatchState()
        self._time = MarketTime(coordinator=request.coordinator, as_of=self._state.now)
        self._asks_for_plan = self._state.plan is None
        self._crossed: set[str] = set()
        self._ready: set[str] = set()
        self._closing = False

    @workflow.run
    async def run(self, request: WatchRequest) -> None:
        """Watch until closed; continue as new when the server suggests it. Decisions live on, and so does a plan."""
        while not self._closing:
            if self._asks_for_plan and self._may_take_a_plan():
                await self._take_plan()
            self._time.begin()
            defending = await self._defend()
            await self._judge_the_day()
            await self._decide_what_is_due(defending)
            self._show()
            if workflow.info().is_continue_as_new_suggested() and not self._has_news():
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(request.model_copy(update={"state": self._state}))
            await self._wait()
        self._time.begin()
        await self._time.answer(Watched(entity=workflow.info().workflow_id), closed=True)

    @workflow.signal(name=Signal.TICK, description="Market time moved")
    def tick(self, tick: Tick) -> None:
        self._time.record(tick)

    @workflow.signal(name=Signal.READY, description="A decision wants to pass the gate")
    def ready(self, wish: Ready) -> None:
        self._ready.add(wish.workflow_id)

    @workflow.signal(name=Signal.PLANNED, description="A day was planned: read its triggers")
    def planned(self, news: Planned) -> None:
        self._asks_for_plan = True

    @workflow.signal(name=Signal.PLAYBOOK, description="Another playbook is active: decide by it from here on")
    def playbook(self, news: PlaybookNews) -> None:
        self._keep(playbook=news)
        self._asks_for_plan = True

    @workflow.signal(description="End this watch; decisions that it started live on")
    def close(self) -> None:
        self._closing = True

    @workflow.query(description="The plan in force, and which of its triggers were crossed")
    def state(self) -> WatchState:
        return self._state

    def _has_news(self) -> bool:
        return self._closing or self._time.has_tick or (self._asks_for_plan and self._may_take_a_plan())

    def _may_take_a_plan(self) -> bool:
        """Who is ticked knows the time of a new plan with the next tick, and needs one before the first."""
        return self._state.plan is None or not self._time.is_ticked or self._time.has_tick

    async def _wait(self) -> None:
        """Until somebody says something; where nobody ticks, until the market does or ten minutes have passed."""
        symbols = self._symbols
        if self._time.is_ticked or not symbols:
            await workflow.wait_condition(self._has_news, timeout_summary="the market")
            return
        if self._has_news():
            return  # a call that is let go in the moment it is made would end this watch with it
        watched = self._watched()
        call = WatchMarket(
            realm=self._request.realm,
            venue=self._request.venue,
            symbols=symbols,
            levels=watched.levels,
            until=watched.wakes_at,
            limits=self._plan.limits,
            told=tuple(one.id for one in self._state.anomalies),
            regimes=self._state.regimes,
        )
        watching = workflow.start_activity_method(
            MarketWatchCalls.watch_market,
            call,
            **at(task_queue(self._request.realm, QueueRole.MARKET), "watch the market", WATCH_CALL),
        )
        news = await first_of(self._has_news, watching)
        if news is not None:
            await self._take_news(news)

    async def _take_news(self, news: WatchNews) -> None:
        """What the market brought: its time, crossed levels for the next round, and what the desks must hear of."""
        self._time.observe(news.now)
        self._crossed |= set(news.crossed)
        self._keep(regimes=news.regimes, anomalies=(*self._state.anomalies, *news.anomalies)[-KEPT_ANOMALIES:])
        for anomaly in news.anomalies:
            if anomaly.defends:
                await asyncio.gather(*(self._tell_desk(account, anomaly) for account in self._request.accounts))

    async def _defend(self) -> tuple[str, ...]:
        """The crashes that a replayed market stopped at, told to every desk; whom to tick for it."""
        limits, now = self._plan.limits, self._time.known
        crashed = {
            symbol: event.price
            for event in self._time.events()
            if (symbol := (event.level_id or "").partition(f"#{CRASH}")[2])
        }
        if not crashed or limits is None or now is None:
            return ()
        told = {one.id for one in self._state.anomalies}
        for symbol, price in sorted(crashed.items()):
            crash = replayed_crash(symbol, at=now, price=price, fall_fraction=limits.crash_fall_fraction)
            if crash.id not in told:
                self._keep(anomalies=(*self._state.anomalies, crash)[-KEPT_ANOMALIES:])
                for account in self._request.accounts:
                    await self._tell_desk(account, crash)
        return tuple(desk_workflow(self._request.realm, account) for account in self._request.accounts)

    async def _tell_desk(self, account: str, anomaly: Anomaly) -> None:
        """The desk decides what defence is; told again under the same id, it has heard it already."""
        desk = workflow.get_external_workflow_handle(desk_workflow(self._request.realm, account))
        told = Defend(
            operation_id=f"watch:{anomaly.id}",
            reason=anomaly.kind,
            symbol=anomaly.symbol,
            as_of=anomaly.as_of,
            numbers=anomaly.numbers,
        )
        try:
            await desk.signal(Signal.DEFEND, told)
        except ApplicationError:
            workflow.logger.info("%s has no desk to defend", account)

    async def _take_plan(self) -> None:
        """The triggers of the newest plan: news of it may come before the tick that tells its time.

        What fired before on the same day stays fired when it is planned anew.
        """
        self._asks_for_plan = False
        news = self._state.playbook
        plan = await workflow.execute_local_activity_method(
            WatchCalls.watchlist,
            WatchQuestion(
                realm=self._request.realm,
                playbook_hash=news.playbook_hash if news else self._request.playbook_hash,
            ),
            **STORE_CALL,
        )
        before = self._state.plan
        is_same_day = before is not None and before.day == plan.day
        self._keep(plan=plan, fired=self._state.fired if is_same_day else ())

    async def _judge_the_day(self) -> None:
        """Once a day: accounts that are too far from their course have the day planned anew (C61)."""
        now, due = self._time.known, judged_at(self._plan, self._request.hours)
        day = self._plan.day
        if now is None or due is None or now < due or self._state.judged == day or not self._is_in_force(now):
            return
        self._keep(judged=day)
        if self._request.hours.day_of(now).isoformat() != day:
            return
        as_of = now.replace(microsecond=0)
        astray = await workflow.execute_local_activity_method(
            WatchCalls.off_course,
            ProgressQuestion(
                realm=self._request.realm,
                period=day,
                as_of=as_of,
                hours=self._request.hours,
                playbook_hash=self._plan.playbook_hash,
            ),
            **STORE_CALL,
        )
        if astray:
            await self._plan_anew(day, as_of)

    async def _plan_anew(self, day: str, as_of: datetime) -> None:
        """Have the rest of the day planned. Who ticks waits for the plan; else the planning says when it is made."""
        request, period = self._request, f"{day}.1"
        again = PeriodRequest(
            realm=request.realm,
            venue=request.venue,
            ledger=request.ledger,
            accounts=request.accounts,
            hours=request.hours,
            as_of=as_of,
            symbols=self._symbols,
            usual=request.usual,
            market_is_replayed=request.market_is_replayed,
            in_campaign=self._time.is_ticked,
            playbook_hash=self._plan.playbook_hash,
            revision=1,
            approvals=request.approvals,
        )
        try:
            planning = await workflow.start_child_workflow(
                DailyPlanning.run,
                again,
                id=period_workflow(request.realm, PeriodKind.DAILY_PLANNING, period),
                parent_close_policy=ParentClosePolicy.ABANDON,
                task_timeout=TASK_TIMEOUT,
                static_summary=f"{PeriodKind.DAILY_PLANNING.value} {period}",
                search_attributes=labels(realm=request.realm, accounts=request.accounts, as_of=as_of),
            )
        except WorkflowAlreadyStartedError:
            workflow.logger.info("%s was planned anew already", day)
            return
        if self._time.is_ticked:
            await planning
            await self._take_plan()

    async def _decide_what_is_due(self, told: tuple[str, ...]) -> None:
        """Start the decisions that are due. Where somebody ticks, they are seen through before the tick is answered.

        `told` are the entities that heard something from the watch in this tick.
        """
        heads = self._due()
        decisions = await asyncio.gather(*(self._start(head, takes_turns=len(heads) > 1) for head in heads))
        started = [decision for decision in decisions if decision is not None]
        ended = await self._seen_through(started) if self._time.is_ticked else []
        await self._time.answer(
            self._watched(),
            also=tuple(sorted({*told, *(entity for result in ended for entity in result.also)})),
            started=tuple(decision.id for decision in started),
            found=tuple(watched for result in ended for watched in result.watched),
        )

    async def _seen_through(self, decisions: list[Decision]) -> list[DecisionResult]:
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

    def _due(self) -> list[DecisionHead]:
        """What is to be decided now, in the order in which it passes the gate."""
        now, since = self._time.known, self._state.now
        if now is None:
            return []
        self._keep(now=now)
        if self._request.ends_at is not None and now >= self._request.ends_at:
            return []
        heads, as_of = [], now.replace(microsecond=0)
        if is_due(self._request.hours, since=since, now=now, every_s=self._request.decide_every_s):
            heads = [self._head(symbol, as_of, cause=PLAN, accounts=self._request.accounts) for symbol in self._symbols]
            self._keep(decided_at=now)
        decided = {head.symbol for head in heads}
        for trigger in self._fired(now):
            if trigger.symbol not in decided and (trigger.defends or not self._has_just_decided(now)):
                heads.append(self._head(trigger.symbol, as_of, cause=TRIGGER, accounts=trigger.accounts, of=trigger))
        return heads

    def _has_just_decided(self, now: datetime) -> bool:
        """A price that an entry waits for says nothing new right after its symbol was decided: the trigger is spent."""
        at = self._state.decided_at
        return at is not None and now - at < timedelta(seconds=self._plan.trigger_quiet_s)

    def _fired(self, now: datetime) -> tuple[WatchedTrigger, ...]:
        """The triggers that this tick's events crossed, each once."""
        levels = {event.level_id for event in self._time.events() if event.level_id is not None} | self._crossed
        self._crossed = set()
        crossed = [level.partition("#")[2] for level in levels]
        if not crossed or not self._is_in_force(now):
            return ()
        fired = firing(self._plan, self._state.fired, crossed)
        self._keep(fired=(*self._state.fired, *fired))
        return fired

    def _is_in_force(self, now: datetime) -> bool:
        return self._plan.valid_until is not None and now < self._plan.valid_until

    def _head(
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
            playbook_version=self._plan.playbook_version,
        )

    async def _start(self, head: DecisionHead, *, takes_turns: bool) -> Decision | None:
        """Its handle, or nothing where the same is being decided already."""
        request = self._request
        name = decision_workflow(request.realm, head.decision_id)
        try:
            return await workflow.start_child_workflow(
                TradeDecision.run,
                DecisionRequest(
                    head=head,
                    playbook_hash=self._plan.playbook_hash,
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

    def _watched(self) -> Watched:
        """The plan's prices that are still awaited, and the next time at which everything is decided."""
        entity, now = workflow.info().workflow_id, self._state.now
        if now is None:
            return Watched(entity=entity)
        due = next_due(self._request.hours, after=now, every_s=self._request.decide_every_s)
        judged = judged_at(self._plan, self._request.hours)
        if judged is not None and now < judged < due and self._state.judged != self._plan.day:
            due = judged
        triggers = awaited(self._plan, self._state.fired) if self._is_in_force(now) else ()
        levels = tuple(
            Level(id=f"{entity}#{one.id}", symbol=one.symbol, direction=one.direction, price=one.price)
            for one in triggers
        )
        return Watched(entity=entity, levels=(*levels, *self._crash_levels(entity)), wakes_at=due)

    def _crash_levels(self, entity: str) -> tuple[Level, ...]:
        """Where the market is ticked, its clock stops at a crash; of one that was told, not before the next candle."""
        limits = self._plan.limits
        if not self._time.is_ticked or limits is None:
            return ()
        told = {one.symbol: one.as_of for one in self._state.anomalies if one.kind == "flash_crash"}
        return tuple(
            Level(
                id=f"{entity}#{CRASH}{symbol}",
                symbol=symbol,
                direction="below",
                fall_fraction=limits.crash_fall_fraction,
                after_candle_of=told.get(symbol),
            )
            for symbol in self._symbols
        )

    @property
    def _symbols(self) -> tuple[str, ...]:
        return self._request.symbols or self._plan.symbols or self._request.usual

    @property
    def _plan(self) -> Watchlist:
        assert self._state.plan is not None  # taken before anything is decided
        return self._state.plan

    def _show(self) -> None:
        plan, fired = self._plan, {one.id for one in self._state.fired}
        lines = [f"plan of {plan.period or 'no day yet'}, playbook {plan.playbook_version}"]
        lines += [
            f"- {one.symbol} {one.kind} {one.direction} {one.price:f}{' (crossed)' if one.id in fired else ''}"
            for one in plan.triggers
        ]
        workflow.set_current_details("\n".join(lines))

    def _keep(self, **changes: object) -> None:
        self._state = self._state.model_copy(update=changes)
