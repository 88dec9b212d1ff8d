"""The owner of all exits of one position: protective stop, target, time exit, and what people and decisions ask."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.exchange.port import MarketNews
    from activities.store.calls import ENTITY_CALL, STORE_CALL, HandRecord, OutcomeRecord, StoreCalls
    from trading.decision.story import guard_story
    from trading.ledger.outcome import trade_outcome
    from trading.money import ZERO
    from trading.orders.guarding import REFUSED_SALES, STOP_REFUSED, GuardState
    from trading.orders.models import Leg, OrderReport, OrderRequest, OutcomeClass
    from trading.orders.wishes import Expect, LeaveRequest, ReduceRequest, Resolution, nothing_to_reduce
    from workflows.clock import MarketTime
    from workflows.guard_watching import Watching
    from workflows.holding import position_in
    from workflows.names import OUTCOME, Signal, Update
    from workflows.protocol import EntryNews, GuardRequest, HandDone, Placed, Tick, Watched
    from workflows.venue_orders import VenueOrders

WATCH_SLICE = timedelta(minutes=10)


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class PositionGuard:
    """Runs from before the entry is sent until the position is closed; then the outcome is recorded."""

    @workflow.init
    def __init__(self, request: GuardRequest) -> None:
        self._request = request
        self._state = request.state or GuardState()
        self._venue = VenueOrders(
            realm=request.realm, venue=request.venue, account=request.account, symbol=request.symbol
        )
        self._time = MarketTime(coordinator=request.coordinator, as_of=self._state.as_of)
        self._news = False
        self._crossed: set[str] = set()
        self._changed: set[str] = set()

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
            await self._time.answer(self._watching.watched)
            workflow.set_current_details(self._story())
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
        self._take_state(self._state.hearing(news.report))

    @workflow.signal(name=Signal.REDUCE, description="Sell part of the position, or all of it")
    def reduce(self, wish: ReduceRequest) -> None:
        self._set(reduces=(*self._state.reduces, wish))

    @workflow.signal(name=Signal.LEAVE, description="A person wants out: withdraw the entries, sell all that is held")
    def leave(self, wish: LeaveRequest) -> None:
        self._take_state(self._state.asked_to_leave(wish))

    @workflow.signal(name=Signal.WITHDRAW, description="Cancel entries that rest, with a reason; the stop stays")
    def withdraw(self, reason: str) -> None:
        self._set(withdraw_because=reason)

    @workflow.update(name=Update.RESOLVE, description="A person's word on a frozen order: filled or absent")
    async def resolve(self, word: Resolution) -> HandDone:
        return await self._heard(word)

    @resolve.validator
    def _check_resolve(self, word: Resolution) -> None:
        if not word.who.strip() or not word.reason.strip():
            raise ApplicationError("a word on an order names who and why: both must be given", type="ReasonMissing")
        if not self._state.is_frozen(word.client_order_id):
            frozen = ", ".join(self._state.frozen_ids) or "none"
            raise ApplicationError(
                f"order {word.client_order_id!r} is not frozen here: frozen are {frozen}", type="NotFrozen"
            )

    @workflow.signal(name=Signal.RESOLVE, description="A person's word on a frozen order; not without who and why")
    async def hear_resolve(self, word: Resolution) -> None:
        if word.who.strip() and word.reason.strip() and self._state.is_frozen(word.client_order_id):
            await self._heard(word)

    async def _heard(self, word: Resolution) -> HandDone:
        """Written down first; the loop then holds it against the venue."""
        operation_id = word.operation_id or f"resolve-{word.client_order_id}-{word.verdict.value}"
        await workflow.execute_activity_method(
            StoreCalls.record_hand,
            HandRecord(
                realm=self._request.realm,
                operation_id=operation_id,
                subject=word.client_order_id,
                what=f"resolve {word.verdict.value}",
                who=word.who,
                reason=word.reason,
            ),
            **ENTITY_CALL,
        )
        self._set(resolutions=(*self._state.resolutions, word))
        return HandDone(
            operation_id=operation_id,
            target=word.client_order_id,
            accepted=True,
            reason=word.reason,
            state="asked at the venue",
        )

    @workflow.signal(name=Signal.TICK, description="Market time moved")
    def tick(self, tick: Tick) -> None:
        self._time.record(tick)

    @workflow.query(description="Position, orders and plan of this guard")
    def state(self) -> GuardState:
        return self._state

    @property
    def _watching(self) -> Watching:
        return Watching(workflow.info().workflow_id, self._request, self._state)

    def _is_crossed(self, what: str = "") -> bool:
        return self._watching.level_id(what) in self._crossed

    def _set(self, **changes: object) -> None:
        self._take_state(self._state.model_copy(update=changes))

    def _take_state(self, state: GuardState) -> None:
        """What changed is news: the loop goes round once more before it waits."""
        self._news = self._news or state is not self._state
        self._state = state

    def _carried(self) -> GuardState:
        return self._state.model_copy(update={"as_of": self._time.known})

    async def _left_before(self) -> Decimal:
        """What the ledger holds before the first entry is sent: dust of an earlier trade, sold with this one."""
        request = self._request
        return (await position_in(request.realm, request.account, request.symbol)).quantity

    def _story(self) -> str:
        state = self._state
        return guard_story(
            position=state.position,
            stop=state.stop.stop_price if state.stop else None,
            target=state.plan.target_price if state.plan else None,
            frozen=state.frozen,
            leaving_because=state.leave.reason if state.leave else None,
            refuses_to_sell=state.refused_sales >= REFUSED_SALES,
        )

    async def _take_in_events(self) -> None:
        """Ask the venue about those of our orders that something happened to."""
        touched = {event.client_order_id for event in self._time.events() if event.kind == "order"} | self._changed
        self._crossed |= {event.level_id for event in self._time.events() if event.level_id is not None}
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
        if self._is_crossed("stop") and state.limits_its_stop and self._time.known is not None:
            self._take_state(self._state.triggered(self._time.known))

    async def _act(self) -> None:
        """Do what is due, until nothing is: exits first, for protection of what is being sold would lock it."""
        await self._take_words()
        await self._withdraw_entries()
        await self._leave_if_due()
        await self._protect()
        self._take_state(self._state.rested())

    async def _take_words(self) -> None:
        """Take in what people say of frozen orders: of an exit here, of an entry through its execution."""
        for word in self._state.resolutions:
            self._set(resolutions=self._state.resolutions[1:])
            execution = self._state.execution_of(word.client_order_id)
            if execution is not None:
                try:
                    await workflow.get_external_workflow_handle(execution).signal(Signal.RESOLVE, word)
                except ApplicationError:
                    workflow.logger.info("the execution %s has ended: nothing is frozen there", execution)
            for order in self._state.at_the_venue:
                if order.client_order_id == word.client_order_id:
                    self._take_report(order, await self._venue.resolve(order.key, word))

    async def _withdraw_entries(self) -> None:
        """Ask the executions of resting entries to cancel them; one that has ended has nothing left to cancel."""
        for entry in self._state.to_withdraw:
            self._set(withdrawn=(*self._state.withdrawn, entry.client_order_id))
            reason = self._state.leave.reason if self._state.leave else self._state.withdraw_because
            try:
                await workflow.get_external_workflow_handle(entry.execution).signal(Signal.CANCEL, reason)
            except ApplicationError:
                workflow.logger.info("the execution %s has ended: nothing to cancel", entry.execution)

    async def _leave_if_due(self) -> None:
        while self._state.reduces and self._state.leaving is None:
            wish = self._state.reduces[0]
            report, left = await self._sell(wish.quantity, leg=Leg.EXIT, decision=wish.decision_id)
            rest = (wish.model_copy(update={"quantity": left, "owner": None}),) if left > 0 else ()
            self._set(reduces=(*rest, *self._state.reduces[1:]))
            await self._tell(wish, report)
        plan = self._state.plan
        if plan is None or self._state.leaving is not None or self._state.tradable <= 0:
            return
        crossed = self._is_crossed()
        reason = self._state.reason_to_leave(now=self._time.known, target_crossed=crossed)
        if reason is not None:
            _, leg = reason
            await self._sell(self._state.position, leg=leg, decision=plan.decision_id)

    async def _protect(self) -> None:
        """Keep one stop at the venue for exactly what is held; a refused stop becomes a sale, an unknown one a wait."""
        plan = self._state.plan
        if plan is None or self._state.leaving is not None or self._state.frozen is not None:
            return
        if self._state.refuses_stops:
            return
        await self._know_the_lot()
        if self._state.is_protected:
            return
        await self._withdraw_stop()
        wanted = self._state.tradable
        if wanted == 0 or self._state.frozen is not None:
            return
        state, order = self._state.protecting(self._request, now=self._time.now)
        self._take_state(state)
        report = await self._venue.place(order, f"{order.leg.value} {order.quantity:f}")
        self._set(stop=order, target=next(iter(order.beside), None))
        self._take_report(order, report)
        if report.outcome is OutcomeClass.REFUSED:
            self._set(target=None)
            if self._state.refused_sales >= REFUSED_SALES:
                self._take_state(self._state.without_a_stop())
                return
            self._set(exit_reason=STOP_REFUSED)
            await self._leave_if_due()

    async def _withdraw_stop(self) -> None:
        """Cancel the stop and take in what it sold meanwhile; afterwards nothing of ours locks the position."""
        while (resting := self._state.locking) is not None:
            report = await self._venue.cancel(resting.key, f"cancel {resting.leg.value}")
            self._take_report(resting, report)
            if not report.is_terminal:
                return

    async def _sell(self, quantity: Decimal, *, leg: Leg, decision: str) -> tuple[OrderReport | None, Decimal]:
        """Sell at market what one order can sell of `quantity`, and say what is left of it for the next.

        Never beside a stop that is unknown.
        """
        await self._withdraw_stop()
        await self._know_the_lot()
        state = self._state
        if state.plan is None or state.frozen is not None or state.locking is not None:
            return None, ZERO
        wanted = state.tradable_of(quantity)
        amount = state.lot.portion(wanted) if state.lot is not None else wanted
        if amount == 0:
            return None, ZERO
        state, order = state.selling(self._request, leg=leg, decision=decision, quantity=amount, now=self._time.now)
        self._take_state(state)
        report = await self._venue.place(order, f"{order.leg.value} {order.quantity:f}")
        self._set(leaving=order, exit_reason=None)
        self._take_report(order, report)
        refused = report.outcome is OutcomeClass.REFUSED
        return report, ZERO if refused else wanted - amount

    def _take_report(self, order: OrderRequest, report: OrderReport) -> None:
        self._take_state(self._state.taken(order, report))

    async def _know_the_lot(self) -> None:
        if self._state.wants_the_filters:
            self._take_state(self._state.knowing(await self._venue.quote("filters")))

    async def _tell(self, wish: ReduceRequest, report: OrderReport | None) -> None:
        """Tell whoever asked for less what became of the order; nothing left to sell is an answer too."""
        if wish.owner is None:
            return
        told = report or nothing_to_reduce(wish, now=self._time.now)
        placed = Placed(account=self._request.account, execution=workflow.info().workflow_id, report=told)
        try:
            await workflow.get_external_workflow_handle(wish.owner).signal(Signal.PLACED, placed)
        except ApplicationError:
            workflow.logger.info("%s is gone; the reduction was made without it", wish.owner)

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
        workflow.set_current_details(self._story())
