"""Accounts side by side, periods, and the whole review of one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from review_builders import DAY, D, a_day, a_trade, an_account, an_equity, some_records

from trading.policy.model import Policy
from trading.policy.table import changed
from trading.review.best_worst import best_and_worst
from trading.review.comparison import compare, score, sharpe
from trading.review.labels import label_trades
from trading.review.period import ReportKind, period_of
from trading.review.review import review_period

POLICY = Policy()


@pytest.mark.parametrize(
    ("kind", "day", "name", "first", "last"),
    [
        ("daily", "2024-01-24", "2024-01-24", "2024-01-24", "2024-01-24"),
        ("weekly", "2024-01-24", "2024-W04", "2024-01-22", "2024-01-28"),
        ("weekly", "2024-12-31", "2025-W01", "2024-12-30", "2025-01-05"),  # ISO: the week of the first Thursday
        ("weekly", "2021-01-03", "2020-W53", "2020-12-28", "2021-01-03"),
        ("monthly", "2024-02-10", "2024-02", "2024-02-01", "2024-02-29"),
        ("monthly", "2023-12-31", "2023-12", "2023-12-01", "2023-12-31"),
        ("quarterly", "2024-11-05", "2024-Q4", "2024-10-01", "2024-12-31"),
        ("quarterly", "2024-03-31", "2024-Q1", "2024-01-01", "2024-03-31"),
    ],
)
def test_a_period_has_a_name_and_bounds(kind: str, day: str, name: str, first: str, last: str) -> None:
    period = period_of(ReportKind(kind), date.fromisoformat(day))
    assert (period.name, str(period.first_day), str(period.last_day)) == (name, first, last)
    assert period.end - period.start == timedelta(days=period.days)


def test_days_begin_at_midnight_of_the_zone() -> None:
    period = period_of(ReportKind.DAILY, date(2024, 3, 31), zone=ZoneInfo("Europe/Berlin"))  # the clocks go forward
    assert (period.start, period.end) == (
        datetime(2024, 3, 30, 23, tzinfo=UTC),
        datetime(2024, 3, 31, 22, tzinfo=UTC),
    )


@given(st.dates(date(1990, 1, 1), date(2090, 1, 1)), st.sampled_from(ReportKind))
def test_every_day_lies_in_the_one_period_that_it_names(day: date, kind: ReportKind) -> None:
    period = period_of(kind, day)
    assert period.first_day <= day <= period.last_day
    assert period_of(kind, period.first_day) == period_of(kind, period.last_day) == period
    assert period_of(kind, period.last_day + timedelta(days=1)).start == period.end


@pytest.mark.parametrize(
    ("win_rate", "ratio", "drawdown", "points"),
    [
        # weights 0.4, 0.4, 0.2; Sharpe counts from -1 to 3; drawdown down to the halt at 20 %
        ("1", "3", "0", "100.0"),
        ("0", "-1", "0.2", "0.0"),
        ("0.5", "1", "0.1", "50.0"),
        ("0.8", "2.2", "0.006", "83.4"),
        ("1", "9", "0", "100.0"),  # a Sharpe above 3 counts no more
        (None, None, "0", "60.0"),  # an account that did not trade
    ],
)
def test_the_score_is_the_stated_formula(win_rate: str | None, ratio: str | None, drawdown: str, points: str) -> None:
    found = score(
        win_rate=None if win_rate is None else D(win_rate), sharpe_ratio=None if ratio is None else D(ratio),
        drawdown=D(drawdown), policy=POLICY,
    )  # fmt: skip
    assert found == D(points)


def test_without_any_weight_every_account_scores_fifty() -> None:
    none = changed(POLICY, score_win_rate_weight="0", score_sharpe_weight="0", score_drawdown_weight="0")
    assert score(win_rate=D(1), sharpe_ratio=D(3), drawdown=D(0), policy=none) == 50


def test_three_accounts_against_holding_and_chance() -> None:
    made = compare(
        [
            an_account("aggressive", 100, 90, 110, 105, 104, 103, 102, trades=(a_trade(1), a_trade(2, pnl="-9"))),
            an_account("composite", 100, 101, 101, 102, 103, 103, 104, trades=(a_trade(3),), random_percentile="0.93"),
            an_account("conservative", 100, 100, 100, 100, 100, 100, 100),
        ],
        buy_and_hold_return=D("0.03"),
        policy=POLICY,
    )
    shown = [(s.rank, s.account, s.return_fraction, s.excess_return, s.trades, s.word) for s in made.standings]
    assert shown == [
        (1, "composite", D("0.04"), D("0.01"), 1, "best"),
        (2, "aggressive", D("0.02"), D("-0.01"), 2, "too risky"),  # it fell by a tenth
        (3, "conservative", D(0), D("-0.03"), 0, "low return"),
    ]
    best, wild, still = made.standings
    assert (best.random_percentile, still.sharpe, still.win_rate) == (D("0.93"), None, None)
    assert (wild.max_drawdown, wild.win_rate) == (D("0.1"), D("0.5"))


curves = st.lists(st.integers(50, 200), max_size=12)


@given(st.dictionaries(st.sampled_from("abcdef"), curves, max_size=6), st.randoms(use_true_random=False))
def test_the_ranking_is_a_permutation_and_knows_no_order_of_input(rows: dict[str, list[int]], chance: object) -> None:
    accounts = [an_account(name, *curve) for name, curve in rows.items()]
    made = compare(accounts, buy_and_hold_return=None, policy=POLICY)
    assert sorted(s.account for s in made.standings) == sorted(rows)
    assert [s.rank for s in made.standings] == list(range(1, len(rows) + 1))
    assert all(0 <= s.score <= 100 for s in made.standings)
    assert compare(accounts[::-1], buy_and_hold_return=None, policy=POLICY) == made


def test_sharpe_needs_returns_and_movement() -> None:
    assert sharpe(()) is None
    assert sharpe(an_equity(100, 101, 100, 101, 100, step=timedelta(hours=1))) is None  # four returns
    assert sharpe(an_equity(100, 100, 100, 100)) is None


def test_above_seven_days_a_return_is_a_day() -> None:
    daily = an_equity(100, 101, 100, 101, 100, 101, 100, 101, 102, step=timedelta(days=1))
    returns = [D(b.equity_usd) / a.equity_usd - 1 for a, b in pairwise(daily)]
    mean = sum(returns) / 8
    deviation = (sum((r - mean) ** 2 for r in returns) / 7).sqrt()
    assert sharpe(daily) == pytest.approx(mean / deviation * Decimal(365).sqrt(), abs=D("0.0001"))


def test_sharpe_of_hourly_returns_is_annualised() -> None:
    hourly = an_equity(100, 101, 100, 101, 100, 101, step=timedelta(hours=1))
    returns = [D(101) / 100 - 1, D(100) / 101 - 1] * 2 + [D(101) / 100 - 1]
    mean = sum(returns) / 5
    deviation = (sum((r - mean) ** 2 for r in returns) / 4).sqrt()
    assert sharpe(hourly) == pytest.approx(mean / deviation * Decimal(365 * 24).sqrt(), abs=D("0.0001"))


def test_best_and_worst_hold_five_each_and_no_trade_twice() -> None:
    trades = label_trades([a_trade(n, pnl=str(n - 7)) for n in range(1, 14)], POLICY)
    found = best_and_worst(trades)
    assert [each.trade.pnl_usd for each in found.best] == [6, 5, 4, 3, 2]
    assert [each.trade.pnl_usd for each in found.worst] == [-6, -5, -4, -3, -2]


def test_the_review_of_a_small_day() -> None:
    review = review_period(some_records(), a_day(), POLICY)
    assert [(each.label.value, each.grade.value) for each in review.trades] == [("success", "good"), ("failure", "bad")]
    assert review.summary.pnl_usd == -13
    assert review.standing is not None
    assert (review.standing.account, review.standing.rank) == ("composite", 2)
    assert review.calibration.forecasts == 2
    assert review.calibration_so_far.forecasts == 4
    assert sum(lesson.sample_count for lesson in review.book) == 4
    assert len(review.lessons) == 3
    over = review.biases[0]
    assert (over.found, over.measured) == (True, 10), "two trades today, two in the ten days before"
    assert review.changes.applied == (), "two trades are no evidence that twenty a day are too many"
    assert review.changes.checkpoints[0].question.startswith("What does this trade earn")


def test_the_same_records_give_the_same_review() -> None:
    assert review_period(some_records(), a_day(), POLICY) == review_period(some_records(), a_day(), POLICY)


def test_an_account_without_history_is_reviewed_without_a_guess() -> None:
    empty = some_records(
        trades=(), trades_before=(), orders=(), accounts=(), buy_and_hold_return=None, opened_at=None, models=()
    )
    review = review_period(empty, a_day(), POLICY)
    assert review.standing is None
    assert review.comparison.standings == ()
    assert [bias.found for bias in review.biases] == [None] * 5
    assert review.calibration.brier is None
    assert review.period.start == DAY
