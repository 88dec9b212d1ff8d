"""Two stances become one decision: a model can shrink a trade or stop it, never enlarge it (C05, X43, X44)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal

from trading.decision.credibility import credibility, trust, weights_of
from trading.decision.models import Action, Fusion, FusionOutcome, Role, Stance, TrackRecord
from trading.money import ONE, ZERO
from trading.policy.model import Policy

_QUANTUM = Decimal("0.000001")


def fuse(
    primary: Stance,
    secondary: Stance,
    *,
    records: tuple[TrackRecord, TrackRecord],
    policy: Policy,
    snapshot_price: Decimal,
    closed_trades: int,
    has_position: bool,
    role_weights: Mapping[Role, Decimal] | None = None,
) -> Fusion:
    """The one view of two stances, with its reasons as codes of `trading.decision.reasons`.

    Guaranteed: `OPEN` only when both speak and both buy; its size is at most each size, its stop at least as high and
    its entry at most as high as each, its target at most as high, confidence and win probability at most each. Swapping
    the two stances and their records swaps the weights and changes nothing else. `snapshot_price` stands for an entry
    at market; `closed_trades` decides whether the bootstrap floors hold or the low-certainty cut (X43).
    """
    speaking = tuple(stance for stance in (primary, secondary) if stance.speaks)
    known = {record.role: record for record in records}
    credibilities = {
        stance.role: credibility(known.get(stance.role, TrackRecord(role=stance.role)), floor=policy.weight_floor)
        for stance in speaking
    }
    weights = weights_of(credibilities, floor=policy.weight_floor, priors=role_weights)
    if not speaking:
        return Fusion(outcome=FusionOutcome.ABSTAIN, reasons=("both_abstain",))
    joined = _Joined(
        stances=speaking,
        weights=weights,
        trust=trust(credibilities, weights),
        policy=policy,
        price=snapshot_price,
        is_bootstrap=closed_trades < policy.bootstrap_trades,
    )
    if len(speaking) == 1:
        silent = secondary if primary.speaks else primary
        return _alone(joined, f"{silent.role}_abstains", has_position=has_position)
    return _together(joined, has_position=has_position)


class _Joined:
    """What the speaking stances have in common, worked out once."""

    def __init__(
        self,
        *,
        stances: tuple[Stance, ...],
        weights: dict[Role, Decimal],
        trust: Decimal,
        policy: Policy,
        price: Decimal,
        is_bootstrap: bool,
    ) -> None:
        self.stances = stances
        self.weights = weights
        self.policy = policy
        self.price = price
        self.is_bootstrap = is_bootstrap
        self.confidence = _down(min(stance.confidence for stance in stances) * trust)
        self.win_probability = min(stance.win_probability for stance in stances)
        self.horizon_hours = min(stance.horizon_hours for stance in stances)
        self.low_certainty = self.confidence < policy.low_certainty_below
        self.marks = ("poor_record",) * (trust < 1) + ("low_certainty",) * self.low_certainty

    @property
    def actions(self) -> frozenset[Action | None]:
        return frozenset(stance.action for stance in self.stances)

    def fusion(self, outcome: FusionOutcome, *reasons: str, size: Decimal = ZERO) -> Fusion:
        return Fusion(
            outcome=outcome,
            size_fraction=_down(size),
            horizon_hours=self.horizon_hours,
            confidence=self.confidence,
            win_probability=self.win_probability,
            low_certainty=self.low_certainty,
            reasons=(*reasons, *self.marks),
            weights=self.weights,
        )


def _alone(joined: _Joined, silent: str, *, has_position: bool) -> Fusion:
    stance = joined.stances[0]
    if stance.action is Action.HOLD:
        return joined.fusion(FusionOutcome.HOLD, "holds_alone", silent)
    if stance.action is Action.BUY:
        return joined.fusion(FusionOutcome.NO_TRADE, "one_alone_never_opens", silent)
    return _reduce(joined, stance.size_fraction, "one_alone_reduces", silent, has_position=has_position)


def _together(joined: _Joined, *, has_position: bool) -> Fusion:
    actions, smaller = joined.actions, min(stance.size_fraction for stance in joined.stances)
    if actions == {Action.BUY, Action.SELL}:
        return joined.fusion(FusionOutcome.NO_TRADE, "opposite_directions")
    if actions == {Action.BUY, Action.HOLD}:
        return joined.fusion(FusionOutcome.NO_TRADE, "one_alone_never_opens")
    if actions == {Action.HOLD}:
        return joined.fusion(FusionOutcome.HOLD, "agree_to_hold")
    if actions == {Action.SELL}:
        return _reduce(joined, smaller, "agree_to_sell", has_position=has_position)
    if actions == {Action.SELL, Action.HOLD}:
        wanted = max(stance.size_fraction for stance in joined.stances if stance.action is Action.SELL)
        part = wanted * joined.policy.disagreement_size_factor
        return _reduce(joined, part, "one_reduces_other_holds", has_position=has_position)
    return _open(joined, smaller)


def _reduce(joined: _Joined, size: Decimal, *reasons: str, has_position: bool) -> Fusion:
    """Certainty limits guard new exposure: a reduction is marked, not cut."""
    if not has_position:
        return joined.fusion(FusionOutcome.NO_TRADE, "nothing_to_sell", *reasons)
    if _down(size) == 0:
        return joined.fusion(FusionOutcome.NO_TRADE, "size_zero", *reasons)
    return joined.fusion(FusionOutcome.REDUCE, *reasons, size=size)


def _open(joined: _Joined, smaller: Decimal) -> Fusion:
    policy = joined.policy
    stops = [stance.stop_price for stance in joined.stances if stance.stop_price is not None]
    targets = [stance.target_price for stance in joined.stances if stance.target_price is not None]
    if len(stops) < 2 or len(targets) < 2:
        return joined.fusion(FusionOutcome.NO_TRADE, "levels_missing")
    entry_price = _entry(joined)
    entry, stop, target = entry_price or joined.price, max(stops), min(targets)
    refusals = _refusals(joined, entry=entry, stop=stop, target=target)
    if refusals:
        return joined.fusion(FusionOutcome.NO_TRADE, *refusals)
    reasons, size = ["agree_to_buy"], smaller
    disagreements = _disagreements(joined)
    if disagreements:
        size *= policy.disagreement_size_factor
    if joined.low_certainty and not joined.is_bootstrap:
        size *= policy.low_certainty_size_factor
        disagreements.append("low_certainty_cap")
    reasons += disagreements
    if _down(size) == 0:
        return joined.fusion(FusionOutcome.NO_TRADE, "size_zero", *reasons)
    opened = joined.fusion(FusionOutcome.OPEN, *reasons, size=size)
    return opened.model_copy(update={"entry_price": entry_price, "stop_price": stop, "target_price": target})


def _entry(joined: _Joined) -> Decimal | None:
    """The lower of the two entries; `None` (at market) where the lower one is the market's."""
    limits = [stance.entry_price for stance in joined.stances if stance.entry_price is not None]
    if not limits:
        return None
    lowest = min(limits)
    return None if len(limits) < len(joined.stances) and joined.price <= lowest else lowest


