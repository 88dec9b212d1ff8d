"""The caps of an entry: what each limit leaves, in quote currency. All apply, the smallest binds (X38)."""

from __future__ import annotations

from decimal import Decimal

from trading.money import ONE
from trading.policy.model import Policy
from trading.risk.codes import cap
from trading.risk.models import Cap, Exposure, GateRequest
from trading.risk.planned import plan_caps


def entry_caps(request: GateRequest, exposure: Exposure, policy: Policy, *, profile_is_spot: bool) -> tuple[Cap, ...]:
    """What every limit leaves for this entry, in a stated order; of two equal ones the first binds."""
    return (
        *_proposal_caps(request, exposure, policy),
        *_trade_caps(request, exposure, policy),
        *_symbol_caps(request, exposure, policy),
        *_account_caps(request, exposure, policy, profile_is_spot=profile_is_spot),
        *plan_caps(request, exposure),
    )


def _proposal_caps(request: GateRequest, exposure: Exposure, policy: Policy) -> tuple[Cap, ...]:
    """What is left of the proposed size itself: all of it, and the regime's share."""
    proposed = request.size_fraction * exposure.equity_usd
    factor = policy.size_factor(request.risk_regime)
    return (
        cap("proposed_size", limit=request.size_fraction, leaves_usd=proposed),
        cap("regime_size_cap", limit=factor, leaves_usd=factor * proposed),
    )


def _trade_caps(request: GateRequest, exposure: Exposure, policy: Policy) -> tuple[Cap, ...]:
    """One trade, and a smaller one where certainty is low and the account is past its bootstrap (X43).

    The share is taken of the limit, not of the proposal: fusion has cut the proposal already, and cutting it here
    again would quarter it.
    """
    limit = policy.max_trade_fraction
    caps = [cap("trade_cap", limit=limit, leaves_usd=limit * exposure.equity_usd)]
    is_uncertain = request.low_certainty or request.confidence < policy.low_certainty_below
    if is_uncertain and exposure.closed_trades >= policy.bootstrap_trades:
        share = policy.low_certainty_size_factor * limit
        caps.append(cap("low_certainty_cap", limit=share, leaves_usd=share * exposure.equity_usd))
    return tuple(caps)


def _symbol_caps(request: GateRequest, exposure: Exposure, policy: Policy) -> tuple[Cap, ...]:
    """Position of this account, symbol over all accounts of the venue, and the smaller position of an event day."""
    equity = exposure.equity_usd
    here = exposure.symbol_usd(request.symbol)
    caps = [
        cap(
            "position_cap", limit=policy.max_position_fraction, leaves_usd=policy.max_position_fraction * equity - here
        ),
        cap(
            "symbol_cap",
            limit=policy.max_symbol_fraction,
            leaves_usd=policy.max_symbol_fraction * (equity + request.equity_elsewhere_usd)
            - here
            - request.symbol_elsewhere_usd,
        ),
    ]
    if request.event_day:
        limit = policy.event_day_fraction
        caps.append(cap("event_day_cap", limit=limit, leaves_usd=limit * equity - here))
    return tuple(caps)


def _account_caps(
    request: GateRequest, exposure: Exposure, policy: Policy, *, profile_is_spot: bool
) -> tuple[Cap, ...]:
    """Leverage, the regime's total, and the cash that stays untouched; promises count as exposure."""
    equity = exposure.equity_usd
    leverage = leverage_limit(request, policy, profile_is_spot=profile_is_spot)
    total = policy.total_fraction(request.risk_regime)
    floor = policy.cash_floor_fraction
    return (
        cap("leverage_cap", limit=leverage, unit="ratio", leaves_usd=leverage * equity - exposure.total_usd),
        cap("regime_total_cap", limit=total, leaves_usd=total * equity - exposure.total_usd),
        cap("cash_floor", limit=floor, leaves_usd=exposure.cash_usd - exposure.reserved_usd - floor * equity),
    )


def leverage_limit(request: GateRequest, policy: Policy, *, profile_is_spot: bool) -> Decimal:
    """The smaller of the hard cap and the regime's (X39); 1 on spot, where nothing can be borrowed."""
    allowed = min(policy.max_leverage, policy.leverage(request.risk_regime))
    return min(ONE, allowed) if profile_is_spot else allowed
