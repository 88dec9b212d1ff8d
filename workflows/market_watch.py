"""Starts every decision of a realm: at the session's start, on a researcher's grid, at the prices of the plan."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import VersioningBehavior

with workflow.unsafe.imports_passed_through():
    from activities.exchange.port import Level
    from activities.market.watching import WATCH_CALL, MarketWatchCalls, WatchMarket, WatchNews
    from trading.decision.models import DecisionHead
    from trading.watching.due import is_due, next_due
    from trading.watching.models import WatchedTrigger
    from trading.watching.triggers import awaited, firing
    from workflows.alarm import Alarm
    from workflows.clock import MarketTime
    from workflows.names import QueueRole, Signal, task_queue
    from workflows.options import at
    from workflows.protocol import Planned, PlaybookNews, Ready, Tick, Watched, WatchRequest, WatchState
    from workflows.venue_orders import first_of
    from workflows.watch_decisions import PLAN, TRIGGER, Decisions
    from workflows.watched_day import WatchedDay


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class MarketWatch:
    """One a realm, always on. It starts decisions and abandons them; what they do is theirs (C09).

    In a campaign it lets them pass the gate one after the other, and answers a tick when they have ended.
    """

    @workflow.init
    def __init__(self, request: WatchRequest) -> None:
        self._request = request
        self._time = MarketTime(
            coordinator=request.coordinator, as_of=request.state.now if request.state is not None else None
        )
        self._day = WatchedDay(request, self._time)
        self._alarm = Alarm(request, self._day, self._time)
        self._decisions = Decisions(request, self._day, self._time)
        self._crossed: set[str] = set()
        self._closing = False

    @workflow.run
    async def run(self, request: WatchRequest) -> None:
        """Watch until closed; continue as new when the server suggests it. Decisions live on, and so does a plan."""
        while not self._closing:
            if self._day.asks_for_plan and self._may_take_a_plan():
                await self._day.take_plan()
            self._time.begin()
            defending = await self._alarm.raise_for_crashes()
            await self._day.judge()
            await self._decide_what_is_due(defending)
            self._show()
            if workflow.info().is_continue_as_new_suggested() and not self._has_news():
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(request.model_copy(update={"state": self._day.state}))
            await self._wait()
        self._time.begin()
        await self._time.answer(Watched(entity=workflow.info().workflow_id), closed=True)

    @workflow.signal(name=Signal.TICK, description="Market time moved")
    def tick(self, tick: Tick) -> None:
        self._time.record(tick)
        self._day.asks_for_plan |= tick.planned

    @workflow.signal(name=Signal.READY, description="A decision wants to pass the gate")
    def ready(self, wish: Ready) -> None:
        self._decisions.hear_ready(wish.workflow_id)

    @workflow.signal(name=Signal.PLANNED, description="A day was planned: read its triggers")
    def planned(self, news: Planned) -> None:
        self._day.asks_for_plan = True

    @workflow.signal(name=Signal.PLAYBOOK, description="Another playbook is active: decide by it from here on")
    def playbook(self, news: PlaybookNews) -> None:
        self._day.keep(playbook=news)
        self._day.asks_for_plan = True

    @workflow.signal(description="End this watch; decisions that it started live on")
    def close(self) -> None:
        self._closing = True

    @workflow.query(description="The plan in force, and which of its triggers were crossed")
    def state(self) -> WatchState:
        return self._day.state

    def _has_news(self) -> bool:
        return self._closing or self._time.has_tick or (self._day.asks_for_plan and self._may_take_a_plan())

    def _may_take_a_plan(self) -> bool:
        """Who is ticked knows the time of a new plan with the next tick, and needs one before the first."""
        return self._day.state.plan is None or not self._time.is_ticked or self._time.has_tick

    async def _wait(self) -> None:
        """Until somebody says something; where nobody ticks, until the market does or ten minutes have passed."""
        symbols = self._day.symbols
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
            limits=self._day.plan.limits,
            told=tuple(one.id for one in self._day.state.anomalies),
            regimes=self._day.state.regimes,
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
        self._day.keep(regimes=news.regimes)
        await self._alarm.raise_for(news.anomalies)

    async def _decide_what_is_due(self, told: tuple[str, ...]) -> None:
        """Start the decisions that are due. Where somebody ticks, they are seen through before the tick is answered.

        `told` are the entities that heard something from the watch in this tick.
        """
        heads = self._due()
        decisions = await asyncio.gather(*(self._decisions.start(head, takes_turns=len(heads) > 1) for head in heads))
        started = [decision for decision in decisions if decision is not None]
        ended = await self._decisions.seen_through(started) if self._time.is_ticked else []
        await self._time.answer(
            self._watched(),
            also=tuple(sorted({*told, *(entity for result in ended for entity in result.also)})),
            started=tuple(decision.id for decision in started),
            found=tuple(watched for result in ended for watched in result.watched),
        )

    def _due(self) -> list[DecisionHead]:
        """What is to be decided now, in the order in which it passes the gate."""
        now, since = self._time.known, self._day.state.now
        if now is None:
            return []
        self._day.keep(now=now)
        if self._request.ends_at is not None and now >= self._request.ends_at:
            return []
        heads, as_of = [], now.replace(microsecond=0)
        if is_due(self._request.hours, since=since, now=now, every_s=self._request.decide_every_s):
            everybody = self._request.accounts
            heads = [self._decisions.head(one, as_of, cause=PLAN, accounts=everybody) for one in self._day.symbols]
            self._day.keep(decided_at=now)
        decided = {head.symbol for head in heads}
        for one in self._fired(now):
            if one.symbol not in decided and (one.defends or not self._has_just_decided(now)):
                heads.append(self._decisions.head(one.symbol, as_of, cause=TRIGGER, accounts=one.accounts, of=one))
        return heads

    def _has_just_decided(self, now: datetime) -> bool:
        """A price that an entry waits for says nothing new right after its symbol was decided: the trigger is spent."""
        at = self._day.state.decided_at
        return at is not None and now - at < timedelta(seconds=self._day.plan.trigger_quiet_s)

    def _fired(self, now: datetime) -> tuple[WatchedTrigger, ...]:
        """The triggers that this tick's events crossed, each once."""
        levels = {event.level_id for event in self._time.events() if event.level_id is not None} | self._crossed
        self._crossed = set()
        crossed = [level.partition("#")[2] for level in levels]
        if not crossed or not self._day.is_in_force(now):
            return ()
        fired = firing(self._day.plan, self._day.state.fired, crossed)
        self._day.keep(fired=(*self._day.state.fired, *fired))
        return fired

    def _watched(self) -> Watched:
        """The plan's prices that are still awaited, and the next time at which everything is decided."""
        entity, now = workflow.info().workflow_id, self._day.state.now
        if now is None:
            return Watched(entity=entity)
        due = next_due(self._request.hours, after=now, every_s=self._request.decide_every_s)
        judged = self._day.judged_next(now)
        if judged is not None:
            due = min(due, judged)
        triggers = awaited(self._day.plan, self._day.state.fired) if self._day.is_in_force(now) else ()
        levels = tuple(
            Level(id=f"{entity}#{one.id}", symbol=one.symbol, direction=one.direction, price=one.price)
            for one in triggers
        )
        return Watched(entity=entity, levels=(*levels, *self._alarm.levels(entity)), wakes_at=due)

    def _show(self) -> None:
        plan, fired = self._day.plan, {one.id for one in self._day.state.fired}
        lines = [f"plan of {plan.period or 'no day yet'}, playbook {plan.playbook_version}"]
        lines += [
            f"- {one.symbol} {one.kind} {one.direction} {one.price:f}{' (crossed)' if one.id in fired else ''}"
            for one in plan.triggers
        ]
        workflow.set_current_details("\n".join(lines))
