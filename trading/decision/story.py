"""Short Markdown for the Temporal Web UI: what a decision, an order, a guard or a desk is about, right now."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from trading.decision.models import AccountOutcome, DecisionSummary, Fusion, Stance
from trading.money import plain
from trading.orders.models import OrderReport, OrderStatus
from trading.policy.model import Policy
from trading.risk.models import Exposure, Protection
from trading.risk.sanity import day_loss_fraction, drawdown_fraction


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
    is_market_closed: bool = False,
) -> str:
    """A position and what protects it."""
    lines = [f"**position** {plain(position)}"]
    absent = "**No stop at the venue.**" if position > 0 else "no stop at the venue"
    lines.append(f"stop at the venue: {plain(stop)}" if stop is not None else absent)
    if target is not None:
        lines.append(f"target: {plain(target)}")
    if leaving_because:
        lines.append(f"**A person wants out: {leaving_because}.**")
    if is_market_closed:
        lines.append("The symbol does not trade: its orders stay as they are until it does.")
    if refuses_to_sell:
        lines.append("**The venue refuses to sell. The stop stands; a person has to look.**")
    if frozen:
        lines.append(f"**Frozen: {frozen}. Waits for a person.**")
    return "\n\n".join(lines)


def desk_story(
    exposure: Exposure,
    *,
    policy: Policy | None = None,
    mode_because: str = "",
    taught: str = "",
    reopened: str = "",
) -> str:
    """An account: mode and who set it, equity, limits used, lessons, protections, and what is promised to permits."""
    because = f" ({mode_because})" if mode_because else ""
    lines = [
        f"### {exposure.account}: {exposure.mode.value}{because}",
        f"equity {plain(exposure.equity_usd)} USD, cash {plain(exposure.cash_usd)} USD",
    ]
    if exposure.must_be_armed:
        lines.append(_armed(exposure))
    if policy is not None:
        lines.append(_limits_used(exposure, policy))
    lines += [told for told in (reopened, taught) if told]
    lines += [_protection(one) for one in exposure.protections]
    lines += [f"{holding.symbol}: {plain(holding.quantity)}" for holding in exposure.holdings]
    lines += [f"reserved {plain(r.notional_usd)} USD in {r.symbol} ({r.permit_id})" for r in exposure.reservations]
    return "\n\n".join(lines)


def _armed(exposure: Exposure) -> str:
    """Whether real money may be opened here, with whose leave."""
    arming = exposure.arming
    if arming is None:
        return "**not armed: it observes, closes and protects, and opens nothing**"
    since = f"{arming.since:%Y-%m-%d %H:%M} UTC"
    return f"**armed** with {plain(arming.capital_usd)} USD since {since}: {arming.reason} ({arming.who}, {arming.id})"


def _limits_used(exposure: Exposure, policy: Policy) -> str:
    """Each limit of the account as used of allowed; the regime's are the decision's to know."""
    day, drawdown = day_loss_fraction(exposure), drawdown_fraction(exposure)
    equity = exposure.equity_usd
    total = exposure.total_usd / equity if equity > 0 else Decimal(0)
    rows = (
        ("exposure", total, Decimal(1)),
        ("day's loss", day, policy.daily_loss_alert_fraction),
        ("drawdown", drawdown, policy.drawdown_defence_fraction),
    )
    used = [f"{name} {percent(value)} of {percent(limit)}" for name, value, limit in rows]
    return "; ".join([*used, f"entries today {exposure.entries_today} of {policy.max_entries_per_day}"])


def percent(value: Decimal) -> str:
    """A fraction as people read it."""
    return f"{plain((value * 100).quantize(Decimal('0.1'), rounding=ROUND_HALF_EVEN))} %"


def _protection(one: Protection) -> str:
    what = f"{one.symbol} frozen" if one.symbol else "account defended"
    until = f"until {one.until:%Y-%m-%d %H:%M} UTC" if one.until else "until a person lifts it"
    return f"**{what}** {until}: {one.reason} ({one.who}, {one.id})"
