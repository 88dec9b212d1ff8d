"""The regular look at every source of market data: one that was left can come back, and all workers know (C64)."""

from __future__ import annotations

from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy

from activities.beating import HEARTBEAT, beating
from activities.market.calls import market_errors
from activities.market.port import MarketRefused
from activities.market.remembering import CheckedMarket
from trading.contract import Contract
from trading.watching.quality import SourceQuality

CHECK_CALL: workflow.ActivityConfig = {
    # Some sources at 2 s each where they are silent.
    "start_to_close_timeout": timedelta(seconds=60),
    "heartbeat_timeout": HEARTBEAT,
    # The next hour looks again: a venue that is away must not keep what follows waiting.
    "schedule_to_close_timeout": timedelta(minutes=2),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(seconds=20),
        non_retryable_error_types=["PayloadsTooLarge", "PydanticSerializationError"],
    ),
}


class CheckSources(Contract):
    """Which venue's sources are asked, for the candles of which symbol."""

    venue: str
    symbol: str


class CheckedSources(Contract):
    """Every source, the best first."""

    sources: tuple[SourceQuality, ...]


class SourceCalls:
    """Asks the sources of one venue; writes their scores."""

    def __init__(self, source: CheckedMarket) -> None:
        self._source = source

    @activity.defn
    async def check_sources(self, request: CheckSources) -> CheckedSources:
        """Ask every source for its newest candles and judge its answer. Repeated, it judges once more.

        A source that does not answer is no error; where none says what time it is, `MarketUnavailable` is retried.
        """
        with market_errors():
            if request.venue != self._source.venue:
                raise MarketRefused(f"this worker observes {self._source.venue}, not {request.venue}")
            async with beating():
                now = await self._source.market_time()
                return CheckedSources(sources=await self._source.check(request.symbol, as_of=now))
