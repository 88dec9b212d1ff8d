"""One order, once: the protocol between an intent and the venue (architecture §5).

The intent is written before the first byte leaves. Whatever happens after that, the venue is asked before anything is
sent again, and "no such order" counts only when it is said after the request can no longer be accepted. Every send has
its own timestamp, written down before it; the client id stays. What cannot be resolved is frozen, never guessed.

Two attempts may live at once (one was frozen and given up for dead). Only the one whose timestamp is the newest in the
journal sends: each re-send is written down, counted, and then checked against what the journal holds. An overtaken
attempt goes back to asking, and a request that was frozen on its way has expired.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from activities.exchange.port import Exchange, PreparedOrder, VenueAnswer, VenueRefused, VenueUnavailable
from activities.exchange.recording import ASK_EVERY_S, Pause, record_end, record_found
from activities.store.ports.journal import Intent, IntentRefused, OrderJournal
from trading.orders.models import (
    NO_ANSWER,
    PROTECTIVE,
    Leg,
    OrderReport,
    OrderRequest,
    OrderStatus,
    OrderType,
    OutcomeClass,
    VenueOrder,
)
from trading.orders.sending import GATE_AGAIN, gate_holds_s, lapse, stale

_SETTLED_WITHOUT_ORDER = frozenset({OutcomeClass.REFUSED, OutcomeClass.NOT_PROCESSED, OutcomeClass.NOT_SENT})

FILTER_FAILURE = -1013
"""The venue's refusal of a quantity, a price or a notional."""

