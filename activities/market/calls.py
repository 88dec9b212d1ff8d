"""The market activity and how it is called."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

from activities.beating import HEARTBEAT, beating
from activities.market.port import (
    ClosesRef,
    ClosesRequest,
    MarketData,
    MarketRefused,
    MarketUnavailable,
    Observation,
    ObserveAllRequest,
    Observed,
    ObserveRequest,
)
from activities.models.texts import StoredTexts
from activities.store.ports.blobs import Blobs
from activities.store.ports.reviews import PriceWish
from trading.candle_quality import CandleDataError
from trading.candles import step_of
from trading.facts.models import REMEMBERED, MarketSnapshot
from trading.ids import canonical_json
from trading.money import ZERO
from trading.planning.models import Unwatched
from trading.review.baseline import PriceRun

MOST_CLOSES = 1000
"""What a source answers at once, and more than a month of hours."""

Observer = Callable[[MarketData, ObserveRequest], Awaitable[MarketSnapshot]]

_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(seconds=2),
    non_retryable_error_types=["PayloadsTooLarge", "PydanticSerializationError"],
)

OBSERVE_CALL: workflow.ActivityConfig = {
    # Four series, a book and a clock at up to 5 s each when the venue is slow; usually some milliseconds.
    "start_to_close_timeout": timedelta(seconds=40),
    "heartbeat_timeout": HEARTBEAT,
    # An observation that is two minutes old raises no exposure any more (architecture §3): then abstain.
    "schedule_to_close_timeout": timedelta(minutes=2),
    "retry_policy": _RETRY,
}
REPLAYED_OBSERVE_CALL: workflow.ActivityConfig = {
    # In a campaign no wall-clock deadline decides anything: the market is asked until it answers.
    "start_to_close_timeout": timedelta(seconds=40),
    "heartbeat_timeout": HEARTBEAT,
    "retry_policy": _RETRY,
}
SURVEYED_AT_ONCE = 8
"""So many symbols are asked for side by side: a plan of sixty must not be the burst that a venue forbids."""

OBSERVE_ALL_PATIENCE_S = 120
OBSERVE_ALL_CALL: workflow.ActivityConfig = {
    # Sixty symbols, eight at a time, with five questions each; usually some milliseconds a symbol.
    "start_to_close_timeout": timedelta(minutes=4),
    "heartbeat_timeout": HEARTBEAT,
    # Twice the patience: a plan without a market is still a plan, and it is wanted in the morning.
    "schedule_to_close_timeout": timedelta(minutes=4),
    "retry_policy": _RETRY,
}
REPLAYED_OBSERVE_ALL_CALL: workflow.ActivityConfig = {
    # As with one symbol: in a campaign no wall-clock deadline decides anything.
    "start_to_close_timeout": timedelta(minutes=4),
    "heartbeat_timeout": HEARTBEAT,
    "retry_policy": _RETRY,
}


class MarketCalls:
    """Observes the market of one venue. Only reads it; stores each snapshot under its content hash.

    The facts' builder is loaded when the object is made, not when this module is: workflows import this module, and
    numpy and TA-Lib belong in the one process that computes.
    """

    def __init__(
        self,
        source: MarketData,
        blobs: Blobs,
        *,
        observer: Observer | None = None,
        remembered: MarketData | None = None,
    ) -> None:
        self._source = source
        self._remembered = remembered
        self._blobs = blobs
        self._texts = StoredTexts(blobs)
        self._observer: Observer = observer or importlib.import_module("activities.market.observing").snapshot_of

    @activity.defn
    async def observe_market(self, request: ObserveRequest) -> Observation:
        """Build and store the snapshot of one symbol at `as_of`; the same market gives the same hash, however often.

        Too little or too old data is no error: `insufficient` says so and the decision abstains. So it is where no
        source answers for half of the call's time, and something is remembered: that is `remembered`. Errors:
        `MarketUnavailable` is retried, after the source's own Retry-After where it gave one; `MarketRefused` (unknown
        symbol, another venue) and `CandleDataError` (impossible candles, or none closed yet) are final.
        """
        with market_errors():
            self._check_venue(request)
            async with beating():
                snapshot = await self._snapshot(request)
        return _observation(snapshot, await self._keep(snapshot))

    @activity.defn
    async def observe_markets(self, request: ObserveAllRequest) -> Observed:
        """Build and store the snapshots of many symbols at one time, as `observe_market` does for one.

        A symbol that the venue refuses, or whose candles are impossible, is said to be unobserved. While one does not
        answer the call fails with `MarketUnavailable` and is retried, until its patience is over; then what is
        remembered of it is taken, and said to be (`remembered`).
        """
        with market_errors():
            self._check_venue(request)
            gate = asyncio.Semaphore(SURVEYED_AT_ONCE)
            async with beating():
                seen = await asyncio.gather(*(self._seen(request, symbol, gate) for symbol in request.symbols))
            silent = [one for one in seen if isinstance(one, MarketUnavailable)]
            if silent and not _is_out_of_patience(request):
                raise silent[0]
            seen = [
                await self._from_memory(request, symbol) if isinstance(one, MarketUnavailable) else one
                for symbol, one in zip(request.symbols, seen, strict=True)
            ]
        pairs = list(zip(request.symbols, seen, strict=True))
        return Observed(
            snapshots=tuple([await self._keep(one) for one in seen if isinstance(one, MarketSnapshot)]),
            unobserved=tuple(
                Unwatched(symbol=symbol, reason="market_unavailable")
                for symbol, one in pairs
                if not isinstance(one, MarketSnapshot)
            ),
        )

    async def _seen(
        self, request: ObserveAllRequest, symbol: str, gate: asyncio.Semaphore
    ) -> MarketSnapshot | MarketUnavailable | None:
        wish = ObserveRequest(realm=request.realm, venue=request.venue, symbol=symbol, as_of=request.as_of)
        async with gate:
            try:
                return await self._observer(self._source, wish)
            except MarketUnavailable as silent:
                return silent
            except (MarketRefused, CandleDataError) as refused:
                activity.logger.warning("%s cannot be observed: %s", symbol, refused)
                return None

    async def _snapshot(self, request: ObserveRequest) -> MarketSnapshot:
        try:
            return await self._observer(self._source, request)
        except MarketUnavailable:
            remembered = await self._from_memory(request, request.symbol) if _is_half_over() else None
            if remembered is None:
                raise
            return remembered

    async def _from_memory(self, request: ObserveRequest | ObserveAllRequest, symbol: str) -> MarketSnapshot | None:
        """What was kept of a symbol while sources answered, marked so that no decision is made on it (C64)."""
        if self._remembered is None:
            return None
        wish = ObserveRequest(realm=request.realm, venue=request.venue, symbol=symbol, as_of=request.as_of)
        try:
            snapshot = await self._observer(self._remembered, wish)
        except (MarketUnavailable, CandleDataError) as nothing:
            activity.logger.warning("nothing is remembered of %s: %s", symbol, nothing)
            return None
        if snapshot.insufficient == "insufficient_history":
            return snapshot
        return snapshot.model_copy(update={"insufficient": REMEMBERED})

    async def _keep(self, snapshot: MarketSnapshot) -> str:
        name = await self._blobs.put(canonical_json(snapshot), media_type="application/json")
        self._texts.learn_snapshot(name, snapshot)
        return name

    @activity.defn
    async def load_closes(self, request: ClosesRequest) -> ClosesRef:
        """Load and store the closes that a random baseline is drawn from, with the spread where the book is known.

        At most the newest thousand of a symbol. Errors as of `observe_market`; a symbol that the venue refuses is left
        out, for chance needs no complete list.
        """
        with market_errors():
            self._check_venue(request)
            async with beating():
                runs = [run for wish in request.wishes if (run := await self._closes(request, wish)) is not None]
        text = canonical_json(tuple(runs))
        return ClosesRef(prices_hash=await self._blobs.put(text, media_type="application/json"))

    async def _closes(self, request: ClosesRequest, wish: PriceWish) -> PriceRun | None:
        step = step_of(self._source.base_timeframe)
        count = min((request.as_of - wish.since) // step, MOST_CLOSES)
        if count < 1:
            return None
        try:
            series = await self._source.candles(
                wish.symbol, self._source.base_timeframe, as_of=request.as_of, limit=count
            )
        except MarketRefused:
            return None
        candles = [candle for candle in series.candles if candle.open_time + step > wish.since]
        if not candles:
            return None
        book = await self._source.book_top(wish.symbol, as_of=request.now)
        return PriceRun(
            symbol=wish.symbol,
            first_at=candles[0].open_time + step,
            step_s=int(step.total_seconds()),
            closes=tuple(candle.close for candle in candles),
            spread_fraction=None if book is None else (book.ask - book.bid) * 2 / (book.ask + book.bid),
        )

    def _check_venue(self, request: ObserveRequest | ObserveAllRequest | ClosesRequest) -> None:
        if request.venue != self._source.venue:
            raise MarketRefused(f"this worker observes {self._source.venue}, not {request.venue}")


def _is_out_of_patience(request: ObserveAllRequest) -> bool:
    if request.patience_s is None:
        return False
    return datetime.now(UTC) - activity.info().scheduled_time >= timedelta(seconds=request.patience_s)


def _is_half_over() -> bool:
    """Whether half of the time that the call has is gone; a call without an end waits for its source."""
    whole = activity.info().schedule_to_close_timeout
    return whole is not None and datetime.now(UTC) - activity.info().scheduled_time >= whole / 2


@contextmanager
def market_errors() -> Iterator[None]:
    """Give the source's errors their stable types, and say which can never succeed."""
    try:
        yield
    except MarketUnavailable as error:
        delay = None if error.retry_after_s is None else timedelta(seconds=float(error.retry_after_s))
        raise ApplicationError(str(error), type="MarketUnavailable", next_retry_delay=delay) from error
    except (MarketRefused, CandleDataError) as error:
        raise ApplicationError(str(error), type=type(error).__name__, non_retryable=True) from error


def _observation(snapshot: MarketSnapshot, snapshot_hash: str) -> Observation:
    spread = ZERO
    if snapshot.bid is not None and snapshot.ask is not None:
        spread = (snapshot.ask - snapshot.bid) * 2 / (snapshot.ask + snapshot.bid)
    return Observation(
        snapshot_hash=snapshot_hash,
        symbol=snapshot.symbol,
        as_of=snapshot.as_of,
        last_price=snapshot.last_price,
        bid=snapshot.bid,
        ask=snapshot.ask,
        spread_fraction=spread,
        atr_fraction=snapshot.atr_fraction,
        trend_regime=snapshot.trend_regime,
        risk_regime=snapshot.risk_regime,
        bars=snapshot.bars,
        facts=len(snapshot.facts),
        insufficient=snapshot.insufficient,
        history=snapshot.history,
        hour_volumes_usd=snapshot.hour_volumes_usd,
    )
