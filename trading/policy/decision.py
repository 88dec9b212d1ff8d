"""The thresholds of a decision: grounding, confidence, and how two views become one."""

from __future__ import annotations

from decimal import Decimal

from trading.contract import Contract
from trading.policy.thresholds import count, fraction


class DecisionPolicy(Contract):
    """What makes a proposal acceptable and how two views become one."""

    min_reward_risk: Decimal = fraction(
        "1.2",
        ge="0.5",
        le="10",
        unit="ratio",
        capability="C03",
        code="reward_risk_too_low",
        looser="down",
        description="smallest distance to the target over distance to the stop",
    )
    price_tolerance_fraction: Decimal = fraction(
        "0.02",
        ge="0",
        le="0.10",
        capability="C03",
        code="price_out_of_range",
        looser="up",
        description="how far a proposed entry may lie from the observed price",
    )
    value_tolerance_fraction: Decimal = fraction(
        "0.005",
        ge="0",
        le="0.05",
        capability="C03",
        code="value_mismatch",
        looser="up",
        description="how far a cited value may differ from the fact it cites",
    )
    max_uncited_numbers: int = count(
        0,
        ge=0,
        le=20,
        unit="numbers",
        capability="C03",
        code="uncited_number",
        looser="up",
        description="numbers in prose that match no fact and pass unmarked; above it each one is a note",
    )
    freshness_steps: int = count(
        2,
        ge=1,
        le=10,
        unit="bars",
        capability="C03",
        code="stale_fact",
        looser="up",
        description="age of a cited fact, in bars of its own timeframe, above which it is stale",
    )
    min_history_bars: int = count(
        500,
        ge=100,
        le=5000,
        unit="bars",
        capability="C01",
        code="insufficient_history",
        looser="down",
        description="closed candles on the base timeframe under which the decision abstains",
    )
    low_certainty_below: Decimal = fraction(
        "0.60",
        ge="0",
        le="1",
        capability="C04",
        code="low_certainty",
        looser="down",
        description="confidence below which a decision is marked low certainty",
    )
    low_certainty_size_factor: Decimal = fraction(
        "0.5",
        ge="0",
        le="1",
        capability="C04",
        code="low_certainty_cap",
        looser="up",
        description="share left where certainty is low: of the proposal in fusion, of one trade in the gate",
    )
    bootstrap_trades: int = count(
        50,
        ge=0,
        le=1000,
        unit="trades",
        capability="C04",
        code="bootstrap",
        looser="down",
        description="closed trades of an account until which the bootstrap floors hold",
    )
    bootstrap_min_confidence: Decimal = fraction(
        "0.25",
        ge="0",
        le="1",
        capability="C04",
        code="bootstrap_confidence",
        looser="down",
        description="confidence below which an entry is refused while bootstrapping",
    )
    bootstrap_min_win_probability: Decimal = fraction(
        "0.20",
        ge="0",
        le="1",
        capability="C04",
        code="bootstrap_win_probability",
        looser="down",
        description="win probability below which an entry is refused while bootstrapping",
    )
    size_agreement_ratio: Decimal = fraction(
        "0.5",
        ge="0",
        le="1",
        capability="C05",
        code="size_disagreement",
        looser="down",
        description="smaller over larger proposed size below which the models disagree on size",
    )
    disagreement_size_factor: Decimal = fraction(
        "0.5",
        ge="0",
        le="1",
        capability="C05",
        code="disagreement_cap",
        looser="up",
        description="share of the smaller size that is kept where the models disagree on size or levels",
    )
    weight_floor: Decimal = fraction(
        "0.2",
        ge="0",
        le="0.5",
        capability="C05",
        code="weight_floor",
        looser="none",
        description="smallest weight of a model that speaks, whatever its track record",
    )
    approval_above_fraction: Decimal = fraction(
        "1",
        ge="0",
        le="1",
        capability="C14",
        code="size_above_approval",
        looser="up",
        description="size of an entry over equity above which a person is asked; at 1 never",
    )
    approval_when_low_certainty: int = count(
        0,
        ge=0,
        le=1,
        unit="yes (1) or no (0)",
        capability="C14",
        code="low_certainty",
        looser="down",
        description="whether a person is asked before an entry of low certainty",
    )
    approval_expires_s: int = count(
        86_400,
        ge=1,
        le=604_800,
        unit="s",
        capability="C14",
        code="expired",
        looser="none",
        description="how long a proposal waits for a person; silence is a rejection",
    )
