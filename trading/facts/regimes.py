"""The two regimes: the market's direction for memory and lessons (X35), its danger for limits (C21)."""

from __future__ import annotations

from decimal import Decimal

from trading.facts.models import RiskRegime, TrendRegime
from trading.policy.regimes import RegimePolicy

TREND_EDGE, RUN_EDGE = Decimal("0.02"), Decimal("0.05")
"""S0-36 and S0-37: what moves within 24 hours are called, as fractions."""


def trend_label(change_24h: Decimal) -> str:
    """The move of 24 hours in words (S0-36)."""
    if change_24h > RUN_EDGE:
        return "strong_bullish"
    if change_24h > TREND_EDGE:
        return "bullish"
    if change_24h > -TREND_EDGE:
        return "neutral"
    return "bearish" if change_24h > -RUN_EDGE else "strong_bearish"


def volatility_label(daily_volatility: Decimal, *, policy: RegimePolicy) -> str:
    """Volatility in words, at the same two thresholds as the risk regime (X36)."""
    if daily_volatility > policy.high_volatility_fraction:
        return "high"
    return "low" if daily_volatility < policy.low_volatility_fraction else "normal"


def trend_regime(
    change_24h: Decimal | None, daily_volatility: Decimal | None, *, policy: RegimePolicy
) -> TrendRegime | None:
    """The market's direction (S0-37): quiet is sideways, then the move decides; `None` where nothing is known."""
    if change_24h is None:
        return None
    is_quiet = daily_volatility is not None and volatility_label(daily_volatility, policy=policy) == "low"
    if abs(change_24h) < TREND_EDGE and is_quiet:
        return TrendRegime.SIDEWAYS
    if change_24h > RUN_EDGE:
        return TrendRegime.BULL_RUN
    return TrendRegime.BEAR_MARKET if change_24h < -RUN_EDGE else TrendRegime.NORMAL


def risk_regime(
    change_24h: Decimal | None, daily_volatility: Decimal | None, *, policy: RegimePolicy
) -> RiskRegime | None:
    """The market's danger (S4-49 to S4-53): a crash is a crash whatever the volatility, then a rally, then volatility.

    All thresholds are exclusive. `None` where neither number is known.
    """
    if change_24h is not None and change_24h < -policy.crash_fall_fraction:
        return RiskRegime.CRASH
    if change_24h is not None and change_24h > policy.rally_rise_fraction:
        return RiskRegime.RALLY
    if daily_volatility is None:
        return None if change_24h is None else RiskRegime.NORMAL
    by_label = {"high": RiskRegime.HIGH_VOLATILITY, "low": RiskRegime.LOW_VOLATILITY, "normal": RiskRegime.NORMAL}
    return by_label[volatility_label(daily_volatility, policy=policy)]
