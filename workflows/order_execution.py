"""One entry, from its intent to its last fill, whole or in slices; its guard runs before the first byte is sent."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.exchange.port import AwaitChange, AwaitMarket
    from activities.store.calls import STORE_CALL, EntryPlanEnd, StoreCalls
    from activities.store.ports.journal import EntryPlan
    from trading.decision.story import order_story
    from trading.orders.entries import rests_for, summed, unguarded
    from trading.orders.guarding import GuardState
    from trading.orders.models import OrderReport, OrderRequest, OrderStatus
    from trading.orders.sending import wants_the_gate_again
    from trading.orders.slicing import Slice, first_order_id, permitted_again, sliced
    from trading.orders.wishes import Resolution
    from trading.risk.wishes import asked_again
    from workflows.clock import MarketTime
    from workflows.gate_asking import ask_the_gate
    from workflows.holding import position_in
    from workflows.names import OUTCOME, PROTECTING_TASK_TIMEOUT, Signal, desk_workflow, guard_workflow
    from workflows.options import labels
    from workflows.position_guard import PositionGuard
    from workflows.protocol import (
        EntryNews,
        ExecutionRequest,
        Expect,
        GuardRequest,
        Placed,
        Settlement,
        Tick,
        Watched,
    )
    from workflows.venue_orders import VenueOrders


GUARD_ATTEMPTS = 5
GATE_ATTEMPTS = 3
"""So often the gate is asked anew for an order that the venue kept waiting; then its moment has passed."""
ASK_SLICE = timedelta(minutes=10)


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class OrderExecution:
    """Guard first, then send, resolve, follow the fills, settle the reservation (architecture §4.9, §5).

    Slices are sent one after the other, each at its time under an id and a permit of its own. None is sent any more
    once the gate refuses (a limit), the account was halted or put on its guard (also if that has been taken back), the
    price has left the first permit's collar, something of the position was sold, or somebody wishes to cancel (C24).
    """

    @workflow.init
    def __init__(self, request: ExecutionRequest) -> None:
        self._request = request
        order = sliced(request.order, request.slices[0]) if request.slices else request.order
        self._permit = request.permit
        if request.resumed is not None:
            order, self._permit = request.resumed.order, request.resumed.permit
        self._order = order
        self._expires_at = request.expires_at
        self._reports: dict[str, OrderReport] = {}
        self._venue = VenueOrders(realm=order.realm, venue=order.venue, account=order.account, symbol=order.symbol)
        self._time = MarketTime(coordinator=request.coordinator, as_of=request.order.as_of)
        self._report: OrderReport | None = None
        self._cancel_because: str | None = None
        self._word: Resolution | None = None
        self._opening = Decimal(0)

    @workflow.run
    async def run(self, request: ExecutionRequest) -> OrderReport:
        """Return the entry's last report. Whatever happens, the reservation is released exactly once, at the end."""
        self._opening = await self._held()
        if request.slices:
            await self._keep_plan()
        if request.resumed is not None:
            self._opening -= request.resumed.net_base
        later = [part for part in request.slices if part.number > self._order.slice_number]
        report = await self._bought(is_last=not later)
        ended, late = "all of it was sent", timedelta(0)
        if request.resumed is not None and later:
            self._time.observe(await self._market_time())
            late = max(self._time.now - later[0].due_at, late)  # the rest keeps its pace: a lost hour is not made up
        for part in later:
            stopped: str | None = "the last one bought nothing"
            if report.executed_quantity:
                stopped = await self._stopped_before(part, due=part.due_at + late)
            if stopped is not None:
                ended = f"before slice {part.number}: {stopped}"
                break
            report = await self._bought(is_last=part is later[-1])
        if request.slices:
            await self._end_plan(ended)
        await self._settle()
        await self._answer_tick(closed=True)
        whole = summed(request.order.client_order_id, tuple(self._reports.values()))
        workflow.upsert_search_attributes([OUTCOME.value_set(whole.status.value)])
        return whole

    async def _bought(self, *, is_last: bool) -> OrderReport:
        """One order, from its guard to its last fill."""
        report = await self._placed()
        await self._learn(report)
        if len(self._reports) == 1:
            await self._tell_owner(report)
        if not report.is_terminal:
            await self._answer_tick(closed=False)
        while not report.is_terminal:
            report = await self._next_report(report)
            await self._learn(report)
            if is_last or not report.is_terminal:
                await self._answer_tick(closed=report.is_terminal)
        return report

    async def _placed(self) -> OrderReport:
        """Send the order once its guard knows of it; where the venue kept it waiting, the gate is asked again first."""
        unsent: OrderReport | None = None
        while True:
            if not await self._arm_guard():
                return unguarded(self._order)
            if unsent is not None:
                await self._tell_guard(unsent)  # not before the guard expects the next one: it would end between them
            order = self._order
            report = await self._venue.place(order, f"{order.side.value} {order.symbol}")
            if not wants_the_gate_again(report) or order.revision >= GATE_ATTEMPTS:
                return report
            if not await self._permitted_again(order):
                return report
            unsent = report

    async def _stopped_before(self, part: Slice, *, due: datetime) -> str | None:
        """Wait for the slice's time; then why it must not be sent: a cancel, something sold, the gate, a halt since."""
        await self._until(due)
        if self._cancel_because is not None:
            return f"cancelled: {self._cancel_because}"
        if not await self._is_all_held():
            return "something of the position was sold"
        if not await self._permitted_again(sliced(self._request.order, part)):
            return "the gate refused"
        return None if self._permit.epoch == self._request.permit.epoch else "the account was halted meanwhile"

    async def _keep_plan(self) -> None:
        """What losing this workflow would lose: the slices that are not orders yet, and the question to the gate."""
        request = self._request
        plan = EntryPlan(
            realm=request.order.realm,
            account=request.order.account,
            client_order_id=first_order_id(request.order),
            decision_id=request.order.decision_id,
            request=request.model_dump_json(exclude={"resumed"}),
        )
        await workflow.execute_local_activity_method(StoreCalls.keep_entry_plan, plan, **STORE_CALL)

    async def _end_plan(self, because: str) -> None:
        order = self._request.order
        end = EntryPlanEnd(
            realm=order.realm, account=order.account, client_order_id=first_order_id(order), because=because
        )
        await workflow.execute_local_activity_method(StoreCalls.end_entry_plan, end, **STORE_CALL)

    async def _is_all_held(self) -> bool:
        """Whether what the slices bought is still there: a stop, a target or a person may have sold of it."""
        bought = sum((report.net_base for report in self._reports.values()), Decimal(0))
        return await self._held() >= self._opening + bought

    async def _permitted_again(self, order: OrderRequest) -> bool:
        """Ask the gate on the current price and equity, in the place of the permit we have (venue.md)."""
        passage = self._request.passage
        if passage is None:
            return False
        quote = await self._venue.quote("price of the permit")
        self._time.observe(quote.market_time)
        share = self._rest_from(order) / self._request.order.quantity
        again = f"{order.slice_number}.{order.revision + 1}"
        wish = asked_again(passage.wish, quote, share=share, step=again, replaces=self._permit.id)
        permit = (await ask_the_gate(passage.head, wish)).permit
        if permit is None:
            return False
        self._permit = permit
        self._order = permitted_again(order, permit, ask=quote.ask, as_of=quote.market_time)
        rests = rests_for(order, permit.terms, horizon=timedelta(0))
        self._expires_at = max(self._request.expires_at, quote.market_time + rests)
        return True

    def _rest_from(self, order: OrderRequest) -> Decimal:
        """What is still to be bought: this order and the slices after it, for which the permit keeps the room."""
        later = (part.quantity for part in self._request.slices if part.number > order.slice_number)
        return order.quantity + sum(later, Decimal(0))

    async def _until(self, due: datetime) -> None:
        """Until a market time, or a wish to cancel."""
        while self._time.now < due and self._cancel_because is None:
            if self._time.is_ticked:
                await self._answer(wakes_at=due)
                await workflow.wait_condition(
                    lambda: self._time.has_tick or self._cancel_because is not None, timeout_summary="next slice"
                )
                self._time.begin()
            else:
                order = self._order
                wait = AwaitMarket(realm=order.realm, venue=order.venue, symbol=order.symbol, until=due)
                seen = await self._venue.watch(wait, "next slice", unless=lambda: self._cancel_because is not None)
                if seen is not None:
                    self._time.observe(seen.now)

    @workflow.signal(name=Signal.TICK, description="Market time moved")
    def tick(self, tick: Tick) -> None:
        self._time.record(tick)

    @workflow.signal(description="Ask for the order to be cancelled, with a reason")
    def cancel(self, reason: str) -> None:
        self._cancel_because = reason or "cancelled"

    @workflow.signal(name=Signal.RESOLVE, description="A person's word on this order, which is frozen")
    def resolve(self, word: Resolution) -> None:
        self._word = word

    @workflow.query(description="The order as last seen")
    def report(self) -> OrderReport | None:
        return self._report

    @property
    def _guard(self) -> str:
        return guard_workflow(self._order.realm, self._order.account, self._order.symbol)

    async def _arm_guard(self) -> bool:
        """Start the guard, or tell the running one what to expect; a guard that just ended is started anew.

        False where none can be reached: then nothing is sent, for nobody would protect it.
        """
        expect = Expect(
            execution=workflow.info().workflow_id,
            decision_id=self._order.decision_id,
            client_order_id=self._order.client_order_id,
            stop_price=self._request.stop_price,
            target_price=self._request.target_price,
            exit_at=self._request.exit_at,
            terms=self._request.terms,
            exits=self._order.beside,
        )
        for _ in range(GUARD_ATTEMPTS):
            await self._ensure_guard()
            try:
                await workflow.get_external_workflow_handle(self._guard).signal(Signal.EXPECT, expect)
                return True
            except ApplicationError:
                workflow.logger.info("the guard %s ended before it could be told; starting it anew", self._guard)
        return False

    async def _held(self) -> Decimal:
        """What the ledger holds now; before the entry is sent, for a guard that starts late would read its fills."""
        order = self._order
        return (await position_in(order.realm, order.account, order.symbol)).quantity

    async def _ensure_guard(self) -> None:
        """Start the guard where none runs, with what the ledger holds before this entry: dust of an earlier trade."""
        order = self._order
        try:
            await workflow.start_child_workflow(
                PositionGuard.run,
                GuardRequest(
                    realm=order.realm,
                    venue=order.venue,
                    ledger=order.ledger,
                    account=order.account,
                    symbol=order.symbol,
                    coordinator=self._request.coordinator,
                    state=GuardState(opening=self._opening),
                ),
                id=self._guard,
                parent_close_policy=ParentClosePolicy.ABANDON,
                task_timeout=PROTECTING_TASK_TIMEOUT,
                static_summary=f"guard of {order.symbol} for {order.account}",
                search_attributes=labels(realm=order.realm, accounts=(order.account,), symbol=order.symbol),
            )
        except WorkflowAlreadyStartedError:
            return

    async def _learn(self, report: OrderReport) -> None:
        """Keep the newest report and pass every change on to the guard."""
        if report == self._report:
            return
        self._report = report
        self._reports[report.client_order_id] = report
        self._time.observe(report.observed_at)
        workflow.set_current_details(order_story(report))
        await self._tell_guard(report)

    async def _tell_guard(self, report: OrderReport) -> None:
        news = EntryNews(client_order_id=report.client_order_id, report=report)
        guard = workflow.get_external_workflow_handle(self._guard)
        try:
            await guard.signal(Signal.FILLED, news)
        except ApplicationError:
            workflow.logger.warning("the guard %s is gone: a new one takes the entry over", self._guard)
            if await self._arm_guard():
                await guard.signal(Signal.FILLED, news)

    async def _tell_owner(self, report: OrderReport) -> None:
        placed = Placed(account=self._order.account, execution=workflow.info().workflow_id, report=report)
        try:
            await workflow.get_external_workflow_handle(self._request.owner).signal(Signal.PLACED, placed)
        except ApplicationError:
            workflow.logger.info("the owner %s is gone; the order goes on without it", self._request.owner)

    async def _next_report(self, seen: OrderReport) -> OrderReport:
        """Wait for the order to change, for its time to end, or for a wish to cancel it."""
        if seen.status is OrderStatus.FROZEN:
            return await self._asked_again(seen)
        if self._cancel_because is not None or self._time.now >= self._expires_at:
            return await self._cancelled()
        if self._time.is_ticked:
            await workflow.wait_condition(
                lambda: self._time.has_tick or self._cancel_because is not None, timeout_summary="market time"
            )
            self._time.begin()
            if self._cancel_because is not None or self._time.now >= self._expires_at:
                return await self._cancelled()
            return await self._synced() if self._time.events() else seen
        report = await self._followed(seen)
        if report == seen and self._cancel_because is None:
            self._time.observe(await self._market_time())
        return report

    async def _asked_again(self, seen: OrderReport) -> OrderReport:
        """A frozen entry may have filled: it is asked for as long as it takes, and cancelled only by a person's wish.

        Its expiry cancels nothing: under this id another order may rest.
        """
        if self._time.is_ticked and not self._has_a_word:
            await workflow.wait_condition(lambda: self._time.has_tick or self._has_a_word, timeout_summary="a person")
            self._time.begin()
        if self._word is not None:
            word, self._word = self._word, None
            return await self._venue.resolve(self._order.key, word)
        if self._cancel_because is not None:
            report = await self._cancelled()
            self._cancel_because = None  # one wish, one cancel: what is still frozen afterwards waits again
            return report
        if self._time.is_ticked:
            return await self._synced()
        return await self._followed(seen, until=self._time.now + ASK_SLICE)

    @property
    def _has_a_word(self) -> bool:
        return self._cancel_because is not None or self._word is not None

    async def _market_time(self) -> datetime:
        quote = await self._venue.quote("market time")
        return quote.market_time

    async def _followed(self, seen: OrderReport, *, until: datetime | None = None) -> OrderReport:
        wait = AwaitChange(
            key=self._order.key,
            seen_status=seen.status,
            seen_executed=seen.executed_quantity,
            until=until or self._expires_at,
        )
        return await self._venue.follow(wait, unless=lambda: self._has_a_word) or seen

    async def _synced(self) -> OrderReport:
        return await self._venue.sync(self._order.key)

    async def _cancelled(self) -> OrderReport:
        return await self._venue.cancel(self._order.key, self._cancel_because or "entry expired")

    async def _settle(self) -> None:
        """Release what the permit reserved: the ledger holds the fills now."""
        desk = workflow.get_external_workflow_handle(desk_workflow(self._order.realm, self._order.account))
        settlement = Settlement(
            permit_id=self._permit.id,
            account=self._order.account,
            client_order_id=self._order.client_order_id,
        )
        try:
            await desk.signal(Signal.SETTLE, settlement)
        except ApplicationError:
            workflow.logger.warning(
                "the desk of %s is gone; a new one starts without this promise", self._order.account
            )

    async def _answer_tick(self, *, closed: bool) -> None:
        if closed:
            await self._answer(closed=True)
        else:
            await self._answer(self._order.client_order_id, wakes_at=self._expires_at)

    async def _answer(self, *orders: str, wakes_at: datetime | None = None, closed: bool = False) -> None:
        watched = Watched(entity=workflow.info().workflow_id, orders=orders, wakes_at=wakes_at)
        await self._time.answer(watched, also=(self._guard,), closed=closed)
