"""From a view and what the market says to the question that the gate is asked."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from trading.decision.models import DecisionHead, Fusion, FusionOutcome
from trading.facts.models import DailyCloses, RiskRegime
from trading.orders.symbols import Quote
from trading.planning.windows import is_event_day
from trading.risk.models import GateRequest, PlanBound


def gate_request(
    head: DecisionHead,
    fusion: Fusion,
    quote: Quote,
    *,
    account: str,
    risk_regime: RiskRegime,
    atr_fraction: Decimal | None,
    observed_at: datetime,
    approved_by: str | None = None,
    plan: PlanBound | None = None,
    history: DailyCloses | None = None,
) -> GateRequest:
    """The wish of one account. Asked again after an approval it is another question, so it has another id."""
    opens = fusion.outcome is FusionOutcome.OPEN
    step = "gate" if approved_by is None else "gate-approved"
    return GateRequest(
        request_id=f"{head.decision_id}:{account}:{step}",
        account=account,
        decision_id=head.decision_id,
        symbol=head.symbol,
        opens=opens,
        size_fraction=fusion.size_fraction,
        price=quote.ask if opens else quote.bid,
        limit_price=fusion.entry_price if opens else None,
        stop_price=fusion.stop_price if opens else None,
        target_price=fusion.target_price if opens else None,
        spread_fraction=quote.spread_fraction,
        atr_fraction=atr_fraction,
        taker_fee=quote.taker_fee,
        min_notional_usd=quote.min_notional_usd,
        risk_regime=risk_regime,
        confidence=fusion.confidence,
        win_probability=fusion.win_probability,
        low_certainty=fusion.low_certainty,
        observed_at=observed_at,
        now=quote.market_time,
        approved_by=approved_by,
        plan=plan,
        event_day=opens and is_event_day(quote.market_time),
        history=history if opens else None,
        tick_size=quote.tick_size,
        step_size=quote.lot.step_size,
        min_quantity=quote.lot.min_quantity,
        max_quantity=quote.max_quantity,
    )


def asked_again(wish: GateRequest, quote: Quote, *, share: Decimal, step: str, replaces: str) -> GateRequest:
    """The same wish on the market as it is now, for `share` of its size, in the place of an earlier permit.

    `step` makes it another question: its answer is kept under its own id.
    """
    return wish.model_copy(
        update={
            "request_id": f"{wish.request_id}:{step}",
            "size_fraction": wish.size_fraction * share,
            "price": quote.ask,
            "spread_fraction": quote.spread_fraction,
            "taker_fee": quote.taker_fee,
            "observed_at": quote.market_time,
            "now": quote.market_time,
            "replaces": replaces,
        }
    )
