"""The market source against the simulated exchange as a process: the same candles, the same instant, no look-ahead."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from exchange_process import GENERATED, ExchangeProcess

from activities.market.binance import BinanceMarketData
from activities.market.observing import snapshot_of
from activities.market.port import ObserveRequest
from trading.candles import CandleSeries, resample
from trading.facts.models import RiskRegime
from trading.generator import generate_market

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
CLOCK = datetime(2024, 1, 15, tzinfo=UTC)
ETH = "ETH/USDT"


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[ExchangeProcess]:
    process = ExchangeProcess(tmp_path / "sim.db", **GENERATED)
    try:
        yield process
    finally:
        process.close()


@pytest.fixture
async def source(exchange: ExchangeProcess) -> AsyncIterator[BinanceMarketData]:
    data = BinanceMarketData(
        venue="simulated",
        base_url=f"http://127.0.0.1:{exchange.port}",
        base_timeframe="1h",
        market_time_is_replayed=True,
    )
    yield data
    await data.aclose()


@pytest.fixture(scope="module")
def market() -> CandleSeries:
    return generate_market(
        seed=GENERATED["generate_seed"],
        symbols=GENERATED["generate_symbols"],
        start=BEGIN,
        days=GENERATED["generate_days"],
        crash_days=GENERATED["generate_crash_days"],
    )[ETH]


async def test_the_exchange_serves_the_generated_candles_that_had_closed(
    source: BinanceMarketData, market: CandleSeries
) -> None:
    got = await source.candles(ETH, "1h", as_of=CLOCK, limit=500)
    coarse = await source.candles(ETH, "4h", as_of=CLOCK, limit=500)

    assert got.candles == market.closed_at(CLOCK).candles
    complete = resample(market.closed_at(CLOCK), "4h")
    merged_over_a_gap = [candle for candle in coarse.candles if candle.open_time in complete.incomplete]
    assert tuple(c for c in coarse.candles if c not in merged_over_a_gap) == complete.series.candles
    assert merged_over_a_gap, "a venue merges what was traded; our own resampling leaves such a bucket out"


async def test_the_clock_moves_the_candles_and_the_book(
    exchange: ExchangeProcess, source: BinanceMarketData, market: CandleSeries
) -> None:
    await source.candles(ETH, "1h", as_of=CLOCK, limit=500)
    later = CLOCK + timedelta(days=7, minutes=20)
    exchange.advance(later.isoformat().replace("+00:00", "Z"))

    got = await source.candles(ETH, "1h", as_of=later, limit=500)
    book = await source.book_top(ETH, as_of=later)

    assert got == market.closed_at(later).last(500)
    assert book is not None
    assert book.bid < book.ask
    assert await source.book_top(ETH, as_of=CLOCK) is None


async def test_a_crash_on_the_exchange_is_a_crash_in_the_snapshot(
    exchange: ExchangeProcess, source: BinanceMarketData
) -> None:
    after_crash = BEGIN + timedelta(days=21)
    exchange.advance(after_crash.isoformat().replace("+00:00", "Z"))

    snapshot = await snapshot_of(
        source, ObserveRequest(realm="test-sim", venue="simulated", symbol=ETH, as_of=after_crash)
    )

    assert snapshot.risk_regime is RiskRegime.CRASH
    assert snapshot.insufficient is None or snapshot.bars < 500
    assert snapshot.bid is not None
    assert {"rsi_14@1h", "rsi_14@4h", "rsi_14@1d"} <= set(snapshot.by_id())
