"""Permits: leave to raise or reduce exposure once, at most so much, within a collar, for a short time."""

from __future__ import annotations

from datetime import timedelta
from decimal import ROUND_FLOOR, Context, Decimal

from trading.ids import content_hash
from trading.money import ONE
from trading.policy.execution import ExecutionPolicy
from trading.policy.model import Policy
from trading.risk.models import Exposure, GateRequest, Permit

FLOORING = Context(prec=28, rounding=ROUND_FLOOR)
"""Quantities are rounded down in their last digit, so that quantity times price never exceeds the notional."""


def permit_id(request_id: str) -> str:
    """The permit's id, a pure function of the request's: asking twice is one permit."""
    return "p" + content_hash(f"permit|{request_id}")[:23]


def permit_for(
    request: GateRequest,
    exposure: Exposure,
    policy: Policy,
    *,
    notional_usd: Decimal,
    quantity: Decimal,
    price: Decimal,
) -> Permit:
    """A permit of the account's present epoch, its collar around `price`; the quantity is not on the venue's grid."""
    return Permit(
        id=permit_id(request.request_id),
        account=request.account,
        decision_id=request.decision_id,
        symbol=request.symbol,
        opens=request.opens,
        notional_usd=notional_usd,
        quantity=quantity,
        collar_low=price * (ONE - policy.collar_fraction),
        collar_high=price * (ONE + policy.collar_fraction),
        valid_until=request.now + timedelta(seconds=policy.permit_validity_s),
        epoch=exposure.epoch,
        terms=ExecutionPolicy.model_validate({name: getattr(policy, name) for name in ExecutionPolicy.model_fields}),
    )
