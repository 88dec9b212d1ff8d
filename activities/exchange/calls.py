"""The exchange activities and how they are called. They translate: the protocols live in `placing` and `following`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.workflow import ActivityCancellationType

from activities.beating import HEARTBEAT, WAITING_HEARTBEAT
from activities.exchange.following import OrderFollowing
from activities.exchange.placing import OrderPlacement, Patience, patience_of
from activities.exchange.port import (
    AdvanceRequest,
    AwaitChange,
    AwaitMarket,
    ClockStop,
    Exchange,
    MarkedAccounts,
    MarketClock,
    MarketNews,
    MarkRequest,
    OpenAccounts,
    ResolveOrder,
)
from activities.exchange.protecting import place_exit
from activities.exchange.translation import venue_call
from activities.exchange.valuing import check_realm_of, mark
from activities.store.ports.accounts import AccountBook
from activities.store.ports.journal import OrderJournal
from trading.orders.models import PROTECTIVE, OrderKey, OrderReport, OrderRequest

T = TypeVar("T")

_NEVER_AGAIN = ["PayloadsTooLarge", "PydanticSerializationError"]
"""Made by the SDK after the work is done: trying again would do it again and fail again."""

_UNTIL_ANSWERED = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(seconds=2),
    non_retryable_error_types=_NEVER_AGAIN,
)
"""Without a last attempt: each asks before it acts, and a campaign has no wall-clock deadline (architecture §3)."""

ORDER_CALL: workflow.ActivityConfig = {
    # 90 s of trying, then 10 s for lagging fills, and the answers of a slow venue between them.
    "start_to_close_timeout": timedelta(seconds=150),
    "heartbeat_timeout": HEARTBEAT,
    "retry_policy": _UNTIL_ANSWERED,
    # Reported cancelled only when it has really ended: else an order could still leave afterwards.
    "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
}
CANCEL_CALL: workflow.ActivityConfig = {
    # A cancel that overtook its order asks until the order's horizon of 18 s has passed.
    "start_to_close_timeout": timedelta(seconds=60),
    "heartbeat_timeout": HEARTBEAT,
    "retry_policy": _UNTIL_ANSWERED,
    "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
}
SYNC_CALL: workflow.ActivityConfig = {
    # Two questions of at most 5 s each, and fills that may lag by 10.
    "start_to_close_timeout": timedelta(seconds=30),
    "heartbeat_timeout": HEARTBEAT,
    "retry_policy": _UNTIL_ANSWERED,
    "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
}
FOLLOW_CALL: workflow.ActivityConfig = {
    # The wait returns by itself after ten minutes; one more for the questions around it.
    "start_to_close_timeout": timedelta(minutes=11),
    "heartbeat_timeout": WAITING_HEARTBEAT,
    "retry_policy": _UNTIL_ANSWERED,
    # A wait changes nothing at the venue: its workflow need not see it end.
    "cancellation_type": ActivityCancellationType.TRY_CANCEL,
}
RECONCILE_CALL: workflow.ActivityConfig = {
    # A question for each order and its fills: a minute where there are thousands.
    "start_to_close_timeout": timedelta(minutes=5),
    "heartbeat_timeout": HEARTBEAT,
    "retry_policy": _UNTIL_ANSWERED,
    "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
}
CLOCK_CALL: workflow.LocalActivityConfig = {
    # Months of candles without an event are computed in one call; a repeat is answered with the same stop.
    "start_to_close_timeout": timedelta(minutes=5),
    "retry_policy": _UNTIL_ANSWERED,
    # While the exchange is away the workflow task is not held open through each pause.
    "local_retry_threshold": timedelta(seconds=1),
    "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
}


class ExchangeCalls:
    """Orders of one realm at one venue. Every activity may be repeated: it asks before it acts.

    Errors: `RealmRefused`, `UnknownOrder` and `IntentDiffers` are final; `VenueUnavailable` is retried, after the
    venue's own Retry-After where it gave one, and so is `VenueRefused`, more slowly: a question that is refused says
    nothing of the order it asks about. A refused or frozen order is a report, not an error.
    """

    def __init__(self, exchange: Exchange, journal: OrderJournal, *, patience: Patience | None = None) -> None:
        self._journal = journal
        self._placement = OrderPlacement(
            exchange, journal, pause=asyncio.sleep, patience=patience or patience_of(exchange.realm)
        )
        self._following = OrderFollowing(exchange, journal, pause=asyncio.sleep)

    @activity.defn
    async def place_order(self, request: OrderRequest) -> OrderReport:
        """Bring the order to the venue exactly once (architecture §5).

        The report's status is the venue's; `REFUSED` with `code` and `reason` where the venue, its filters or the
        account's gate row refuse it (a gate refusal reads `<code>: <sentence>`); `FROZEN` where it could not be
        resolved, and a person must look.
        """
        async with venue_call(about_an_order=True):
            if request.leg in PROTECTIVE:
                return await place_exit(self._placement, self._journal, request)
            return await self._placement.place(request)

    @activity.defn
    async def sync_order(self, key: OrderKey) -> OrderReport:
        """The order as the venue has it now, with its fills, taken into the ledger."""
        async with venue_call(about_an_order=True):
            return await self._following.sync(key)

    @activity.defn
    async def cancel_order(self, key: OrderKey) -> OrderReport:
        """Cancel the order; its final state with all fills, also where it was filled before the cancel came."""
        async with venue_call(about_an_order=True):
            return await self._following.cancel(key)

    @activity.defn
    async def withdraw_order(self, key: OrderKey) -> OrderReport | None:
        """Cancel an exit to make room for another one; `None`, and it stays, while its symbol does not trade."""
        async with venue_call(about_an_order=True):
            return await self._following.withdraw(key)

    @activity.defn
    async def resolve_order(self, wish: ResolveOrder) -> OrderReport:
        """End a frozen order by a person's word, held against the venue; it stays frozen where they disagree."""
        async with venue_call(about_an_order=True):
            return await self._following.resolve(wish)

    @activity.defn
    async def await_order_change(self, wait: AwaitChange) -> OrderReport:
        """Wait at the venue for a change of one order; returns at `until` or after ten minutes at the latest."""
        async with venue_call(about_an_order=True):
            return await _unless_shut_down(self._following.await_change(wait))

    @activity.defn
    async def await_market(self, wait: AwaitMarket) -> MarketNews:
        """Wait for a level, a change of an order, or time: how a guard lives where nobody ticks it."""
        async with venue_call(about_an_order=True):
            return await _unless_shut_down(self._following.await_market(wait))