RETRY_FIRST_S = 0.2
RETRY_MOST_S = 2.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one attempt tries, how often an entry is sent, and whether time may decide at all.

    `decides` False is a campaign's: there only answers decide, so an attempt out of time is simply tried again. How old
    an entry's observation may be, and how long it may wait on the gate's answer, is policy and comes with the order.
    """

    tries_for_s: float = 90.0
    decides: bool = True


def patience_of(realm: str) -> Patience:
    """Trials (`replay-…`, `demo-…`, `test-…`, `chaos-…`, `bench-…`) wait until answered; lasting realms do not."""
    return Patience(decides="-" not in realm)


class IntentDiffers(Exception):
    """The client id already belongs to a different order: a defect of the caller. Never retried."""


class _OutOfTime(Exception):
    """`wait_s` is how long the venue wants to be left alone; `None` where it answers, and refuses."""

    def __init__(self, why: str, *, doubt: bool, wait_s: float | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.doubt = doubt
        self.wait_s = wait_s


class OrderPlacement:
    """Brings one order to the venue exactly once, however often it is called and wherever an earlier call ended.

    Raises `VenueUnavailable` where the call has to be repeated, `RealmRefused` for another realm, `IntentDiffers`
    where the id already belongs to a different request.
    """

    def __init__(
        self,
        exchange: Exchange,
        journal: OrderJournal,
        *,
        pause: Pause,
        patience: Patience,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._exchange = exchange
        self._journal = journal
        self._pause = pause
        self._patience = patience
        self._clock_s = clock_s

    async def place(self, request: OrderRequest) -> OrderReport:
        """The order's report: accepted and followed to its fills, refused with the reason, or frozen."""
        intent = await self._journal.find_intent(request.key)
        if intent is not None:
            return await self._continue(request, intent)
        checked_s = self._clock_s()
        try:
            prepared = await self._exchange.prepare(request)
            if why := await self._expired(request):
                return await self._never_intended(request, why, status=OrderStatus.EXPIRED)
            intent = await self._journal.record_intent(request, prepared)
        except VenueRefused as refused:
            return await self._never_intended(request, str(refused), code=refused.code)
        except IntentRefused as refused:
            return await self._never_intended(request, f"{refused.code}: {refused}")
        if intent.sends > 0 or intent.prepared.fields != prepared.fields:
            return await self._continue(request, intent)
        return await self._settle(request, intent, checked_s=checked_s)

    async def _continue(self, request: OrderRequest, intent: Intent) -> OrderReport:
        """An intent is there, so an earlier attempt may have sent it, or may still be about to: ask."""
        mismatch = _other_request(request, intent.request)
        if mismatch:
            raise IntentDiffers(f"client id {request.client_order_id} belongs to another order: {mismatch}")
        if intent.report is not None and intent.report.is_terminal:
            return await record_end(self._exchange, self._journal, intent, pause=self._pause)
        if intent.status is OrderStatus.FROZEN and not intent.is_tried_on:
            found = await self._exchange.find(request.key)
            if found is None:
                return intent.report or await self._frozen(request, "frozen before, and unknown to the venue")
            return await self._record(request, found, intent.prepared)
        return await self._settle(request, intent)

    async def _settle(self, request: OrderRequest, intent: Intent, *, checked_s: float | None = None) -> OrderReport:
        """`checked_s` is when the send-time checks of a new intent passed; without it an earlier attempt is resumed."""
        send = _Send(
            prepared=intent.prepared,
            sends=intent.sends,
            began_s=self._clock_s() if checked_s is None else checked_s,
            deadline_s=self._clock_s() + self._patience.tries_for_s,
        )
        try:
            if checked_s is not None:
                return await self._send(request, send)
            return await self._ask(request, send)
        except _OutOfTime as late:
            return await self._give_up(request, late)

    async def _send(self, request: OrderRequest, send: _Send) -> OrderReport:
        """Send until an answer settles it; each turn of the loop is one request with a timestamp of its own."""
        pause_s = RETRY_FIRST_S
        while True:
            try:
                await self._journal.record_sent(request.key)
            except IntentRefused as closed:
                return await self._unsent(request, _Unsent(f"{closed.code}: {closed}"))
            send.sends += 1
            if await self._is_overtaken(request, send):
                return await self._ask(request, send)
            answer = await self._exchange.send(send.prepared, protective=request.leg in PROTECTIVE)
            if answer.outcome in _SETTLED_WITHOUT_ORDER and await self._another_has_sent(request, send):
                return await self._ask(request, send)
            if answer.code == FILTER_FAILURE and not send.is_cut_anew:
                send.is_cut_anew = True
                if await self._is_cut_otherwise(request, send):
                    continue
            await self._journal.record_answer(request.key, _as_recorded(answer, send))
            match answer.outcome:
                case OutcomeClass.ACCEPTED if answer.order is not None:
                    return await self._record(request, answer.order, send.prepared, told=answer.beside)
                case OutcomeClass.REFUSED if send.is_beside_another:
                    send.refusal = answer
                    return await self._ask(request, send)
                case OutcomeClass.REFUSED:
                    return await self._refused(request, answer.message, answer)
                case OutcomeClass.NOT_PROCESSED | OutcomeClass.NOT_SENT:
                    wait_s = float(answer.retry_after_s) if answer.retry_after_s is not None else pause_s
                    pause_s = min(pause_s * 2, RETRY_MOST_S)
                    if why := self._waited(request, send, more_s=wait_s):
                        return await self._unsent(request, _Unsent(why, OrderStatus.EXPIRED))
                    await self._wait(send, wait_s, f"{answer.outcome}: {answer.message}", doubt=send.is_beside_another)
                case _:
                    return await self._ask(request, send)
            refused = await self._prepare_again(request, send)
            if refused is not None:
                return await self._unsent(request, refused)

    async def _ask(self, request: OrderRequest, send: _Send) -> OrderReport:
        """Ask until the order is found, or is absent for good; then send it again where that is still wanted."""
        while True:
            found = await self._found(request, send)
            if found is not None:
                return await self._record(request, found, send.prepared)
            if send.refusal is not None:
                return await self._refused(request, send.refusal.message, send.refusal)
            refused = await self._prepare_again(request, send)
            if refused is not None:
                if send.is_beside_another:
                    send.refusal = VenueAnswer(outcome=OutcomeClass.REFUSED, message=refused.why)
                    continue
                return await self._unsent(request, refused)
            return await self._send(request, send)

    async def _found(self, request: OrderRequest, send: _Send) -> VenueOrder | None:
        """The order, or `None` where it is certain (or, for a resting stop, enough) that it is not there."""
        while True:
            wait_s = ASK_EVERY_S
            try:
                asked_at = await self._exchange.venue_time()
                found = await self._exchange.find(request.key)
                if found is not None:
                    return found
                left_s = (send.prepared.horizon_at - asked_at).total_seconds()
                if left_s <= 0:
                    send.is_beside_another = False
                    return None
                if _may_be_sent_beside(request) and send.refusal is None and not send.is_beside_another:
                    send.is_beside_another = True
                    return None
                why, wait_s = "the venue does not know the order yet", min(ASK_EVERY_S, left_s)
            except VenueUnavailable as silent:
                why = str(silent)
                if silent.retry_after_s is not None:
                    wait_s = float(silent.retry_after_s)
            except VenueRefused as refused:
                raise _OutOfTime(f"the venue refuses the question: {refused}", doubt=True) from refused
            await self._wait(send, wait_s, why, doubt=True)

    async def _prepare_again(self, request: OrderRequest, send: _Send) -> _Unsent | None:
        """A new timestamp for the same id, written down; the reason where it may not be sent any more."""
        while True:
            try:
                prepared = await self._exchange.prepare(request)
                if why := self._waited(request, send) or await self._expired(request):
                    return _Unsent(why, OrderStatus.EXPIRED)
                send.prepared = prepared
                intent = await self._journal.record_resend(request.key, send.prepared)
            except VenueUnavailable as silent:
                wait_s = float(silent.retry_after_s) if silent.retry_after_s is not None else ASK_EVERY_S
                await self._wait(send, wait_s, str(silent), doubt=send.is_beside_another)
            except VenueRefused as refused:
                return _Unsent(str(refused))
            except IntentRefused as refused:
                return _Unsent(f"{refused.code}: {refused}")
            else:
                send.is_again, send.is_overtaken = True, intent.sends != send.sends
                send.sends = intent.sends
                return None

    async def _is_cut_otherwise(self, request: OrderRequest, send: _Send) -> bool:
        """Whether the venue's filters have changed since it was prepared: then the order is sent as they want it."""
        before = send.prepared
        try:
            now = await self._exchange.prepare(request)
        except (VenueRefused, VenueUnavailable):
            return False
        if (now.quantity, now.price, now.stop_price, now.beside) == (
            before.quantity,
            before.price,
            before.stop_price,
            before.beside,
        ):
            return False
        return await self._prepare_again(request, send) is None

    async def _expired(self, request: OrderRequest) -> str | None:
        """Why an entry must not leave now: its observation, permit or price. Exits and stops always may.

        Looked at after the request has its timestamp: a worker that is frozen between this and the send wakes with a
        request that the venue takes no more.
        """
        if not request.raises_exposure:
            return None
        book = await self._exchange.book_top(request.symbol)
        old = stale(request, now=book.as_of) if self._patience.decides else None
        return old or lapse(request, now=book.as_of, ask=book.ask)

    def _waited(self, request: OrderRequest, send: _Send, *, more_s: float = 0.0) -> str | None:
        """Why the gate has to run again before this entry is sent; a campaign's market stood still meanwhile."""
        waited_s = self._clock_s() - send.began_s + more_s
        allowed_s = gate_holds_s(request)
        if not request.raises_exposure or not self._patience.decides or waited_s <= allowed_s:
            return None
        return f"{GATE_AGAIN}: waited {waited_s:.0f} s since the gate, {allowed_s} s are allowed"

    async def _is_overtaken(self, request: OrderRequest, send: _Send) -> bool:
        """True where another attempt has counted a send or written a newer timestamp since ours was written."""
        return send.is_again and await self._another_has_sent(request, send)

    async def _another_has_sent(self, request: OrderRequest, send: _Send) -> bool:
        """Whether our request is not the newest any more: then what it was answered says nothing of the order."""
        kept = await self._journal.find_intent(request.key)
        if kept is None or (kept.prepared.fields == send.prepared.fields and not send.is_overtaken):
            return False
        send.prepared, send.sends, send.is_overtaken = kept.prepared, kept.sends, False
        return True

    async def _wait(self, send: _Send, wait_s: float, why: str, *, doubt: bool) -> None:
        if self._clock_s() + wait_s > send.deadline_s:
            raise _OutOfTime(why, doubt=doubt, wait_s=wait_s)
        await self._pause(wait_s)

    async def _give_up(self, request: OrderRequest, late: _OutOfTime) -> OrderReport:
        """Freeze what is in doubt. While the venue is silent a stop is tried on, and nothing is bought beside it."""
        again = VenueUnavailable(f"order {request.client_order_id}: {late.why}", retry_after_s=_pause(late.wait_s))
        if not self._patience.decides or (not late.doubt and not request.raises_exposure):
            raise again
        if not late.doubt:
            return await self._refused(request, f"ended unsent: {late.why}")
        if late.wait_s is None or not _may_be_sent_beside(request):
            return await self._frozen(request, late.why)
        await self._frozen(request, f"{NO_ANSWER}: {late.why}")
        raise again

    async def _never_intended(
        self, request: OrderRequest, why: str, *, code: int | None = None, status: OrderStatus = OrderStatus.REFUSED
    ) -> OrderReport:
        """Refused or expired before there was an intent: nothing was sent, and its promise is given back."""
        if request.permit_id is not None:
            await self._journal.give_back(request.realm, request.account, request.permit_id)
        return OrderReport(
            client_order_id=request.client_order_id,
            status=status,
            outcome=OutcomeClass.REFUSED,
            side=request.side,
            leg=request.leg,
            code=code,
            reason=why,
            observed_at=request.as_of,
        )

    # -- what is written down ----------------------------------------------------------------------------------------

    async def _record(
        self, request: OrderRequest, found: VenueOrder, prepared: PreparedOrder, *, told: tuple[VenueOrder, ...] = ()
    ) -> OrderReport:
        return await record_found(self._exchange, self._journal, request, found, prepared, pause=self._pause, told=told)

    async def _refused(self, request: OrderRequest, why: str, answer: VenueAnswer | None = None) -> OrderReport:
        report = await self._journal.record_status(request.key, OrderStatus.REFUSED, reason=why)
        if answer is None:
            return report
        return report.model_copy(update={"code": answer.code, "outcome": answer.outcome})

    async def _unsent(self, request: OrderRequest, unsent: _Unsent) -> OrderReport:
        return await self._journal.record_status(request.key, unsent.status, reason=unsent.why)

    async def _frozen(self, request: OrderRequest, why: str) -> OrderReport:
        return await self._journal.record_status(request.key, OrderStatus.FROZEN, reason=why)


