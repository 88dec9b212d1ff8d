"""The thresholds of the watch: how often the day's plan may ask for decisions, and how long it is in force."""

from __future__ import annotations

from trading.contract import Contract
from trading.policy.thresholds import count


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
