"""The random baseline: the same trades at other times, at the same costs, and what share of chance an account beat."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from review_builders import DAY, NOON, D, a_day, a_sale, a_trade, an_account, an_order, some_records

from trading.policy.model import Policy
from trading.review.baseline import PriceRun, RandomBaseline, merged_runs, random_baseline
from trading.review.models import ClosedTrade
from trading.review.review import review_period

HOUR = timedelta(hours=1)
END = DAY + timedelta(days=1)


def a_run(closes: Sequence[float], *, first: int = 0, symbol: str = "BTC/USDT", spread: str | None = None) -> PriceRun:
    return PriceRun(
        symbol=symbol,
        first_at=DAY + first * HOUR,
        step_s=3600,
        closes=tuple(D(str(close)) for close in closes),
        spread_fraction=None if spread is None else D(spread),
    )


def traded(number: int = 1, *, pnl: str = "18", hours: int = 2, fee: str = "1") -> ClosedTrade:
    """1,000 USD held for some hours, with a fee on each side."""
    orders = an_order(number, commission_usd=D(fee)), a_sale(number + 100, commission_usd=D(fee))
    return a_trade(number, pnl=pnl, closed_at=NOON + hours * HOUR, orders=orders)


def drawn(trades: Sequence[ClosedTrade], *runs: PriceRun, times: int = 200, seed: str = "s") -> RandomBaseline | None:
    return random_baseline(trades, runs, start=DAY, end=END, runs=times, seed=seed)


def test_in_a_market_that_stands_still_chance_pays_fees_and_spread() -> None:
    result = drawn([traded(pnl="0.5")], a_run([100] * 25, spread="0.002"))
    assert result is not None
    assert (result.runs, result.trades, result.left_out) == (200, 1, 0)
    assert result.mean_usd == D("-4.00"), "two fees of 1 USD and a spread of 0.2 % on 1,000 USD"
    assert result.percentile == 1, "to have lost nothing is more than chance did"


def test_in_a_market_that_only_rises_chance_gains_what_the_time_held_gains() -> None:
    rising = [100 * 1.01**hour for hour in range(25)]
    result = drawn([traded(pnl="20.1", fee="0")], a_run(rising))
    assert result is not None
    assert result.mean_usd == D("20.10"), "1.01 squared, wherever the two hours lie"


def test_the_best_entry_of_a_day_beats_chance_and_the_worst_does_not() -> None:
    closes = [100.0] * 12 + [110.0] * 13
    best, worst = drawn([traded(pnl="99")], a_run(closes)), drawn([traded(pnl="-102")], a_run(closes))
    assert best is not None
    assert worst is not None
    assert best.percentile == 1, "chance pays the fees of the best entry too"
    assert worst.percentile == 0


def test_ties_count_half() -> None:
    result = drawn([traded(pnl="-2")], a_run([100] * 25))
    assert result is not None
    assert result.percentile == D("0.5")


def test_the_same_seed_gives_the_same_and_another_one_another() -> None:
    closes = [100 + (7 * hour) % 13 for hour in range(25)]
    trades = [traded(1), traded(2, hours=3)]
    assert drawn(trades, a_run(closes)) == drawn(trades, a_run(closes))
    assert drawn(trades, a_run(closes)) != drawn(trades, a_run(closes), seed="t")


def test_trades_that_cannot_be_placed_are_said_and_left_out() -> None:
    no_entry = a_trade(3)
    elsewhere = traded(4).model_copy(update={"symbol": "ETH/USDT"})
    result = drawn([traded(1), no_entry, elsewhere], a_run([100] * 25))
    assert result is not None
    assert (result.trades, result.left_out, result.own_usd) == (1, 2, D(18))
    assert drawn([no_entry], a_run([100] * 25)) is None
    assert drawn([traded(1)], a_run([100] * 2)) is None, "two closes hold one hour"
    assert drawn([traded(1)]) is None


def test_a_trade_entered_before_the_period_has_the_time_it_was_held() -> None:
    long = traded(1, hours=2).model_copy(update={"opened_at": DAY - 30 * HOUR, "closed_at": DAY + HOUR})
    assert drawn([long], a_run([100] * 25)) is None
    assert drawn([long], a_run([100] * 61, first=-36)) is not None


def test_days_are_put_together_and_what_is_told_twice_counts_once() -> None:
    runs = [a_run([3, 4, 5], first=2, spread="0.001"), a_run([1, 2, 3, 4]), a_run([9, 9], first=7), a_run([], first=9)]
    (whole,) = merged_runs(runs)
    assert whole.closes == tuple(map(D, (1, 2, 3, 4, 5, 5, 5, 9, 9))), "where nobody looked the price stands still"
    assert whole.until == DAY + 8 * HOUR
    assert whole.spread_fraction == D("0.001")


@given(
    spans=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    closes=st.lists(st.integers(50, 150), min_size=26, max_size=40),
)
def test_chance_never_leaves_the_market_and_the_share_is_a_share(spans: list[int], closes: list[int]) -> None:
    trades = [traded(place, hours=span) for place, span in enumerate(spans, start=1)]
    result = random_baseline(trades, [a_run(closes)], start=DAY, end=DAY + timedelta(days=2), runs=60, seed="any")
    assert result is not None
    assert 0 <= result.percentile <= 1
    most = sum(1000 * (max(closes) / min(closes) - 1) for _ in spans)
    assert result.mean_usd <= D(str(round(most, 2)))


def test_a_review_ranks_with_the_share_of_chance_that_each_account_beat() -> None:
    records = some_records(prices=(a_run([100] * 25), a_run([100] * 25, symbol="ETH/USDT")))
    review = review_period(records, a_day(), Policy())
    (mine,) = review.baselines
    shares = {row.account: row.random_percentile for row in review.comparison.standings}
    assert shares == {"composite": mine.percentile, "conservative": None}
    assert mine.trades == 2
    same = tuple(trade.model_copy(update={"account": "twin"}) for trade in records.trades)
    twin = records.accounts[0].model_copy(update={"account": "twin", "trades": same})
    pair = review_period(records.model_copy(update={"accounts": (records.accounts[0], twin)}), a_day(), Policy())
    assert len({row.random_percentile for row in pair.comparison.standings}) == 1, "equal trades meet equal chance"
    told = some_records(accounts=(an_account("composite", 1, 2, random_percentile=D("0.3")),), prices=records.prices)
    assert review_period(told, a_day(), Policy()).comparison.standings[0].random_percentile == D("0.3")
