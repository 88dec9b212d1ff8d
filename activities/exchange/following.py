"""Orders after they were placed: ask, cancel, and wait for news of an order or of the market."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime

from activities.exchange.port import (
    AwaitChange,
    AwaitMarket,
    Exchange,
    Level,
    MarketNews,
    ResolveOrder,
    VenueAnswer,
    VenueRefused,
    VenueUnavailable,
    WatchedOrder,
)
from activities.exchange.recording import ASK_EVERY_S, Pause, record_end, record_found, take_over
from activities.store.ports.journal import Intent, OrderJournal
from trading.orders.models import TERMINAL, OrderKey, OrderReport, OrderStatus, OutcomeClass, VenueOrder
from trading.orders.symbols import BookTop
from trading.orders.wishes import Verdict

POLL_EVERY_S = 1.0
"""An order query weighs 4 of 6,000 a minute: one a second leaves room for twenty orders followed at once."""

RETURNS_AFTER_S = 600.0
"""A wait returns after ten minutes without news, so that its workflow sees that it lives."""


class UnknownOrder(Exception):
    """Neither the journal nor the venue knows the order: a wrong id. Handled by a person, never retried."""


class OrderFollowing:
    """Questions about placed orders and the market. Raises `VenueUnavailable` where the call has to be repeated."""

    def __init__(
        self,
        exchange: Exchange,
        journal: OrderJournal,
        *,
        pause: Pause,
        returns_after_s: float = RETURNS_AFTER_S,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._exchange = exchange
        self._journal = journal
        self._pause = pause
        self._returns_after_s = returns_after_s
        self._clock_s = clock_s

    async def sync(self, key: OrderKey) -> OrderReport:
        """The venue's order and its fills, taken into the ledger; the journal's report where the venue has none."""
        found = await self._exchange.find(key)
        if found is not None:
            return await self._recorded(key, found)
        return _kept(await self._intent(key))

    async def cancel(self, key: OrderKey) -> OrderReport:
        """Cancel, and return the order's end with its fills.

        `-2011` is asked about: the order may be done, or the cancel may have overtaken its own order, in which case it
        is sent again until the order's horizon has passed. An order absent after that never came to be: `REFUSED`.
        One of a list is cancelled as a list, with every open order of it.
        """
        while True:
            intent = await self._intent(key)
            if intent.report is not None and intent.report.is_terminal:
                return await record_end(self._exchange, self._journal, intent, pause=self._pause)
            answer = await self._cancelled_at_the_venue(intent)
            if answer.outcome is OutcomeClass.REFUSED:
                raise VenueRefused(f"cancel of {key.client_order_id}: {answer.message}", code=answer.code)
            if answer.outcome in (OutcomeClass.NOT_PROCESSED, OutcomeClass.NOT_SENT):
                raise VenueUnavailable(
                    f"cancel of {key.client_order_id}: {answer.message}", retry_after_s=answer.retry_after_s
                )
            asked_at = await self._exchange.venue_time()
            found = await self._exchange.find(key)
            if found is not None and found.status in TERMINAL:
                return await self._recorded(key, found)
            if found is None and asked_at >= intent.prepared.horizon_at:
                if intent.status is OrderStatus.FROZEN:
                    return _kept(intent)
                return await self._journal.record_status(
                    key, OrderStatus.REFUSED, reason="absent at the venue when it was cancelled"
                )
            await self._pause(ASK_EVERY_S)

    async def withdraw(self, key: OrderKey) -> OrderReport | None:
        """Cancel an exit that another one is to replace; `None`, and nothing done, while its symbol does not trade.

        In a closed market nothing could take its place, and what is held would open unprotected.
        """
        rules = await self._exchange.rules(key.symbol, fresh=True)
        return await self.cancel(key) if rules.is_trading else None

    async def resolve(self, wish: ResolveOrder) -> OrderReport:
        """End a frozen order by a person's word, where the venue does not contradict it; else it stays frozen.

        `filled`: what the venue has under the id is ours, whatever we meant it to be; its fills enter the ledger, and
        the exits of its list with them. `absent`: the venue has none under the id or those of its list, and nothing
        sent can still arrive.
        """
        key, word = wish.key, wish.word
        intent = await self._intent(key)
        if intent.report is not None and intent.report.is_terminal:
            return await record_end(self._exchange, self._journal, intent, pause=self._pause)
        if intent.status is not OrderStatus.FROZEN:
            return _kept(intent)
        asked_at = await self._exchange.venue_time()
        found = await self._exchange.find(key)
        if found is not None and word.verdict is Verdict.FILLED:
            return await take_over(self._exchange, self._journal, intent.request, found, pause=self._pause)
        exits = [await self._exchange.find(leg.key) for leg in intent.request.beside]
        is_absent = found is None and not any(exits) and asked_at >= intent.prepared.horizon_at
        if is_absent and word.verdict is Verdict.ABSENT:
            why = f"absent, says {word.who}: {word.reason}"
            return await self._journal.record_status(key, OrderStatus.REFUSED, reason=why)
        return _kept(intent)

    async def _cancelled_at_the_venue(self, intent: Intent) -> VenueAnswer:
        request = intent.request
        if request.list_client_order_id is None:
            return await self._exchange.cancel(request.key)
        return await self._exchange.cancel(request.key, list_client_order_id=request.list_client_order_id)

    async def await_change(self, wait: AwaitChange) -> OrderReport:
        """The order as soon as it differs from what was seen, or as it is at `until` or after ten minutes."""
        ends_at_s = self._clock_s() + self._returns_after_s
        while True:
            found = await self._patiently(wait.key, ends_at_s)
            is_over = self._clock_s() >= ends_at_s or await self._exchange.market_time() >= wait.until
            if found is not None and (is_over or _has_changed(found, wait.seen_status, wait.seen_executed)):
                report = await self._recorded(wait.key, found)
                if is_over or (report.status, report.executed_quantity) != (wait.seen_status, wait.seen_executed):
                    return report
            elif is_over:
                return _kept(await self._intent(wait.key))
            await self._exchange.news(wait.key.account, POLL_EVERY_S)

    async def await_market(self, wait: AwaitMarket) -> MarketNews:
        """News as soon as a level is crossed by the best bid or an order changes; else at `until` or ten minutes."""
        ends_at_s = self._clock_s() + self._returns_after_s
        while True:
            book = await self._book(wait.symbol, ends_at_s)
            changed = await self._changed(wait.keys)
            crossed = _crossed(wait.levels, book)
            now: datetime = book.as_of
            if crossed or changed or now >= wait.until or self._clock_s() >= ends_at_s:
                return MarketNews(now=now, price=book.bid, crossed=crossed, changed=changed)
            if wait.keys:
                await self._exchange.news(wait.keys[0].key.account, POLL_EVERY_S)
            else:
                await self._pause(POLL_EVERY_S)

    async def _changed(self, watched: Sequence[WatchedOrder]) -> tuple[OrderKey, ...]:
        changed = []
        for order in watched:
            try:
                found = await self._exchange.find(order.key)
            except VenueUnavailable:
                continue  # the next round asks again: silence is no news
            if found is not None and _has_changed(found, order.seen_status, order.seen_executed):
                changed.append(order.key)
        return tuple(changed)

    async def _patiently(self, key: OrderKey, ends_at_s: float) -> VenueOrder | None:
        while True:
            try:
                return await self._exchange.find(key)
            except VenueUnavailable as silent:
                await self._outlast(silent, ends_at_s)

    async def _book(self, symbol: str, ends_at_s: float) -> BookTop:
        while True:
            try:
                return await self._exchange.book_top(symbol)
            except VenueUnavailable as silent:
                await self._outlast(silent, ends_at_s)

    async def _outlast(self, silent: VenueUnavailable, ends_at_s: float) -> None:
        wait_s = float(silent.retry_after_s) if silent.retry_after_s is not None else POLL_EVERY_S
        if self._clock_s() + wait_s > ends_at_s:
            raise silent
        await self._pause(wait_s)

    async def _recorded(self, key: OrderKey, found: VenueOrder) -> OrderReport:
        intent = await self._intent(key)
        return await record_found(
            self._exchange, self._journal, intent.request, found, intent.prepared, pause=self._pause
        )

    async def _intent(self, key: OrderKey) -> Intent:
        intent = await self._journal.find_intent(key)
        if intent is None:
            raise UnknownOrder(f"no order {key.client_order_id} of {key.account} in realm {key.realm}")
        return intent


def _has_changed(found: VenueOrder, seen_status: OrderStatus, seen_executed: object) -> bool:
    return found.status is not seen_status or found.executed_quantity != seen_executed


def _crossed(levels: Sequence[Level], book: BookTop) -> tuple[str, ...]:
    """Levels that the best bid has reached: what a holder could sell at, so a thin ask alone triggers nothing."""
    return tuple(
        level.id
        for level in levels
        if (book.bid >= level.price if level.direction == "above" else book.bid <= level.price)
    )


def _kept(intent: Intent) -> OrderReport:
    """What the journal knows of an order that the venue does not show: its report, or that it is still in doubt."""
    if intent.report is not None:
        return intent.report
    request = intent.request
    return OrderReport(
        client_order_id=request.client_order_id,
        status=intent.status,
        outcome=OutcomeClass.UNKNOWN,
        side=request.side,
        leg=request.leg,
        reason="the venue does not know the order yet",
        observed_at=request.as_of,
    )
