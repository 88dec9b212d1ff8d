"""The market activity and how it is called."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

from activities.beating import HEARTBEAT, beating
from activities.market.port import MarketData, MarketRefused, MarketUnavailable, Observation, ObserveRequest
from activities.store.port import Blobs
from trading.candle_quality import CandleDataError
from trading.facts.models import MarketSnapshot
from trading.ids import canonical_json
from trading.money import ZERO

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


class MarketCalls:
    """Observes the market of one venue. Only reads it; stores each snapshot under its content hash.

    The facts' builder is loaded when the object is made, not when this module is: workflows import this module, and
    numpy and TA-Lib belong in the one process that computes.
    """

    def __init__(self, source: MarketData, blobs: Blobs, *, observer: Observer | None = None) -> None:
        self._source = source
        self._blobs = blobs
        self._observer: Observer = observer or importlib.import_module("activities.market.observing").snapshot_of

    @activity.defn
    async def observe_market(self, request: ObserveRequest) -> Observation:
        """Build and store the snapshot of one symbol at `as_of`; the same market gives the same hash, however often.

        Too little or too old data is no error: `insufficient` says so and the decision abstains. Errors:
        `MarketUnavailable` is retried, after the source's own Retry-After where it gave one; `MarketRefused` (unknown
        symbol, another venue) and `CandleDataError` (impossible candles, or none closed yet) are final.
        """
        try:
            self._check_venue(request)
            async with beating():
                snapshot = await self._observer(self._source, request)
        except MarketUnavailable as error:
            delay = None if error.retry_after_s is None else timedelta(seconds=float(error.retry_after_s))
            raise ApplicationError(str(error), type="MarketUnavailable", next_retry_delay=delay) from error
        except (MarketRefused, CandleDataError) as error:
            raise ApplicationError(str(error), type=type(error).__name__, non_retryable=True) from error
        snapshot_hash = await self._blobs.put(canonical_json(snapshot), media_type="application/json")
        return _observation(snapshot, snapshot_hash)

    def _check_venue(self, request: ObserveRequest) -> None:
        if request.venue != self._source.venue:
            raise MarketRefused(f"this worker observes {self._source.venue}, not {request.venue}")


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
