"""The owner of all exits of one position: protective stop, target, time exit, and what people and decisions ask."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from temporalio import workflow
from temporalio.common import VersioningBehavior

with workflow.unsafe.imports_passed_through():
    from activities.exchange.port import MarketNews
    from activities.store.calls import STORE_CALL, OutcomeRecord, StoreCalls
    from trading.ledger.outcome import trade_outcome
    from trading.orders.guarding import GuardState
    from trading.orders.wishes import Expect, ReduceRequest
    from workflows.guard_exits import OwnsExits
    from workflows.guard_hands import HeedsPeople
    from workflows.holding import position_in
    from workflows.names import OUTCOME, Signal
    from workflows.protocol import EntryNews, GuardRequest, Tick, Watched

WATCH_SLICE = timedelta(minutes=10)


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class PositionGuard(HeedsPeople, OwnsExits):
    """Runs from before the entry is sent until the position is closed; then the outcome is recorded."""

    @workflow.init
    def __init__(self, request: GuardRequest) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: GuardRequest) -> GuardState:
        """Return the final state: no position above dust, and no order of ours left at the venue."""
        if self._state.opening is None:
            self._set(opening=await self._left_before())
        while True:
            self._news = False
            self._time.begin()
            await self._take_in_events()
            self._take_state(self._state.woken(self._time.known))
            await self._act()
            if self._state.is_finished:
                await workflow.wait_condition(workflow.all_handlers_finished)
                await self._close()
                await self._time.answer(Watched(entity=workflow.info().workflow_id), closed=True)
                if self._state.is_finished:
                    return self._state
                self._take_state(self._state.renewed())  # an entry was announced while the last trade was closed
            if self._news:
                continue  # a tick is answered once nothing is left to do: what is waited for is known only then
            await self._time.answer(self._watching.watched)
            self._show()
            if workflow.info().is_continue_as_new_suggested() and not self._news and not self._time.has_tick:
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(request.model_copy(update={"state": self._carried()}))
            await self._wait()

    @workflow.signal(name=Signal.EXPECT, description="An entry is about to be sent")
    def expect(self, entry: Expect) -> None:
        self._take_state(self._state.expecting(entry))

    @workflow.signal(name=Signal.FILLED, description="Newest numbers of an entry")
    def filled(self, news: EntryNews) -> None:
        self._time.observe(news.report.observed_at)
        self._take_state(self._state.hearing(news.report, adopted=news.adopted))

    @workflow.signal(name=Signal.REDUCE, description="Sell part of the position, or all of it")
    def reduce(self, wish: ReduceRequest) -> None:
        self._set(reduces=(*self._state.reduces, wish))

    @workflow.signal(name=Signal.TICK, description="Market time moved")
    def tick(self, tick: Tick) -> None:
        self._time.record(tick)

    @workflow.query(description="Position, orders and plan of this guard")
    def state(self) -> GuardState:
        return self._state

    def _carried(self) -> GuardState:
        return self._state.model_copy(update={"as_of": self._time.known})

    async def _left_before(self) -> Decimal:
        """What the ledger holds before the first entry is sent: dust of an earlier trade, sold with this one."""
        request = self._request
        return (await position_in(request.realm, request.account, request.symbol)).quantity

    async def _take_in_events(self) -> None:
        """Ask the venue about those of our orders that something happened to."""
        touched = {event.client_order_id for event in self._time.new_events() if event.kind == "order"} | self._changed
        self._crossed |= {event.level_id for event in self._time.new_events() if event.level_id is not None}
        self._changed = set()
        seen: set[str] = set()
        for order in self._state.at_the_venue:
            if order.client_order_id in touched - seen:
                report = await self._venue.sync(order.key)
                seen |= {leg.client_order_id for leg in report.legs}
                self._take_report(order, report)
        self._follow_the_price()

    def _follow_the_price(self) -> None:
        """Raise the stop, sell the first share, or give a triggered stop its last seconds, as levels were crossed."""
        state = self._state
        if state.plan is None or not state.is_watched_in_time:
            return
        if state.next_trail is not None and self._is_crossed(f"trail-{state.next_trail[1].steps}"):
            self._take_state(state.followed(state.next_trail[1]))
        if self._is_crossed("first") and state.first_target is not None:
            self._take_state(self._state.taking_a_share())
        if self._is_crossed("stop") and state.covering:
            self._take_state(self._state.passed_its_stop())
        if self._is_crossed("stop") and state.limits_its_stop and self._time.known is not None:
            self._take_state(self._state.triggered(self._time.known))

    async def _act(self) -> None:
        """Do what is due, until nothing is: exits first, for protection of what is being sold would lock it."""
        await self._take_words()
        await self._withdraw_entries()
        await self._leave_if_due()
        await self._protect()
        self._take_state(self._state.rested())

    async def _wait(self) -> None:
        """Until something happened: a tick in a campaign; else news, a fill, a level or a time at the venue."""
        if self._time.is_ticked:
            await workflow.wait_condition(lambda: self._news or self._time.has_tick, timeout_summary="market time")
            return
        if self._state.plan is None or self._news:
            await workflow.wait_condition(lambda: self._news, timeout_summary="entry")
            return
        await self._watch_the_market()

    async def _watch_the_market(self) -> None:
        plan = self._state.plan
        assert plan is not None  # _wait watches only a filled plan
        until = self._time.now + WATCH_SLICE
        for due in self._watching.due:
            until = min(until, max(due, self._time.now + timedelta(seconds=1)))
        seen = await self._venue.watch(
            self._watching.awaited(until), "watch stop and target", unless=lambda: self._news
        )
        self._take_in_news(seen)

    def _take_in_news(self, seen: MarketNews | None) -> None:
        if seen is None:
            return
        self._time.observe(seen.now)
        self._crossed |= set(seen.crossed)
        self._changed |= {key.client_order_id for key in seen.changed}

    async def _close(self) -> None:
        """Record what the trade came to; an entry that never filled leaves no trade."""
        plan = self._state.plan
        if plan is None:
            return
        state = self._state
        outcome = trade_outcome(
            state.entries.values(),
            state.exits.values(),
            opening=state.opening or Decimal(0),
            remainder_price=state.last_exit_price,
        )
        await workflow.execute_local_activity_method(
            StoreCalls.record_outcome,
            OutcomeRecord(
                realm=self._request.realm,
                account=self._request.account,
                symbol=self._request.symbol,
                decision_id=plan.decision_id,
                pnl_usd=outcome.pnl_usd,
                return_fraction=outcome.return_fraction,
                exit_reason=state.closing_leg,
                closed_at=self._time.now,
            ),
            **STORE_CALL,
        )
        workflow.upsert_search_attributes([OUTCOME.value_set("profit" if outcome.pnl_usd > 0 else "loss")])
        self._show()
