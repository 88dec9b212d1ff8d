"""The venue as an entity of one account and symbol speaks to it: place, ask, cancel, watch. No decisions here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.exchange.calls import CANCEL_CALL, FOLLOW_CALL, ORDER_CALL, SYNC_CALL, ExchangeCalls
    from activities.exchange.port import AwaitChange, AwaitMarket, MarketNews, ResolveOrder
    from activities.exchange.quoting import QUOTE_CALL, QuoteCalls, QuoteRequest
    from trading.orders.models import OrderKey, OrderReport, OrderRequest
    from trading.orders.symbols import Quote
    from trading.orders.wishes import Resolution
    from workflows.names import exchange_queue
    from workflows.options import at

T = TypeVar("T")


class VenueOrders:
    """Orders of one account in one symbol, on the venue's own queue."""

    def __init__(self, *, realm: str, venue: str, account: str, symbol: str) -> None:
        self._where = QuoteRequest(realm=realm, venue=venue, account=account, symbol=symbol)
        self._queue = exchange_queue(realm, venue)

    async def place(self, order: OrderRequest, summary: str) -> OrderReport:
        """Intent, send, resolve: the report says what became of it, unknown included."""
        return await workflow.execute_activity_method(
            ExchangeCalls.place_order, order, **at(self._queue, summary, ORDER_CALL)
        )

    async def sync(self, key: OrderKey) -> OrderReport:
        """The order as the venue tells it now, its fills taken into the ledger."""
        return await workflow.execute_activity_method(
            ExchangeCalls.sync_order, key, **at(self._queue, "fills", SYNC_CALL)
        )

    async def cancel(self, key: OrderKey, summary: str) -> OrderReport:
        """Cancelled, or final by itself before that."""
        return await workflow.execute_activity_method(
            ExchangeCalls.cancel_order, key, **at(self._queue, summary, CANCEL_CALL)
        )

    async def withdraw(self, key: OrderKey, summary: str) -> OrderReport | None:
        """`cancel` where something else can take the order's place; `None`, and it stays, in a closed market."""
        return await workflow.execute_activity_method(
            ExchangeCalls.withdraw_order, key, **at(self._queue, summary, CANCEL_CALL)
        )

    async def resolve(self, key: OrderKey, word: Resolution) -> OrderReport:
        """What became of a frozen order after a person's word; frozen still where the venue contradicts it."""
        return await workflow.execute_activity_method(
            ExchangeCalls.resolve_order,
            ResolveOrder(key=key, word=word),
            **at(self._queue, f"{word.verdict.value}, says {word.who}", SYNC_CALL),
        )

    async def quote(self, summary: str) -> Quote:
        return await workflow.execute_activity_method(
            QuoteCalls.quote, self._where, **at(self._queue, summary, QUOTE_CALL)
        )

    async def watch(self, wait: AwaitMarket, summary: str, *, unless: Callable[[], bool]) -> MarketNews | None:
        """What the market brings, until `unless` comes true first: then `None`, where it brought nothing."""
        watching = workflow.start_activity_method(
            ExchangeCalls.await_market, wait, **at(self._queue, summary, FOLLOW_CALL)
        )
        return await first_of(unless, watching)

    async def follow(self, wait: AwaitChange, *, unless: Callable[[], bool]) -> OrderReport | None:
        """The order's next report, until `unless` comes true first: then `None`."""
        following = workflow.start_activity_method(
            ExchangeCalls.await_order_change, wait, **at(self._queue, "follow fills", FOLLOW_CALL)
        )
        return await first_of(unless, following)


async def first_of(condition: Callable[[], bool], call: workflow.ActivityHandle[T]) -> T | None:
    """The call's result; `None` where the condition came true first and the call was let go."""
    first = asyncio.create_task(workflow.wait_condition(condition))
    await workflow.wait([call, first], return_when=asyncio.FIRST_COMPLETED)
    if not call.done():
        call.cancel()
    first.cancel()
    try:
        return await call
    except ActivityError as ended:
        if is_cancelled_exception(ended):
            return None
        raise
