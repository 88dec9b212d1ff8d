"""Which symbols a venue lists, and what time its market shows: where a watch list begins."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

from activities.beating import HEARTBEAT, beating
from activities.market.port import MarketRefused, MarketUnavailable
from trading.contract import Contract, Utc

SURVEY_CALL: workflow.ActivityConfig = {
    # Three questions of at most 10 s each; the list of all symbols of a real venue is some megabytes.
    "start_to_close_timeout": timedelta(seconds=40),
    "heartbeat_timeout": HEARTBEAT,
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=200),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(seconds=10),
        non_retryable_error_types=["PayloadsTooLarge", "PydanticSerializationError"],
    ),
}

LIVE_SURVEY_CALL: workflow.ActivityConfig = {
    **SURVEY_CALL,
    # The plan is final half an hour after its start: of a silent venue the usual symbols are planned.
    "schedule_to_close_timeout": timedelta(minutes=10),
}

CANDIDATES = 60
"""What a plan observes at most: three times the watch list. A venue that lists more is asked for its turnover."""

FRESH = timedelta(hours=1)
"""Turnover of the last 24 hours is known of the present only: to a plan of an earlier time it would be the future."""


class Survey(Contract):
    """`market_time` is what the venue's market shows; `symbols` are candidates, by activity where that was asked."""

    market_time: Utc
    symbols: tuple[str, ...]


class SurveyRequest(Contract):
    """`usual` are symbols that are always candidates where the venue lists them."""

    venue: str
    as_of: Utc
    quote_asset: str = "USDT"
    usual: tuple[str, ...] = ()


class MarketListing(Protocol):
    """A venue's list of what is traded there. Raises `MarketUnavailable` and `MarketRefused`."""

    venue: str

    async def market_time(self) -> datetime: ...

    async def listed(self, quote_asset: str) -> tuple[str, ...]:
        """Every symbol that trades against `quote_asset` now, in the order of names."""
        ...

    async def turnovers_usd(self) -> dict[str, Decimal]:
        """Turnover of the last 24 hours by symbol."""
        ...


class SurveyCalls:
    """Asks a venue what it lists; changes nothing."""

    def __init__(self, listing: MarketListing) -> None:
        self._listing = listing

    @activity.defn
    async def survey_market(self, request: SurveyRequest) -> Survey:
        """The candidates of a watch list at `as_of`.

        A venue with more than sixty is asked for its most active ones, if `as_of` is the present; of an earlier time
        only the usual symbols are candidates. `MarketUnavailable` is retried, `MarketRefused` is final.
        """
        try:
            async with beating():
                return await self._surveyed(request)
        except MarketUnavailable as error:
            delay = None if error.retry_after_s is None else timedelta(seconds=float(error.retry_after_s))
            raise ApplicationError(str(error), type="MarketUnavailable", next_retry_delay=delay) from error
        except MarketRefused as error:
            raise ApplicationError(str(error), type="MarketRefused", non_retryable=True) from error

    async def _surveyed(self, request: SurveyRequest) -> Survey:
        if request.venue != self._listing.venue:
            raise MarketRefused(f"this worker surveys {self._listing.venue}, not {request.venue}")
        now = await self._listing.market_time()
        listed = await self._listing.listed(request.quote_asset)
        usual = tuple(symbol for symbol in request.usual if symbol in listed)
        if len(listed) <= CANDIDATES:
            return Survey(market_time=now, symbols=listed)
        if now - request.as_of > FRESH:
            return Survey(market_time=now, symbols=usual)
        turnovers = await self._listing.turnovers_usd()
        others = [symbol for symbol in listed if symbol not in usual]
        others.sort(key=lambda symbol: (-turnovers.get(symbol, Decimal(0)), symbol))
        return Survey(market_time=now, symbols=(*usual, *others)[:CANDIDATES])
