"""The thresholds of the watch: how often the day's plan may ask for decisions, and how long it is in force."""

from __future__ import annotations

from decimal import Decimal

from trading.contract import Contract
from trading.policy.thresholds import count, fraction


class WatchPolicy(Contract):
    """What a watch may start, and for how long it listens to one plan."""

    plan_valid_s: int = count(
        90_000,
        ge=3600,
        le=172_800,
        unit="s",
        capability="C09",
        code="plan_in_force",
        looser="down",
        description="how long a day's plan binds and is watched unless a newer one replaces it: a day and an hour",
    )
    replan_deviation_fraction: Decimal = fraction(
        "0.3",
        ge="0.05",
        le="10",
        capability="C61",
        code="replan",
        looser="up",
        description="share of the day's target that an account may be off its course before a new plan is made",
    )
    replan_after_s: int = count(
        14_400,
        ge=0,
        le=57_600,
        unit="s",
        capability="C61",
        code="replan",
        looser="none",
        description="when the day's progress is judged, counted from the session's start; 0 is never",
    )
    triggers_per_symbol: int = count(
        2,
        ge=0,
        le=50,
        unit="decisions",
        capability="C09",
        code="trigger_cap",
        looser="up",
        description="entry triggers of one symbol that may ask for a decision in one day",
    )
    triggers_per_day: int = count(
        6,
        ge=0,
        le=500,
        unit="decisions",
        capability="C09",
        code="trigger_cap",
        looser="up",
        description="entry triggers of all symbols that may ask for a decision in one day",
    )
    trigger_quiet_s: int = count(
        1800,
        ge=0,
        le=86_400,
        unit="s",
        capability="C09",
        code="trigger_cap",
        looser="down",
        description="how long after all symbols were decided an entry trigger is spent without another decision",
    )
    anomaly_window_s: int = count(
        900,
        ge=60,
        le=86_400,
        unit="s",
        capability="C66",
        code="price_jump",
        looser="none",
        description="how far back the watch compares a price with what it saw",
    )
    anomaly_price_fraction: Decimal = fraction(
        "0.03",
        ge="0.001",
        le="0.9",
        capability="C66",
        code="price_jump",
        looser="up",
        description="move within the anomaly window that is a price jump; a fall of it makes the desks defend",
    )
    anomaly_volume_multiple: Decimal = fraction(
        "5",
        ge="1",
        le="1000",
        unit="ratio",
        capability="C66",
        code="volume_spike",
        looser="up",
        description="volume of the last candle over the median of those before it that is a spike",
    )
    anomaly_range_multiple: Decimal = fraction(
        "4",
        ge="1",
        le="1000",
        unit="ratio",
        capability="C66",
        code="volatility_surge",
        looser="up",
        description="range of the last candle over the median of those before it that is a surge",
    )
    reconcile_every_minutes: int = count(
        60,
        ge=5,
        le=1440,
        unit="minutes",
        capability="C19",
        code="reconciliation",
        looser="up",
        description="time after which ledger and venue are held against each other again, at the latest",
    )
    anomaly_candles: int = count(
        48,
        ge=5,
        le=499,
        unit="candles",
        capability="C66",
        code="volatility_surge",
        looser="none",
        description="candles before the last one whose median is the usual volume and range",
    )
