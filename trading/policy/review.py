"""The thresholds of reviews: when a habit is a bias, when a lesson is one, and how accounts are scored."""

from __future__ import annotations

from decimal import Decimal

from trading.contract import Contract
from trading.policy.thresholds import count, fraction


class ReviewPolicy(Contract):
    """What a review measures against. Nothing here admits risk: the way that hides a bias counts as the looser one."""

    overtrading_multiple: Decimal = fraction(
        "1.5",
        ge="1",
        le="10",
        unit="ratio",
        capability="C49",
        code="over_trading",
        looser="up",
        description="trades a day over their mean before the period, above which it is over-trading",
    )
    overtrading_min_days: int = count(
        5,
        ge=1,
        le=365,
        unit="days",
        capability="C49",
        code="over_trading",
        looser="up",
        description="days of history without which there is no mean to trade more than",
    )
    bias_min_trades: int = count(
        5,
        ge=2,
        le=1000,
        unit="trades",
        capability="C49",
        code="too_few_trades",
        looser="up",
        description="trades under which anchoring, confirmation and chasing are not judged",
    )
    anchoring_tolerance_fraction: Decimal = fraction(
        "0.001",
        ge="0",
        le="0.05",
        capability="C49",
        code="anchoring",
        looser="down",
        description="how near two planned levels of a symbol lie to be the same price point",
    )
    anchoring_move_fraction: Decimal = fraction(
        "0.01",
        ge="0",
        le="0.5",
        capability="C49",
        code="anchoring",
        looser="up",
        description="how far the entries must lie apart for a level that stays to be an anchor",
    )
    anchoring_share: Decimal = fraction(
        "0.5",
        ge="0",
        le="1",
        capability="C49",
        code="anchoring",
        looser="up",
        description="share of a symbol's trades that lean on one price point, above which it is anchoring",
    )
    confirmation_share: Decimal = fraction(
        "0.8",
        ge="0",
        le="1",
        capability="C49",
        code="confirmation",
        looser="up",
        description="share of entries citing no opposing fact although there was one, above which it is confirmation",
    )
    loss_aversion_multiple: Decimal = fraction(
        "2",
        ge="1",
        le="20",
        unit="ratio",
        capability="C49",
        code="loss_aversion",
        looser="up",
        description="mean holding time of losers over that of winners, above which it is loss aversion",
    )
    loss_aversion_min_each: int = count(
        3,
        ge=1,
        le=1000,
        unit="trades",
        capability="C49",
        code="too_few_trades",
        looser="up",
        description="winners and losers, of each, under which loss aversion is not judged",
    )
    chasing_rise_fraction: Decimal = fraction(
        "0.03",
        ge="0",
        le="1",
        capability="C49",
        code="chasing",
        looser="up",
        description="rise within 24 h after which an entry runs after the price",
    )
    chasing_share: Decimal = fraction(
        "0.5",
        ge="0",
        le="1",
        capability="C49",
        code="chasing",
        looser="up",
        description="share of entries that ran after the price, above which it is chasing",
    )
    calibration_min_trades: int = count(
        20,
        ge=5,
        le=10_000,
        unit="trades",
        capability="C12",
        code="too_few_trades",
        looser="up",
        description="forecasts that came out under which calibration changes nothing",
    )
    calibration_error_limit: Decimal = fraction(
        "0.10",
        ge="0.01",
        le="1",
        capability="C57",
        code="calibration_error",
        looser="up",
        description="calibration error above which the stated probabilities are not to be trusted",
    )
    principle_min_samples: int = count(
        5,
        ge=2,
        le=1000,
        unit="trades",
        capability="C12",
        code="principle_evidence",
        looser="down",
        description="trades behind a lesson before it can be proposed as a principle",
    )
    reflection_expires_s: int = count(
        604_800,
        ge=1,
        le=2_419_200,
        unit="s",
        capability="C12",
        code="expired",
        looser="none",
        description="how long a reflection's proposal waits for a person; silence leaves it unapplied",
    )
    score_win_rate_weight: Decimal = fraction(
        "0.4",
        ge="0",
        le="1",
        capability="C58",
        code="account_score",
        looser="none",
        description="weight of the win rate in an account's score",
    )
    score_sharpe_weight: Decimal = fraction(
        "0.4",
        ge="0",
        le="1",
        capability="C58",
        code="account_score",
        looser="none",
        description="weight of the Sharpe ratio, from 0 at -1 to full at 3, in an account's score",
    )
    score_drawdown_weight: Decimal = fraction(
        "0.2",
        ge="0",
        le="1",
        capability="C58",
        code="account_score",
        looser="none",
        description="weight of the drawdown, full at none and 0 at the halt, in an account's score",
    )
    review_step_fraction: Decimal = fraction(
        "0.20",
        ge="0.01",
        le="0.5",
        capability="C12",
        code="review_step",
        looser="none",
        description="how much of a threshold one review may change",
    )
    pnl_tolerance_fraction: Decimal = fraction(
        "0.01",
        ge="0",
        le="0.1",
        capability="C29",
        code="pnl_inconsistent",
        looser="up",
        description="how far the worth of a position may differ between two sources of its price",
    )
