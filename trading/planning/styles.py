"""The three styles of a plan as rows, and what regime and record make of their goals. Every number only tightens."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trading.facts.models import RiskRegime, TrendRegime
from trading.money import ONE, ZERO
from trading.planning.models import AccountNumbers, PlanLimits, PlanTarget, Style
from trading.policy.model import Policy

AFTER_A_MISS = Decimal("0.7")
"""What is left of target and sizes of an account that is behind its course (S2-36)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleRow:
    """`share` is taken of the policy's size and loss limits; the target is a day's return before adaptation."""

    style: Style
    share: Decimal
    day_target: Decimal
    reward_risk: Decimal
    stop_atr_multiple: Decimal
    max_ideas: int
    trades_breakouts: bool
    needs_precedent: bool


_ROWS = (
    StyleRow(
        style=Style.AGGRESSIVE,
        share=ONE,
        day_target=Decimal("0.010"),
        reward_risk=Decimal("1.5"),
        stop_atr_multiple=Decimal("1.5"),
        max_ideas=6,
        trades_breakouts=True,
        needs_precedent=False,
    ),
    StyleRow(
        style=Style.CONSERVATIVE,
        share=Decimal("0.4"),
        day_target=Decimal("0.003"),
        reward_risk=Decimal("2.5"),
        stop_atr_multiple=Decimal("2.5"),
        max_ideas=2,
        trades_breakouts=False,
        needs_precedent=True,
    ),
    StyleRow(
        style=Style.COMPOSITE,
        share=Decimal("0.7"),
        day_target=Decimal("0.006"),
        reward_risk=Decimal("2"),
        stop_atr_multiple=Decimal("2"),
        max_ideas=4,
        trades_breakouts=True,
        needs_precedent=False,
    ),
)
STYLES: dict[Style, StyleRow] = {row.style: row for row in _ROWS}

_TREND = {
    TrendRegime.BULL_RUN: ONE,
    TrendRegime.NORMAL: ONE,
    TrendRegime.SIDEWAYS: Decimal("0.75"),
    TrendRegime.BEAR_MARKET: Decimal("0.5"),
}
_RISK = {
    RiskRegime.LOW_VOLATILITY: ONE,
    RiskRegime.NORMAL: ONE,
    RiskRegime.RALLY: Decimal("0.8"),
    RiskRegime.HIGH_VOLATILITY: Decimal("0.6"),
    RiskRegime.CRASH: ZERO,
}


def style_of(account: str) -> Style:
    """The style of an account's name; an account of another name plans as `composite`."""
    return Style(account) if account in {style.value for style in Style} else Style.COMPOSITE


def missed(target: Decimal, numbers: AccountNumbers | None, *, allowed: Decimal) -> bool:
    """Whether a day fell short of its target by more than the `allowed` share of it; unknown days missed nothing."""
    if numbers is None or numbers.return_fraction is None or target <= 0:
        return False
    return numbers.return_fraction < target * (ONE - allowed)


def adapted_target(row: StyleRow, *, trend: TrendRegime, risk: RiskRegime, careful: str = "") -> PlanTarget:
    """The style's goal in this market (S2-33): less in a bear market or a dangerous one, none in a crash.

    `careful` is the reason of a smaller goal, if there is one.
    """
    target, reasons = row.day_target, []
    for code, factor in (
        (f"trend_{trend.value}", _TREND[trend]),
        (f"risk_{risk.value}", _RISK[risk]),
        (careful, AFTER_A_MISS if careful else ONE),
    ):
        if factor != ONE:
            target *= factor
            reasons.append(code)
    return PlanTarget(return_fraction=target.normalize() if target else ZERO, reasons=tuple(reasons))


def limits_of(row: StyleRow, policy: Policy, *, risk: RiskRegime, is_careful: bool) -> PlanLimits:
    """The style's share of what the policy allows in this regime; a careful day takes less of it."""
    share = row.share * (AFTER_A_MISS if is_careful else ONE)
    entries = min(policy.max_entries_per_day, row.max_ideas)
    return PlanLimits(
        max_trade_fraction=policy.max_trade_fraction * share * policy.size_factor(risk),
        max_position_fraction=policy.max_position_fraction * share,
        total_fraction=policy.total_fraction(risk) * share,
        max_positions=min(policy.max_positions(risk), row.max_ideas),
        max_entries=0 if risk is RiskRegime.CRASH else entries,
        daily_loss_fraction=policy.daily_loss_alert_fraction * share,
    )


def looser_than_policy(limits: PlanLimits, policy: Policy, *, risk: RiskRegime) -> tuple[str, ...]:
    """The limits of a plan that would allow more than the policy does in this regime; a plan must have none."""
    allowed = {
        "max_trade_fraction": policy.max_trade_fraction,
        "max_position_fraction": policy.max_position_fraction,
        "total_fraction": policy.total_fraction(risk),
        "max_positions": policy.max_positions(risk),
        "max_entries": policy.max_entries_per_day,
        "daily_loss_fraction": policy.daily_loss_alert_fraction,
    }
    return tuple(name for name, most in allowed.items() if getattr(limits, name) > most)
