"""What this profile has no use for says so, and is enforced as what it is."""

from __future__ import annotations

from gate_scenarios import D, account, held, wish

from trading.policy.model import Policy
from trading.policy.table import BY_FIELD, changed
from trading.risk.gate import gate
from trading.risk.profile import NOT_APPLICABLE


def test_no_policy_row_promises_a_limit_that_this_profile_cannot_have() -> None:
    assert all(reason for reason in NOT_APPLICABLE.values())
    assert not NOT_APPLICABLE.keys() & BY_FIELD.keys()
    assert not any("limit_down" in field for field in BY_FIELD)


def test_a_sale_without_a_position_is_refused_because_nothing_is_sold_short() -> None:
    (refused,) = gate(wish(opens=False, size_fraction=D(1)), account(), Policy()).denials
    assert refused.code == "short_unavailable"


def test_no_policy_makes_spot_borrow() -> None:
    bold = changed(
        Policy(), max_leverage=5, total_fraction_normal=1, total_fraction_low_volatility=1, cash_floor_fraction=0
    )
    full = account(cash_usd=D(0), holdings=(held("ETH/USDT", "10000"),))
    assert [one.code for one in gate(wish(), full, bold).denials] == ["leverage_cap"]