@dataclass(frozen=True, slots=True)
class _Unsent:
    """Why an order is not sent any more, and what it is then."""

    why: str
    status: OrderStatus = OrderStatus.REFUSED


@dataclass(slots=True)
class _Send:
    """Where the loop stands: the newest request, how often it was sent, and what is still in doubt.

    `is_beside_another`: an earlier request of the same id may still arrive (a stop, sent again at once); then a
    refusal may be the echo of the one that arrived, and is kept in `refusal` until asking has settled it.
    """

    prepared: PreparedOrder
    sends: int
    began_s: float
    deadline_s: float
    is_again: bool = False
    is_cut_anew: bool = False
    is_overtaken: bool = False
    is_beside_another: bool = False
    refusal: VenueAnswer | None = None


def _as_recorded(answer: VenueAnswer, send: _Send) -> VenueAnswer:
    """A refusal beside a request that may still arrive settles nothing: it is written down as doubt."""
    if answer.outcome is OutcomeClass.REFUSED and send.is_beside_another:
        return answer.model_copy(update={"outcome": OutcomeClass.UNKNOWN})
    return answer


def _pause(wait_s: float | None) -> Decimal | None:
    return None if wait_s is None else Decimal(str(round(wait_s, 3)))


def _may_be_sent_beside(request: OrderRequest) -> bool:
    """A protective order that rests: while it rests the venue refuses its double, so it need not wait (venue.md)."""
    return request.leg is Leg.STOP and request.type in (OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT)


def _other_request(request: OrderRequest, kept: OrderRequest) -> str:
    names = ("symbol", "side", "type", "quantity", "price", "stop_price", "account", "leg", "led_by", "beside")
    return "; ".join(
        f"{name} {getattr(request, name)} is not {getattr(kept, name)}"
        for name in names
        if getattr(request, name) != getattr(kept, name)
    )
