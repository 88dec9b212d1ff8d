"""Lessons, the five biases, what a review changes, and principles from lessons."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from review_builders import NOON, D, a_plan, a_trade, an_order, some_records

from trading.facts.models import Fact
from trading.ledger.positions import Position
from trading.policy.model import Policy
from trading.policy.table import BY_FIELD, changed, loosens
from trading.review.biases import BiasCheck, check_biases
from trading.review.calibration import Calibration
from trading.review.changes import WantedChange, split_changes, wanted_changes
from trading.review.execution import ExecutionQuality, execution_quality
from trading.review.experiences import experiences, lessons_of_the_day
from trading.review.labels import label_trades
from trading.review.lessons import extract_lesson, lesson_book, merged
from trading.review.models import ClosedTrade, DecisionTally
from trading.review.opposition import opposing_ids
from trading.review.pnl import reliable_pnl
from trading.review.reflection import learning_slope, propose_principles

POLICY = Policy()


def test_a_lesson_has_the_title_and_the_words_of_its_case() -> None:
    won, lost = extract_lesson(a_trade(pnl="18.239")), extract_lesson(a_trade(pnl="-31"))
    assert (won.title, won.kind, won.confidence, won.sample_count) == (
        "成功案例: buy BTC/USDT in sideways market", "success", D("0.5"), 1,
    )  # fmt: skip
    assert won.description == "In a sideways market, buy BTC/USDT: pnl 18.24 USD"
    assert lost.title == "失败案例: buy BTC/USDT in sideways market"
    assert lost.description.endswith("pnl -31.00 USD; should avoid similar decisions")
    unknown = extract_lesson(a_trade(plan=a_plan(trend_regime=None)))
    assert unknown.title == "成功案例: buy BTC/USDT in unknown market"


def test_a_repeated_title_gains_a_sample_and_a_tenth_of_confidence_up_to_one() -> None:
    book = lesson_book([a_trade(number) for number in range(1, 9)])
    assert [(lesson.sample_count, lesson.confidence) for lesson in book] == [(8, D("1.0"))]
    assert lesson_book([a_trade(1), a_trade(2)])[0].confidence == D("0.6")
    assert len(book[0].evidence) == 8


def test_a_lesson_is_validated_by_later_trades_and_withdrawn_by_others() -> None:
    won = [a_trade(number) for number in range(1, 7)]
    assert lesson_book(won)[0].validated  # five after the first, all its way
    assert not lesson_book(won[:5])[0].validated
    lost = [a_trade(number, pnl="-1") for number in range(7, 20)]
    success = next(lesson for lesson in lesson_book([*won, *lost]) if lesson.kind == "success")
    assert (success.validation_trades, success.validation_successes, success.validated) == (18, 5, False)


@given(st.lists(st.tuples(st.sampled_from(["BTC/USDT", "ETH/USDT"]), st.integers(-3, 3)), max_size=25))
def test_the_book_holds_each_trade_once_under_distinct_titles(rows: list[tuple[str, int]]) -> None:
    trades = [a_trade(n, symbol=symbol, pnl=str(pnl)) for n, (symbol, pnl) in enumerate(rows, start=1)]
    book = lesson_book(trades)
    assert sum(lesson.sample_count for lesson in book) == len(trades)
    assert len({lesson.title for lesson in book}) == len(book)
    assert all(D("0.5") <= lesson.confidence <= 1 for lesson in book)
    one_by_one: tuple[Any, ...] = ()
    for trade in trades:
        one_by_one = merged(one_by_one, extract_lesson(trade))
    assert [(lesson.title, lesson.sample_count, lesson.confidence) for lesson in one_by_one] == [
        (lesson.title, lesson.sample_count, lesson.confidence) for lesson in book
    ]


def checks(trades: list[ClosedTrade], *, days: int = 1, trades_before: int = 0, days_before: int = 0) -> dict[str, Any]:
    found = check_biases(trades, days=days, trades_before=trades_before, days_before=days_before, policy=POLICY)
    assert [check.name for check in found] == ["over_trading", "anchoring", "confirmation", "loss_aversion", "chasing"]
    return {check.name: check for check in found}


@pytest.mark.parametrize(
    ("trades", "before", "days_before", "found"),
    [
        (3, 20, 10, False),  # exactly one and a half times two a day
        (4, 20, 10, True),
        (9, 20, 4, None),  # four days are no history
        (9, 0, 30, None),  # nothing was ever traded: no mean
        (0, 20, 10, False),
    ],
)
def test_over_trading_is_more_than_one_and_a_half_times_the_mean(
    trades: int, before: int, days_before: int, found: bool | None
) -> None:
    seen = checks([a_trade(n) for n in range(1, trades + 1)], trades_before=before, days_before=days_before)
    assert seen["over_trading"].found is found


def test_losers_held_more_than_twice_as_long_are_loss_aversion() -> None:
    def held(number: int, hours: float, pnl: str) -> ClosedTrade:
        return a_trade(number, pnl=pnl, closed_at=NOON + timedelta(hours=hours))

    won = [held(number, 2, "5") for number in (1, 2, 3)]
    assert checks([*won, *(held(n, 4, "-5") for n in (4, 5, 6))])["loss_aversion"].found is False
    seen = checks([*won, *(held(n, 4.1, "-5") for n in (4, 5, 6))])["loss_aversion"]
    assert (seen.found, seen.evidence) == (True, ("d4", "d5", "d6"))
    assert checks([*won, held(4, 9, "-5")])["loss_aversion"].found is None


def test_levels_that_stay_while_entries_move_are_an_anchor() -> None:
    def planned(number: int, entry: str, stop: str) -> ClosedTrade:
        plan = a_plan(entry_price=D(entry), stop_price=D(stop), target_price=D(entry) * D("1.02"))
        return a_trade(number, plan=plan)

    moving = ["100", "102", "104", "106", "108"]
    anchored = [planned(number, entry, "98") for number, entry in enumerate(moving, start=1)]
    free = [planned(number, entry, str(D(entry) * D("0.99"))) for number, entry in enumerate(moving, start=1)]
    still = [planned(number, "100", "98") for number in range(1, 6)]
    assert checks(anchored)["anchoring"].found is True
    assert checks(free)["anchoring"].found is False
    assert checks(still)["anchoring"].found is False  # where the price stays, so may the stop
    assert checks(anchored[:4])["anchoring"].found is None


def test_entries_that_cite_nothing_against_them_are_confirmation() -> None:
    def entered(number: int, cited: int, against: int = 3) -> ClosedTrade:
        return a_trade(number, plan=a_plan(opposing_facts=against, opposing_cited=cited))

    blind = [entered(number, 0) for number in range(1, 6)]
    assert checks(blind)["confirmation"].found is True
    assert checks([*blind[:4], entered(5, 1)])["confirmation"].found is False  # 80 % is not above 80 %
    assert checks([entered(number, 0, against=0) for number in range(1, 9)])["confirmation"].found is None


def test_buying_what_has_run_is_chasing() -> None:
    ran = [a_trade(number, plan=a_plan(change_24h=D("0.031"))) for number in (1, 2, 3)]
    calm = [a_trade(number, plan=a_plan(change_24h=D("0.03"))) for number in (4, 5)]
    seen = checks([*ran, *calm])["chasing"]
    assert (seen.found, seen.measured, seen.evidence) == (True, D("0.6"), ("d1", "d2", "d3"))
    assert checks([*ran[:2], *calm, a_trade(6, plan=a_plan(change_24h=D(0)))])["chasing"].found is False


def test_facts_that_speak_against_a_purchase() -> None:
    def fact(name: str, value: Decimal | str) -> Fact:
        return Fact(id=f"{name}@1h", name=name, value=value, unit="label", as_of=NOON)

    against = (fact("ema_trend", "down"), fact("macd_histogram", D("-0.1")), fact("liquidity_sweep", "swept_highs"))
    others = (fact("rsi_signal", "oversold"), fact("change_24h", D("0.02")), fact("rsi_14", D("-1")))
    assert opposing_ids((*against, *others)) == {each.id for each in against}


def test_a_trading_day_gives_five_to_ten_experiences_and_three_lessons() -> None:
    records = some_records()
    trades = label_trades(records.trades, POLICY)
    day = experiences(
        trades, tally=records.tally, execution=execution_quality(records.orders, POLICY), biases=(),
        equity_usd=D(10000),
    )  # fmt: skip
    assert 5 <= len(day) <= 10
    assert len({each.title for each in day}) == len(day)
    assert all(each.evidence for each in day)
    assert [each.title for each in lessons_of_the_day(day, lesson_book(records.trades))] == [
        "失败案例: buy ETH/USDT in sideways market",  # it lost more than planned: the weightiest
        "成功案例: buy BTC/USDT in sideways market",
        "Refused by the gate: cash floor",
    ]


def test_a_day_without_anything_teaches_nothing() -> None:
    assert experiences((), tally=DecisionTally(), execution=ExecutionQuality(), biases=(), equity_usd=None) == ()


def test_a_tightening_applies_and_a_loosening_waits_for_a_person() -> None:
    wanted = (
        WantedChange(field="max_trade_fraction", value=D("0.04"), reason="the drawdown grew"),
        WantedChange(field="collar_fraction", value=D("0.006"), reason="too many stale permits"),
    )
    made = split_changes(POLICY, wanted)
    assert [(c.field, c.old, c.new) for c in made.applied] == [("max_trade_fraction", "0.05", "0.04")]
    assert [(p.change.field, p.change.old, p.change.new) for p in made.proposals] == [
        ("collar_fraction", "0.005", "0.006")
    ]
    assert made.policy == changed(POLICY, max_trade_fraction="0.04")
    assert made.proposals[0].id == split_changes(POLICY, wanted).proposals[0].id


def test_a_change_that_another_limit_forbids_is_left_out() -> None:
    made = split_changes(POLICY, [WantedChange(field="stop_max_fraction", value=D("0.0019"), reason="none")])
    assert (made.applied, made.proposals, made.policy) == ((), (), POLICY)
    assert made.left_out[0].startswith("stop_max_fraction: ")


@given(
    st.lists(st.tuples(st.sampled_from(sorted(BY_FIELD)), st.decimals(min_value=0, max_value=2, places=3)), max_size=6)
)
def test_whatever_a_review_wants_its_policy_never_admits_more_risk(rows: list[tuple[str, Decimal]]) -> None:
    wanted = [
        WantedChange(field=name, value=int(value) if BY_FIELD[name].type == "integer" else value, reason="a test")
        for name, value in rows
    ]
    made = split_changes(POLICY, wanted)
    assert loosens(POLICY, made.policy) == ()
    assert len(made.applied) + len(made.proposals) + len(made.left_out) <= len(wanted)


def test_findings_ask_for_bounded_tightenings() -> None:
    found = [
        BiasCheck(name=name, found=True, threshold=D(1), sample=9, sentence=name.replace("_", " "))
        for name in ("over_trading", "chasing", "loss_aversion")
    ]
    wanted = wanted_changes(
        POLICY, biases=found, execution=ExecutionQuality(is_poor=True, slippage_fraction=D("0.004")),
        calibration=Calibration(forecasts=30, error=D("0.2"), bias=D("0.2")), standing=None, trades=9,
        usual_trades_a_day=D(2),
    )  # fmt: skip
    assert {each.field: each.value for each in wanted} == {
        "max_entries_per_day": 16,  # three would be enough, but one review moves a fifth at most
        "collar_fraction": D("0.004"),
        "stop_max_fraction": D("0.04"),
        "target_cost_multiple": D("3.6"),
        "low_certainty_below": D("0.72"),
    }
    made = split_changes(POLICY, wanted)
    assert len(made.applied) == 5
    assert made.proposals == ()


def test_few_forecasts_change_nothing() -> None:
    assert (
        wanted_changes(
            POLICY, biases=(), execution=ExecutionQuality(),
            calibration=Calibration(forecasts=19, error=D("0.4"), bias=D("0.4")), standing=None, trades=19,
            usual_trades_a_day=None,
        )
        == ()
    )  # fmt: skip


def test_principles_come_from_lessons_with_enough_evidence() -> None:
    often = [a_trade(n, pnl="-5") for n in range(1, 5)] + [a_trade(5)]
    seldom = [a_trade(n, symbol="ETH/USDT") for n in range(6, 10)]
    proposed = propose_principles(lesson_book([*often, *seldom]), POLICY)
    assert [(each.samples, each.success_rate, each.evidence) for each in proposed] == [
        (5, D("0.8"), ("d1", "d2", "d3", "d4"))
    ]
    assert proposed[0].text == (
        "To buy BTC/USDT in a sideways market has failed, in 4 of 5 trades: say what is different now, or do not trade."
    )
    assert propose_principles(lesson_book(often), POLICY, known=[proposed[0].text]) == ()
    even = [a_trade(n, pnl="5" if n % 2 else "-5") for n in range(1, 11)]
    assert propose_principles(lesson_book(even), POLICY) == (), "half and half is no principle"


def test_the_learning_curve_has_a_slope_from_three_known_weeks_on() -> None:
    assert learning_slope([D("0.4"), None, D("0.5"), D("0.55")]) == D("0.05")
    assert learning_slope([D("0.4"), None, D("0.5")]) is None


def test_pnl_takes_the_best_source_and_says_whether_they_agree() -> None:
    held = Position(account="main", symbol="BTC/USDT", quantity=D(2), cost=D(200))
    told = reliable_pnl(held, mark=D(101), last_trade=D("101.5"), stream=D(110), reported_usd=D(0), policy=POLICY)
    assert (told.pnl_usd, told.method, told.is_consistent, told.was_repaired) == (2, "mark", False, True)
    near = reliable_pnl(held, mark=None, last_trade=D("101.5"), stream=D(101), policy=POLICY)
    assert (near.pnl_usd, near.method, near.is_consistent, near.missing) == (3, "last_trade", True, ("mark",))


def test_a_reported_zero_stays_where_no_price_is_known() -> None:
    held = Position(account="main", symbol="BTC/USDT", quantity=D(2), cost=D(200))
    blind = reliable_pnl(held, mark=None, last_trade=None, stream=None, reported_usd=D(0), policy=POLICY)
    assert (blind.pnl_usd, blind.method, blind.is_consistent, blind.was_repaired) == (0, None, None, False)


def test_orders_in_another_order_are_the_same_quality() -> None:
    orders = (an_order(1), an_order(2, executed_quote=D(1003)))
    assert execution_quality(orders, POLICY) == execution_quality(orders[::-1], POLICY)


levels = st.lists(st.tuples(st.integers(90, 110), st.integers(90, 110)), min_size=5, max_size=12)


@given(levels)
def test_the_anchor_is_the_level_that_most_plans_lean_on(rows: list[tuple[int, int]]) -> None:
    trades = [
        a_trade(n, plan=a_plan(entry_price=D(50 + 5 * n), stop_price=D(stop), target_price=D(target)))
        for n, (stop, target) in enumerate(rows, start=1)
    ]
    most = max(sum(level in row for row in rows) for row in rows for level in row)
    assert checks(trades)["anchoring"].measured == (D(most) / len(rows) if most > 1 else 0)
