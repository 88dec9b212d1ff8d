"""What a desk promises before anything is ordered, so that no other desk gives the same room away (C16)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from pydantic import Field

from trading.contract import Contract, Utc
from trading.policy.model import Policy
from trading.risk.models import Exposure, GateAnswer, GateRequest


class Promise(Contract):
    """A permit's exposure in a symbol. It is an order's from its intent on, and void after `holds_until`."""

    permit_id: str
    symbol: str
    notional_usd: Decimal = Field(gt=0)
    others_at_most_usd: Decimal = Field(description="given only while the venue's other accounts have no more of it")
    made_at: Utc
    holds_until: Utc = Field(description="market time; an order that is not intended by then never will be")
    replaces: str | None = Field(default=None, description="the permit in whose place this one is given")


class Promised(Contract):
    """Whether the promise stands; where it does not, the account with what the others were promised meanwhile."""

    stands: bool
    ledger: Exposure


def promise_of(request: GateRequest, answer: GateAnswer, exposure: Exposure, policy: Policy) -> Promise | None:
    """The promise behind a permit to open that was given on `exposure`.

    `None` where there is none to make: a denial, a reduction, an account that shares its venue with nobody.
    """
    permit = answer.permit
    if permit is None or not permit.opens or exposure.equity_elsewhere_usd <= 0:
        return None
    spare = min(cap.leaves_usd for cap in answer.caps if cap.code == "symbol_cap") - permit.notional_usd
    return Promise(
        permit_id=permit.id,
        symbol=permit.symbol,
        notional_usd=permit.notional_usd,
        others_at_most_usd=exposure.elsewhere_usd(permit.symbol) + spare,
        made_at=request.now,
        holds_until=request.now + timedelta(seconds=2 * policy.permit_validity_s),
        replaces=request.replaces,
    )
