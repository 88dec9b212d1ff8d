"""Portfolio measures: worked examples, and what must hold for any series."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.ledger.marks import max_drawdown
from trading.portfolio import (
    beta,
    concentration,
    conditional_value_at_risk,
    correlation,
    diversification_ratio,
    returns_of,
    risk_report,
    sharpe,
    sortino,
    value_at_risk,
)

RETURN = st.decimals("-0.5", "0.5", places=4)
RETURNS = st.lists(RETURN, min_size=2, max_size=60)
WEIGHTS = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.decimals("-100", "100", places=2), max_size=6)


def decimals(*texts: str) -> list[Decimal]:
    return [Decimal(text) for text in texts]


def test_worked_example() -> None:
    equity = decimals("100", "110", "99", "108.9")
    assert returns_of(equity) == tuple(decimals("0.1", "-0.1", "0.1"))
    assert max_drawdown(equity) == Decimal("0.1")
    # mean 1/30, sample deviation 0.11547: 0.288675 a period
    assert sharpe(returns_of(equity), periods_per_year=1) == pytest.approx(Decimal("0.288675"), abs=Decimal("1e-6"))
    # root mean square of the losses over all periods: 0.0577350
    assert sortino(returns_of(equity), periods_per_year=1) == pytest.approx(Decimal("0.577350"), abs=Decimal("1e-6"))
    assert sharpe(returns_of(equity), periods_per_year=4) == pytest.approx(Decimal("0.577350"), abs=Decimal("1e-6"))


def test_value_at_risk_of_twenty_days() -> None:
    returns = [Decimal(place - 5) / 100 for place in range(20)]
    assert value_at_risk(returns) == Decimal("0.05"), "one day in twenty is worse or as bad"
    assert value_at_risk(returns, confidence=Decimal("0.9")) == Decimal("0.04")
    assert conditional_value_at_risk(returns, confidence=Decimal("0.9")) == Decimal("0.045")


def test_what_cannot_be_measured_is_none() -> None:
    still = decimals("0", "0", "0")
    assert sharpe(still, periods_per_year=365) is None
    assert sortino(decimals("0.1", "0.2"), periods_per_year=365) is None
    assert value_at_risk([]) is None
    assert conditional_value_at_risk([]) is None
    assert beta(decimals("0.1", "0.2"), still[:2]) is None
    assert concentration({}) is None
    assert concentration({"BTC": Decimal(0)}) is None


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: returns_of(decimals("1", "0")), "equity 0 must be above 0"),
        (lambda: beta(decimals("0.1"), decimals("0.1", "0.2")), "1 and 2 returns cannot be compared"),
        (lambda: value_at_risk(decimals("0.1"), confidence=Decimal(1)), "confidence 1 must lie between"),
        (lambda: diversification_ratio({"a": Decimal(-1)}, {"a": decimals("0.1")}), "weight of a is below 0"),
        (lambda: diversification_ratio({"a": Decimal(1)}, {}), "returns of a are missing"),
    ],
)
def test_wrong_input_is_refused(call: object, sentence: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=sentence):
        call()


def test_two_opposite_halves_diversify_and_two_equal_ones_do_not() -> None:
    up, down = decimals("0.1", "-0.1", "0.05", "0"), decimals("-0.08", "0.1", "-0.05", "0.01")
    half = {"a": Decimal("0.5"), "b": Decimal("0.5")}
    alike = diversification_ratio(half, {"a": up, "b": up})
    opposite = diversification_ratio(half, {"a": up, "b": down})
    assert alike == pytest.approx(Decimal(1), abs=Decimal("1e-9"))
    assert opposite is not None
    assert opposite > 5


def test_concentration_of_three_to_one() -> None:
    seen = concentration({"BTC": Decimal(75), "ETH": Decimal(-25)})
    assert seen is not None
    assert (seen.largest, seen.largest_share) == ("BTC", Decimal("0.75"))
    assert seen.herfindahl == Decimal("0.625")
    assert seen.effective_positions == Decimal("1.6")


@given(returns=RETURNS)
def test_the_tail_is_at_least_the_threshold_and_within_the_worst_day(returns: list[Decimal]) -> None:
    at_risk, tail = value_at_risk(returns), conditional_value_at_risk(returns)
    assert at_risk is not None
    assert tail is not None
    assert 0 <= at_risk <= tail <= max(-min(returns), Decimal(0)) + Decimal("1e-20")
    looser = value_at_risk(returns, confidence=Decimal("0.8"))
    assert looser is not None
    assert looser <= at_risk, "more confidence, more at risk"


@given(returns=RETURNS, scale=st.decimals("0.1", "9", places=2))
def test_sharpe_does_not_depend_on_the_size_of_the_bet(returns: list[Decimal], scale: Decimal) -> None:
    one, other = (sharpe(rows, periods_per_year=365) for rows in (returns, [value * scale for value in returns]))
    assert (one is None) is (other is None)
    if one is not None and other is not None:
        assert float(one) == pytest.approx(float(other), rel=1e-6, abs=1e-6)


@given(returns=RETURNS)
def test_beta_and_correlation_with_oneself_are_one(returns: list[Decimal]) -> None:
    if len(set(returns)) > 1:
        assert float(beta(returns, returns) or 0) == pytest.approx(1)
        assert float(correlation(returns, returns) or 0) == pytest.approx(1)
        assert float(correlation(returns, [-value for value in returns]) or 0) == pytest.approx(-1)


@given(returns=RETURNS)
def test_drawdown_lies_between_nothing_and_everything(returns: list[Decimal]) -> None:
    equity = [Decimal(1)]
    for value in returns:
        equity.append(equity[-1] * (1 + value))
    report = risk_report(equity, periods_per_year=365, market=equity)
    assert 0 <= report.max_drawdown < 1
    assert (report.max_drawdown == 0) is (min(returns) >= 0)
    assert report.periods == len(returns)


@given(notionals=WEIGHTS)
def test_effective_positions_lie_between_one_and_their_number(notionals: dict[str, Decimal]) -> None:
    seen = concentration(notionals)
    if seen is None:
        assert not any(notionals.values())
        return
    held = sum(value != 0 for value in notionals.values())
    assert Decimal("0.999999") <= seen.effective_positions <= held + Decimal("1e-9")
    assert 0 < seen.largest_share <= 1
