"""The back-tester: no look-ahead, the evaluator decides, the venue's own fills, and books that balance."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.backtest.fact_table import FactsUnavailable, FactTable
from trading.backtest.holdings import Held
from trading.backtest.market_facts import MarketFacts
from trading.backtest.metrics import combined, daily_equity
from trading.backtest.models import BacktestPlan, BacktestResult, ExitReason
from trading.backtest.run import backtest
from trading.backtest.screen import possible_entries, possible_exits
from trading.candles import Candle, CandleSeries
from trading.decision.models import Action, PositionView
from trading.facts.snapshot import observe
from trading.generator import generate_market
from trading.matching.fills import FillModel
from trading.money import ZERO
from trading.policy.model import Policy
from trading.policy.table import changed
from trading.strategies.conditions import number
from trading.strategies.evaluate import evaluate
from trading.strategies.gene_pool import GENE_POOL
from trading.strategies.library import STRATEGIES
from trading.strategies.models import Op, Score, Setup, StopRule, Strategy

START = datetime(2024, 1, 1, tzinfo=UTC)
POLICY = changed(Policy(), min_history_bars=100)
"""A shorter past than the live policy's, so that small histories can be tested on."""


@cache
def market(days: int = 60, seed: int = 3) -> CandleSeries:
    return generate_market(seed=seed, symbols=["BTC/USDT"], start=START, days=days)["BTC/USDT"]


def plan(strategy: Strategy, series: CandleSeries | None = None) -> BacktestPlan:
    return BacktestPlan(strategy=strategy, series=series or market(), policy=POLICY)


def always(**changes: object) -> Strategy:
    """Buys at every close when flat: each exit rule can be looked at alone."""
    fields: dict[str, object] = {
        "name": "always",
        "version": "1",
        "kind": "other",
        "thesis": "for the tests",
        "entries": (Setup(id="always", all_of=(number("price", "last_price", Op.ABOVE, "0"),)),),
        "stop": StopRule(kind="fraction", value=Decimal("0.02")),
        "reward_risk": Decimal(2),
        "time_exit_hours": 24,
        "size_fraction": Decimal("0.02"),
        "confidence": Score(start=Decimal("0.7")),
        "win_probability": Score(start=Decimal("0.5")),
    }
    return Strategy.model_validate({**fields, **changes})


def told(rows: list[tuple[str, str, str, str]], *, volume: str = "100000") -> CandleSeries:
    """A calm history at 100 and then `rows` of open, high, low, close."""
    quiet = [("100", "100.1", "99.9", "100")] * 101
    return CandleSeries(
        "AAA/USDT",
        "1h",
        tuple(
            Candle(START + timedelta(hours=place), Decimal(o), Decimal(h), Decimal(low), Decimal(c), Decimal(volume))
            for place, (o, h, low, c) in enumerate([*quiet, *rows])
        ),
    )


def first_trade(strategy: Strategy, rows: list[tuple[str, str, str, str]]) -> BacktestResult:
    series = told(rows)
    return backtest(replace(plan(strategy, series), start=START + timedelta(hours=101)))


CALM = ("100", "100.1", "99.9", "100")


