"""The caps of an entry: a table of limits and what each leaves, in quote units. All apply, the smallest binds (X38)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from trading.money import ONE
from trading.policy.model import Policy
from trading.risk.codes import cap
from trading.risk.levels import entry_price
from trading.risk.models import Cap, Exposure, GateRequest
from trading.risk.planned import Left, position_left, total_left, trade_left
from trading.risk.tail import Returns, correlated_usd, cvar_leaves_usd, judged_returns, var_leaves_usd, volatility


class Entry(NamedTuple):
    """What a limit looks at. `returns` are the symbol's own daily ones; empty where they are too few to judge by.

    `here` is the exposure in the symbol, held and promised.
    """

    request: GateRequest
    exposure: Exposure
    policy: Policy
    is_spot: bool
    returns: Returns
    equity: Decimal
    here: Decimal


@dataclass(frozen=True, slots=True)
class Limit:
    """One row; `leaves` is `None` where the limit does not apply to this entry."""

    code: str
    leaves: Callable[[Entry], Left | None]
    unit: str = "fraction"


def entry_rooms(
    request: GateRequest, exposure: Exposure, policy: Policy, *, profile_is_spot: bool
) -> list[tuple[Limit, Left]]:
    """What every limit leaves for this entry, in the order of the table; of two equal ones the first binds."""
    entry = Entry(
        request,
        exposure,
        policy,
        profile_is_spot,
        judged_returns(request, policy),
        equity=exposure.equity_usd,
        here=exposure.symbol_usd(request.symbol),
    )
    left = ((limit, limit.leaves(entry)) for limit in LIMITS)
    return [(limit, room) for limit, room in left if room is not None]


def cap_of(limit: Limit, left: Left) -> Cap:
    """What a limit leaves, as an answer carries it."""
    return cap(limit.code, limit=left.limit, leaves_usd=left.usd, unit=limit.unit)


def leverage_limit(request: GateRequest, policy: Policy, *, profile_is_spot: bool) -> Decimal:
    """The smaller of the hard cap and the regime's (X39); 1 on spot, where nothing can be borrowed."""
    allowed = min(policy.max_leverage, policy.leverage(request.risk_regime))
    return min(ONE, allowed) if profile_is_spot else allowed


# -- the proposal and the trade ----------------------------------------------------------------------------------------


def _proposed(entry: Entry) -> Left:
    size = entry.request.size_fraction
    return Left(size, size * entry.equity)


def _regime_size(entry: Entry) -> Left:
    factor = entry.policy.size_factor(entry.request.risk_regime)
    return Left(factor, factor * entry.request.size_fraction * entry.equity)


def _trade(entry: Entry) -> Left:
    limit = entry.policy.max_trade_fraction
    return Left(limit, limit * entry.equity)


def _low_certainty(entry: Entry) -> Left | None:
    """A smaller trade where certainty is low and the account is past its bootstrap (X43).

    The share is taken of the limit, not of the proposal: fusion has cut the proposal already, and cutting it here
    again would quarter it.
    """
    request, policy = entry.request, entry.policy
    is_uncertain = request.low_certainty or request.confidence < policy.low_certainty_below
    if not is_uncertain or entry.exposure.closed_trades < policy.bootstrap_trades:
        return None
    share = policy.low_certainty_size_factor * policy.max_trade_fraction
    return Left(share, share * entry.equity)


def _volatility(entry: Entry) -> Left | None:
    """One trade of a symbol that moves more than the reference is smaller in proportion: each symbol has its own."""
    daily = volatility(entry.returns)
    reference = entry.policy.reference_volatility_fraction
    if daily is None or daily <= reference:
        return None
    limit = entry.policy.max_trade_fraction * reference / daily
    return Left(limit, limit * entry.equity)


def _risk_budget(entry: Entry) -> Left | None:
    """A wider stop cuts the size, so that what a stop-out costs does not grow with it (X41)."""
    entry_at, stop = entry_price(entry.request), entry.request.stop_price
    if stop is None or stop >= entry_at:
        return None
    limit = entry.policy.trade_risk_fraction
    return Left(limit, limit * entry.equity / (ONE - stop / entry_at))


def _venue_order(entry: Entry) -> Left | None:
    largest = entry.request.max_quantity
    return None if largest is None else Left(largest, largest * entry_price(entry.request))


# -- the symbol --------------------------------------------------------------------------------------------------------


