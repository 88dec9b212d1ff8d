"""Statistical honesty: chance is not promoted, an edge is, and nobody is culled on a few trades."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.backtest.baseline import random_baseline
from trading.backtest.models import BacktestPlan
from trading.backtest.run import backtest
from trading.candles import Candle, CandleSeries
from trading.evolution.cull import Fate, judge
from trading.evolution.examine import Examination, examine, round_trip_cost, with_holdout
from trading.evolution.models import Record, TradeReturn
from trading.evolution.promotion import Evidence, evidence_of, shown_holdout, verdict
from trading.evolution.significance import deflated_sharpe, expected_best_sharpe
from trading.evolution.windows import WalkForward, walk_forward
from trading.matching.fills import FillModel
from trading.policy.model import Policy
from trading.policy.table import changed
from trading.portfolio import sharpe
from trading.strategies.conditions import number
from trading.strategies.models import Op, Score, Setup, StopRule, Strategy

START = datetime(2022, 1, 1, tzinfo=UTC)
DAYS = 540
POLICY = Policy()
WINDOWS: WalkForward = walk_forward(
    START,
    START + timedelta(days=DAYS),
    train=timedelta(days=120),
    test=timedelta(days=60),
    holdout=timedelta(days=90),
    purge=timedelta(days=2),
)


def record(seed: str, *, edge: float = 0.0, days: int = DAYS, trades_a_day: float = 0.5, name: str = "x") -> Record:
    """Trades at random with returns around `edge` (deviation 2 %), each a twentieth of the account."""
    chance = random.Random(seed)
    trades, daily = [], []
    for day in range(days):
        at = START + timedelta(days=day)
        gained = Decimal(0)
        if chance.random() < trades_a_day:
            value = Decimal(str(round(chance.gauss(edge, 0.02), 6)))
            entry_at, exit_at = at + timedelta(hours=1), at + timedelta(hours=9)
            trades.append(TradeReturn.model_construct(entry_at=entry_at, exit_at=exit_at, return_fraction=value))
            gained = value / 20
        daily.append((at, gained))
    return Record.model_construct(
        strategy=name, start=START, end=START + timedelta(days=days), trades=tuple(trades), daily_returns=tuple(daily)
    )


def all_shown(seen: Record, *, percentile: str = "1") -> Evidence:
    evidence = evidence_of(seen, WINDOWS, trials=1, baseline_percentile=Decimal(percentile))
    return shown_holdout(evidence, seen, WINDOWS)


def promoted(seen: Record, *, trials: int, percentile: str = "1") -> bool:
    evidence = all_shown(seen, percentile=percentile)
    return verdict(evidence.model_copy(update={"trials": trials}), POLICY).promoted


def test_among_two_hundred_random_records_almost_nothing_is_promoted() -> None:
    """Without the random baseline's help, and each as if it were the only trial: the rules alone hold. Told how many
    were tried, they promote none."""
    seen = [all_shown(record(f"walk|{seed}")) for seed in range(200)]
    fooled = [evidence for evidence in seen if verdict(evidence, POLICY).promoted]
    assert len(fooled) <= 6, len(fooled)
    assert not [e for e in fooled if verdict(e.model_copy(update={"trials": 200}), POLICY).promoted]


@pytest.mark.parametrize("market", range(4))
def test_the_best_of_166_worthless_strategies_is_not_promoted(market: int) -> None:
    """It looks excellent; told how many were tried, nobody is impressed."""
    candidates = [record(f"{market}|{number}", name=str(number)) for number in range(166)]
    first, last = WINDOWS.windows[0].test_from, WINDOWS.windows[-1].test_to
    unseen = [[value for at, value in seen.daily_returns if first <= at < last] for seen in candidates]
    ratios = [sharpe(values, periods_per_year=365) or Decimal(0) for values in unseen]
    best = candidates[ratios.index(max(ratios))]
    assert max(ratios) > Decimal("1.5"), "the best of many looks good"
    assert not promoted(best, trials=166)


def test_the_best_of_166_over_a_year_is_expected_to_show_about_2_7() -> None:
    expected = expected_best_sharpe(trials=166, periods=365, periods_per_year=365)
    assert Decimal("2.6") < expected < Decimal("2.8")


def test_more_trials_make_the_same_returns_less_convincing() -> None:
    returns = record("edge", edge=0.004).daily
    chances = [deflated_sharpe(returns, trials=trials) for trials in (1, 10, 166, 5000)]
    assert all(value is not None for value in chances)
    assert chances == sorted(chances, key=lambda value: -(value or 0))
    assert chances[0] != chances[-1]


def test_a_planted_edge_is_promoted_among_many_trials() -> None:
    found = [seed for seed in range(20) if promoted(record(f"edge|{seed}", edge=0.012), trials=166)]
    assert len(found) >= 18, found


def test_a_planted_edge_that_is_gone_in_the_holdout_is_not_promoted() -> None:
    good, gone = record("edge|1", edge=0.012), record("gone", edge=-0.009)
    pieced = good.model_copy(
        update={
            "trades": (
                *(trade for trade in good.trades if trade.entry_at < WINDOWS.holdout_from),
                *(trade for trade in gone.trades if trade.entry_at >= WINDOWS.holdout_from),
            )
        }
    )
    evidence = evidence_of(pieced, WINDOWS, trials=20, baseline_percentile=Decimal(1))
    answer = verdict(shown_holdout(evidence, pieced, WINDOWS), POLICY)
    assert [reason.code for reason in answer.against] == ["holdout_failed"]
    assert [reason.code for reason in verdict(evidence, POLICY).against] == ["holdout_unseen"]


def test_no_better_than_random_is_a_reason_by_itself() -> None:
    seen = record("edge|1", edge=0.012)
    assert promoted(seen, trials=20)
    assert not promoted(seen, trials=20, percentile="0.9")
    evidence = evidence_of(seen, WINDOWS, trials=20, baseline_percentile=Decimal(1), model_knows_period=True)
    assert not verdict(shown_holdout(evidence, seen, WINDOWS), POLICY).promoted


@settings(max_examples=60, deadline=None)
@given(
    trades=st.lists(st.decimals("-0.2", "0.1", places=3), max_size=49),
    days=st.integers(1, 900),
    scores=st.lists(st.decimals("0", "100", places=0), max_size=4),
)
def test_nobody_is_culled_under_fifty_trades(trades: list[Decimal], days: int, scores: list[Decimal]) -> None:
    answer = judge(_with(trades, days=days), weekly_scores=scores, policy=POLICY)
    assert answer.fate is not Fate.CULLED
    assert answer.budget_factor > 0


@settings(max_examples=40, deadline=None)
@given(trades=st.lists(st.decimals("-0.2", "0.1", places=3), min_size=50, max_size=80), days=st.integers(1, 89))
def test_nobody_is_culled_under_ninety_days(trades: list[Decimal], days: int) -> None:
    assert judge(_with(trades, days=days), weekly_scores=(), policy=POLICY).fate is not Fate.CULLED


def test_ten_lost_trades_are_a_warning_and_a_smaller_budget() -> None:
    answer = judge(_with([Decimal("-0.02"), Decimal("-0.01")] * 5, days=200), weekly_scores=(), policy=POLICY)
    assert answer.fate is Fate.WARNED
    assert answer.budget_factor == POLICY.warned_budget_factor
    assert "too_few_trades" in {reason.code for reason in answer.reasons}


def test_a_clear_loser_is_culled_with_its_numbers() -> None:
    answer = judge(record("loser", edge=-0.01, days=300), weekly_scores=(), policy=POLICY)
    assert answer.fate is Fate.CULLED
    assert answer.budget_factor == 0
    codes = {reason.code: reason for reason in answer.reasons}
    assert Decimal(codes["negative_expectancy"].numbers["upper_bound"]) < 0


def test_a_true_55_percent_strategy_is_seldom_culled() -> None:
    """Winning 55 % of equal bets less costs: over a hundred histories the rule errs far less than one time in ten."""
    culled = 0
    for seed in range(100):
        chance = random.Random(f"fair|{seed}")
        trades = [Decimal("0.0195") if chance.random() < 0.55 else Decimal("-0.0205") for _ in range(60)]
        culled += judge(_with(trades, days=120), weekly_scores=(), policy=POLICY).fate is Fate.CULLED
    assert culled <= 5


def test_two_low_weeks_warn_and_one_does_not() -> None:
    good = record("edge|2", edge=0.012)
    low, fine = POLICY.score_pass - Decimal(1), Decimal(POLICY.score_pass)
    fates = [judge(good, weekly_scores=scores, policy=POLICY).fate for scores in ((fine, low), (low, low), (low, fine))]
    assert fates == [Fate.KEPT, Fate.WARNED, Fate.KEPT]


def _with(returns: list[Decimal], *, days: int) -> Record:
    trades = tuple(
        TradeReturn(
            entry_at=START + timedelta(hours=n), exit_at=START + timedelta(hours=n, minutes=30), return_fraction=value
        )
        for n, value in enumerate(returns)
    )
    daily = [Decimal(0)] * days
    for place, value in enumerate(returns):
        daily[place % days] += value / 20
    return Record(
        strategy="x",
        start=START,
        end=START + timedelta(days=days),
        trades=trades,
        daily_returns=tuple((START + timedelta(days=day), value) for day, value in enumerate(daily)),
    )


DIP = Strategy(
    name="dip",
    version="1",
    kind="reversion",
    thesis="A fall of one candle below the band comes back.",
    entries=(Setup(id="dip", all_of=(number("below the band", "bollinger_place@1h", Op.BELOW, "0"),)),),
    exits=(Setup(id="back", all_of=(number("back", "bollinger_place@1h", Op.ABOVE, "0.6"),)),),
    stop=StopRule(kind="fraction", value=Decimal("0.03")),
    reward_risk=Decimal("1.5"),
    time_exit_hours=12,
    size_fraction=Decimal("0.04"),
    confidence=Score(start=Decimal("0.7")),
    win_probability=Score(start=Decimal("0.5")),
)
SHORT_PAST = changed(POLICY, min_history_bars=100)


def candles(seed: int, *, days: int, planted: bool) -> CandleSeries:
    """A random walk; where planted, a fall of 1.5 % comes now and then and is more than bought back in five hours."""
    chance = random.Random(f"candles|{seed}")
    rows, price, owed = [], 100.0, [0.0] * 6
    for place in range(days * 24):
        before = price
        step = chance.gauss(0, 0.0025) + owed.pop(0)
        owed.append(0.0)
        if planted and chance.random() < 1 / 30:
            step -= 0.015
            owed[:5] = [value + 0.004 for value in owed[:5]]
        price *= 1 + step
        high, low = max(before, price) * (1 + abs(chance.gauss(0, 0.0005))), min(before, price) * 0.9995
        opened, top, bottom, closed = (Decimal(f"{value:.4f}") for value in (before, high, low, price))
        rows.append(Candle(START + timedelta(hours=place), opened, top, bottom, closed, Decimal(100_000)))
    return CandleSeries("AAA/USDT", "1h", tuple(rows))


def examined(series: CandleSeries, *, trials: int, copies: int = 3) -> bool:
    wanted = Examination(
        plans=(BacktestPlan(strategy=DIP, series=series, policy=SHORT_PAST),),
        train=timedelta(days=40),
        test=timedelta(days=20),
        holdout=timedelta(days=40),
        trials=trials,
        seed=1,
        copies=copies,
    )
    return verdict(with_holdout(examine(wanted), wanted), SHORT_PAST).promoted


def test_a_strategy_with_a_planted_edge_goes_the_whole_way_to_promotion() -> None:
    assert examined(candles(1, days=260, planted=True), trials=166)


@pytest.mark.parametrize("seed", range(4))
def test_the_same_strategy_on_a_random_walk_does_not(seed: int) -> None:
    assert not examined(candles(seed, days=200, planted=False), trials=1, copies=0)


def test_the_random_baseline_sees_an_edge_and_sees_none() -> None:
    percentiles = {}
    for planted in (True, False):
        series = candles(2, days=120, planted=planted)
        result = backtest(BacktestPlan(strategy=DIP, series=series, policy=SHORT_PAST))
        cost = round_trip_cost(FillModel(seed=1))
        answer = random_baseline(result, series, cost_fraction=cost, runs=200, seed=7)
        again = random_baseline(result, series, cost_fraction=cost, runs=200, seed=7)
        assert answer == again
        assert answer is not None
        assert answer.runs == 200
        percentiles[planted] = answer.percentile
    assert percentiles[True] > Decimal("0.98")
    assert percentiles[False] < Decimal("0.98")
