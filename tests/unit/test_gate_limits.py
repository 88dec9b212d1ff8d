"""One row per limit: what a trader would have to do to run into it, and what the gate says then."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from gate_scenarios import (
    ALLOWED_AT_THE_EDGE,
    CAPS,
    DENIALS,
    NOW,
    D,
    account,
    armed,
    held,
    losing,
    planned,
    wish,
    zigzag,
)

from trading.facts.models import RiskRegime
from trading.policy.model import Policy
from trading.policy.table import BY_FIELD, changed
from trading.risk.codes import CAP_CODES, CODES
from trading.risk.gate import gate
from trading.risk.levels import least_entry_usd, least_workable_equity_usd
from trading.risk.models import Mode


def test_an_ordinary_entry_passes_at_its_proposed_size() -> None:
    answer = gate(wish(), account(), Policy())
    permit = answer.permit
    assert permit is not None
    assert answer.denials == ()
    assert answer.binding == "proposed_size"
    assert permit.notional_usd == 300
    assert permit.quantity == 3
    assert (permit.collar_low, permit.collar_high) == (D("99.5"), D("100.5"))
    assert permit.valid_until == NOW + timedelta(seconds=60)
    assert permit.epoch == 7
    assert permit.opens
    assert (permit.account, permit.decision_id, permit.symbol) == ("composite", "d1", "BTC/USDT")


def test_the_same_request_is_the_same_permit_and_another_is_another() -> None:
    first, again = gate(wish(), account(), Policy()), gate(wish(), account(), Policy())
    other = gate(wish(request_id="d2:composite:gate"), account(), Policy())
    assert first == again
    assert first.permit is not None
    assert other.permit is not None
    assert first.permit.id != other.permit.id


@pytest.mark.parametrize(("code", "request_fields", "account_fields", "policy_fields"), DENIALS)
def test_denied_for_this_reason_alone(
    code: str, request_fields: dict[str, Any], account_fields: dict[str, Any], policy_fields: dict[str, Any]
) -> None:
    answer = gate(wish(**request_fields), account(**account_fields), changed(Policy(), **policy_fields))
    assert [denial.code for denial in answer.denials] == [code]
    assert answer.permit is None
    assert answer.denials[0].message
    assert "{" not in answer.denials[0].message, "every number of the sentence is filled in"


@pytest.mark.parametrize(("what", "request_fields", "account_fields"), ALLOWED_AT_THE_EDGE)
def test_allowed_at_the_edge(what: str, request_fields: dict[str, Any], account_fields: dict[str, Any]) -> None:
    answer = gate(wish(**request_fields), account(**account_fields), Policy())
    assert answer.permit is not None, (what, answer.denials)


@pytest.mark.parametrize(("code", "leaves", "request_fields", "account_fields", "policy_fields"), CAPS)
def test_the_smallest_cap_binds(
    code: str,
    leaves: str,
    request_fields: dict[str, Any],
    account_fields: dict[str, Any],
    policy_fields: dict[str, Any],
) -> None:
    answer = gate(wish(**request_fields), account(**account_fields), changed(Policy(), **policy_fields))
    assert answer.binding == code
    assert answer.permit is not None
    assert answer.permit.notional_usd == D(leaves)


def test_a_cap_that_leaves_nothing_denies_with_its_own_code() -> None:
    full = {"total_fraction_normal": D(1), "total_fraction_low_volatility": D(1)}
    cases = [
        ("cash_floor", {}, {"cash_usd": D(1_000), "holdings": (held("ETH/USDT", "9000"),)}, full),
        ("regime_size_cap", {"risk_regime": RiskRegime.CRASH}, {}, {"size_factor_crash": D(0)}),
        ("low_certainty_cap", {"low_certainty": True}, {}, {"low_certainty_size_factor": D(0)}),
        (
            "leverage_cap",
            {},
            {"cash_usd": D(0), "holdings": (held("ETH/USDT", "10000"),)},
            {**full, "cash_floor_fraction": D(0)},
        ),
    ]
    for code, request_fields, account_fields, policy_fields in cases:
        answer = gate(wish(**request_fields), account(**account_fields), changed(Policy(), **policy_fields))
        assert [denial.code for denial in answer.denials] == [code]
        assert answer.denials[0].numbers["equity_usd"] == "10000"


def test_every_cap_is_named_with_its_number_even_where_another_binds() -> None:
    everything = wish(event_day=True, low_certainty=True, history=zigzag("0.06"), max_quantity=D(5), **planned())
    answer = gate(everything, account(arming=armed("10000"), **losing()), Policy())
    assert {cap.code for cap in answer.caps} == set(CAP_CODES)
    assert all(CODES[cap.code].capability == cap.capability for cap in answer.caps)


def test_leverage_is_one_on_spot_and_the_smaller_of_two_caps_elsewhere() -> None:
    def leverage(policy: Policy, regime: RiskRegime, *, spot: bool) -> Decimal:
        answer = gate(wish(risk_regime=regime), account(), policy, profile_is_spot=spot)
        return next(cap.leaves_usd for cap in answer.caps if cap.code == "leverage_cap")

    assert leverage(Policy(), RiskRegime.NORMAL, spot=True) == 10_000
    assert leverage(Policy(), RiskRegime.NORMAL, spot=False) == 15_000
    careful = changed(Policy(), leverage_crash=1)
    assert leverage(careful, RiskRegime.CRASH, spot=False) == 10_000


def test_all_reasons_are_told_together() -> None:
    answer = gate(
        wish(stop_price=D("94"), observed_at=NOW - timedelta(hours=1)),
        account(mode=Mode.HALTED, entries_today=20),
        Policy(),
    )
    assert [denial.code for denial in answer.denials] == [
        "stale_observation",
        "halted",
        "too_many_entries",
        "stop_too_far",
    ]


def test_smallest_entry_survives_a_stop_out_net_of_fees() -> None:
    least = least_entry_usd(min_notional_usd=D(5), stop_distance=D("0.02"), fee=D("0.001"), margin=D("1.05"))
    assert least == D("5.25") / (D("0.98") * D("0.999"))
    above, below = (least + D("0.001")) / 10_000, (least - D("0.001")) / 10_000
    assert gate(wish(size_fraction=above), account(), Policy()).permit is not None
    refused = gate(wish(size_fraction=below), account(), Policy())
    assert [denial.code for denial in refused.denials] == ["below_min_notional"]


def test_smallest_workable_equity_can_just_trade() -> None:
    policy = Policy()
    least = least_workable_equity_usd(policy, min_notional_usd=D(5), fee=D("0.001"))
    for equity, passes in ((least + D("0.01"), True), (least - D("0.01"), False)):
        small = account(cash_usd=equity, day_start_equity_usd=equity, peak_equity_usd=equity)
        answer = gate(wish(size_fraction=D("0.05"), stop_price=D(95), target_price=D(110)), small, policy)
        assert (answer.permit is not None) is passes


def test_a_limit_below_the_market_is_the_entry_and_one_above_is_not() -> None:
    waiting = gate(wish(limit_price=D(99), stop_price=D("96.5")), account(), Policy()).permit
    assert waiting is not None
    assert waiting.quantity * 99 == pytest.approx(300)
    assert waiting.collar_high == D("99") * D("1.005")
    marketable = gate(wish(limit_price=D(101)), account(), Policy()).permit
    assert marketable is not None
    assert marketable.quantity == 3


@pytest.mark.parametrize("mode", list(Mode))
def test_a_reduction_passes_in_every_mode_whatever_was_lost(mode: Mode) -> None:
    ruined = account(mode=mode, cash_usd=D(0), holdings=(held("BTC/USDT", "1000"),), entries_today=99)
    answer = gate(
        wish(opens=False, size_fraction=D(1), stop_price=None, observed_at=NOW - timedelta(days=1)), ruined, Policy()
    )
    assert answer.permit is not None
    assert answer.permit.quantity == 10
    assert answer.permit.notional_usd == 1_000
    assert not answer.permit.opens


def test_a_reduction_is_a_share_of_the_position_and_not_less_than_the_venue_takes() -> None:
    holder = account(holdings=(held("BTC/USDT", "40"),))
    half = gate(wish(opens=False, size_fraction=D("0.5")), holder, Policy())
    assert half.permit is not None
    assert half.permit.quantity == D("0.2")
    crumb = gate(wish(opens=False, size_fraction=D("0.1")), holder, Policy())
    assert [denial.code for denial in crumb.denials] == ["below_min_notional"]
    nothing = gate(wish(opens=False, size_fraction=D(0)), holder, Policy())
    assert [denial.code for denial in nothing.denials] == ["nothing_proposed"]


def test_exactly_the_venue_s_smallest_order_passes() -> None:
    # 9.50 USD after a 5 % stop is a 10 USD entry, without fee and margin
    exact = {"size_fraction": D("0.001"), "stop_price": D(95), "target_price": D(110), "taker_fee": D(0)}
    answer = gate(wish(**exact, min_notional_usd=D("9.5")), account(), changed(Policy(), min_notional_margin=1))
    assert answer.permit is not None
    assert answer.permit.notional_usd == 10
    whole = gate(wish(opens=False, size_fraction=D(1)), account(holdings=(held("BTC/USDT", "5"),)), Policy())
    assert whole.permit is not None


def test_a_holding_of_nothing_is_no_position() -> None:
    answer = gate(wish(opens=False, size_fraction=D(1)), account(holdings=(held("BTC/USDT", "0"),)), Policy())
    assert [denial.code for denial in answer.denials] == ["short_unavailable"]


def test_without_a_position_a_margin_profile_says_nothing_to_reduce() -> None:
    answer = gate(wish(opens=False, size_fraction=D(1)), account(), Policy(), profile_is_spot=False)
    assert [denial.code for denial in answer.denials] == ["nothing_to_reduce"]


def test_a_new_day_forgets_yesterdays_loss_without_any_job() -> None:
    lost = account(cash_usd=D(9_400), peak_equity_usd=D(9_400))
    assert [d.code for d in gate(wish(), lost, Policy()).denials] == ["daily_loss"]
    tomorrow = NOW.replace(hour=0) + timedelta(days=1)
    assert gate(wish(now=tomorrow, observed_at=tomorrow), lost, Policy()).permit is not None


def test_every_code_in_the_table_is_reached_by_a_row_here() -> None:
    reached = {row[0] for row in DENIALS} | {row[0] for row in CAPS}
    assert set(CODES) == reached, "a code that nothing reaches is a promise that nothing keeps"


def test_every_code_that_the_policy_claims_for_the_gate_exists() -> None:
    gate_fields = [
        "max_trade_fraction",
        "max_position_fraction",
        "max_symbol_fraction",
        "max_leverage",
        "event_day_fraction",
        "cash_floor_fraction",
        "max_entries_per_day",
        "daily_loss_alert_fraction",
        "drawdown_defence_fraction",
        "drawdown_halt_fraction",
        "stop_min_fraction",
        "stop_max_fraction",
        "target_cost_multiple",
        "min_notional_margin",
        "stale_observation_s",
        "low_certainty_size_factor",
        "bootstrap_min_confidence",
        "bootstrap_min_win_probability",
        "total_fraction_crash",
        "size_factor_crash",
        "max_positions_crash",
    ]
    for field in gate_fields:
        row = BY_FIELD[field]
        assert CODES[row.code].capability == row.capability, field
