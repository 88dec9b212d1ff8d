"""One row per limit: what a trader would have to do to run into it, and what the gate says then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from trading.facts.models import RiskRegime
from trading.policy.model import Policy
from trading.policy.table import BY_FIELD, changed
from trading.risk.codes import CAP_CODES, CODES
from trading.risk.gate import gate
from trading.risk.levels import least_entry_usd, least_workable_equity_usd
from trading.risk.models import Exposure, GateRequest, Holding, Mode, PlanBound, Reservation

NOW = datetime(2020, 3, 12, 10, 0, tzinfo=UTC)
D = Decimal


def account(**fields: Any) -> Exposure:
    """10,000 USD in cash, past the bootstrap, nothing lost today."""
    values: dict[str, Any] = {
        "account": "composite",
        "mode": Mode.AUTO,
        "epoch": 7,
        "cash_usd": D(10_000),
        "day_start_equity_usd": D(10_000),
        "peak_equity_usd": D(10_000),
        "closed_trades": 60,
        "day_started_at": NOW.replace(hour=0),
    }
    return Exposure.model_validate({**values, **fields})


def wish(**fields: Any) -> GateRequest:
    """Buy for 3 % of equity at 100, stop 98, target 104, in a calm market with ordinary costs."""
    values: dict[str, Any] = {
        "request_id": "d1:composite:gate",
        "account": "composite",
        "decision_id": "d1",
        "symbol": "BTC/USDT",
        "opens": True,
        "size_fraction": D("0.03"),
        "price": D(100),
        "stop_price": D(98),
        "target_price": D(104),
        "spread_fraction": D("0.0002"),
        "atr_fraction": D("0.01"),
        "taker_fee": D("0.001"),
        "min_notional_usd": D(5),
        "risk_regime": RiskRegime.NORMAL,
        "confidence": D("0.7"),
        "win_probability": D("0.55"),
        "observed_at": NOW - timedelta(seconds=20),
        "now": NOW,
    }
    return GateRequest.model_validate({**values, **fields})


def planned(**fields: Any) -> dict[str, Any]:
    """A wish under a plan that leaves more than the policy does, except for `fields`."""
    values: dict[str, Any] = {
        "period": "2020-03-12",
        "account": "composite",
        "max_trade_fraction": D("0.05"),
        "max_position_fraction": D("0.1"),
        "total_fraction": D("0.5"),
        "max_positions": 5,
        "max_entries": 20,
        "daily_loss_fraction": D("0.05"),
    }
    return {"plan": PlanBound.model_validate(values | fields)}


def held(symbol: str, usd: str) -> Holding:
    return Holding(symbol=symbol, quantity=D(usd) / 100, average_price=D(100), mark_price=D(100))


def promised(symbol: str, usd: str) -> Reservation:
    return Reservation(permit_id=f"p-{symbol}", symbol=symbol, notional_usd=D(usd), reserved_at=NOW)


def five_positions(usd: str = "400") -> tuple[Holding, ...]:
    return tuple(held(f"{base}/USDT", usd) for base in ("ADA", "BNB", "ETH", "SOL", "XRP"))


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


DENIALS = [
    # code, what the request says, what the account is, what the policy says
    ("account_mismatch", {"account": "aggressive"}, {}, {}),
    ("stale_observation", {"observed_at": NOW - timedelta(seconds=121)}, {}, {}),
    ("observation_from_future", {"observed_at": NOW + timedelta(seconds=1)}, {}, {}),
    ("halted", {}, {"mode": Mode.HALTED}, {}),
    ("defensive_mode", {}, {"mode": Mode.DEFENSIVE}, {}),
    ("manual_mode", {}, {"mode": Mode.MANUAL}, {}),
    ("no_equity", {}, {"cash_usd": D(0), "day_start_equity_usd": D(0), "peak_equity_usd": D(0)}, {}),
    ("daily_loss", {}, {"cash_usd": D(9_500), "peak_equity_usd": D(9_500)}, {}),
    ("drawdown_defence", {}, {"cash_usd": D(9_200), "day_start_equity_usd": D(9_200)}, {}),
    ("drawdown_halt", {}, {"cash_usd": D(8_000), "day_start_equity_usd": D(8_000)}, {}),
    ("too_many_positions", {}, {"cash_usd": D(8_000), "holdings": five_positions()}, {}),
    ("too_many_entries", {}, {"entries_today": 20}, {}),
    ("plan_not_here", planned(refuses="memory_avoids"), {}, {}),
    ("plan_too_many_positions", planned(max_positions=0), {}, {}),
    ("plan_too_many_entries", planned(max_entries=2), {"entries_today": 2}, {}),
    ("plan_daily_loss", planned(daily_loss_fraction=D("0.02")), {"cash_usd": D(9_790)}, {}),
    ("bootstrap_confidence", {"confidence": D("0.24")}, {"closed_trades": 49}, {}),
    ("bootstrap_win_probability", {"win_probability": D("0.19")}, {"closed_trades": 49}, {}),
    ("stop_missing", {"stop_price": None}, {}, {}),
    ("stop_wrong_side", {"stop_price": D(100)}, {}, {}),
    ("stop_wrong_side", {"stop_price": D(99), "limit_price": D(99)}, {}, {}),
    # the fixed floor of 0.2 % alone
    (
        "stop_too_near",
        {"stop_price": D("99.81"), "spread_fraction": D(0), "taker_fee": D(0), "atr_fraction": None},
        {},
        {},
    ),
    # 3 x 0.1 % spread + 2 x 0.1 % fees = 0.5 %
    ("stop_too_near", {"stop_price": D("99.51"), "spread_fraction": D("0.001"), "atr_fraction": None}, {}, {}),
    # half of a 6 % ATR = 3 %
    ("stop_too_near", {"stop_price": D("97.01"), "atr_fraction": D("0.06")}, {}, {}),
    ("stop_too_far", {"stop_price": D("94.99"), "target_price": D(110)}, {}, {}),
    ("target_wrong_side", {"target_price": D(100)}, {}, {}),
    # 3 x (2 x 0.1 % fees + 0.1 % spread) = 0.9 %
    ("target_below_costs", {"target_price": D("100.89"), "spread_fraction": D("0.001")}, {}, {}),
    ("nothing_proposed", {"size_fraction": D(0)}, {}, {}),
    ("below_min_notional", {"size_fraction": D("0.0005")}, {}, {}),
    ("position_cap", {}, {"cash_usd": D(9_000), "holdings": (held("BTC/USDT", "1000"),)}, {}),
    ("event_day_cap", {"event_day": True}, {"cash_usd": D(9_800), "holdings": (held("BTC/USDT", "200"),)}, {}),
    ("symbol_cap", {"symbol_elsewhere_usd": D(6_000), "equity_elsewhere_usd": D(10_000)}, {}, {}),
    (
        "regime_total_cap",
        {"risk_regime": RiskRegime.CRASH},
        {"cash_usd": D(8_000), "holdings": (held("ETH/USDT", "2000"),)},
        {},
    ),
    ("short_unavailable", {"opens": False, "size_fraction": D(1)}, {}, {}),
    (
        "nothing_to_reduce",
        {"opens": False, "size_fraction": D(1)},
        {"holdings": (held("BTC/USDT", "4.99"),)},
        {},
    ),
]


@pytest.mark.parametrize(("code", "request_fields", "account_fields", "policy_fields"), DENIALS)
def test_denied_for_this_reason_alone(
    code: str, request_fields: dict[str, Any], account_fields: dict[str, Any], policy_fields: dict[str, Any]
) -> None:
    answer = gate(wish(**request_fields), account(**account_fields), changed(Policy(), **policy_fields))
    assert [denial.code for denial in answer.denials] == [code]
    assert answer.permit is None
    assert answer.denials[0].message
    assert "{" not in answer.denials[0].message, "every number of the sentence is filled in"


ALLOWED_AT_THE_EDGE = [
    # the same limits, touched but not passed
    ("an observation of exactly two minutes", {"observed_at": NOW - timedelta(seconds=120)}, {}),
    ("a loss just under five percent", {}, {"cash_usd": D(9_501), "peak_equity_usd": D(9_501)}),
    ("a drawdown just under eight percent", {}, {"cash_usd": D(9_201), "day_start_equity_usd": D(9_201)}),
    ("a fifth position", {}, {"cash_usd": D(8_400), "holdings": five_positions()[:4]}),
    ("more of one of five positions", {"symbol": "ETH/USDT"}, {"cash_usd": D(8_000), "holdings": five_positions()}),
    ("five positions of dust", {}, {"holdings": five_positions("4.99")}),
    ("the twentieth entry", {}, {"entries_today": 19}),
    ("yesterday's twenty entries", {}, {"entries_today": 20, "day_started_at": NOW - timedelta(days=1)}),
    ("floors of the bootstrap", {"confidence": D("0.25"), "win_probability": D("0.20")}, {"closed_trades": 49}),
    ("low values after the bootstrap", {"confidence": D("0.1"), "win_probability": D("0.1")}, {"closed_trades": 50}),
    ("manual mode with an approval", {"approved_by": "ada"}, {"mode": Mode.MANUAL}),
    ("a stop half an ATR away", {"stop_price": D(97), "atr_fraction": D("0.06")}, {}),
    ("a stop of five percent", {"stop_price": D(95), "target_price": D(110)}, {}),
    ("a target of three round trips", {"target_price": D("100.9"), "spread_fraction": D("0.001")}, {}),
    ("no target at all", {"target_price": None}, {}),
]


@pytest.mark.parametrize(("what", "request_fields", "account_fields"), ALLOWED_AT_THE_EDGE)
def test_allowed_at_the_edge(what: str, request_fields: dict[str, Any], account_fields: dict[str, Any]) -> None:
    answer = gate(wish(**request_fields), account(**account_fields), Policy())
    assert answer.permit is not None, (what, answer.denials)


CAPS = [
    # the limit that binds, what it leaves, the request, the account, the policy
    ("proposed_size", "300", {}, {}, {}),
    ("regime_size_cap", "90", {"risk_regime": RiskRegime.CRASH}, {}, {}),
    ("regime_size_cap", "180", {"risk_regime": RiskRegime.HIGH_VOLATILITY}, {}, {}),
    ("regime_size_cap", "240", {"risk_regime": RiskRegime.RALLY}, {}, {}),
    ("proposed_size", "300", {"risk_regime": RiskRegime.LOW_VOLATILITY}, {}, {}),
    ("low_certainty_cap", "250", {"low_certainty": True}, {}, {}),
    ("low_certainty_cap", "250", {"confidence": D("0.59")}, {}, {}),
    ("proposed_size", "300", {"confidence": D("0.60")}, {}, {}),
    ("proposed_size", "300", {"low_certainty": True}, {"closed_trades": 49}, {}),
    ("low_certainty_cap", "250", {"low_certainty": True}, {"closed_trades": 50}, {}),
    # a proposal that fusion has halved is not halved again
    ("proposed_size", "150", {"low_certainty": True, "size_fraction": D("0.015")}, {}, {}),
    ("trade_cap", "500", {"size_fraction": D("0.5")}, {}, {}),
    ("proposed_size", "300", planned(), {}, {}),
    ("plan_trade_cap", "200", planned(max_trade_fraction=D("0.02")), {}, {}),
    ("plan_position_cap", "100", planned(max_position_fraction=D("0.01")), {}, {}),
    ("plan_total_cap", "150", planned(total_fraction=D("0.015")), {}, {}),
    ("event_day_cap", "200", {"event_day": True}, {}, {}),
    ("event_day_cap", "50", {"event_day": True}, {"reservations": (promised("BTC/USDT", "150"),)}, {}),
    ("position_cap", "200", {}, {"cash_usd": D(9_200), "holdings": (held("BTC/USDT", "800"),)}, {}),
    ("position_cap", "100", {}, {"reservations": (promised("BTC/USDT", "900"),)}, {}),
    ("symbol_cap", "250", {"symbol_elsewhere_usd": D(5_750), "equity_elsewhere_usd": D(10_000)}, {}, {}),
    (
        "symbol_cap",
        "150",
        {"symbol_elsewhere_usd": D(5_750), "equity_elsewhere_usd": D(10_000)},
        {"reservations": (promised("BTC/USDT", "100"),)},
        {},
    ),
    ("regime_total_cap", "100", {}, {"cash_usd": D(5_100), "holdings": (held("ETH/USDT", "4900"),)}, {}),
    ("regime_total_cap", "100", {}, {"reservations": (promised("ETH/USDT", "4900"),)}, {}),
    (
        "cash_floor",
        "200",
        {},
        {"cash_usd": D(1_200), "holdings": (held("ETH/USDT", "8800"),)},
        {"total_fraction_normal": D(1), "total_fraction_low_volatility": D(1)},
    ),
    (
        "cash_floor",
        "50",
        {},
        {
            "cash_usd": D(1_200),
            "holdings": (held("ETH/USDT", "8800"),),
            "reservations": (promised("ETH/USDT", "150"),),
        },
        {"total_fraction_normal": D(1), "total_fraction_low_volatility": D(1)},
    ),
    (
        "leverage_cap",
        "200",
        {},
        {"cash_usd": D(200), "holdings": (held("ETH/USDT", "9800"),)},
        {"total_fraction_normal": D(1), "total_fraction_low_volatility": D(1), "cash_floor_fraction": D(0)},
    ),
]


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
    answer = gate(wish(event_day=True, low_certainty=True, **planned()), account(), Policy())
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