def _refusals(joined: _Joined, *, entry: Decimal, stop: Decimal, target: Decimal) -> tuple[str, ...]:
    policy = joined.policy
    if not stop < entry < target:
        return ("levels_incompatible",)
    reward_risk = (target - entry) / (entry - stop)
    if reward_risk < policy.min_reward_risk:
        return ("reward_risk_too_low",)
    if joined.win_probability * (reward_risk + ONE) < ONE:
        return ("expected_value_negative",)
    refusals = []
    if joined.is_bootstrap and joined.confidence < policy.bootstrap_min_confidence:
        refusals.append("bootstrap_confidence")
    if joined.is_bootstrap and joined.win_probability < policy.bootstrap_min_win_probability:
        refusals.append("bootstrap_win_probability")
    return tuple(refusals)


def _disagreements(joined: _Joined) -> list[str]:
    ratio = joined.policy.size_agreement_ratio
    sizes = [stance.size_fraction for stance in joined.stances]
    distances = [
        (stance.entry_price or joined.price) - stance.stop_price
        for stance in joined.stances
        if stance.stop_price is not None
    ]
    found = []
    if min(sizes) < max(sizes) * ratio:
        found.append("size_disagreement")
    if min(distances) < max(distances) * ratio:
        found.append("levels_disagreement")
    return found


def _down(value: Decimal) -> Decimal:
    return value.quantize(_QUANTUM, rounding=ROUND_FLOOR)
