"""The thresholds of the five risk regimes: how each is detected and what it leaves."""

from __future__ import annotations

from decimal import Decimal

from trading.contract import Contract
from trading.facts.models import RiskRegime
from trading.money import ONE
from trading.policy.thresholds import count, fraction

BY_DANGER = (
    RiskRegime.LOW_VOLATILITY,
    RiskRegime.NORMAL,
    RiskRegime.RALLY,
    RiskRegime.HIGH_VOLATILITY,
    RiskRegime.CRASH,
)
"""The risk regimes from calm to dangerous: no limit may give more in a later one than in an earlier one (C21)."""


class RegimePolicy(Contract):
    """The five risk regimes: how each is detected and what it leaves (C21)."""

    crash_fall_fraction: Decimal = fraction(
        "0.15",
        ge="0.01",
        le="0.9",
        capability="C21",
        code="regime_crash",
        looser="up",
        description="fall within 24 h above which the regime is a crash, whatever the volatility",
    )
    rally_rise_fraction: Decimal = fraction(
        "0.10",
        ge="0.01",
        le="0.9",
        capability="C21",
        code="regime_rally",
        looser="up",
        description="rise within 24 h above which the regime is a rally",
    )
    high_volatility_fraction: Decimal = fraction(
        "0.05",
        ge="0.001",
        le="1",
        capability="C21",
        code="regime_high_volatility",
        looser="up",
        description="daily volatility above which the regime is high volatility",
    )
    low_volatility_fraction: Decimal = fraction(
        "0.01",
        ge="0",
        le="1",
        capability="C21",
        code="regime_low_volatility",
        looser="up",
        description="daily volatility below which the regime is low volatility",
    )
    total_fraction_low_volatility: Decimal = fraction(
        "0.60",
        ge="0",
        le="1",
        capability="C21",
        code="regime_total_cap",
        looser="up",
        description="all positions together over equity, low volatility",
    )
    total_fraction_normal: Decimal = fraction(
        "0.50",
        ge="0",
        le="1",
        capability="C21",
        code="regime_total_cap",
        looser="up",
        description="all positions together over equity, normal regime",
    )
    total_fraction_rally: Decimal = fraction(
        "0.40",
        ge="0",
        le="1",
        capability="C21",
        code="regime_total_cap",
        looser="up",
        description="all positions together over equity, rally",
    )
    total_fraction_high_volatility: Decimal = fraction(
        "0.30",
        ge="0",
        le="1",
        capability="C21",
        code="regime_total_cap",
        looser="up",
        description="all positions together over equity, high volatility",
    )
    total_fraction_crash: Decimal = fraction(
        "0.20",
        ge="0",
        le="1",
        capability="C21",
        code="regime_total_cap",
        looser="up",
        description="all positions together over equity, crash",
    )
    size_factor_low_volatility: Decimal = fraction(
        "1.2",
        ge="0",
        le="2",
        unit="ratio",
        capability="C21",
        code="regime_size_cap",
        looser="up",
        description="multiplier on a proposed size, low volatility; above 1 it counts as 1: the gate never enlarges",
    )
    size_factor_normal: Decimal = fraction(
        "1.0",
        ge="0",
        le="2",
        unit="ratio",
        capability="C21",
        code="regime_size_cap",
        looser="up",
        description="multiplier on a proposed size, normal regime; above 1 it counts as 1",
    )
    size_factor_rally: Decimal = fraction(
        "0.8",
        ge="0",
        le="2",
        unit="ratio",
        capability="C21",
        code="regime_size_cap",
        looser="up",
        description="multiplier on a proposed size, rally; above 1 it counts as 1",
    )
    size_factor_high_volatility: Decimal = fraction(
        "0.6",
        ge="0",
        le="2",
        unit="ratio",
        capability="C21",
        code="regime_size_cap",
        looser="up",
        description="multiplier on a proposed size, high volatility; above 1 it counts as 1",
    )
    size_factor_crash: Decimal = fraction(
        "0.3",
        ge="0",
        le="2",
        unit="ratio",
        capability="C21",
        code="regime_size_cap",
        looser="up",
        description="multiplier on a proposed size, crash; above 1 it counts as 1",
    )
    leverage_low_volatility: Decimal = fraction(
        "25",
        ge="1",
        le="25",
        unit="ratio",
        capability="C21",
        code="leverage_cap",
        looser="up",
        description="leverage that the low volatility regime allows; `max_leverage` binds below it",
    )
    leverage_normal: Decimal = fraction(
        "20",
        ge="1",
        le="25",
        unit="ratio",
        capability="C21",
        code="leverage_cap",
        looser="up",
        description="leverage that the normal regime allows; `max_leverage` binds below it",
    )
    leverage_rally: Decimal = fraction(
        "15",
        ge="1",
        le="25",
        unit="ratio",
        capability="C21",
        code="leverage_cap",
        looser="up",
        description="leverage that the rally regime allows; `max_leverage` binds below it",
    )
    leverage_high_volatility: Decimal = fraction(
        "10",
        ge="1",
        le="25",
        unit="ratio",
        capability="C21",
        code="leverage_cap",
        looser="up",
        description="leverage that the high volatility regime allows; `max_leverage` binds below it",
    )
    leverage_crash: Decimal = fraction(
        "5",
        ge="1",
        le="25",
        unit="ratio",
        capability="C21",
        code="leverage_cap",
        looser="up",
        description="leverage that the crash regime allows; `max_leverage` binds below it",
    )
    max_positions_low_volatility: int = count(
        6,
        ge=0,
        le=100,
        unit="positions",
        capability="C21",
        code="too_many_positions",
        looser="up",
        description="symbols held or promised at once, low volatility",
    )
    max_positions_normal: int = count(
        5,
        ge=0,
        le=100,
        unit="positions",
        capability="C21",
        code="too_many_positions",
        looser="up",
        description="symbols held or promised at once, normal regime",
    )
    max_positions_rally: int = count(
        4,
        ge=0,
        le=100,
        unit="positions",
        capability="C21",
        code="too_many_positions",
        looser="up",
        description="symbols held or promised at once, rally",
    )
    max_positions_high_volatility: int = count(
        3,
        ge=0,
        le=100,
        unit="positions",
        capability="C21",
        code="too_many_positions",
        looser="up",
        description="symbols held or promised at once, high volatility",
    )
    max_positions_crash: int = count(
        2,
        ge=0,
        le=100,
        unit="positions",
        capability="C21",
        code="too_many_positions",
        looser="up",
        description="symbols held or promised at once, crash",
    )

    def total_fraction(self, regime: RiskRegime) -> Decimal:
        """All positions together over equity in `regime`."""
        value: Decimal = getattr(self, f"total_fraction_{regime.value}")
        return value

    def size_factor(self, regime: RiskRegime) -> Decimal:
        """The share of a proposed size that `regime` keeps: never above 1, because the gate never enlarges."""
        value: Decimal = getattr(self, f"size_factor_{regime.value}")
        return min(value, ONE)

    def leverage(self, regime: RiskRegime) -> Decimal:
        """The leverage that `regime` allows, before the hard cap `max_leverage` (X39)."""
        value: Decimal = getattr(self, f"leverage_{regime.value}")
        return value

    def max_positions(self, regime: RiskRegime) -> int:
        """Symbols held or promised at once in `regime`."""
        value: int = getattr(self, f"max_positions_{regime.value}")
        return value
