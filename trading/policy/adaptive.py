"""The thresholds that follow the market and the account: tail risk, correlation, adaptive caps, systemic risk."""

from __future__ import annotations

from decimal import Decimal

from trading.contract import Contract
from trading.policy.thresholds import count, fraction


class AdaptivePolicy(Contract):
    """Limits that a number of the day tightens: none gives more than the fixed row beside it (C17, C19, C22)."""

    var_confidence: Decimal = fraction(
        "0.95",
        ge="0.9",
        le="0.99",
        capability="C17",
        code="var_cap",
        looser="down",
        description="share of days that the value at risk covers",
    )
    var_limit_fraction: Decimal = fraction(
        "0.05",
        ge="0.001",
        le="0.5",
        capability="C17",
        code="var_cap",
        looser="up",
        description="value at risk of a day, all positions with the entry, over equity",
    )
    cvar_limit_fraction: Decimal = fraction(
        "0.08",
        ge="0.001",
        le="0.5",
        capability="C17",
        code="cvar_cap",
        looser="up",
        description="mean loss of the days beyond the value at risk, all positions with the entry, over equity",
    )
    risk_min_days: int = count(
        15,
        ge=5,
        le=250,
        unit="days",
        capability="C17",
        code="var_cap",
        looser="up",
        description="daily returns under which tail risk, correlation and volatility are not judged",
    )
    correlated_from: Decimal = fraction(
        "0.8",
        ge="0",
        le="1",
        unit="correlation",
        capability="C17",
        code="correlated_cap",
        looser="up",
        description="correlation of daily returns from which two symbols count as one exposure",
    )
    max_correlated_fraction: Decimal = fraction(
        "0.40",
        ge="0.001",
        le="1",
        capability="C17",
        code="correlated_cap",
        looser="up",
        description="a symbol and all that moves with it, over equity",
    )
    symbol_loss_fraction: Decimal = fraction(
        "0.05",
        ge="0.001",
        le="0.5",
        capability="C17",
        code="symbol_loss",
        looser="up",
        description="loss of an open position at which it gets no more entries",
    )
    trade_risk_fraction: Decimal = fraction(
        "0.001",
        ge="0.0001",
        le="0.05",
        capability="C22",
        code="risk_budget_cap",
        looser="up",
        description="size times distance to the stop, over equity: a wider stop is a smaller trade",
    )
    reference_volatility_fraction: Decimal = fraction(
        "0.05",
        ge="0.001",
        le="1",
        capability="C22",
        code="volatility_cap",
        looser="up",
        description="daily volatility of a symbol above which one trade shrinks in proportion",
    )
    win_rate_full: Decimal = fraction(
        "0.45",
        ge="0",
        le="1",
        capability="C22",
        code="win_rate_cap",
        looser="down",
        description="win rate of the newest trades at which the position cap is whole; below it shrinks in proportion",
    )
    win_rate_floor: Decimal = fraction(
        "0.5",
        ge="0",
        le="1",
        capability="C22",
        code="win_rate_cap",
        looser="up",
        description="share of the position cap that the worst win rate leaves",
    )
    win_rate_min_trades: int = count(
        20,
        ge=1,
        le=1000,
        unit="trades",
        capability="C22",
        code="win_rate_cap",
        looser="up",
        description="closed trades under which the win rate changes nothing",
    )
    stop_calm_fraction: Decimal = fraction(
        "0.04",
        ge="0.002",
        le="0.25",
        capability="C22",
        code="stop_too_far",
        looser="up",
        description="largest distance to the stop in a calm market; between calm and wild it grows to the outer limit",
    )
    index_calm_fraction: Decimal = fraction(
        "0.15",
        ge="0.01",
        le="5",
        capability="C22",
        code="stop_too_far",
        looser="down",
        description="annualised volatility up to which the market is calm",
    )
    index_wild_fraction: Decimal = fraction(
        "0.30",
        ge="0.01",
        le="5",
        capability="C22",
        code="stop_too_far",
        looser="down",
        description="annualised volatility from which the outer limit of the stop holds",
    )
    systemic_volatility_fraction: Decimal = fraction(
        "0.10",
        ge="0.01",
        le="1",
        capability="C19",
        code="systemic_risk",
        looser="up",
        description="daily volatility from which a symbol gets no entry at all: this profile's volatility index of 40",
    )
    systemic_safe_fraction: Decimal = fraction(
        "0.20",
        ge="0",
        le="1",
        capability="C19",
        code="systemic_risk",
        looser="up",
        description="all positions over equity to which systemic risk lowers the holdings",
    )
    freeze_s: int = count(
        14_400,
        ge=60,
        le=2_592_000,
        unit="s",
        capability="C20",
        code="symbol_frozen",
        looser="down",
        description="market time for which a symbol gets no entry after its breaker",
    )
