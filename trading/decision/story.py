"""Short Markdown for the Temporal Web UI: what a decision, an order, a guard or a desk is about, right now."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from trading.decision.models import AccountOutcome, DecisionSummary, Fusion, Stance
from trading.money import plain
from trading.orders.models import OrderReport, OrderStatus
from trading.risk.models import Exposure, Reservation


def decision_story(summary: DecisionSummary) -> str:
    """A decision as far as it has come."""
    head = summary.head
    lines = [f"### {head.symbol} as of {head.as_of:%Y-%m-%d %H:%M} UTC", f"cause: {head.cause}"]
    lines.append(f"plan of {summary.plan}" if summary.plan else "no plan of the day: the policy alone applies")
    if summary.snapshot_hash:
        lines.append(f"market: trend {summary.trend_regime.value}, risk {summary.risk_regime.value}")
    lines += [_stance(stance) for stance in summary.stances]
    if summary.fusion:
        lines.append(_fusion(summary.fusion))
    lines += [_outcome(outcome) for outcome in summary.outcomes]
    return "\n\n".join(lines)


def _stance(stance: Stance) -> str:
    spoken = stance.action.value if stance.action else stance.abstains_because or "abstains"
    rules = " (rules, no model)" if stance.is_rule_based else ""
    found = f"; findings: {', '.join(stance.finding_codes)}" if stance.finding_codes else ""
    return f"**{stance.role.value}** {stance.model}{rules}: {spoken}, confidence {plain(stance.confidence)}{found}"


def _fusion(fusion: Fusion) -> str:
    why = f" because {', '.join(fusion.reasons)}" if fusion.reasons else ""
    return f"**fusion**: {fusion.outcome.value}{why}"


def _outcome(outcome: AccountOutcome) -> str:
    why = f" ({', '.join(outcome.reasons)})" if outcome.reasons else ""
    return f"**{outcome.account}**: {outcome.outcome}{why}"


def order_story(report: OrderReport) -> str:
    """One order as last seen."""
    price = f" at {plain(report.average_price)}" if report.average_price is not None else ""
    lines = [f"**{report.status.value}** {report.side.value} {plain(report.executed_quantity)}{price}"]
    if report.reason:
        lines.append(report.reason)
    if report.status is OrderStatus.FROZEN:
        lines.append("**Frozen: unknown at the venue, waits for a person.**")
    return "\n\n".join(lines)


def guard_story(
    *,
    position: Decimal,
    stop: Decimal | None,
    target: Decimal | None,
    frozen: str | None,
    leaving_because: str | None = None,
    refuses_to_sell: bool = False,
) -> str:
    """A position and what protects it."""
    lines = [f"**position** {plain(position)}"]
    lines.append(f"stop at the venue: {plain(stop)}" if stop is not None else "no stop at the venue")
    if target is not None:
        lines.append(f"target: {plain(target)}")
    if leaving_because:
        lines.append(f"**A person wants out: {leaving_because}.**")
    if refuses_to_sell:
        lines.append("**The venue refuses to sell. The stop stands; a person has to look.**")
    if frozen:
        lines.append(f"**Frozen: {frozen}. Waits for a person.**")
    return "\n\n".join(lines)


def desk_story(exposure: Exposure, reservations: Iterable[Reservation]) -> str:
    """An account: mode, equity, and what is promised to permits."""
    lines = [
        f"### {exposure.account}: {exposure.mode.value}",
        f"equity {plain(exposure.equity_usd)} USD, cash {plain(exposure.cash_usd)} USD",
    ]
    lines += [f"{holding.symbol}: {plain(holding.quantity)}" for holding in exposure.holdings]
    lines += [f"reserved {plain(r.notional_usd)} USD in {r.symbol} ({r.permit_id})" for r in reservations]
    return "\n\n".join(lines)
