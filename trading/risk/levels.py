"""Entry, stop and target of a request as distances, and what they must be at least and at most."""

from __future__ import annotations

from decimal import Decimal

from trading.money import ONE, ZERO
from trading.policy.model import Policy
from trading.risk.models import GateRequest
from trading.risk.tail import judged_returns, volatility_index


def entry_price(request: GateRequest) -> Decimal:
    """The price the order is expected to fill at: a limit below the market waits there, any other meets the market."""
    return request.price if request.limit_price is None else min(request.price, request.limit_price)


def round_trip_fees(request: GateRequest) -> Decimal:
    """Both commissions, as a fraction of the entry."""
    return request.taker_fee * 2


def round_trip_cost(request: GateRequest) -> Decimal:
    """What a round trip costs: both commissions and the spread once, as a fraction of the entry."""
    return round_trip_fees(request) + request.spread_fraction


def least_stop_distance(request: GateRequest, policy: Policy) -> Decimal:
    """The noise floor of a stop: the largest of a fixed floor, spread and fees, and a share of the ATR (venue.md)."""
    atr = ZERO if request.atr_fraction is None else request.atr_fraction
    return max(
        policy.stop_min_fraction,
        policy.stop_spread_multiple * request.spread_fraction + round_trip_fees(request),
        policy.stop_atr_multiple * atr,
    )


def most_stop_distance(request: GateRequest, policy: Policy) -> Decimal:
    """The outer limit of a stop: nearer in a calm market, whole in a wild one, linear between (X40).

    Without enough history the outer limit holds as it is; the adaptive one never lies beyond it.
    """
    index = volatility_index(judged_returns(request, policy))
    if index is None or index >= policy.index_wild_fraction:
        return policy.stop_max_fraction
    calm = min(policy.stop_calm_fraction, policy.stop_max_fraction)
    if index <= policy.index_calm_fraction:
        return calm
    share = (index - policy.index_calm_fraction) / (policy.index_wild_fraction - policy.index_calm_fraction)
    return calm + (policy.stop_max_fraction - calm) * share


def least_target_distance(request: GateRequest, policy: Policy) -> Decimal:
    """The smallest target that still pays: a multiple of the round trip's cost."""
    return policy.target_cost_multiple * round_trip_cost(request)


def least_entry_usd(*, min_notional_usd: Decimal, stop_distance: Decimal, fee: Decimal, margin: Decimal) -> Decimal:
    """The smallest entry whose stop-out, net of commission, can still be sold at this venue (venue.md)."""
    return min_notional_usd * margin / ((ONE - stop_distance) * (ONE - fee))


def least_workable_equity_usd(policy: Policy, *, min_notional_usd: Decimal, fee: Decimal) -> Decimal:
    """The equity from which one full trade is large enough for this venue whatever its stop; `doctor` states it."""
    least = least_entry_usd(
        min_notional_usd=min_notional_usd,
        stop_distance=policy.stop_max_fraction,
        fee=fee,
        margin=policy.min_notional_margin,
    )
    return least / min(policy.max_trade_fraction, policy.trade_risk_fraction / policy.stop_max_fraction)