@pytest.mark.parametrize(
    ("what", "rows", "reason", "price"),
    [
        # open, high, low, close of the candles after the entry's; entry near 100, stop 98, target 104
        ("stop", [CALM, ("100", "100", "97", "97.5"), CALM], ExitReason.STOP, "98"),
        ("stop after a gap", [CALM, ("95", "96", "94", "95"), CALM], ExitReason.STOP, "95"),
        ("target", [CALM, ("100", "105", "99.5", "104.5"), CALM], ExitReason.TARGET, "104"),
        ("target after a gap", [CALM, ("106", "107", "105.9", "106"), CALM], ExitReason.TARGET, "106"),
        ("both in one candle is the stop", [CALM, ("100", "105", "97", "100"), CALM], ExitReason.STOP, "98"),
        ("the entry's candle may stop it", [("100", "100", "97", "100"), CALM], ExitReason.STOP, "98"),
        ("the entry's candle gives no target", [("100", "105", "99.9", "100"), *[CALM] * 30], ExitReason.TIME, "100"),
        ("time", [CALM] * 30, ExitReason.TIME, "100"),
    ],
)
def test_exits_follow_the_venue(
    what: str, rows: list[tuple[str, str, str, str]], reason: ExitReason, price: str
) -> None:
    trade = first_trade(always(), rows).trades[0]
    assert trade.reason is reason, what
    assert trade.exit_price == pytest.approx(Decimal(price), rel=Decimal("0.002")), what
    assert trade.entry_price > 100, "a buyer pays spread and slippage"


def test_a_candle_with_stop_and_target_is_counted_as_ambiguous() -> None:
    assert first_trade(always(), [CALM, ("100", "105", "97", "100"), CALM]).metrics.ambiguous_candles == 1
    assert first_trade(always(), [CALM, ("100", "100", "97", "97.5"), CALM]).metrics.ambiguous_candles == 0


def test_time_exit_comes_at_its_hour() -> None:
    trade = first_trade(always(time_exit_hours=5), [CALM] * 10).trades[0]
    assert trade.exit_at - trade.entry_at == timedelta(hours=5, seconds=1), "five hours and the order's way"


def test_a_signal_sells_at_the_next_candle() -> None:
    high = Setup(id="high", all_of=(number("high", "last_price", Op.ABOVE, "101"),))
    result = first_trade(
        always(exits=(high,)), [CALM, ("100", "102", "100", "101.5"), ("101.5", "101.6", "101", "101")]
    )
    trade = result.trades[0]
    assert trade.reason is ExitReason.SIGNAL
    assert trade.exit_at == START + timedelta(hours=103, seconds=1)
    assert trade.setup == "always"


def test_a_partial_exit_keeps_the_rest_under_its_stop() -> None:
    high = Setup(id="high", all_of=(number("high", "last_price", Op.ABOVE, "101"),))
    strategy = always(exits=(high,), exit_size_fraction="0.5")
    rows = [CALM, ("100", "102", "100", "101.5"), ("101.5", "101.6", "100", "100.5"), ("100", "100", "97", "97")]
    trade = first_trade(strategy, rows).trades[0]
    assert trade.reason is ExitReason.STOP
    assert Decimal("98") < trade.exit_price < Decimal("101.5"), "the average of both sales"


def test_costs_are_paid_on_both_sides() -> None:
    trade = first_trade(always(), [CALM] * 30).trades[0]
    assert trade.pnl_usd < 0, "a market that does not move takes the costs"
    assert trade.fees_usd == pytest.approx(trade.cost_usd * Decimal("0.002"), rel=Decimal("0.01"))
    assert trade.return_fraction == pytest.approx(Decimal("-0.0026"), abs=Decimal("0.0004"))


def test_what_the_volume_does_not_take_is_sold_later() -> None:
    series = told([CALM, ("100", "100", "97", "97"), *[("97", "97.2", "96.8", "97")] * 40], volume="300")
    result = backtest(replace(plan(always(), series), start=START + timedelta(hours=101)))
    trade = result.trades[0]
    assert trade.reason is ExitReason.STOP
    assert trade.bars >= 2
    assert trade.cost_usd < Decimal("0.02") * 1_000_000, "a tenth of the volume is all that an account finds"


def test_an_entry_that_meets_no_candle_expires() -> None:
    series = told([CALM] * 40)
    gone = CandleSeries(series.symbol, "1h", series.candles[:103] + series.candles[108:])
    result = backtest(replace(plan(always(), gone), start=START + timedelta(hours=103)))
    assert result.unfilled_entries == 1
    assert result.trades[0].entry_at > START + timedelta(hours=108)


