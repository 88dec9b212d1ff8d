"""The market as a watch polls it: one heartbeating call for all symbols, which returns on an event or after a while."""

from __future__ import annotations

import asyncio
import importlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from pydantic import Field
from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.workflow import ActivityCancellationType

from activities.beating import HEARTBEAT, beating
from activities.exchange.port import Level
from activities.market.calls import Observer
from activities.market.port import MarketData, MarketRefused, MarketUnavailable, ObserveRequest
from trading.candle_quality import CandleDataError
from trading.contract import Contract, Utc
from trading.facts.models import RiskRegime
from trading.watching.anomalies import Sample, candle_anomalies, price_anomalies, regime_anomaly
from trading.watching.models import Anomaly, AnomalyLimits

log = logging.getLogger(__name__)

POLL_EVERY_S = 2.0
"""Twenty books at weight 2 every two seconds are 1,200 of the venue's 6,000 a minute."""

REGIME_EVERY = timedelta(seconds=300)
"""X26: the regular check of regimes; what moves faster is an anomaly."""

RETURNS_AFTER = timedelta(minutes=10)
KEPT_SAMPLES = 20_000

WATCH_CALL: workflow.ActivityConfig = {
    # It returns by itself after ten minutes; one more for the questions around it.
    "start_to_close_timeout": timedelta(minutes=11),
    "heartbeat_timeout": HEARTBEAT,
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=200),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(seconds=5),
        non_retryable_error_types=["PayloadsTooLarge", "PydanticSerializationError"],
    ),
    "cancellation_type": ActivityCancellationType.TRY_CANCEL,
}


class WatchedMarket(MarketData, Protocol):
    """A source that also says what time it is in its market."""

    async def market_time(self) -> datetime: ...


class WatchMarket(Contract):
    """What to wait for: levels, anomalies that were not told before (`told`), or `until` in market time.

    Without `until` the market's time is asked for and nothing is waited for.
    """

    realm: str
    venue: str
    symbols: tuple[str, ...]
    levels: tuple[Level, ...] = ()
    until: Utc | None = None
    limits: AnomalyLimits | None = None
    told: tuple[str, ...] = ()
    regimes: dict[str, RiskRegime] = Field(default_factory=dict, description="each symbol's as it was seen last")


class WatchNews(Contract):
    """Why the wait ended: levels crossed by the best bid, anomalies, or only time. `silent` symbols gave no price."""

    now: Utc
    crossed: tuple[str, ...] = ()
    anomalies: tuple[Anomaly, ...] = ()
    regimes: dict[str, RiskRegime] = Field(default_factory=dict)
    silent: tuple[str, ...] = ()


class MarketWatchCalls:
    """Polls the market of one venue. Reads only; the prices of the last windows are kept between calls."""

    def __init__(
        self,
        source: WatchedMarket,
        *,
        observer: Observer | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._observer: Observer = observer or importlib.import_module("activities.market.observing").snapshot_of
        self._pause = pause
        self._clock_s = clock_s
        self._tapes: dict[str, deque[Sample]] = {}
        self._checked: dict[str, datetime] = {}

    @activity.defn
    async def watch_market(self, wait: WatchMarket) -> WatchNews:
        """Poll until a level is crossed or something unusual happens; at `until` or after ten minutes at the latest.

        Repeatable: what is still crossed is found again. A symbol that does not answer is `silent` and the others are
        watched; where the venue itself is silent, `MarketUnavailable` is retried.
        """
        if wait.venue != self._source.venue:
            refused = f"this worker watches {self._source.venue}, not {wait.venue}"
            raise ApplicationError(refused, type="MarketRefused", non_retryable=True)
        async with beating():
            try:
                return await self._watched(wait)
            except MarketUnavailable as silent:
                delay = None if silent.retry_after_s is None else timedelta(seconds=float(silent.retry_after_s))
                raise ApplicationError(str(silent), type="MarketUnavailable", next_retry_delay=delay) from silent

    async def _watched(self, wait: WatchMarket) -> WatchNews:
        began = await self._source.market_time()
        ends_s = self._clock_s() + RETURNS_AFTER.total_seconds()
        regimes = dict(wait.regimes)
        while True:
            now = await self._source.market_time()
            silent = [symbol for symbol in wait.symbols if not await self._sampled(symbol, now)]
            crossed = tuple(level.id for level in wait.levels if self._is_crossed(level))
            unusual = await self._unusual(wait, now, regimes)
            is_due = wait.until is None or now >= wait.until
            is_over = is_due or now - began >= RETURNS_AFTER or self._clock_s() >= ends_s
            if crossed or unusual or is_over:
                return WatchNews(now=now, crossed=crossed, anomalies=unusual, regimes=regimes, silent=tuple(silent))
            await self._pause(POLL_EVERY_S)

    async def _sampled(self, symbol: str, now: datetime) -> bool:
        """Take the best bid in; whether there was one."""
        try:
            book = await self._source.book_top(symbol, as_of=now)
        except MarketUnavailable as error:
            log.warning("%s: no price: %s", symbol, error)
            return False
        if book is None:
            return False
        self._tapes.setdefault(symbol, deque(maxlen=KEPT_SAMPLES)).append((now, book.bid))
        return True

    def _is_crossed(self, level: Level) -> bool:
        tape = self._tapes.get(level.symbol)
        if not tape:
            return False
        bid = tape[-1][1]
        return bid >= level.price if level.direction == "above" else bid <= level.price

    async def _unusual(self, wait: WatchMarket, now: datetime, regimes: dict[str, RiskRegime]) -> tuple[Anomaly, ...]:
        if wait.limits is None:
            return ()
        found: list[Anomaly] = []
        for symbol in wait.symbols:
            tape = self._tapes.get(symbol)
            if tape and tape[-1][0] == now:
                found += price_anomalies(symbol, _recent(tape, now, wait.limits), wait.limits)
            checked = self._checked.get(symbol)
            if checked is None or now - checked >= REGIME_EVERY or now < checked:
                found += await self._from_candles(symbol, now, wait.limits, regimes, realm=wait.realm)
                self._checked[symbol] = now
        told = set(wait.told)
        return tuple(one for one in found if one.id not in told)

    async def _from_candles(
        self, symbol: str, now: datetime, limits: AnomalyLimits, regimes: dict[str, RiskRegime], *, realm: str
    ) -> list[Anomaly]:
        """What closed candles show, every five minutes: spikes, surges, and a regime worse than the last one seen."""
        try:
            series = await self._source.candles(
                symbol, self._source.base_timeframe, as_of=now, limit=limits.candles + 1
            )
            snapshot = await self._observer(
                self._source,
                ObserveRequest(realm=realm, venue=self._source.venue, symbol=symbol, as_of=now, regimes=limits.regimes),
            )
        except (MarketUnavailable, MarketRefused, CandleDataError) as error:
            log.warning("%s: regime and candles unknown: %s", symbol, error)
            return []
        found = list(candle_anomalies(symbol, series.candles, as_of=now, limits=limits))
        before = regimes.get(symbol)
        regimes[symbol] = snapshot.risk_regime
        worse = None if before is None else regime_anomaly(symbol, before, snapshot.risk_regime, as_of=now)
        return found if worse is None else [*found, worse]


def _recent(tape: Sequence[Sample], now: datetime, limits: AnomalyLimits) -> list[Sample]:
    longest = timedelta(seconds=max(limits.window_s, limits.crash_window_s))
    return [sample for sample in tape if now - sample[0] <= longest]