class CampaignCalls:
    """What only a trial does to its exchange: move the clock, open accounts, mark them.

    Made as local calls by the campaign, several in one workflow task: each may be repeated after later ones were made.
    """

    def __init__(self, clock: MarketClock, exchange: Exchange, accounts: AccountBook) -> None:
        self._clock = clock
        self._exchange = exchange
        self._accounts = accounts

    @activity.defn
    async def advance_clock(self, request: AdvanceRequest) -> ClockStop:
        """Run the market to `to` or to its first event; the same request id is answered with the same stop."""
        async with venue_call():
            check_realm_of(self._exchange, request.realm)
            marked_at = None
            for number, valuation in enumerate(request.marks):
                step = f"{request.request_id}/{number}"
                stop = await self._clock.advance(valuation.as_of, request.levels, request_id=step)
                if stop.events or stop.now < valuation.as_of:
                    return stop.model_copy(update={"marked_at": marked_at})
                await mark(self._exchange, self._accounts, valuation)
                marked_at = valuation.as_of
            stop = await self._clock.advance(request.to, request.levels, request_id=request.request_id)
            return stop.model_copy(update={"marked_at": marked_at})

    @activity.defn
    async def open_accounts(self, request: OpenAccounts) -> None:
        """Open each account at the venue and in the ledger with the same capital; once, however often called."""
        async with venue_call():
            check_realm_of(self._exchange, request.realm, request.venue)
            opening = {request.quote_asset: request.capital}
            for account in request.accounts:
                await self._clock.open_account(account, opening)
                await self._accounts.open_account(
                    request.realm,
                    venue=request.venue,
                    ledger=request.ledger,
                    account=account,
                    opening=tuple(opening.items()),
                    as_of=request.as_of,
                )

    @activity.defn
    async def mark_accounts(self, request: MarkRequest) -> MarkedAccounts:
        """Mark each account at the best bids: one equity row for (account, as_of), unless that time is over."""
        async with venue_call():
            return await mark(self._exchange, self._accounts, request)


async def _unless_shut_down(wait: Coroutine[Any, Any, T]) -> T:
    """The wait's end; where its worker is told to stop first, a retryable `WorkerShutdown`: another goes on waiting."""
    waiting = asyncio.ensure_future(wait)
    stopping = asyncio.ensure_future(activity.wait_for_worker_shutdown())
    try:
        await asyncio.wait((waiting, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            raise ApplicationError("the worker stops; the wait goes on elsewhere", type="WorkerShutdown")
        return await waiting
    finally:
        for task in (waiting, stopping):
            task.cancel()
        await asyncio.gather(waiting, stopping, return_exceptions=True)
