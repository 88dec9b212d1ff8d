"""How an entry is executed: its bounds at the wire, how long it waits, and when it is cut into slices (C24, C25)."""

from __future__ import annotations

from decimal import Decimal

from trading.policy.exits import ExitingPolicy
from trading.policy.thresholds import count, fraction


class ExecutionPolicy(ExitingPolicy):
    """The part of a playbook that a permit carries to the order: it stays as it was when the permit was given."""

    slippage_tolerance_fraction: Decimal = fraction(
        "0.002",
        ge="0",
        le="0.05",
        capability="C25",
        code="slippage",
        looser="up",
        description="how far an order may fill from its expected price",
    )
    order_timeout_s: int = count(
        30,
        ge=1,
        le=600,
        unit="s",
        capability="C24",
        code="order_timeout",
        looser="none",
        description="how long an entry may rest before it is cancelled, where no opportunity window says longer",
    )
    stale_observation_s: int = count(
        120,
        ge=5,
        le=3600,
        unit="s",
        capability="C16",
        code="stale_observation",
        looser="up",
        description="age of the observation above which no entry is permitted, or sent",
    )
    gate_holds_s: int = count(
        5,
        ge=1,
        le=60,
        unit="s",
        capability="C16",
        code="gate_again",
        looser="up",
        description="wait after which an entry is not sent on the gate's earlier answer: it is asked again",
    )
    opportunity_window_fraction: Decimal = fraction(
        "0.25",
        ge="0",
        le="1",
        capability="C25",
        code="opportunity_window",
        looser="none",
        description="share of an idea's horizon for which an entry below the market waits for its price",
    )
    adopted_horizon_hours: int = count(
        24,
        ge=1,
        le=720,
        unit="hours",
        capability="C14",
        code="adopted",
        looser="up",
        description="how long a purchase that a person adopted may be held",
    )
    algo_min_notional_multiple: Decimal = fraction(
        "20",
        ge="1",
        le="1000",
        unit="ratio",
        capability="C24",
        code="too_small_to_slice",
        looser="none",
        description="smallest orders of the venue below which an order is never sliced",
    )
    slice_volume_fraction: Decimal = fraction(
        "0.02",
        ge="0",
        le="1",
        capability="C24",
        code="slice_volume",
        looser="none",
        description="share of an hour's usual volume above which an entry is sliced, or shown in parts where it rests",
    )
    slice_most: int = count(
        8,
        ge=2,
        le=50,
        unit="slices",
        capability="C24",
        code="slice_most",
        looser="none",
        description="most parts that one entry is cut into",
    )
    slice_window_s: int = count(
        3600,
        ge=60,
        le=86400,
        unit="s",
        capability="C24",
        code="slice_window",
        looser="none",
        description="time over which slices are spread; over more than one hour they follow the usual volume",
    )
    post_only: int = count(
        0,
        ge=0,
        le=1,
        unit="switch",
        capability="C24",
        code="post_only",
        looser="none",
        description="1: an entry below the market never takes, it is refused where it would",
    )