def test_the_gate_has_its_say() -> None:
    far = always(stop=StopRule(kind="fraction", value=Decimal("0.10"), at_most=Decimal("0.2")))
    refused = first_trade(far, [CALM] * 5)
    assert refused.trades == ()
    assert set(refused.denials) == {"stop_too_far"}
    greedy = first_trade(always(size_fraction="0.9"), [CALM] * 30)
    cap = POLICY.max_trade_fraction * 1_000_000
    assert cap * Decimal("0.99") < greedy.trades[0].cost_usd < cap * Decimal("1.001"), "slippage comes on top"


def test_under_the_least_history_nothing_is_decided() -> None:
    result = backtest(BacktestPlan(strategy=always(), series=market()))
    assert result.trades[0].entry_at > market().candles[499].open_time
    assert result.bars == len(market().candles)


def test_facts_that_candles_do_not_give_are_named() -> None:
    daily = generate_market(seed=1, symbols=["BTC/USDT"], start=START, days=600, timeframe="1d")["BTC/USDT"]
    with pytest.raises(FactsUnavailable, match=r"macd_cross@1h.*1d candles of BTC/USDT.*allowed are facts of 1d"):
        backtest(plan(STRATEGIES["macd-cross"], daily))
    booked = always(filters=(number("spread", "spread_fraction", Op.BELOW, "0.01"),))
    with pytest.raises(FactsUnavailable, match="spread_fraction"):
        backtest(plan(booked))


def test_a_period_outside_the_history_is_refused_with_its_bounds() -> None:
    with pytest.raises(ValueError, match="the history is from 2024-01-01"):
        backtest(replace(plan(always()), start=datetime(2025, 1, 1, tzinfo=UTC)))


@pytest.mark.parametrize("row", STRATEGIES.values(), ids=STRATEGIES)
def test_the_sieve_never_hides_what_the_evaluator_would_do(row: Strategy) -> None:
    table = FactTable(row, MarketFacts(market(), policy=POLICY))
    entries, exits = possible_entries(row, table), possible_exits(row, table)
    flat = Held(cash_usd=Decimal(1000))
    for place in range(100, len(table.bars), 3):
        holding = Held(cash_usd=Decimal(1000), quantity=Decimal(1), cost_usd=table.last_price(place))
        if evaluate(row, table.at(place, flat)).action is Action.BUY:
            assert entries[place]
        if evaluate(row, table.at(place, holding)).action is Action.SELL:
            assert exits[place]


@pytest.mark.parametrize("row", GENE_POOL, ids=lambda row: row.name)
def test_facts_and_signals_are_those_of_the_live_snapshot(row: Strategy) -> None:
    series = market(200)
    table = FactTable(row, MarketFacts(series, policy=Policy()))
    for place in (2500, 2777, 3333, len(table.bars) - 1):
        as_of = series.candles[place].open_time + series.step
        position = PositionView(account="a", equity_usd=Decimal(1000), cash_usd=Decimal(1000))
        snapshot = observe(series, as_of=as_of, venue="sim", book=None, position=position).by_id()
        ours = table.at(place, Held(cash_usd=Decimal(1000)))
        for fact_id, fact in ours.items():
            if "@4h" not in fact_id:
                assert snapshot[fact_id].value == fact.value, fact_id
        assert {k for k in row.facts() if k in snapshot and "@4h" not in k} <= set(ours)


def scrambled(series: CandleSeries, after: datetime, seed: int) -> CandleSeries:
    """The same candles up to `after`, and any others behind it."""
    chance = random.Random(seed)

    def other(candle: Candle) -> Candle:
        factor = Decimal(str(round(chance.uniform(0.5, 2), 3)))
        prices = sorted((candle.low * factor, candle.low * factor * Decimal("1.05")))
        return Candle(candle.open_time, prices[0], prices[1], prices[0], prices[1], candle.volume * factor)

    return CandleSeries(
        series.symbol,
        series.timeframe,
        tuple(c if c.open_time + series.step <= after else other(c) for c in series.candles),
    )


