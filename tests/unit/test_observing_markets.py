"""Many symbols at one time: what is stored, what is left unwatched, and when the call is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import cast

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.market.calls import MarketCalls
from activities.market.port import (
    MarketData,
    MarketRefused,
    MarketUnavailable,
    ObserveAllRequest,
    Observed,
    ObserveRequest,
)
from activities.store.ports.blobs import Blobs
from trading.facts.models import MarketSnapshot
from trading.ids import canonical_json, content_hash

AT = datetime(2020, 3, 12, 8, tzinfo=UTC)


class _Texts:
    async def put(self, content: str, *, media_type: str) -> str:
        return content_hash(content)


class _Source:
    venue = "simulated"


def _snapshot(symbol: str) -> MarketSnapshot:
    return MarketSnapshot(
        symbol=symbol, as_of=AT, venue="simulated", facts=(), last_price=Decimal(1), bars=500, base_timeframe="1h"
    )


async def _observer(_source: MarketData, wish: ObserveRequest) -> MarketSnapshot:
    if wish.symbol == "NOPE/USDT":
        raise MarketRefused("unknown")
    if wish.symbol == "SILENT/USDT":
        raise MarketUnavailable("no answer", retry_after_s=Decimal(7))
    return _snapshot(wish.symbol)


async def _observe(*symbols: str, patience_s: int | None, waited_s: int = 0) -> Observed:
    calls = MarketCalls(cast(MarketData, _Source()), cast(Blobs, _Texts()), observer=_observer)
    environment = ActivityEnvironment()
    since = datetime.now(UTC) - timedelta(seconds=waited_s)
    environment.info = ActivityEnvironment.default_info()
    environment.info = type(environment.info)(**{**vars(environment.info), "scheduled_time": since})
    request = ObserveAllRequest(
        realm="test-market", venue="simulated", symbols=symbols, as_of=AT, patience_s=patience_s
    )
    result: Observed = await environment.run(calls.observe_markets, request)
    return result


async def test_each_snapshot_is_kept_in_the_order_asked_for_and_a_refused_symbol_is_said_to_be_unwatched() -> None:
    seen = await _observe("ETH/USDT", "NOPE/USDT", "BTC/USDT", patience_s=None)
    assert seen.snapshots == tuple(
        content_hash(canonical_json(_snapshot(symbol))) for symbol in ("ETH/USDT", "BTC/USDT")
    )
    assert [(one.symbol, one.reason) for one in seen.unobserved] == [("NOPE/USDT", "market_unavailable")]


@pytest.mark.parametrize(
    ("patience_s", "waited_s"),
    [(120, 0), (120, 60), (None, 0), (None, 9999)],
    ids=["at once", "within patience", "in a campaign", "in a campaign, however long"],
)
async def test_a_symbol_that_does_not_answer_is_asked_again(patience_s: int | None, waited_s: int) -> None:
    with pytest.raises(ApplicationError, match="no answer") as refused:
        await _observe("BTC/USDT", "SILENT/USDT", patience_s=patience_s, waited_s=waited_s)
    assert (refused.value.type, refused.value.non_retryable) == ("MarketUnavailable", False)
    assert refused.value.next_retry_delay == timedelta(seconds=7)


async def test_a_symbol_that_has_not_answered_for_two_minutes_is_left_unwatched() -> None:
    seen = await _observe("BTC/USDT", "SILENT/USDT", patience_s=120, waited_s=121)
    assert len(seen.snapshots) == 1
    assert [one.symbol for one in seen.unobserved] == ["SILENT/USDT"]


async def test_another_venue_is_refused_for_good() -> None:
    calls = MarketCalls(cast(MarketData, _Source()), cast(Blobs, _Texts()), observer=_observer)
    request = ObserveAllRequest(realm="test-market", venue="binance", symbols=("BTC/USDT",), as_of=AT)
    with pytest.raises(ApplicationError, match="not binance") as refused:
        await ActivityEnvironment().run(calls.observe_markets, request)
    assert refused.value.non_retryable
