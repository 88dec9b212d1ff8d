"""Strategies as data: the one evaluator, missing facts, JSON there and back, and what the two built-in rows do."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from decision_builders import facts
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from trading.decision.analysts import propose_by_rules
from trading.decision.models import Action
from trading.facts.catalogue import DAY_FACTS, TIMEFRAME_FACTS
from trading.facts.models import Fact
from trading.policy.model import Policy
from trading.strategies.evaluate import evaluate
from trading.strategies.library import LIBRARY, RULES_MOMENTUM, RULES_REVERSION, STRATEGIES, strategy
from trading.strategies.models import Condition, Op, Score, Setup, Signal, StopRule, Strategy, Term

OUTSIDE_CANDLES = {"last_price", "position_quantity", "trend_regime", "risk_regime"}


def by_id(**changed: str | Decimal | None) -> dict[str, Fact]:
    return {fact.id: fact for fact in facts(**changed)}


def simple(**changed: Any) -> Strategy:
    """Buys when RSI is under 40 with a stop of 2 % and twice that as target."""
    fields: dict[str, Any] = {
        "name": "simple",
        "version": "1",
        "kind": "other",
        "thesis": "for the tests",
        "entries": (Setup(id="low", all_of=(condition(fact="rsi_14@1h", op=Op.BELOW, number=Decimal(40)),)),),
        "stop": StopRule(kind="fraction", value=Decimal("0.02")),
        "reward_risk": Decimal(2),
        "time_exit_hours": 24,
        "size_fraction": Decimal("0.02"),
        "confidence": Score(start=Decimal("0.6")),
        "win_probability": Score(start=Decimal("0.5")),
    }
    return Strategy(**{**fields, **changed})


def condition(**changed: Any) -> Condition:
    return Condition(**{"id": "the condition", **changed})


def test_a_buy_has_levels_size_and_odds() -> None:
    signal = evaluate(simple(), by_id())
    assert signal.action is Action.BUY
    assert (signal.entry, signal.stop, signal.target) == (Decimal(9000), Decimal(8820), Decimal(9360))
    assert (signal.size_fraction, signal.horizon_hours) == (Decimal("0.02"), 24)
    assert (signal.confidence, signal.win_probability) == (Decimal("0.6"), Decimal("0.5"))
    assert [check.condition.fact for check in signal.satisfied] == ["rsi_14@1h"]


@pytest.mark.parametrize(
    ("op", "number", "holds"),
    [
        (Op.BELOW, "34.27", False),
        (Op.AT_MOST, "34.27", True),
        (Op.ABOVE, "34.27", False),
        (Op.AT_LEAST, "34.27", True),
        (Op.BELOW, "34.28", True),
        (Op.ABOVE, "34.26", True),
    ],
)
def test_bounds_are_exact(op: Op, number: str, holds: bool) -> None:
    setup = Setup(id="low", all_of=(condition(fact="rsi_14@1h", op=op, number=Decimal(number)),))
    assert (evaluate(simple(entries=(setup,)), by_id()).action is Action.BUY) is holds


def test_a_condition_may_compare_two_timeframes() -> None:
    cross = condition(fact="rsi_14@4h", op=Op.ABOVE, other_fact="rsi_14@1h", factor=Decimal("1.5"))
    signal = evaluate(simple(entries=(Setup(id="cross", all_of=(cross,)),)), by_id())
    assert signal.action is Action.BUY
    assert (signal.satisfied[0].left, signal.satisfied[0].right) == ("51.8", "51.405")


def test_labels_are_equal_or_not() -> None:
    is_up = condition(fact="ema_trend@4h", op=Op.IS, labels=("up", "flat"))
    not_up = condition(fact="ema_trend@4h", op=Op.IS_NOT, labels=("up",))
    assert evaluate(simple(entries=(Setup(id="up", all_of=(is_up,)),)), by_id()).action is Action.BUY
    assert evaluate(simple(entries=(Setup(id="not", all_of=(not_up,)),)), by_id()).action is Action.HOLD


@pytest.mark.parametrize("op", [Op.IS_NOT, Op.IS])
def test_an_absent_label_satisfies_neither_is_nor_is_not_and_is_named(op: Op) -> None:
    setup = Setup(id="label", all_of=(condition(fact="nowhere", op=op, labels=("up",)),))
    signal = evaluate(simple(entries=(setup,)), by_id())
    assert signal.action is Action.HOLD
    assert signal.missing == ("nowhere",)
    assert [check.left for check in signal.failed] == [None]


def test_at_least_so_many_of_the_alternatives() -> None:
    some = tuple(condition(id=str(n), fact="rsi_14@1h", op=Op.BELOW, number=Decimal(n)) for n in (30, 40, 50))
    for needed, action in ((1, Action.BUY), (2, Action.BUY), (3, Action.HOLD)):
        setup = Setup(id="some", any_of=some, at_least=needed)
        assert evaluate(simple(entries=(setup,)), by_id()).action is action


def test_without_a_price_or_the_range_of_its_stop_there_is_no_entry() -> None:
    assert evaluate(simple(), by_id(last_price=None)).action is Action.HOLD
    with_atr = simple(stop=StopRule(kind="atr", value=Decimal(2)))
    assert evaluate(with_atr, by_id()).stop == Decimal(9000) * (1 - Decimal(126) / 9000)
    signal = evaluate(with_atr, by_id(atr_14__1h=None))
    assert signal.action is Action.HOLD
    assert "atr_14@1h" in signal.missing


def test_with_a_position_it_sells_or_holds_and_never_buys() -> None:
    falling = Setup(id="falls", all_of=(condition(fact="macd_histogram@1h", op=Op.BELOW, number=Decimal(0)),))
    seller = simple(exits=(falling,), exit_size_fraction=Decimal("0.5"))
    sale = evaluate(seller, by_id(position_quantity="0.2"))
    assert (sale.action, sale.size_fraction, sale.stop) == (Action.SELL, Decimal("0.5"), None)
    assert evaluate(simple(), by_id(position_quantity="0.2")).action is Action.HOLD
    assert evaluate(seller, by_id()).action is Action.BUY


def test_a_score_is_linear_between_its_ends_and_clamped_outside() -> None:
    falling_rsi = Term(fact="rsi_14@1h", weight=Decimal("0.2"), zero_at=Decimal(40), full_at=Decimal(20))
    scored = simple(confidence=Score(start=Decimal("0.5"), terms=(falling_rsi,), at_most=Decimal("0.65")))
    for rsi, confidence in (("45", "0.5"), ("40", "0.5"), ("30", "0.6"), ("20", "0.65"), ("1", "0.65")):
        assert evaluate(scored, by_id(rsi_14__1h=rsi)).confidence == Decimal(confidence)
    assert evaluate(scored, by_id(rsi_14__1h=None)).confidence == Decimal("0.5")


@pytest.mark.parametrize("row", STRATEGIES.values(), ids=STRATEGIES)
def test_a_strategy_survives_json_and_cannot_be_changed(row: Strategy) -> None:
    assert Strategy.model_validate_json(row.model_dump_json()) == row
    with pytest.raises(ValidationError):
        row.reward_risk = Decimal(9)


@pytest.mark.parametrize("row", STRATEGIES.values(), ids=STRATEGIES)
def test_the_built_in_rows_read_only_facts_that_exist(row: Strategy) -> None:
    names = {fact.name for group in (*DAY_FACTS, *TIMEFRAME_FACTS) for fact in group.rows} | OUTSIDE_CANDLES
    assert {fact_id.partition("@")[0] for fact_id in row.facts()} <= names


@pytest.mark.parametrize("row", STRATEGIES.values(), ids=STRATEGIES)
def test_each_strategy_can_speak_in_a_decision_and_stays_within_the_policy(row: Strategy) -> None:
    proposal = propose_by_rules(row.name, by_id())
    assert proposal.action in (Action.BUY, Action.HOLD), "without a position nothing is sold"
    policy = Policy()
    assert row.size_fraction <= policy.max_trade_fraction
    assert policy.stop_min_fraction <= row.stop.at_least
    assert row.stop.at_most <= policy.stop_max_fraction
    assert row.reward_risk >= policy.min_reward_risk


@pytest.mark.parametrize(
    "broken",
    [
        {"number": Decimal(1), "other_fact": "rsi_14@4h", "op": Op.BELOW},
        {"op": Op.BELOW},
        {"labels": ("up",), "op": Op.BELOW},
        {"number": Decimal(1), "op": Op.IS},
    ],
)
def test_a_condition_with_two_or_no_right_sides_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="the condition"):
        condition(fact="rsi_14@1h", **broken)


def test_an_unknown_strategy_is_refused_by_name() -> None:
    with pytest.raises(LookupError, match="rules-momentum, rules-reversion"):
        strategy("rules-astrology")


def test_both_buy_a_dip_in_an_uptrend_only_reversion_buys_a_dip_in_a_downtrend() -> None:
    dip = by_id(last_price="8960")
    assert [evaluate(row, dip).action for row in LIBRARY.values()] == [Action.BUY, Action.BUY]
    downtrend = by_id(last_price="8960", ema_fast__4h="8990")
    assert evaluate(RULES_MOMENTUM, downtrend).action is Action.HOLD
    assert evaluate(RULES_REVERSION, downtrend).action is Action.BUY


def test_only_momentum_buys_a_push_and_neither_buys_a_crash() -> None:
    push = by_id(last_price="9200", rsi_14__1h="61", macd_histogram__1h="9")
    assert evaluate(RULES_MOMENTUM, push).setup == "push"
    assert evaluate(RULES_REVERSION, push).action is Action.HOLD
    crash = by_id(last_price="8960", risk_regime="crash", trend_regime="bear_market")
    assert [evaluate(row, crash).action for row in LIBRARY.values()] == [Action.HOLD, Action.HOLD]


def test_both_leave_a_position_when_the_market_turns() -> None:
    turned = by_id(position_quantity="0.1", ema_fast__4h="8990", trend_regime="bear_market")
    assert [evaluate(row, turned).action for row in LIBRARY.values()] == [Action.SELL, Action.SELL]


@given(st.sets(st.sampled_from(sorted(RULES_MOMENTUM.facts() | RULES_REVERSION.facts()))))
def test_whatever_is_missing_is_named_and_nothing_is_satisfied_by_it(missing: set[str]) -> None:
    known = {fact_id: fact for fact_id, fact in by_id().items() if fact_id not in missing}
    for row in LIBRARY.values():
        signal: Signal = evaluate(row, known)
        assert set(signal.missing) <= missing
        assert not {fact for check in signal.satisfied for fact in check.condition.facts} & missing
        if signal.action is Action.BUY:
            assert signal.stop is not None
            assert signal.entry is not None
            assert signal.target is not None
            assert signal.stop < signal.entry < signal.target