@settings(max_examples=12, deadline=None)
@given(cut=st.integers(150, 1300), row=st.sampled_from(tuple(STRATEGIES.values())), seed=st.integers(0, 99))
def test_later_candles_change_no_earlier_trade(cut: int, row: Strategy, seed: int) -> None:
    series = market()
    at = series.candles[cut].open_time + series.step
    whole = backtest(plan(row))
    later = backtest(plan(row, scrambled(series, at, seed)))
    known = [trade for trade in whole.trades if trade.exit_at < at]
    assert [trade for trade in later.trades if trade.exit_at < at] == known
    assert later.equity[: cut + 1] == whole.equity[: cut + 1]


@settings(max_examples=12, deadline=None)
@given(cut=st.integers(150, 1400), row=st.sampled_from(tuple(STRATEGIES.values())))
def test_a_prefix_gives_the_beginning_of_the_whole(cut: int, row: Strategy) -> None:
    series = market()
    prefix = CandleSeries(series.symbol, series.timeframe, series.candles[:cut])
    whole, part = backtest(plan(row)), backtest(plan(row, prefix))
    assert part.equity == whole.equity[:cut]
    assert part.trades == whole.trades[: len(part.trades)]
    ended = series.candles[cut - 1].open_time + series.step
    assert sum(trade.exit_at < ended for trade in whole.trades) == len(part.trades)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 20), row=st.sampled_from(tuple(STRATEGIES.values())))
def test_books_balance_and_figures_stay_in_bounds(seed: int, row: Strategy) -> None:
    result = backtest(
        BacktestPlan(strategy=row, series=market(40, seed % 4), policy=POLICY, model=FillModel(seed=seed))
    )
    gained = sum((trade.pnl_usd for trade in result.trades), ZERO)
    if not result.is_open_at_end:
        dust_usd = Decimal(5) + abs(gained) / 1000
        assert abs(result.equity[-1] - result.capital_usd - gained) <= dust_usd
    figures = result.metrics
    assert 0 <= figures.max_drawdown <= 1
    assert 0 <= figures.exposure <= 1
    assert figures.win_rate is None or 0 <= figures.win_rate <= 1
    assert (figures.win_rate is None) is (not result.trades)
    assert len(result.equity) == len(result.closes)
    for earlier, later in zip(result.trades, result.trades[1:], strict=False):
        assert earlier.exit_at <= later.entry_at, "one position at a time"


def test_the_same_plan_gives_the_same_result() -> None:
    row = STRATEGIES["macd-cross"]
    assert backtest(plan(row)) == backtest(plan(row))


def test_several_symbols_are_one_account_with_equal_parts() -> None:
    both = generate_market(seed=3, symbols=["BTC/USDT", "ETH/USDT"], start=START, days=60)
    results = [backtest(plan(STRATEGIES["macd-cross"], series)) for series in both.values()]
    whole = combined(results, days_per_year=365)
    assert whole.trades == sum(result.metrics.trades for result in results)
    mean = sum((result.metrics.total_return for result in results), ZERO) / 2
    assert whole.total_return == pytest.approx(mean, abs=Decimal("1e-12"))
    assert combined(results[:1], days_per_year=365).model_dump() == results[0].metrics.model_dump()


def test_a_day_ends_with_the_close_at_midnight() -> None:
    result = backtest(plan(always()))
    days = daily_equity(result.closes, result.equity)
    assert min(days) == START.date()
    assert days[START.date()] == result.equity[result.closes.index(START + timedelta(days=1))]


def test_every_preset_can_trade() -> None:
    traded = {row.name: backtest(BacktestPlan(strategy=row, series=market(200))).metrics.trades for row in GENE_POOL}
    assert all(traded.values()), traded
