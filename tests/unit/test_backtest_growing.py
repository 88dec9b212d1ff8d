"""A history that grows week by week: what is taken over from the week before is what would be computed anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.backtest.fact_table import FactTable
from trading.backtest.holdings import Held
from trading.backtest.market_facts import REGIME_FACTS, MarketFacts
from trading.backtest.models import BacktestPlan
from trading.backtest.position import Position
from trading.backtest.run import backtest
from trading.candles import Candle, CandleSeries
from trading.decision.models import Action
from trading.evolution.models import Knowledge
from trading.evolution.workbench import Workbench
from trading.facts.bars import Bars, bars_of
from trading.generator import generate_market
from trading.policy.model import Policy
from trading.policy.table import changed
from trading.strategies.evaluate import acting, evaluate
from trading.strategies.gene_pool import GENE_POOL
from trading.strategies.models import Strategy

START = datetime(2024, 1, 1, tzinfo=UTC)
SYMBOLS = ("BTC/USDT", "ETH/USDT")
POLICY = changed(
    Policy(),
    min_history_bars=100,
    evolution_history_days=60,
    walk_forward_train_days=14,
    walk_forward_test_days=7,
    holdout_days=7,
)
STRUCTURED = tuple(row for row in GENE_POOL if row.name in ("breakout", "level-bounce", "liquidity-sweep-reversal"))


@cache
def market() -> dict[str, CandleSeries]:
    return generate_market(seed=11, symbols=list(SYMBOLS), start=START, days=110)


def with_gaps(series: CandleSeries, missing: set[int]) -> CandleSeries:
    return CandleSeries(
        series.symbol,
        series.timeframe,
        tuple(candle for place, candle in enumerate(series.candles) if place not in missing),
    )


def part(series: CandleSeries, first_day: int, last_day: int) -> CandleSeries:
    begins, ends = START + timedelta(days=first_day), START + timedelta(days=last_day)
    return CandleSeries(
        series.symbol, series.timeframe, tuple(row for row in series.candles if begins <= row.open_time < ends)
    )


def assert_same_bars(one: Bars, other: Bars) -> None:
    for name in ("open", "high", "low", "close", "volume", "closes_at"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


def assert_same_facts(grown: MarketFacts, fresh: MarketFacts) -> None:
    assert_same_bars(grown.bars, fresh.bars)
    assert_same_bars(fresh.bars, bars_of(fresh.series))
    assert grown.closes == fresh.closes
    assert grown.closes_s == fresh.closes_s
    for timeframe in ("1h", "4h", "1d"):
        ours, theirs = grown.frame(timeframe), fresh.frame(timeframe)
        assert ours.series == theirs.series, timeframe
        assert np.array_equal(ours.place, theirs.place), timeframe
        assert_same_bars(ours.bars, theirs.bars)
    for fact_id in REGIME_FACTS:
        for place in range(0, len(fresh.bars), 97):
            assert grown.regime_word(fact_id, place) == fresh.regime(fact_id, place)


@settings(max_examples=20, deadline=None)
@given(
    spans=st.lists(st.tuples(st.integers(0, 60), st.integers(3, 50)), min_size=2, max_size=4),
    missing=st.sets(st.integers(0, 110 * 24 - 1), max_size=40),
)
def test_facts_that_grew_are_the_facts_anew(spans: list[tuple[int, int]], missing: set[int]) -> None:
    """Forwards, backwards, apart or overlapping, with holes anywhere: never a candle of another history."""
    series = with_gaps(market()["BTC/USDT"], missing)
    grown: MarketFacts | None = None
    for first_day, days in spans:
        now = part(series, first_day, first_day + days)
        grown = MarketFacts(now, policy=POLICY, before=grown)
        assert_same_facts(grown, MarketFacts(now, policy=POLICY))


def test_facts_of_another_history_are_not_taken_over() -> None:
    """A candle that differs inside what both have makes the earlier facts worthless."""
    series = part(market()["BTC/USDT"], 0, 40)
    other = list(series.candles)
    other[400] = other[400]._replace(close=other[400].high)
    told = CandleSeries(series.symbol, series.timeframe, tuple(other))
    before = MarketFacts(series, policy=POLICY)
    before.frame("4h")
    assert_same_facts(MarketFacts(told, policy=POLICY, before=before), MarketFacts(told, policy=POLICY))


@pytest.mark.parametrize("row", STRUCTURED, ids=lambda row: row.name)
def test_backtests_over_facts_that_grew_are_the_same(row: Strategy) -> None:
    """Structure is kept from week to week, but for the windows at the start, which are not those of then."""
    grown: MarketFacts | None = None
    for week in range(3):
        series = part(market()["ETH/USDT"], 7 * week, 60 + 7 * week)
        grown = MarketFacts(series, policy=POLICY, before=grown)
        plan = BacktestPlan(strategy=row, series=series, policy=POLICY)
        assert backtest(replace(plan, facts=grown)) == backtest(plan)


@pytest.mark.parametrize("row", GENE_POOL, ids=lambda row: row.name)
def test_candles_that_are_passed_over_change_nothing(row: Strategy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resting position jumps to the next candle that may end it; walking through each gives the same books."""
    plan = BacktestPlan(strategy=row, series=with_gaps(market()["ETH/USDT"], {900, 901, 1500}), policy=POLICY)
    jumped = backtest(plan)
    monkeypatch.setattr(Position, "is_resting", property(lambda _: False))
    walked = backtest(plan)
    assert jumped == walked
    assert jumped.metrics == walked.metrics
    assert jumped.trades or row.name == "high-volatility-defence"


