"""The pre-trade gate (C16): every limit speaks, the smallest cap wins; it shrinks or refuses and never enlarges."""

from __future__ import annotations

from datetime import UTC, tzinfo
from decimal import Decimal

from trading.money import ONE, USD_QUANTUM, floor_to_step
from trading.policy.model import Policy
from trading.risk.codes import denial
from trading.risk.day import roll_day
from trading.risk.levels import entry_price, least_entry_usd
from trading.risk.models import Cap, Denial, Exposure, GateAnswer, GateRequest
from trading.risk.money import entry_caps
from trading.risk.permits import FLOORING, permit_for
from trading.risk.sanity import account_denials, entry_denials


def gate(
    request: GateRequest, exposure: Exposure, policy: Policy, *, profile_is_spot: bool = True, zone: tzinfo = UTC
) -> GateAnswer:
    """A permit, or every denial with its numbers. Pure: the same three inputs give the same answer.

    An entry gets at most the smallest cap and at most what was proposed; what is below the venue's smallest workable
    order is refused, never rounded up. A reduction passes in every mode, within the position. The caller reserves the
    permit before it asks again, and keeps the answer by `request_id`: a repeated request is answered from there.
    `zone` is the market profile's, where a day begins.
    """
    wrong_desk = account_denials(request, exposure)
    if wrong_desk:
        return GateAnswer(request_id=request.request_id, denials=wrong_desk)
    if not request.opens:
        return _reduce(request, exposure, policy, profile_is_spot=profile_is_spot)
    return _open(request, roll_day(exposure, request.now, zone=zone), policy, profile_is_spot=profile_is_spot)


def _open(request: GateRequest, exposure: Exposure, policy: Policy, *, profile_is_spot: bool) -> GateAnswer:
    caps = entry_caps(request, exposure, policy, profile_is_spot=profile_is_spot)
    smallest = min(caps, key=lambda one: one.leaves_usd)
    notional = floor_to_step(smallest.leaves_usd, USD_QUANTUM)
    denials = (*entry_denials(request, exposure, policy), *_too_small(request, exposure, policy, smallest, notional))
    if denials:
        return GateAnswer(request_id=request.request_id, denials=denials, caps=caps, binding=smallest.code)
    price = entry_price(request)
    permit = permit_for(
        request,
        exposure,
        policy,
        notional_usd=notional,
        quantity=FLOORING.divide(notional, price),
        price=price,
    )
    return GateAnswer(request_id=request.request_id, permit=permit, caps=caps, binding=smallest.code)


def _too_small(
    request: GateRequest, exposure: Exposure, policy: Policy, smallest: Cap, notional: Decimal
) -> tuple[Denial, ...]:
    """Refusal of what is left where it cannot be traded and stopped out again; nothing is rounded up to pass."""
    if request.size_fraction == 0:
        return (denial("nothing_proposed"),)
    if notional == 0 and exposure.equity_usd > 0:
        return (denial(smallest.code, limit=smallest.limit, equity_usd=exposure.equity_usd),)
    least = _least_usd(request, policy)
    if notional == 0 or least is None or notional >= least:
        return ()
    return (denial("below_min_notional", leaves_usd=notional, least_usd=least, binding=smallest.code),)


def _least_usd(request: GateRequest, policy: Policy) -> Decimal | None:
    entry = entry_price(request)
    if request.stop_price is None or not 0 < request.stop_price < entry:
        return None
    return least_entry_usd(
        min_notional_usd=request.min_notional_usd,
        stop_distance=ONE - request.stop_price / entry,
        fee=request.taker_fee,
        margin=policy.min_notional_margin,
    )


def _reduce(request: GateRequest, exposure: Exposure, policy: Policy, *, profile_is_spot: bool) -> GateAnswer:
    """A reduction, in any mode and whatever was lost: at most the position, and not less than the venue takes."""
    holding = exposure.holding(request.symbol)
    if holding is None or holding.quantity <= 0:
        code = "short_unavailable" if profile_is_spot else "nothing_to_reduce"
        refused = denial(code, symbol=request.symbol, held_usd=Decimal(0), least_usd=request.min_notional_usd)
        return GateAnswer(request_id=request.request_id, denials=(refused,))
    held_usd = holding.quantity * request.price
    quantity = holding.quantity * request.size_fraction
    notional = quantity * request.price
    if request.size_fraction == 0:
        return GateAnswer(request_id=request.request_id, denials=(denial("nothing_proposed"),))
    if held_usd < request.min_notional_usd:
        refused = denial(
            "nothing_to_reduce", symbol=request.symbol, held_usd=held_usd, least_usd=request.min_notional_usd
        )
        return GateAnswer(request_id=request.request_id, denials=(refused,))
    if notional < request.min_notional_usd:
        refused = denial("below_min_notional", leaves_usd=notional, least_usd=request.min_notional_usd)
        return GateAnswer(request_id=request.request_id, denials=(refused,))
    permit = permit_for(request, exposure, policy, notional_usd=notional, quantity=quantity, price=request.price)
    return GateAnswer(request_id=request.request_id, permit=permit)
