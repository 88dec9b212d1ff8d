"""The owner of all exits of one position: protective stop, target, time exit, and what people and decisions ask."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.exchange.calls import (
        CANCEL_CALL,
        FOLLOW_CALL,
        ORDER_CALL,
        SYNC_CALL,
        ExchangeCalls,
    )
    from activities.exchange.port import AwaitMarket, Level, MarketNews, WatchedOrder
    from activities.exchange.quoting import QUOTE_CALL, QuoteCalls, QuoteRequest
    from activities.store.calls import STORE_CALL, OutcomeRecord, PositionRequest, StoreCalls
    from trading.decision.story import guard_story
    from trading.ids import client_order_id
    from trading.ledger.outcome import position_quantity, trade_outcome
    from trading.orders.models import (
        Leg,
        Lot,
        OrderReport,
        OrderRequest,
        OrderStatus,
        OrderType,
        OutcomeClass,
        Side,
    )
    from workflows.clock import MarketTime
    from workflows.names import OUTCOME, Signal, exchange_queue
    from workflows.options import at
    from workflows.protocol import (
        EntryNews,
        Expect,
        GuardRequest,
        GuardState,
        Placed,
        ReduceRequest,
        Tick,
        Watched,
    )

WATCH_SLICE = timedelta(minutes=10)
TARGET = "target"


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class PositionGuard:
    """Runs from before the entry is sent until the position is closed; then the outcome is recorded."""

    @workflow.init
    def __init__(self, request: GuardRequest) -> None:
        self._request = request
        self._state = request.state or GuardState()
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
            await self._act()
            if self._is_finished():
                break
            await self._time.answer(self._watched())
            workflow.set_current_details(self._story())
            if workflow.info().is_continue_as_new_suggested() and not self._news and not self._time.has_tick:
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(request.model_copy(update={"state": self._carried()}))
            await self._wait()
        await self._close()
        await self._time.answer(Watched(entity=workflow.info().workflow_id), closed=True)
        return self._state

    @workflow.signal(name=Signal.EXPECT, description="An entry is about to be sent")
    def expect(self, entry: Expect) -> None:
        if all(known.client_order_id != entry.client_order_id for known in self._state.expected):
            self._set(expected=(*self._state.expected, entry))

    @workflow.signal(name=Signal.FILLED, description="Newest numbers of an entry")
    def filled(self, news: EntryNews) -> None:
        self._time.observe(news.report.observed_at)
        self._set(entries={**self._state.entries, news.client_order_id: news.report})

    @workflow.signal(name=Signal.REDUCE, description="Sell part of the position, or all of it")
    def reduce(self, wish: ReduceRequest) -> None:
        self._set(reduces=(*self._state.reduces, wish))

    @workflow.signal(name=Signal.TICK, description="Market time moved")
    def tick(self, tick: Tick) -> None:
        self._time.record(tick)

    @workflow.query(description="Position, orders and plan of this guard")
    def state(self) -> GuardState:
        return self._state

    def _set(self, **changes: object) -> None:
        self._state = self._state.model_copy(update=changes)
        self._news = True

    def _carried(self) -> GuardState:
        return self._state.model_copy(update={"as_of": self._time.known})

    @property
    def _position(self) -> Decimal:
        moved = position_quantity(self._state.entries.values(), self._state.exits.values())
        return moved + (self._state.opening or Decimal(0))

    async def _left_before(self) -> Decimal:
        """What the ledger holds before the first entry is sent: dust of an earlier trade, sold with this one."""
        request = self._request
        view = await workflow.execute_local_activity_method(
            StoreCalls.position_view,
            PositionRequest(realm=request.realm, account=request.account, symbol=request.symbol),
            **STORE_CALL,
        )
        return view.quantity

    @property
    def _plan(self) -> Expect | None:
        """The newest entry that filled: its stop, target and time are the position's."""
        filled = [
            entry
            for entry in self._state.expected
            if (report := self._state.entries.get(entry.client_order_id)) and report.executed_quantity > 0
        ]
        return filled[-1] if filled else None

    @property
    def _entries_done(self) -> bool:
        return all(
            (report := self._state.entries.get(entry.client_order_id)) is not None and report.is_terminal
            for entry in self._state.expected
        )

    def _story(self) -> str:
        plan, stop = self._plan, self._state.stop
        return guard_story(
            position=self._position,
            stop=stop.stop_price if stop else None,
            target=plan.target_price if plan else None,
            frozen=self._state.frozen,
        )

    def _is_finished(self) -> bool:
        """Nothing is expected, nothing is at the venue, nothing above dust is held, nobody waits for an answer."""
        state = self._state
        if not state.expected or not self._entries_done or state.stop or state.leaving or state.reduces:
            return False
        return self._tradable() == 0 and state.frozen is None

    def _tradable(self) -> Decimal:
        """The position as an order can carry it: net of commission, floored to the step, zero where it is dust."""
        plan, lot = self._plan, self._state.lot
        if plan is None or lot is None:
            return self._position
        return lot.tradable(self._position, plan.stop_price)

    async def _take_in_events(self) -> None:
        """Ask the venue about those of our orders that something happened to."""
        touched = {event.client_order_id for event in self._time.events() if event.kind == "order"} | self._changed
        self._crossed |= {event.level_id for event in self._time.events() if event.level_id is not None}
        self._changed = set()
        for order in (self._state.stop, self._state.leaving):
            if order is not None and order.client_order_id in touched:
                self._take(order, await self._synced(order))

    async def _act(self) -> None:
        """Do what is due, until nothing is: exits first, for protection of what is being sold would lock it."""
        await self._leave_if_due()
        await self._protect()

    async def _leave_if_due(self) -> None:
        if self._state.leaving is not None:
            return
        while self._state.reduces and self._state.leaving is None:
            wish = self._state.reduces[0]
            report = await self._sell(wish.quantity, leg=Leg.EXIT, decision=wish.decision_id, reason=wish.reason)
            self._set(reduces=self._state.reduces[1:])
            await self._tell(wish, report)
        reason = self._exit_reason()
        if reason is not None and self._state.leaving is None and self._tradable() > 0:
            plan = self._plan
            assert plan is not None  # a tradable position has the plan that filled it
            leg = Leg.TARGET if reason == TARGET else Leg.EXIT
            await self._sell(self._position, leg=leg, decision=plan.decision_id, reason=reason)

    def _exit_reason(self) -> str | None:
        """Why the whole position should be sold now, if it should."""
        plan = self._plan
        if plan is None or self._state.frozen is not None:
            return None
        if self._state.exit_reason is not None:
            return self._state.exit_reason
        if self._target_level(plan) in self._crossed:
            return TARGET
        if plan.exit_at is not None and self._time.now >= plan.exit_at:
            return "time_exit"
        return None

    async def _protect(self) -> None:
        """Keep one stop at the venue for exactly what is held; a refused stop becomes a sale, an unknown one a wait."""
        plan = self._plan
        if plan is None or self._state.leaving is not None or self._state.frozen is not None:
            return
        if self._state.lot is None:
            self._set(lot=await self._fetch_lot())
        wanted = self._tradable()
        stop = self._state.stop
        if stop is not None and stop.quantity == wanted and stop.stop_price == plan.stop_price:
            return
        if stop is not None:
            await self._withdraw_stop()
            wanted = self._tradable()
        if wanted == 0 or self._state.frozen is not None:
            return
        order = self._order(leg=Leg.STOP, decision=plan.decision_id, quantity=wanted, stop_price=plan.stop_price)
        report = await self._placed(order)
        self._set(stop=order)
        self._take(order, report)
        if report.outcome is OutcomeClass.REFUSED:
            self._set(exit_reason="stop_refused")
            await self._leave_if_due()

    async def _withdraw_stop(self) -> None:
        """Cancel the stop and take in what it sold meanwhile; afterwards nothing of ours locks the position."""
        stop = self._state.stop
        if stop is None:
            return
        report = await workflow.execute_activity_method(
            ExchangeCalls.cancel_order, stop.key, **at(self._venue_queue, "cancel stop", CANCEL_CALL)
        )
        self._take(stop, report)

    async def _sell(self, quantity: Decimal, *, leg: Leg, decision: str, reason: str) -> OrderReport | None:
        """Sell at market what can be sold of `quantity`; never beside a stop that is unknown."""
        await self._withdraw_stop()
        if self._state.lot is None:
            self._set(lot=await self._fetch_lot())
        plan, lot = self._plan, self._state.lot
        if plan is None or lot is None or self._state.frozen is not None or self._state.stop is not None:
            return None
        amount = lot.tradable(min(quantity, self._position), plan.stop_price)
        if amount == 0:
            return None
        order = self._order(leg=leg, decision=decision, quantity=amount, stop_price=None)
        report = await self._placed(order)
        self._set(leaving=order, exit_reason=None)
        self._take(order, report, reason=reason)
        return report

    def _order(self, *, leg: Leg, decision: str, quantity: Decimal, stop_price: Decimal | None) -> OrderRequest:
        """An exit order under a client id that was never used before: the revision grows with each one."""
        revision = self._state.revision
        self._set(revision=revision + 1)
        request = self._request
        return OrderRequest(
            realm=request.realm,
            venue=request.venue,
            ledger=request.ledger,
            account=request.account,
            symbol=request.symbol,
            decision_id=decision,
            leg=leg,
            revision=revision,
            client_order_id=client_order_id(
                ledger=request.ledger,
                account=request.account,
                decision=decision,
                leg=leg.value,
                revision=revision,
            ),
            side=Side.SELL,
            type=OrderType.STOP_LOSS if stop_price is not None else OrderType.MARKET,
            quantity=quantity,
            stop_price=stop_price,
            as_of=self._time.now,
            expected_price=stop_price,
        )

    def _take(self, order: OrderRequest, report: OrderReport, *, reason: str | None = None) -> None:
        """Take an exit order's report into the state: fills count at once, a terminal order leaves its place."""
        self._set(exits={**self._state.exits, order.client_order_id: report})
        if report.status is OrderStatus.FROZEN:
            self._set(frozen=report.reason or f"{order.leg.value} order unknown at the venue")
        if not report.is_terminal:
            return
        if self._state.stop is not None and self._state.stop.client_order_id == order.client_order_id:
            self._set(stop=None)
        if self._state.leaving is not None and self._state.leaving.client_order_id == order.client_order_id:
            self._set(leaving=None)

    async def _placed(self, order: OrderRequest) -> OrderReport:
        return await workflow.execute_activity_method(
            ExchangeCalls.place_order,
            order,
            **at(self._venue_queue, f"{order.leg.value} {order.quantity:f}", ORDER_CALL),
        )

    async def _synced(self, order: OrderRequest) -> OrderReport:
        return await workflow.execute_activity_method(
            ExchangeCalls.sync_order, order.key, **at(self._venue_queue, "fills", SYNC_CALL)
        )

    async def _fetch_lot(self) -> Lot:
        request = self._request
        quote = await workflow.execute_activity_method(
            QuoteCalls.quote,
            QuoteRequest(realm=request.realm, venue=request.venue, account=request.account, symbol=request.symbol),
            **at(self._venue_queue, "filters", QUOTE_CALL),
        )
        return quote.lot

    @property
    def _venue_queue(self) -> str:
        return exchange_queue(self._request.realm, self._request.venue)

    async def _tell(self, wish: ReduceRequest, report: OrderReport | None) -> None:
        """Tell whoever asked for less what became of the order; nothing left to sell is an answer too."""
        if wish.owner is None:
            return
        told = report or OrderReport(
            client_order_id=wish.request_id,
            status=OrderStatus.REFUSED,
            outcome=OutcomeClass.REFUSED,
            side=Side.SELL,
            leg=Leg.EXIT,
            reason="nothing_to_reduce",
            observed_at=self._time.now,
        )
        placed = Placed(account=self._request.account, execution=workflow.info().workflow_id, report=told)
        try:
            await workflow.get_external_workflow_handle(wish.owner).signal(Signal.PLACED, placed)
        except ApplicationError:
            workflow.logger.info("%s is gone; the reduction was made without it", wish.owner)

    def _target_level(self, plan: Expect) -> str:
        return f"{workflow.info().workflow_id}#{plan.client_order_id}"

    def _levels(self) -> tuple[Level, ...]:
        plan = self._plan
        if plan is None or plan.target_price is None or self._state.leaving is not None or self._tradable() == 0:
            return ()
        return (
            Level(
                id=self._target_level(plan),
                symbol=self._request.symbol,
                direction="above",
                price=plan.target_price,
                after_candle_of=self._state.entries[plan.client_order_id].observed_at,
            ),
        )

    def _orders(self) -> tuple[OrderRequest, ...]:
        return tuple(order for order in (self._state.stop, self._state.leaving) if order is not None)

    def _watched(self) -> Watched:
        plan = self._plan
        idle = plan is None or self._state.leaving is not None or self._tradable() == 0
        return Watched(
            entity=workflow.info().workflow_id,
            orders=tuple(order.client_order_id for order in self._orders()),
            levels=self._levels(),
            wakes_at=None if idle or plan is None else plan.exit_at,
        )

    async def _wait(self) -> None:
        """Until something happened: a tick in a campaign; else news, a fill, a level or a time at the venue."""
        if self._time.is_ticked:
            await workflow.wait_condition(lambda: self._news or self._time.has_tick, timeout_summary="market time")
            return
        if self._plan is None or self._news:
            await workflow.wait_condition(lambda: self._news, timeout_summary="entry")
            return
        await self._watch_the_market()

    async def _watch_the_market(self) -> None:
        plan = self._plan
        assert plan is not None  # _wait watches only a filled plan
        until = self._time.now + WATCH_SLICE
        if plan.exit_at is not None:
            until = min(until, max(plan.exit_at, self._time.now + timedelta(seconds=1)))
        watching = workflow.start_activity_method(
            ExchangeCalls.await_market,
            self._awaited(until),
            **at(self._venue_queue, "watch stop and target", FOLLOW_CALL),
        )
        news = asyncio.create_task(workflow.wait_condition(lambda: self._news))
        await workflow.wait([watching, news], return_when=asyncio.FIRST_COMPLETED)
        if not watching.done():
            watching.cancel()
        news.cancel()
        self._take_in_news(await _unless_cancelled(watching))

    def _take_in_news(self, seen: MarketNews | None) -> None:
        if seen is None:
            return
        self._time.observe(seen.now)
        self._crossed |= set(seen.crossed)
        self._changed |= {key.client_order_id for key in seen.changed}

    def _awaited(self, until: datetime) -> AwaitMarket:
        request = self._request
        return AwaitMarket(
            realm=request.realm,
            venue=request.venue,
            symbol=request.symbol,
            keys=tuple(self._seen(order) for order in self._orders()),
            levels=self._levels(),
            until=until,
        )

    def _seen(self, order: OrderRequest) -> WatchedOrder:
        report = self._state.exits[order.client_order_id]
        return WatchedOrder(key=order.key, seen_status=report.status, seen_executed=report.executed_quantity)

    async def _close(self) -> None:
        """Record what the trade came to; an entry that never filled leaves no trade."""
        plan = self._plan
        if plan is None:
            return
        exits = list(self._state.exits.values())
        last = next((r.average_price for r in reversed(exits) if r.average_price is not None), None)
        outcome = trade_outcome(
            self._state.entries.values(), exits, opening=self._state.opening or Decimal(0), remainder_price=last
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
                exit_reason=self._closing_leg(),
                closed_at=self._time.now,
            ),
            **STORE_CALL,
        )
        workflow.upsert_search_attributes([OUTCOME.value_set("profit" if outcome.pnl_usd > 0 else "loss")])
        workflow.set_current_details(self._story())

    def _closing_leg(self) -> str:
        filled = [report.leg.value for report in self._state.exits.values() if report.executed_quantity > 0]
        return filled[-1] if filled else "none"


async def _unless_cancelled(watching: workflow.ActivityHandle[MarketNews]) -> MarketNews | None:
    """The activity's answer, or nothing where it was cancelled because news came first."""
    try:
        return await watching
    except ActivityError as ended:
        if is_cancelled_exception(ended):
            return None
        raise
