"""How trades are labelled, how their execution is measured, and what calibration says."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from review_builders import NOON, D, a_plan, a_sale, a_trade, an_order

from trading.orders.models import Leg, OrderStatus, Side
from trading.policy.model import Policy
from trading.review.calibration import Forecast, calibration, forecasts_of
from trading.review.execution import execution_quality, slippage
from trading.review.labels import REASONS, Grade, Label, label_trade, label_trades
from trading.review.summary import summarise

POLICY = Policy()


@pytest.mark.parametrize(
    ("pnl", "plan", "label", "grade", "reason"),
    [
        # 100 to 102 or 99 at even odds: 0.5 % is expected
        ("18", {}, "success", "good", "beat_expectation"),
        ("5", {}, "success", "good", "beat_expectation"),
        ("4.9", {}, "failure", "could_improve", "below_expectation"),
        # the stop is 1 % away
        ("-10", {}, "failure", "could_improve", "lost_within_plan"),
        ("-11.9", {}, "failure", "could_improve", "lost_within_plan"),  # with the slippage tolerance of 0.2 %
        ("-12.1", {}, "failure", "bad", "lost_more_than_planned"),
        ("0", {}, "failure", "could_improve", "lost_within_plan"),  # nothing is no gain
        # without a plan on record
        ("1", {"target_price": None}, "success", "good", "gained_without_plan"),
        ("-1", {"stop_price": None}, "failure", "bad", "lost_without_plan"),
    ],
)
def test_a_trade_is_measured_against_its_plan(
    pnl: str, plan: dict[str, None], label: str, grade: str, reason: str
) -> None:
    judged = label_trade(a_trade(pnl=pnl, plan=a_plan(**plan)), POLICY)
    assert (judged.label, judged.grade, judged.reasons[0]) == (label, grade, reason)


def test_a_gain_with_bad_execution_could_improve() -> None:
    slipped = an_order(executed_quote=D(1005))
    judged = label_trade(a_trade(pnl="18", orders=(slipped, a_sale())), POLICY)
    assert judged.grade is Grade.COULD_IMPROVE
    assert judged.reasons == ("beat_expectation", "poor_execution")


def test_a_loss_at_low_certainty_says_so() -> None:
    judged = label_trade(a_trade(pnl="-5", plan=a_plan(confidence=D("0.59"))), POLICY)
    assert judged.reasons == ("lost_within_plan", "uncertain_entry")


fractions = st.decimals(min_value=0, max_value=1, places=4)
prices = st.none() | st.decimals(min_value=D("0.01"), max_value=D(1000), places=2)


@given(
    pnl=st.decimals(min_value=-1000, max_value=1000, places=2),
    entry=prices,
    stop=prices,
    target=prices,
    probability=st.none() | fractions,
    confidence=st.none() | fractions,
)
def test_every_trade_has_one_label_one_grade_and_a_reason(
    pnl: Decimal,
    entry: Decimal | None,
    stop: Decimal | None,
    target: Decimal | None,
    probability: Decimal | None,
    confidence: Decimal | None,
) -> None:
    plan = a_plan(
        entry_price=entry, stop_price=stop, target_price=target, win_probability=probability, confidence=confidence
    )
    judged = label_trade(a_trade(pnl=str(pnl), plan=plan), POLICY)
    assert judged.label in Label
    assert judged.grade in Grade
    assert judged.reasons
    assert set(judged.reasons) <= set(REASONS)
    assert judged.label is Label.FAILURE or pnl > 0
    assert judged.grade is not Grade.GOOD or judged.label is Label.SUCCESS


@pytest.mark.parametrize(
    ("side", "expected", "filled", "cost"),
    [
        (Side.BUY, "100", "101", "0.01"),  # bought dearer
        (Side.BUY, "100", "99", "-0.01"),
        (Side.SELL, "100", "99", "0.01"),  # sold cheaper
        (Side.SELL, "100", "101", "-0.01"),
    ],
)
def test_slippage_is_positive_where_it_cost_money(side: Side, expected: str, filled: str, cost: str) -> None:
    order = an_order(side=side, expected_price=D(expected), executed_quote=D(filled) * 10)
    assert slippage(order) == D(cost)


def test_a_stop_is_measured_against_its_trigger() -> None:
    stop = a_sale(expected_price=None, stop_price=D(100), leg=Leg.STOP, executed_quote=D(998))
    assert slippage(stop) == D("0.002")


def test_execution_quality_weighs_by_what_changed_hands() -> None:
    small = an_order(1, quantity=D(1), executed_quantity=D(1), executed_quote=D(110), commission_usd=D("0.11"))
    seen = execution_quality((small, an_order(2)), POLICY)
    assert seen.slippage_fraction == D("0.1") * 110 / 1110
    assert seen.worst_order_id == small.client_order_id
    assert (seen.orders, seen.filled_orders, seen.fill_rate, seen.success_rate) == (2, 2, 1, 1)
    assert (seen.turnover_usd, seen.fees_usd) == (1110, D("1.11"))
    assert (seen.mean_latency_s, seen.is_poor, seen.reasons) == (1, True, ("slippage",))


def test_a_withdrawn_stop_is_no_bad_fill_and_a_refused_entry_is() -> None:
    nothing = {"executed_quantity": D(0), "executed_quote": D(0), "commission_usd": D(0), "first_fill_at": None}
    stop = a_sale(leg=Leg.STOP, status=OrderStatus.CANCELED, **nothing)
    refused = an_order(3, status=OrderStatus.REFUSED, **nothing)
    half = an_order(4, status=OrderStatus.EXPIRED, executed_quantity=D(5), executed_quote=D(500))
    assert execution_quality((an_order(), stop), POLICY).fill_rate == 1
    seen = execution_quality((an_order(), stop, refused, half), POLICY)
    assert seen.fill_rate == D("0.5")  # all, nothing, a half
    assert seen.success_rate == D("0.75")
    assert seen.reasons == ("orders_failed",)


def test_without_orders_nothing_is_measured() -> None:
    seen = execution_quality((), POLICY)
    assert (seen.slippage_fraction, seen.fill_rate, seen.success_rate, seen.fee_fraction) == (None, None, None, None)
    assert not seen.is_poor


forecast_lists = st.lists(st.builds(Forecast, probability=fractions, came_true=st.booleans()), max_size=60)


@given(forecast_lists)
def test_brier_and_error_lie_between_0_and_1_and_bins_hold_every_forecast(forecasts: list[Forecast]) -> None:
    seen = calibration(forecasts)
    assert sum(each.forecasts for each in seen.bins) == len(forecasts) == seen.forecasts
    if forecasts:
        assert seen.brier is not None
        assert seen.error is not None
        assert 0 <= seen.brier <= 1
        assert 0 <= seen.error <= 1
        assert all(each.low <= each.mean_probability <= each.high for each in seen.bins)
    else:
        assert seen.brier is None


def test_calibration_of_a_known_case() -> None:
    # four at 0.75 of which three came true, four at 0.25 of which three came true
    said = [Forecast(probability=D("0.75"), came_true=place < 3) for place in range(4)]
    said += [Forecast(probability=D("0.25"), came_true=place < 3) for place in range(4)]
    seen = calibration(said)
    assert seen.brier == (3 * D("0.0625") + D("0.5625") + 3 * D("0.5625") + D("0.0625")) / 8
    assert seen.error == D("0.25")  # half of them off by a half
    assert seen.bias == D("-0.25")  # too modest
    assert [(b.low, b.forecasts, b.observed_rate) for b in seen.bins] == [
        (D("0.2"), 4, D("0.75")),
        (D("0.7"), 4, D("0.75")),
    ]


def test_certainty_falls_into_the_last_bin() -> None:
    assert calibration([Forecast(probability=D(1), came_true=True)]).bins[0].low == D("0.9")


def test_a_trade_without_a_stated_probability_is_no_forecast() -> None:
    assert len(forecasts_of([a_trade(), a_trade(2, plan=a_plan(win_probability=None))])) == 1


@pytest.mark.parametrize(
    ("won", "lost", "days", "said"),
    [
        (3, 1, 1, ("Win rate 75%: excellent",)),
        (7, 3, 2, ()),  # exactly 0.7 is not above it; ten in two days are not more than five a day
        (1, 2, 1, ("Win rate 33%: low, review strategy",)),
        (2, 3, 1, ()),
        (3, 3, 1, ("6 trades in 1 day: frequency high, reduce",)),
        (0, 0, 1, ("No trades today",)),
    ],
)
def test_insights_of_a_day(won: int, lost: int, days: int, said: tuple[str, ...]) -> None:
    trades = [a_trade(n, pnl="1" if n <= won else "-1") for n in range(1, won + lost + 1)]
    assert summarise(trades, days=days).insights == said


def test_the_summary_has_best_worst_and_the_profit_factor() -> None:
    seen = summarise([a_trade(1, pnl="30"), a_trade(2, pnl="-10"), a_trade(3, pnl="-5")])
    assert (seen.trades, seen.profitable, seen.pnl_usd, seen.mean_pnl_usd) == (3, 1, 15, 5)
    assert seen.best is not None
    assert seen.worst is not None
    assert (seen.best.decision_id, seen.worst.decision_id, seen.profit_factor) == ("d1", "d2", 2)
    assert seen.mean_expected_return == D("0.005")


def test_trades_are_labelled_in_the_order_of_their_closing() -> None:
    late, early = a_trade(1, closed_at=NOON + timedelta(hours=9)), a_trade(2, closed_at=NOON + timedelta(hours=1))
    assert [each.trade for each in label_trades([late, early], POLICY)] == [early, late]
