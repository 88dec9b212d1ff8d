"""From a source's candles to a snapshot. The one module of this folder that loads numpy and TA-Lib."""

from __future__ import annotations

from activities.market.port import MarketData, ObserveRequest, TimeframeNotOffered
from trading.candles import CandleSeries, coarser_timeframes
from trading.facts.catalogue import WINDOW_BARS
from trading.facts.models import MarketSnapshot
from trading.facts.snapshot import OBSERVED_TIMEFRAMES, observe
from trading.policy.regimes import RegimePolicy


async def snapshot_of(source: MarketData, request: ObserveRequest) -> MarketSnapshot:
    """Fetch the book, the base timeframe and the coarser ones, one after the other, and build the snapshot.

    The book first: it comes with the market's time, which the candles are then bounded by without asking again.
    A coarser timeframe that the source does not offer is resampled from the base. Raises what the source raises, and
    `CandleDataError` where there is no closed candle.
    """
    book = await source.book_top(request.symbol, as_of=request.as_of)
    base = await source.candles(request.symbol, source.base_timeframe, as_of=request.as_of, limit=WINDOW_BARS)
    coarser = [
        series
        for timeframe in coarser_timeframes(source.base_timeframe, OBSERVED_TIMEFRAMES)
        if (series := await _offered(source, request, timeframe)) is not None
    ]
    # Inline on the event loop: measured below 10 ms, less than a thread's hand-over under load would be worth.
    return observe(
        base,
        as_of=request.as_of,
        venue=request.venue,
        book=book,
        position=request.position,
        coarser=coarser,
        policy=request.regimes or RegimePolicy(),
    )


async def _offered(source: MarketData, request: ObserveRequest, timeframe: str) -> CandleSeries | None:
    try:
        return await source.candles(request.symbol, timeframe, as_of=request.as_of, limit=WINDOW_BARS)
    except TimeframeNotOffered:
        return None
