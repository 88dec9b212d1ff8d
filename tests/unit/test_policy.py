"""The policy table: complete, bounded, and honest about what a change does."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.facts.models import RiskRegime
from trading.policy.model import Policy
from trading.policy.regimes import BY_DANGER
from trading.policy.table import BY_FIELD, ROWS, PolicyError, PolicyRow, changed, differences, loosens

PUBLISHED = {
    "min_reward_risk": "1.2",
    "price_tolerance_fraction": "0.02",
    "value_tolerance_fraction": "0.005",
    "max_uncited_numbers": "0",
    "freshness_steps": "2",
    "low_certainty_below": "0.6",
    "low_certainty_size_factor": "0.5",
    "bootstrap_trades": "50",
    "bootstrap_min_confidence": "0.25",
    "bootstrap_min_win_probability": "0.2",
    "size_agreement_ratio": "0.5",
    "disagreement_size_factor": "0.5",
    "weight_floor": "0.2",
    "max_trade_fraction": "0.05",
    "max_position_fraction": "0.1",
    "max_symbol_fraction": "0.3",
    "event_day_fraction": "0.02",
    "max_leverage": "1.5",
    "cash_floor_fraction": "0.1",
    "daily_loss_alert_fraction": "0.05",
    "drawdown_defence_fraction": "0.08",
    "drawdown_halt_fraction": "0.2",
    "breaker_fall_fraction": "0.1",
    "breaker_window_s": "900",
    "stop_min_fraction": "0.002",
    "stop_max_fraction": "0.05",
    "stop_spread_multiple": "3",
    "stop_atr_multiple": "0.5",
    "target_cost_multiple": "3",
    "min_notional_margin": "1.05",
    "slippage_tolerance_fraction": "0.002",
    "permit_validity_s": "60",
    "stale_observation_s": "120",
    "order_timeout_s": "30",
}
"""What the catalogue and the venue page promise: a changed default is a changed promise."""

REGIME_TABLE = [
    # regime, total, size factor as declared, as applied, leverage, positions
    (RiskRegime.LOW_VOLATILITY, "0.60", "1.2", "1", "25", 6),
    (RiskRegime.NORMAL, "0.50", "1.0", "1", "20", 5),
    (RiskRegime.RALLY, "0.40", "0.8", "0.8", "15", 4),
    (RiskRegime.HIGH_VOLATILITY, "0.30", "0.6", "0.6", "10", 3),
    (RiskRegime.CRASH, "0.20", "0.3", "0.3", "5", 2),
]


@pytest.mark.parametrize(("field", "default"), PUBLISHED.items())
def test_default_is_the_promised_one(field: str, default: str) -> None:
    assert BY_FIELD[field].default == default


@pytest.mark.parametrize(("regime", "total", "declared", "applied", "leverage", "positions"), REGIME_TABLE)
def test_regime_row(regime: RiskRegime, total: str, declared: str, applied: str, leverage: str, positions: int) -> None:
    policy = Policy()
    assert policy.total_fraction(regime) == Decimal(total)
    assert getattr(policy, f"size_factor_{regime.value}") == Decimal(declared)
    assert policy.size_factor(regime) == Decimal(applied), "a multiplier above 1 never enlarges"
    assert policy.leverage(regime) == Decimal(leverage)
    assert policy.max_positions(regime) == positions


def test_regimes_are_ordered_by_danger_and_all_there() -> None:
    assert set(BY_DANGER) == set(RiskRegime)
    assert BY_DANGER[0] is RiskRegime.LOW_VOLATILITY
    assert BY_DANGER[-1] is RiskRegime.CRASH


def test_every_row_says_what_it_is() -> None:
    assert {row.field for row in ROWS} == set(Policy.model_fields)
    for row in ROWS:
        assert row.message, row.field
        assert row.capability.startswith("C"), row.field
        assert Decimal(row.lowest) <= Decimal(row.default) <= Decimal(row.highest), row.field
        assert row.lowest != row.highest, row.field


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.field)
def test_a_value_past_either_bound_is_refused_by_name(row: PolicyRow) -> None:
    name, lowest, highest = row.field, Decimal(row.lowest), Decimal(row.highest)
    for outside in (lowest - 1, highest + 1):
        with pytest.raises(PolicyError, match=rf"{name} .* from .* to "):
            changed(Policy(), **{name: outside})


def test_unknown_field_is_named_with_the_allowed_ones() -> None:
    with pytest.raises(PolicyError, match=r"no field 'max_trades'.*max_trade_fraction"):
        changed(Policy(), max_trades=3)


def test_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(PolicyError, match="max_trade_fraction NaN"):
        changed(Policy(), max_trade_fraction=Decimal("NaN"))
    with pytest.raises(PolicyError, match="permit_validity_s"):
        changed(Policy(), permit_validity_s="soon")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"max_trade_fraction": "0.2"}, "max_trade_fraction 0.2 must not be above max_position_fraction 0.10"),
        ({"max_position_fraction": "0.4"}, "max_position_fraction 0.4 must not be above max_symbol_fraction"),
        ({"event_day_fraction": "0.2"}, "event_day_fraction 0.2 must not be above max_position_fraction"),
        ({"drawdown_defence_fraction": "0.3"}, "drawdown_defence_fraction 0.3 must not be above drawdown_halt"),
        ({"stop_min_fraction": "0.05", "stop_max_fraction": "0.04"}, "stop_min_fraction 0.05 must not be above"),
        ({"low_volatility_fraction": "0.2"}, "low_volatility_fraction 0.2 must not be above high_volatility"),
        ({"total_fraction_crash": "0.5"}, "a worse regime never gives more"),
        ({"size_factor_crash": "0.7"}, "a worse regime never gives more"),
        ({"leverage_high_volatility": "16"}, "a worse regime never gives more"),
        ({"max_positions_rally": 6}, "a worse regime never gives more"),
    ],
)
def test_limits_that_contradict_each_other_are_refused(values: dict[str, str], sentence: str) -> None:
    with pytest.raises(PolicyError, match=sentence):
        changed(Policy(), **values)


LOOSENING = [
    # field, a value, and whether moving there admits more risk
    ("max_trade_fraction", "0.06", True),
    ("max_trade_fraction", "0.04", False),
    ("stop_min_fraction", "0.001", True),
    ("stop_min_fraction", "0.003", False),
    ("cash_floor_fraction", "0.05", True),
    ("cash_floor_fraction", "0.2", False),
    ("drawdown_halt_fraction", "0.25", True),
    ("drawdown_halt_fraction", "0.15", False),
    ("min_reward_risk", "1.0", True),
    ("low_certainty_below", "0.5", True),
    ("max_leverage", "2", True),
    ("order_timeout_s", 60, False),
    ("weight_floor", "0.3", False),
]


@pytest.mark.parametrize(("field", "value", "is_looser"), LOOSENING)
def test_which_move_loosens(field: str, value: str, is_looser: bool) -> None:
    old = Policy()
    new = changed(old, **{field: value})
    assert loosens(old, new) == ((field,) if is_looser else ())
    assert [name for name, _, _ in differences(old, new)] == [field]


@given(field=st.sampled_from([row.field for row in ROWS if row.looser != "none"]), step=st.integers(1, 9))
def test_a_loosening_undone_is_a_tightening(field: str, step: int) -> None:
    row = BY_FIELD[field]
    lowest, highest = Decimal(row.lowest), Decimal(row.highest)
    value = lowest + (highest - lowest) * step / 10
    old = Policy()
    new = old.model_copy(update={field: int(value) if row.type == "integer" else value})
    moved = getattr(old, field) != getattr(new, field)
    assert (field in loosens(old, new)) + (field in loosens(new, old)) == int(moved)


def test_no_change_is_no_difference() -> None:
    assert differences(Policy(), Policy()) == ()
    assert loosens(Policy(), Policy()) == ()


def test_policy_survives_json() -> None:
    policy = changed(Policy(), max_trade_fraction="0.031", permit_validity_s=45)
    assert Policy.model_validate_json(policy.model_dump_json()) == policy