@pytest.mark.parametrize("row", GENE_POOL, ids=lambda row: row.name)
def test_who_only_acts_does_what_the_evaluator_says(row: Strategy) -> None:
    """The short way leaves out the conditions and the holds, nothing else."""
    facts = MarketFacts(part(market()["BTC/USDT"], 0, 60), policy=POLICY)
    table = FactTable(row, facts)
    for place in range(100, len(facts.bars), 7):
        for quantity in (0, 1):
            held = Held(cash_usd=table.last_price(place), quantity=table.last_price(place) * quantity)
            said = evaluate(row, table.at(place, held))
            short = acting(row, table.at(place, held))
            if said.action is Action.HOLD:
                assert short is None
            else:
                assert short == said.model_copy(update={"satisfied": (), "failed": (), "missing": ()})


def learnt(bench: Workbench, as_of: datetime, *, since: datetime = START) -> None:
    """Tell a bench the candles that closed from `since` to `as_of`, as the weekly evolution does."""
    first = as_of - timedelta(days=POLICY.evolution_history_days)
    for symbol, series in market().items():
        fresh: tuple[Candle, ...] = tuple(row for row in series.closed_at(as_of).candles if since <= row.open_time)
        bench.learn(symbol, "1h", fresh, first=first)


def test_a_bench_of_many_weeks_answers_as_a_new_one() -> None:
    """Killing the process loses nothing but time."""
    old, told_until = Workbench(), START
    for week in range(4):
        as_of = START + timedelta(days=70 + 7 * week)
        learnt(old, as_of, since=told_until - timedelta(hours=1))
        told_until = as_of
        new = Workbench()
        learnt(new, as_of)
        known = Knowledge(SYMBOLS, as_of, POLICY)
        start = as_of - timedelta(days=7)
        wanted: list[tuple[Strategy, datetime, dict[str, datetime]]] = [(row, start, {}) for row in GENE_POOL]
        assert old.run_weeks(known, wanted, end=as_of) == new.run_weeks(known, wanted, end=as_of)
        for row in STRUCTURED:
            assert old.examine(known, row, trials=20, seed=1) == new.examine(known, row, trials=20, seed=1)
