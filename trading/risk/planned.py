"""What the plan of the day leaves of an entry: a look for each denial and cap. The smallest of plan and policy binds.

No plan in force: the policy alone applies. A plan refuses what the policy would permit, never the other way.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from trading.risk.codes import denial
from trading.risk.models import Denial, Exposure, GateRequest


class Left(NamedTuple):
    """What a limit leaves, in quote units, and the limit itself."""

    limit: Decimal
    usd: Decimal


def not_here(request: GateRequest) -> Iterator[Denial]:
    plan = request.plan
    if plan is not None and plan.refuses:
        yield denial("plan_not_here", symbol=request.symbol, period=plan.period, reason=plan.refuses)


def positions(request: GateRequest, others: int) -> Iterator[Denial]:
    plan = request.plan
    if plan is not None and others >= plan.max_positions:
        yield denial("plan_too_many_positions", positions=others, period=plan.period, limit=plan.max_positions)


def entries(request: GateRequest, exposure: Exposure) -> Iterator[Denial]:
    plan = request.plan
    if plan is not None and exposure.entries_today >= plan.max_entries:
        yield denial(
            "plan_too_many_entries", entries=exposure.entries_today, period=plan.period, limit=plan.max_entries
        )


def daily_loss(request: GateRequest, day_loss: Decimal) -> Iterator[Denial]:
    plan = request.plan
    if plan is not None and day_loss >= plan.daily_loss_fraction > 0:
        yield denial("plan_daily_loss", loss=day_loss, period=plan.period, limit=plan.daily_loss_fraction)


def trade_left(request: GateRequest, exposure: Exposure) -> Left | None:
    if request.plan is None:
        return None
    limit = request.plan.max_trade_fraction
    return Left(limit, limit * exposure.equity_usd)


def position_left(request: GateRequest, exposure: Exposure) -> Left | None:
    if request.plan is None:
        return None
    limit = request.plan.max_position_fraction
    return Left(limit, limit * exposure.equity_usd - exposure.symbol_usd(request.symbol))


def total_left(request: GateRequest, exposure: Exposure) -> Left | None:
    if request.plan is None:
        return None
    limit = request.plan.total_fraction
    return Left(limit, limit * exposure.equity_usd - exposure.total_usd)
