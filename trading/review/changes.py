"""What a review would change: what tightens applies by itself, what loosens becomes a proposal for a person (X52)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from trading.contract import Contract
from trading.ids import content_hash
from trading.money import plain
from trading.policy.model import Policy
from trading.policy.table import BY_FIELD, changed, loosens
from trading.review.biases import BiasCheck
from trading.review.calibration import Calibration
from trading.review.comparison import Standing
from trading.review.execution import ExecutionQuality

RELAX_MIN_TRADES = 20


class WantedChange(Contract):
    """One threshold that a review would move, and why. `evidence` are ids or numbers with their names."""

    field: str
    value: Decimal | int
    reason: str
    evidence: tuple[str, ...] = ()


class PolicyChange(Contract):
    """One threshold with its value before and after."""

    field: str
    old: str
    new: str
    reason: str
    evidence: tuple[str, ...] = ()


class ChangeProposal(Contract):
    """A loosening that waits for a person and expires unapplied. The id names the exact change of the exact policy."""

    id: str
    change: PolicyChange


class Checkpoint(Contract):
    """A question that tomorrow's decisions must be asked (S2-90, S2-245)."""

    question: str
    because: str


class Changes(Contract):
    """`policy` is the old one with `applied` in place: it never admits more risk than the old one."""

    policy: Policy
    applied: tuple[PolicyChange, ...] = ()
    proposals: tuple[ChangeProposal, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    left_out: tuple[str, ...] = ()
    """Sentences for what contradicts another limit and therefore is neither applied nor proposed."""


def wanted_changes(
    policy: Policy,
    *,
    biases: Sequence[BiasCheck],
    execution: ExecutionQuality,
    calibration: Calibration,
    standing: Standing | None,
    trades: int,
    usual_trades_a_day: Decimal | None,
) -> tuple[WantedChange, ...]:
    """What the review's findings ask for, one threshold at most once, each within the policy's step and bounds."""
    step = policy.review_step_fraction
    found = {bias.name: bias for bias in biases if bias.found}
    wanted: list[WantedChange] = []
    enough = policy.bias_min_trades
    if (bias := found.get("over_trading")) and usual_trades_a_day is not None and trades >= enough:
        # Too few trades to judge by are no evidence, and a limit below them would only ratchet down day by day.
        most = int((usual_trades_a_day * policy.overtrading_multiple).to_integral_value(ROUND_CEILING))
        fewer = min(max(most, enough), policy.max_entries_per_day)
        wanted.append(_towards(policy, "max_entries_per_day", fewer, bias.sentence, bias.evidence))
    if bias := found.get("chasing"):
        collar = policy.collar_fraction * (1 - step)
        wanted.append(_towards(policy, "collar_fraction", collar, bias.sentence, bias.evidence))
    if bias := found.get("loss_aversion"):
        nearer = policy.stop_max_fraction * (1 - step)
        wanted.append(_towards(policy, "stop_max_fraction", nearer, bias.sentence, bias.evidence))
    if execution.is_poor and execution.slippage_fraction is not None:
        farther = policy.target_cost_multiple * (1 + step)
        reason = f"orders slipped {execution.slippage_fraction:.3%} on average"
        worst = () if execution.worst_order_id is None else (execution.worst_order_id,)
        wanted.append(_towards(policy, "target_cost_multiple", farther, reason, worst))
    if _is_overconfident(calibration, policy):
        surer = policy.low_certainty_below * (1 + step)
        reason = f"stated probabilities are {calibration.bias or 0:.0%} above what came true"
        evidence = (f"forecasts: {calibration.forecasts}",)
        wanted.append(_towards(policy, "low_certainty_below", surer, reason, evidence))
    if standing is not None:
        wanted.extend(_of_standing(policy, standing, trades))
    return tuple(each for each in wanted if each.value != getattr(policy, each.field))


def _is_overconfident(seen: Calibration, policy: Policy) -> bool:
    if seen.forecasts < policy.calibration_min_trades or seen.bias is None or seen.error is None:
        return False
    return seen.bias > 0 and seen.error > policy.calibration_error_limit


def _of_standing(policy: Policy, standing: Standing, trades: int) -> list[WantedChange]:
    step, default = policy.review_step_fraction, Policy()
    if standing.max_drawdown >= policy.drawdown_defence_fraction / 2:
        smaller = policy.max_trade_fraction * (1 - step)
        reason = f"the drawdown of {standing.max_drawdown:.2%} is more than half way to the defence"
        return [_towards(policy, "max_trade_fraction", smaller, reason, (f"account: {standing.account}",))]
    tightened = policy.max_trade_fraction < default.max_trade_fraction
    well = trades >= RELAX_MIN_TRADES and standing.win_rate is not None and standing.win_rate > Decimal("0.6")
    if tightened and well and (standing.return_fraction or 0) > 0:
        larger = min(policy.max_trade_fraction * (1 + step), default.max_trade_fraction)
        reason = f"{trades} trades with a win rate of {standing.win_rate:.0%} after the trade size was tightened"
        return [_towards(policy, "max_trade_fraction", larger, reason, (f"account: {standing.account}",))]
    return []


def _towards(policy: Policy, field: str, value: Decimal | int, reason: str, evidence: tuple[str, ...]) -> WantedChange:
    """`value` moved into one step of the present one and into the field's bounds, on a grid that people can read."""
    row, now, step = BY_FIELD[field], Decimal(getattr(policy, field)), policy.review_step_fraction
    aim = min(max(Decimal(value), now * (1 - step)), now * (1 + step))
    aim = min(max(aim, Decimal(row.lowest)), Decimal(row.highest))
    if row.type == "integer":
        whole = int(aim.to_integral_value(ROUND_FLOOR if aim < now else ROUND_CEILING))
        return WantedChange(field=field, value=whole, reason=reason, evidence=evidence)
    return WantedChange(
        field=field, value=aim.quantize(Decimal("0.00001"), rounding=ROUND_HALF_EVEN), reason=reason, evidence=evidence
    )


def split_changes(policy: Policy, wanted: Sequence[WantedChange], *, checkpoints: Sequence[Checkpoint] = ()) -> Changes:
    """Apply what tightens, one after the other; turn what loosens into proposals against the policy that results.

    A change that another limit forbids is left out with its sentence, never bent.
    """
    applied: list[PolicyChange] = []
    waiting: list[WantedChange] = []
    left_out: list[str] = []
    current = policy
    for each in wanted:
        try:
            after = changed(current, **{each.field: each.value})
        except ValueError as contradiction:
            left_out.append(f"{each.field}: {contradiction}")
            continue
        if loosens(current, after):
            waiting.append(each)
        elif after != current:
            applied.append(_change(current, after, each))
            current = after
    return Changes(
        policy=current,
        applied=tuple(applied),
        proposals=tuple(_proposal(current, each) for each in waiting),
        checkpoints=tuple(checkpoints),
        left_out=tuple(left_out),
    )


def _change(before: Policy, after: Policy, wanted: WantedChange) -> PolicyChange:
    old, new = Decimal(getattr(before, wanted.field)), Decimal(getattr(after, wanted.field))
    return PolicyChange(
        field=wanted.field, old=plain(old), new=plain(new), reason=wanted.reason, evidence=wanted.evidence
    )


def _proposal(policy: Policy, wanted: WantedChange) -> ChangeProposal:
    change = _change(policy, changed(policy, **{wanted.field: wanted.value}), wanted)
    name = content_hash("|".join(("proposal", change.field, change.old, change.new, change.reason)))
    return ChangeProposal(id="p" + name[:15], change=change)


def checkpoints_for(biases: Sequence[BiasCheck]) -> tuple[Checkpoint, ...]:
    """The adversarial question that each found bias adds."""
    return tuple(Checkpoint(question=_QUESTIONS[bias.name], because=bias.sentence) for bias in biases if bias.found)


_QUESTIONS = {
    "over_trading": "What does this trade earn that waiting would not?",
    "anchoring": "Would the stop and the target stand here if the last trade had never happened?",
    "confirmation": "Which fact speaks most against this, and why does it not decide?",
    "loss_aversion": "Would this position be opened now, at this price?",
    "chasing": "The price has run already: what makes this entry better than the one a day ago?",
}
