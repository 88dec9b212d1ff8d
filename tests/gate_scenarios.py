"""One row per limit: what a trader would have to do to run into it, and what the gate says then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from trading.facts.models import DailyCloses, RiskRegime
from trading.risk.models import (
    Arming,
    ElsewhereUsd,
    Exposure,
    GateRequest,
    Holding,
    Mode,
    PlanBound,
    Protection,
    ProtectionKind,
    Reservation,
    SymbolHistory,
)

NOW = datetime(2020, 3, 12, 10, 0, tzinfo=UTC)
D = Decimal
Fields = dict[str, Any]


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


def planned(**fields: Any) -> Fields:
    """A wish under a plan that leaves more than the policy does, except for `fields`."""
    values: Fields = {
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


def held(symbol: str, usd: str, *, average: str = "100") -> Holding:
    return Holding(symbol=symbol, quantity=D(usd) / 100, average_price=D(average), mark_price=D(100))


def promised(symbol: str, usd: str) -> Reservation:
    return Reservation(permit_id=f"p-{symbol}", symbol=symbol, notional_usd=D(usd), reserved_at=NOW)


def five_positions(usd: str = "400") -> tuple[Holding, ...]:
    return tuple(held(f"{base}/USDT", usd) for base in ("ADA", "BNB", "ETH", "SOL", "XRP"))


def elsewhere(symbol: str, usd: str) -> ElsewhereUsd:
    """What the venue's other accounts have of it."""
    return ElsewhereUsd(symbol=symbol, usd=D(usd))


def frozen(symbol: str = "BTC/USDT", until: datetime | None = NOW + timedelta(seconds=1)) -> Protection:
    """A breaker's freeze of one symbol."""
    return Protection(
        id=f"freeze-{symbol}",
        kind=ProtectionKind.SYMBOL_FREEZE,
        code="symbol_fall",
        symbol=symbol,
        since=NOW - timedelta(hours=1),
        until=until,
        reason="it fell",
        who="watch",
    )


def armed(capital: str) -> Arming:
    """A person's leave to open positions with so much real money."""
    return Arming(
        id="arm-1", capital_usd=D(capital), offset_usd=D(0), since=NOW - timedelta(days=3), who="ada", reason="try"
    )


def zigzag(move: str, days: int = 30) -> DailyCloses:
    """Daily closes that fall by `move` on one day and rise by it on the next."""
    closes = [D(100)]
    for day in range(days):
        closes.append(closes[-1] * (1 - D(move) if day % 2 == 0 else 1 + D(move)))
    return DailyCloses(until=NOW.replace(hour=0), closes=tuple(closes))


def one_crash(fall: str, days: int = 30) -> DailyCloses:
    """Daily closes that stand still and then fall once."""
    return DailyCloses(until=NOW.replace(hour=0), closes=(*(D(100),) * days, D(100) * (1 - D(fall))))


def seen(symbol: str, move: str) -> SymbolHistory:
    return SymbolHistory(symbol=symbol, history=zigzag(move))


def losing() -> dict[str, Any]:
    """Nine of the newest forty trades won."""
    return {"recent_trades": 40, "recent_wins": 9}


WIDE_TAIL = {"var_limit_fraction": "0.5", "cvar_limit_fraction": "0.5", "trade_risk_fraction": "0.01"}
"""A policy under which tail risk does not bind."""


DENIALS: list[tuple[str, Fields, Fields, Fields]] = [
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
    ("not_armed", {}, {"must_be_armed": True}, {}),
    (
        "armed_cap",
        {},
        {"must_be_armed": True, "arming": armed("700"), "reservations": (promised("ETH/USDT", "700"),)},
        {},
    ),
    ("symbol_frozen", {}, {"protections": (frozen(),)}, {}),
    ("symbol_frozen", {}, {"protections": (frozen(until=None),)}, {}),
    # 4 USD each bought at 110: 9.1 % under water
    ("symbol_loss", {}, {"cash_usd": D(9_500), "holdings": (held("BTC/USDT", "500", average="110"),)}, {}),
    ("systemic_risk", {"history": zigzag("0.11")}, {}, {"var_limit_fraction": "0.08"}),
    ("order_rate", {}, {"entries_at": (NOW - timedelta(seconds=59),) * 10}, {}),
    ("price_collar", {"limit_price": D("96.9"), "stop_price": D(95)}, {}, {}),
    ("price_collar", {"limit_price": D("103.1")}, {}, {}),
    ("below_tick", {"tick_size": D("2.5"), "target_price": D(105)}, {}, {}),
    ("below_lot", {"step_size": D("0.1"), "min_quantity": D("3.1")}, {}, {}),
    # a stop of 4.1 % in a market that moves 0.7 % a day, 13 % a year
    ("stop_too_far", {"stop_price": D("95.9"), "target_price": D(110), "history": zigzag("0.007")}, {}, {}),
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
    ("symbol_cap", {}, {"elsewhere": (elsewhere("BTC/USDT", "6000"),), "equity_elsewhere_usd": D(10_000)}, {}),
    ("win_rate_cap", {}, {**losing(), "cash_usd": D(9_500), "holdings": (held("BTC/USDT", "500"),)}, {}),
    (
        "correlated_cap",
        {"history": zigzag("0.01")},
        {"cash_usd": D(6_000), "holdings": (held("ETH/USDT", "4000"),), "histories": (seen("ETH/USDT", "0.02"),)},
        {},
    ),
    (
        "var_cap",
        {"history": zigzag("0.04")},
        {"cash_usd": D(8_500), "holdings": (held("ETH/USDT", "1500"),), "histories": (seen("ETH/USDT", "0.34"),)},
        {"cvar_limit_fraction": "0.5"},
    ),
    (
        "regime_total_cap",
        {"risk_regime": RiskRegime.CRASH},
        {"cash_usd": D(8_000), "holdings": (held("ETH/USDT", "2000"),)},
        {},
    ),
    ("short_unavailable", {"opens": False, "size_fraction": D(1)}, {}, {}),
    ("nothing_proposed", {"opens": False, "size_fraction": D(0)}, {"holdings": (held("BTC/USDT", "40"),)}, {}),
    ("below_min_notional", {"opens": False, "size_fraction": D("0.1")}, {"holdings": (held("BTC/USDT", "40"),)}, {}),
    (
        "nothing_to_reduce",
        {"opens": False, "size_fraction": D(1)},
        {"holdings": (held("BTC/USDT", "4.99"),)},
        {},
    ),
]


