"""One entry order, from its intent to its last fill; its guard runs before the first byte is sent."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.exchange.port import AwaitChange
    from activities.store.calls import STORE_CALL, PositionRequest, StoreCalls
    from trading.decision.story import order_story
    from trading.orders.entries import unguarded
    from trading.orders.guarding import GuardState
    from trading.orders.models import OrderReport, OrderStatus
    from workflows.clock import MarketTime
    from workflows.names import OUTCOME, SYMBOL, TASK_TIMEOUT, Signal, desk_workflow, guard_workflow
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
ASK_SLICE = timedelta(minutes=10)


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class OrderExecution:
    """Guard first, then send, resolve, follow the fills, settle the reservation (architecture §4.9, §5)."""

    @workflow.init
    def __init__(self, request: ExecutionRequest) -> None:
        self._request = request
        self._order = request.order
        order = request.order
        self._venue = VenueOrders(realm=order.realm, venue=order.venue, account=order.account, symbol=order.symbol)
        self._time = MarketTime(coordinator=request.coordinator, as_of=request.order.as_of)
        self._report: OrderReport | None = None
        self._cancel_because: str | None = None
        self._opening = Decimal(0)

    @workflow.run
    async def run(self, request: ExecutionRequest) -> OrderReport:
        """Return the entry's last report. Whatever happens, the reservation is released exactly once, at the end."""
        self._opening = await self._held_before()
        if await self._arm_guard():
            report = await self._venue.place(self._order, f"{self._order.side.value} {self._order.symbol}")
        else:
            report = unguarded(self._order)
        await self._learn(report)
        await self._tell_owner(report)
        while not report.is_terminal:
            report = await self._next_report(report)
            await self._learn(report)
            await self._answer_tick(closed=report.is_terminal)
        await self._settle(report)
        await self._answer_tick(closed=True)
        workflow.upsert_search_attributes(
            [OUTCOME.value_set(report.status.value), SYMBOL.value_set(self._order.symbol)]
        )
        return report

    @workflow.signal(name=Signal.TICK, description="Market time moved")
    def tick(self, tick: Tick) -> None:
        self._time.record(tick)

    @workflow.signal(description="Ask for the order to be cancelled, with a reason")
    def cancel(self, reason: str) -> None:
        self._cancel_because = reason or "cancelled"

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
        )
        for _ in range(GUARD_ATTEMPTS):
            await self._ensure_guard()
            try:
                await workflow.get_external_workflow_handle(self._guard).signal(Signal.EXPECT, expect)
                return True
            except ApplicationError:
                workflow.logger.info("the guard %s ended before it could be told; starting it anew", self._guard)
        return False

    async def _held_before(self) -> Decimal:
        """What the ledger holds before the entry is sent: a guard that starts late would read the entry's own fills."""
        order = self._order
        view = await workflow.execute_local_activity_method(
            StoreCalls.position_view,
            PositionRequest(realm=order.realm, account=order.account, symbol=order.symbol),
            **STORE_CALL,
        )
        return view.quantity

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
                task_timeout=TASK_TIMEOUT,
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
        self._time.observe(report.observed_at)
        workflow.set_current_details(order_story(report))
        news = EntryNews(client_order_id=self._order.client_order_id, report=report)
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
        if self._cancel_because is not None or self._time.now >= self._request.expires_at:
            return await self._cancelled()
        if self._time.is_ticked:
            await workflow.wait_condition(
                lambda: self._time.has_tick or self._cancel_because is not None, timeout_summary="market time"
            )
            self._time.begin()
            if self._cancel_because is not None or self._time.now >= self._request.expires_at:
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
        if self._time.is_ticked and self._cancel_because is None:
            await workflow.wait_condition(
                lambda: self._time.has_tick or self._cancel_because is not None, timeout_summary="a person"
            )
            self._time.begin()
        if self._cancel_because is not None:
            report = await self._cancelled()
            self._cancel_because = None  # one wish, one cancel: what is still frozen afterwards waits again
            return report
        if self._time.is_ticked:
            return await self._synced()
        return await self._followed(seen, until=self._time.now + ASK_SLICE)

    async def _market_time(self) -> datetime:
        quote = await self._venue.quote("market time")
        return quote.market_time

    async def _followed(self, seen: OrderReport, *, until: datetime | None = None) -> OrderReport:
        wait = AwaitChange(
            key=self._order.key,
            seen_status=seen.status,
            seen_executed=seen.executed_quantity,
            until=until or self._request.expires_at,
        )
        return await self._venue.follow(wait, unless=lambda: self._cancel_because is not None) or seen

    async def _synced(self) -> OrderReport:
        return await self._venue.sync(self._order.key)

    async def _cancelled(self) -> OrderReport:
        return await self._venue.cancel(self._order.key, self._cancel_because or "entry expired")

    async def _settle(self, report: OrderReport) -> None:
        """Release what the permit reserved: the ledger holds the fills now."""
        desk = workflow.get_external_workflow_handle(desk_workflow(self._order.realm, self._order.account))
        settlement = Settlement(
            permit_id=self._request.permit.id,
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
        waiting = () if closed else (self._order.client_order_id,)
        wakes_at = None if closed else self._request.expires_at
        watched = Watched(entity=workflow.info().workflow_id, orders=waiting, wakes_at=wakes_at)
        await self._time.answer(watched, also=(self._guard,), closed=closed)
