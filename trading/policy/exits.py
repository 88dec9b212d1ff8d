"""The thresholds of leaving a position: when the stop follows the price, and what is sold before the target."""

from __future__ import annotations

from decimal import Decimal

from trading.contract import Contract
from trading.policy.thresholds import fraction


class ExitingPolicy(Contract):
    """How a position is left (C45). A risk is the distance from the entry's average price to its first stop."""

    trail_after_risks: Decimal = fraction(
        "1.5",
        ge="0",
        le="10",
        unit="risks",
        capability="C45",
        code="trailing_stop",
        looser="none",
        description="profit from which the stop follows the price at this same distance; at 0 it stays",
    )
    trail_step_risks: Decimal = fraction(
        "0.5",
        ge="0.1",
        le="5",
        unit="risks",
        capability="C45",
        code="trailing_stop",
        looser="none",
        description="further profit for which the stop is raised again",
    )
    first_target_risks: Decimal = fraction(
        "1",
        ge="0.2",
        le="10",
        unit="risks",
        capability="C45",
        code="first_target",
        looser="none",
        description="profit at which a share of the position is sold, where that lies before the target",
    )
    first_target_share: Decimal = fraction(
        "0",
        ge="0",
        le="0.9",
        capability="C45",
        code="first_target",
        looser="none",
        description="share of the position that is sold at the first target; at 0 none",
    )