def _position(entry: Entry) -> Left:
    limit = entry.policy.max_position_fraction
    return Left(limit, limit * entry.equity - entry.here)


def _win_rate(entry: Entry) -> Left | None:
    """A poor run of the account's newest trades shrinks its positions."""
    policy, known = entry.policy, entry.exposure
    if known.recent_trades < policy.win_rate_min_trades or policy.win_rate_full == 0:
        return None
    share = Decimal(known.recent_wins) / known.recent_trades / policy.win_rate_full
    if share >= 1:
        return None
    limit = policy.max_position_fraction * max(share, policy.win_rate_floor)
    return Left(limit, limit * entry.equity - entry.here)


def _event_day(entry: Entry) -> Left | None:
    limit = entry.policy.event_day_fraction
    return Left(limit, limit * entry.equity - entry.here) if entry.request.event_day else None


def _symbol(entry: Entry) -> Left:
    limit, known = entry.policy.max_symbol_fraction, entry.exposure
    everybody = entry.equity + known.equity_elsewhere_usd
    return Left(limit, limit * everybody - entry.here - known.elsewhere_usd(entry.request.symbol))


def _correlated(entry: Entry) -> Left | None:
    if not entry.returns:
        return None
    limit = entry.policy.max_correlated_fraction
    together = correlated_usd(entry.request.symbol, entry.returns, entry.exposure, entry.policy)
    return Left(limit, limit * entry.equity - together)


# -- the account -------------------------------------------------------------------------------------------------------


def _leverage(entry: Entry) -> Left:
    limit = leverage_limit(entry.request, entry.policy, profile_is_spot=entry.is_spot)
    return Left(limit, limit * entry.equity - entry.exposure.total_usd)


def _regime_total(entry: Entry) -> Left:
    limit = entry.policy.total_fraction(entry.request.risk_regime)
    return Left(limit, limit * entry.equity - entry.exposure.total_usd)


def _armed(entry: Entry) -> Left | None:
    """What a person armed is the most that is ever exposed, whatever was won since."""
    arming = entry.exposure.arming
    return None if arming is None else Left(arming.capital_usd, arming.capital_usd - entry.exposure.total_usd)


def _cash(entry: Entry) -> Left:
    floor = entry.policy.cash_floor_fraction
    return Left(floor, entry.exposure.cash_usd - entry.exposure.reserved_usd - floor * entry.equity)


def _value_at_risk(entry: Entry) -> Left | None:
    if not entry.returns:
        return None
    limit, confidence = entry.policy.var_limit_fraction, entry.policy.var_confidence
    usd = var_leaves_usd(entry.returns, entry.exposure, limit_usd=limit * entry.equity, confidence=confidence)
    return Left(limit, usd)


def _conditional_value_at_risk(entry: Entry) -> Left | None:
    if not entry.returns:
        return None
    limit, confidence = entry.policy.cvar_limit_fraction, entry.policy.var_confidence
    usd = cvar_leaves_usd(entry.returns, entry.exposure, limit_usd=limit * entry.equity, confidence=confidence)
    return Left(limit, usd)


LIMITS: Final = (
    Limit("proposed_size", _proposed),
    Limit("regime_size_cap", _regime_size),
    Limit("trade_cap", _trade),
    Limit("low_certainty_cap", _low_certainty),
    Limit("volatility_cap", _volatility),
    Limit("risk_budget_cap", _risk_budget),
    Limit("venue_order_cap", _venue_order, unit="base"),
    Limit("position_cap", _position),
    Limit("win_rate_cap", _win_rate),
    Limit("event_day_cap", _event_day),
    Limit("symbol_cap", _symbol),
    Limit("correlated_cap", _correlated),
    Limit("leverage_cap", _leverage, unit="ratio"),
    Limit("regime_total_cap", _regime_total),
    Limit("armed_cap", _armed, unit="usd"),
    Limit("cash_floor", _cash),
    Limit("var_cap", _value_at_risk),
    Limit("cvar_cap", _conditional_value_at_risk),
    Limit("plan_trade_cap", lambda entry: trade_left(entry.request, entry.exposure)),
    Limit("plan_position_cap", lambda entry: position_left(entry.request, entry.exposure)),
    Limit("plan_total_cap", lambda entry: total_left(entry.request, entry.exposure)),
)
"""The table. Taking one row out lets something pass: `make mutants` shows that a test says so for each."""
