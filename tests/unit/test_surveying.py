"""Where a watch list begins: what a venue lists, and its most active symbols where it lists many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.planning.binance_listing import BinanceListing
from activities.planning.surveying import CANDIDATES, Survey, SurveyCalls, SurveyRequest

NOW = datetime(2024, 1, 31, 7, tzinfo=UTC)
FEW = ("BTC/USDT", "ETH/USDT")
MANY = tuple(f"C{number:03}/USDT" for number in range(100))


def a_row(symbol: str, **given: Any) -> dict[str, Any]:
    base, _, quote = symbol.partition("/")
    return {"symbol": base + quote, "baseAsset": base, "quoteAsset": quote, "status": "TRADING"} | given


def a_listing(symbols: tuple[str, ...], *, answers: dict[str, httpx.Response] | None = None) -> BinanceListing:
    rows = [*map(a_row, symbols), a_row("BTC/EUR"), a_row("OLD/USDT", status="BREAK")]
    turnovers = [{"symbol": a_row(name)["symbol"], "quoteVolume": str(place)} for place, name in enumerate(symbols)]
    told = {
        "/api/v3/exchangeInfo": httpx.Response(200, json={"symbols": rows}),
        "/api/v3/ticker/24hr": httpx.Response(200, json=turnovers),
        "/sim/clock": httpx.Response(200, json={"now": "2024-01-31T07:00:00Z", "mode": "manual"}),
    } | (answers or {})
    return BinanceListing(
        venue="paper",
        base_url="http://venue",
        transport=httpx.MockTransport(lambda asked: told[asked.url.path]),
        wall_clock=lambda: NOW,
    )


async def surveyed(listing: BinanceListing, **given: Any) -> Survey:
    request = SurveyRequest.model_validate({"venue": "paper", "as_of": NOW} | given)
    return await ActivityEnvironment().run(SurveyCalls(listing).survey_market, request)


async def test_a_small_venue_is_looked_at_whole() -> None:
    assert await surveyed(a_listing(FEW), usual=("ADA/USDT",)) == Survey(market_time=NOW, symbols=FEW)


async def test_of_many_the_usual_and_the_most_active_are_candidates() -> None:
    survey = await surveyed(a_listing(MANY), usual=("C001/USDT", "BTC/USDT"))
    assert len(survey.symbols) == CANDIDATES
    assert survey.symbols[:3] == ("C001/USDT", "C099/USDT", "C098/USDT")
    assert "C041/USDT" in survey.symbols
    assert "C040/USDT" not in survey.symbols


async def test_of_many_todays_activity_says_nothing_about_an_earlier_day() -> None:
    survey = await surveyed(a_listing(MANY), usual=("C001/USDT",), as_of=NOW - timedelta(days=1))
    assert survey.symbols == ("C001/USDT",)


@pytest.mark.parametrize(
    ("response", "error", "is_final"),
    [
        (httpx.Response(451, text="not here"), "MarketRefused", True),
        (httpx.Response(503, text="later"), "MarketUnavailable", False),
        (httpx.Response(429, text="slow", headers={"retry-after": "7"}), "MarketUnavailable", False),
        (httpx.Response(200, text="<html>"), "MarketUnavailable", False),
        (httpx.Response(200, json={"symbols": [{}]}), "MarketUnavailable", False),
    ],
    ids=["refused", "unavailable", "throttled", "no JSON", "no symbols"],
)
async def test_a_bad_answer_is_final_or_worth_asking_again(
    response: httpx.Response, error: str, is_final: bool
) -> None:
    with pytest.raises(ApplicationError) as failed:
        await surveyed(a_listing(FEW, answers={"/api/v3/exchangeInfo": response}))
    assert (failed.value.type, failed.value.non_retryable) == (error, is_final)
    wait = failed.value.next_retry_delay
    assert wait == (timedelta(seconds=7) if response.status_code == 429 else None)


async def test_another_venue_is_refused() -> None:
    with pytest.raises(ApplicationError, match="surveys paper, not live"):
        await surveyed(a_listing(FEW), venue="live")


async def test_a_replayed_market_says_its_own_time() -> None:
    listing = BinanceListing(
        venue="simulated",
        base_url="http://venue",
        market_time_is_replayed=True,
        transport=httpx.MockTransport(lambda _: httpx.Response(200, json={"now": "2020-03-12T10:00:00Z"})),
    )
    assert await listing.market_time() == datetime(2020, 3, 12, 10, tzinfo=UTC)


async def test_turnovers_are_those_of_listed_symbols() -> None:
    listing = a_listing(FEW)
    await listing.listed("USDT")
    assert await listing.turnovers_usd() == {"BTC/USDT": Decimal(0), "ETH/USDT": Decimal(1)}
