"""What the plan of the day leaves of an entry: caps and denials beside the policy's. The smallest of both binds."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from trading.risk.codes import cap, denial
from trading.risk.models import Cap, Denial, Exposure, GateRequest


def plan_caps(request: GateRequest, exposure: Exposure) -> tuple[Cap, ...]:
    """The plan's caps; none where no plan is in force: then the policy alone applies."""
    plan = request.plan
    if plan is None:
        return ()
    equity = exposure.equity_usd
    trade, position, total = plan.max_trade_fraction, plan.max_position_fraction, plan.total_fraction
    return (
        cap("plan_trade_cap", limit=trade, leaves_usd=trade * equity),
        cap("plan_position_cap", limit=position, leaves_usd=position * equity - exposure.symbol_usd(request.symbol)),
        cap("plan_total_cap", limit=total, leaves_usd=total * equity - exposure.total_usd),
    )


def plan_denials(
    request: GateRequest, exposure: Exposure, *, other_positions: int, day_loss: Decimal
) -> Iterator[Denial]:
    """Why the plan does not enter here now; it refuses what the policy alone would permit, never the other way."""
    plan = request.plan
    if plan is None:
        return
    if plan.refuses:
        yield denial("plan_not_here", symbol=request.symbol, period=plan.period, reason=plan.refuses)
    if other_positions >= plan.max_positions:
        yield denial("plan_too_many_positions", positions=other_positions, period=plan.period, limit=plan.max_positions)
    if exposure.entries_today >= plan.max_entries:
        yield denial(
            "plan_too_many_entries", entries=exposure.entries_today, period=plan.period, limit=plan.max_entries
        )
    if day_loss >= plan.daily_loss_fraction > 0:
        yield denial("plan_daily_loss", loss=day_loss, period=plan.period, limit=plan.daily_loss_fraction)
