"""The thresholds of the risk gate and of the orders it permits."""

from __future__ import annotations

from decimal import Decimal

from trading.contract import Contract
from trading.policy.thresholds import count, fraction


class GatePolicy(Contract):
    """The limits of the pre-trade gate: all apply, the smallest wins (C16, X38)."""

    max_trade_fraction: Decimal = fraction(
        "0.05",
        ge="0.001",
        le="0.25",
        capability="C16",
        code="trade_cap",
        looser="up",
        description="one trade over equity",
    )
    max_position_fraction: Decimal = fraction(
        "0.10",
        ge="0.001",
        le="0.5",
        capability="C16",
        code="position_cap",
        looser="up",
        description="one position of this account over its equity",
    )
    max_symbol_fraction: Decimal = fraction(
        "0.30",
        ge="0.001",
        le="0.5",
        capability="C16",
        code="symbol_cap",
        looser="up",
        description="one symbol over all accounts of the venue, over their equity",
    )
    max_leverage: Decimal = fraction(
        "1.5",
        ge="1",
        le="5",
        unit="ratio",
        capability="C16",
        code="leverage_cap",
        looser="up",
        description="all positions over equity; a spot account never goes above 1",
    )
    event_day_fraction: Decimal = fraction(
        "0.02",
        ge="0",
        le="0.25",
        capability="C16",
        code="event_day_cap",
        looser="up",
        description="one position over equity on the day of a known event",
    )
    cash_floor_fraction: Decimal = fraction(
        "0.10",
        ge="0",
        le="0.9",
        capability="C19",
        code="cash_floor",
        looser="down",
        description="cash over equity that no entry may use",
    )
    max_entries_per_day: int = count(
        20,
        ge=0,
        le=1000,
        unit="entries",
        capability="C16",
        code="too_many_entries",
        looser="up",
        description="entries that an account may be permitted in one day of its market profile",
    )
    order_rate_entries: int = count(
        10,
        ge=1,
        le=1000,
        unit="entries",
        capability="C16",
        code="order_rate",
        looser="up",
        description="entries that an account may be permitted within the rate's window",
    )
    order_rate_window_s: int = count(
        60,
        ge=1,
        le=3600,
        unit="s",
        capability="C16",
        code="order_rate",
        looser="down",
        description="market time over which entries are counted for their rate",
    )
    entry_collar_fraction: Decimal = fraction(
        "0.03",
        ge="0.001",
        le="0.25",
        capability="C16",
        code="price_collar",
        looser="up",
        description="how far a limit price may lie from the market, on either side",
    )
    daily_loss_alert_fraction: Decimal = fraction(
        "0.05",
        ge="0.001",
        le="0.5",
        capability="C20",
        code="daily_loss",
        looser="up",
        description="loss since the start of the day at which entries stop for the day and an alert goes out",
    )
    drawdown_defence_fraction: Decimal = fraction(
        "0.08",
        ge="0.001",
        le="0.5",
        capability="C20",
        code="drawdown_defence",
        looser="up",
        description="fall from the equity peak at which the account goes defensive",
    )
    drawdown_halt_fraction: Decimal = fraction(
        "0.20",
        ge="0.01",
        le="0.9",
        capability="C20",
        code="drawdown_halt",
        looser="up",
        description="fall from the equity peak at which the account halts until a person resumes it",
    )
    breaker_fall_fraction: Decimal = fraction(
        "0.10",
        ge="0.01",
        le="0.9",
        capability="C20",
        code="breaker",
        looser="up",
        description="fall within the breaker's window that freezes entries",
    )
    breaker_window_s: int = count(
        900,
        ge=60,
        le=86_400,
        unit="s",
        capability="C20",
        code="breaker",
        looser="none",
        description="window of the breaker; on hourly candles against the previous close",
    )
    stop_min_fraction: Decimal = fraction(
        "0.002",
        ge="0.0005",
        le="0.05",
        capability="C22",
        code="stop_too_near",
        looser="down",
        description="smallest distance from entry to stop",
    )
    stop_spread_multiple: Decimal = fraction(
        "3",
        ge="0",
        le="20",
        unit="ratio",
        capability="C22",
        code="stop_too_near",
        looser="down",
        description="spreads that the stop must lie away, on top of the round trip's fees",
    )
    stop_atr_multiple: Decimal = fraction(
        "0.5",
        ge="0",
        le="10",
        unit="ratio",
        capability="C22",
        code="stop_too_near",
        looser="down",
        description="average true ranges that the stop must lie away",
    )
    stop_max_fraction: Decimal = fraction(
        "0.05",
        ge="0.002",
        le="0.25",
        capability="C22",
        code="stop_too_far",
        looser="up",
        description="largest distance from entry to stop",
    )
    target_cost_multiple: Decimal = fraction(
        "3",
        ge="0",
        le="50",
        unit="ratio",
        capability="C16",
        code="target_below_costs",
        looser="down",
        description="round-trip costs that the target must lie away",
    )
    min_notional_margin: Decimal = fraction(
        "1.05",
        ge="1",
        le="2",
        unit="ratio",
        capability="C16",
        code="below_min_notional",
        looser="none",
        description="the venue's smallest order times this must remain after a stop-out net of fees",
    )
    collar_fraction: Decimal = fraction(
        "0.005",
        ge="0.0001",
        le="0.05",
        capability="C16",
        code="collar",
        looser="up",
        description="how far the price may move from the permitted one before the permit is worthless",
    )
    permit_validity_s: int = count(
        60,
        ge=5,
        le=600,
        unit="s",
        capability="C16",
        code="permit_lapsed",
        looser="up",
        description="market time within which a permit must be used",
    )