ALLOWED_AT_THE_EDGE: list[tuple[str, Fields, Fields]] = [
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
    ("real money that a person armed", {}, {"must_be_armed": True, "arming": armed("10000")}),
    ("a stop half an ATR away", {"stop_price": D(97), "atr_fraction": D("0.06")}, {}),
    ("a stop of five percent", {"stop_price": D(95), "target_price": D(110)}, {}),
    ("a target of three round trips", {"target_price": D("100.9"), "spread_fraction": D("0.001")}, {}),
    ("a freeze that has ended", {}, {"protections": (frozen(until=NOW),)}),
    ("a freeze of another symbol", {}, {"protections": (frozen("ETH/USDT"),)}),
    ("a position just under five percent under water", {}, {"holdings": (held("BTC/USDT", "100", average="105.2"),)}),
    ("a position of dust under water", {}, {"holdings": (held("BTC/USDT", "4.99", average="200"),)}),
    ("nine entries within the minute", {}, {"entries_at": (NOW,) * 9}),
    ("ten entries a minute ago", {}, {"entries_at": (NOW - timedelta(seconds=60),) * 10}),
    ("a limit three percent below the market", {"limit_price": D(97), "stop_price": D(95)}, {}),
    ("levels of one tick", {"tick_size": D(2)}, {}),
    ("exactly the smallest lot", {"step_size": D("0.1"), "min_quantity": D(3)}, {}),
    ("too few days to judge", {"history": zigzag("0.2", days=14)}, {}),
    ("a wide stop in a wild market", {"stop_price": D(95), "target_price": D(110), "history": zigzag("0.02")}, {}),
    ("no target at all", {"target_price": None}, {}),
]


CAPS: list[tuple[str, str, Fields, Fields, Fields]] = [
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
    ("armed_cap", "200", {}, {"arming": armed("1000"), "reservations": (promised("ETH/USDT", "800"),)}, {}),
    ("position_cap", "200", {}, {"cash_usd": D(9_200), "holdings": (held("BTC/USDT", "800"),)}, {}),
    ("position_cap", "100", {}, {"reservations": (promised("BTC/USDT", "900"),)}, {}),
    (
        "symbol_cap",
        "250",
        {},
        {"elsewhere": (elsewhere("BTC/USDT", "5750"),), "equity_elsewhere_usd": D(10_000)},
        {},
    ),
    (
        "symbol_cap",
        "150",
        {},
        {
            "elsewhere": (elsewhere("BTC/USDT", "5750"), elsewhere("ETH/USDT", "9000")),
            "equity_elsewhere_usd": D(10_000),
            "reservations": (promised("BTC/USDT", "100"),),
        },
        {},
    ),
    # a stop 4 % away: 0.1 % of equity at risk is 2.5 % of it
    ("risk_budget_cap", "250", {"stop_price": D(96), "target_price": D(110)}, {}, {}),
    ("venue_order_cap", "200", {"max_quantity": D(2)}, {}, {}),
    # 9 of 40 won: half of what a whole position asks for
    ("win_rate_cap", "200", {}, {**losing(), "cash_usd": D(9_700), "holdings": (held("BTC/USDT", "300"),)}, {}),
    # daily moves of 8 % against a reference of 5 %
    ("volatility_cap", "312.5", {"size_fraction": D("0.05"), "history": zigzag("0.08")}, {}, WIDE_TAIL),
    (
        "correlated_cap",
        "100",
        {"history": zigzag("0.01")},
        {"cash_usd": D(6_100), "holdings": (held("ETH/USDT", "3900"),), "histories": (seen("ETH/USDT", "0.02"),)},
        {},
    ),
    # what nothing is known of moves along
    ("correlated_cap", "100", {"history": zigzag("0.01")}, {"reservations": (promised("ETH/USDT", "3900"),)}, {}),
    # what goes up when this goes down does not: the proposal passes whole
    (
        "proposed_size",
        "300",
        {"history": zigzag("0.01")},
        {"cash_usd": D(6_100), "holdings": (held("ETH/USDT", "3900"),), "histories": (seen("ETH/USDT", "-0.01"),)},
        {},
    ),
    # 3000 that fall by 16 % lose 480, 200 that fall by 10 % lose the 20 that are left of 5 % of equity
    (
        "var_cap",
        "200",
        {"history": zigzag("0.10")},
        {"cash_usd": D(7_000), "holdings": (held("ETH/USDT", "3000"),), "histories": (seen("ETH/USDT", "0.16"),)},
        {"systemic_volatility_fraction": 1},
    ),
    # one day of forty percent among quiet ones: the value at risk spares it, its mean with the next does not
    (
        "cvar_cap",
        "100",
        {"history": one_crash("0.4")},
        {"cash_usd": D(6_100), "holdings": (held("ETH/USDT", "3900"),)},
        {"max_correlated_fraction": 1},
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
