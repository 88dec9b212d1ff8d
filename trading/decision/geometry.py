"""Levels, size and odds of a proposal: sides, distances, reward over risk, expected value (C03, C04, C16)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal

from trading.decision.codes import finding
from trading.decision.ground import Ground
from trading.decision.models import Action, Finding, Proposal
from trading.facts.models import Fact
from trading.money import ONE, ZERO, plain

_TENFOLD = (Decimal(8), Decimal("0.125"))
"""A level this far from the price is a slip of the pen, not a wide stop."""
_SHOWN = Decimal("0.0001")


def check_geometry(proposal: Proposal, ground: Ground) -> Iterator[Finding]:
    """Findings on size, levels and odds. A hold needs no geometry; a sell only a position and a size."""
    if proposal.action is Action.BUY:
        yield from _size(proposal, limit=ground.policy.max_trade_fraction)
        yield from _buy(proposal, ground)
    elif proposal.action is Action.SELL:
        yield from _size(proposal, limit=ONE)
        yield from _entry(proposal, ground)
        yield from _ignored(proposal, ("stop_price", "target_price"))
        held = ground.quantity_held()
        if held is not None and held <= 0:
            yield finding("nothing_to_sell", path="action", expected="buy, hold", found="sell")
    else:
        yield from _ignored(proposal, ("entry_price", "stop_price", "target_price"))
        if proposal.size_fraction > 0:
            yield finding("size_ignored", path="size_fraction", expected="0", found=proposal.size_fraction)
    for name in ("confidence", "win_probability"):
        if getattr(proposal, name) == ONE:
            yield finding("certainty_claimed", path=name, expected="below 1", found="1")


def _size(proposal: Proposal, *, limit: Decimal) -> Iterator[Finding]:
    if proposal.size_fraction == 0:
        yield finding("size_zero", path="size_fraction", expected="above 0", found=proposal.action)
    elif proposal.size_fraction > limit:
        yield finding(
            "size_above_limit", path="size_fraction", expected=plain(limit), found=plain(proposal.size_fraction)
        )


def _ignored(proposal: Proposal, names: tuple[str, ...]) -> Iterator[Finding]:
    for name in names:
        if getattr(proposal, name) is not None:
            yield finding("levels_ignored", path=name, expected="null", found=proposal.action)


def _entry(proposal: Proposal, ground: Ground) -> Iterator[Finding]:
    price, tolerance = ground.snapshot.last_price, ground.policy.price_tolerance_fraction
    entry = proposal.entry_price
    if entry is None or abs(entry - price) <= price * tolerance:
        return
    if _is_tenfold(entry, price):
        yield finding("price_wrong_magnitude", path="entry_price", expected=plain(price), found=plain(entry))
    else:
        expected = f"{plain(tolerance)} of {plain(price)}"
        yield finding("price_out_of_range", path="entry_price", expected=expected, found=plain(entry))


def _buy(proposal: Proposal, ground: Ground) -> Iterator[Finding]:
    yield from _entry(proposal, ground)
    entry = proposal.entry_price or ground.snapshot.last_price
    stop, target = proposal.stop_price, proposal.target_price
    if stop is None:
        yield finding("stop_missing", path="stop_price", expected=f"below {plain(entry)}", found="null")
    elif _is_tenfold(stop, ground.snapshot.last_price):
        yield finding(
            "price_wrong_magnitude", path="stop_price", expected=plain(ground.snapshot.last_price), found=plain(stop)
        )
    elif stop >= entry:
        yield finding("stop_wrong_side", path="stop_price", expected=plain(entry), found=plain(stop))
    else:
        yield from _stop_distance((entry - stop) / entry, ground)
    if target is None:
        yield finding("target_missing", path="target_price", expected=f"above {plain(entry)}", found="null")
    elif _is_tenfold(target, ground.snapshot.last_price):
        yield finding(
            "price_wrong_magnitude",
            path="target_price",
            expected=plain(ground.snapshot.last_price),
            found=plain(target),
        )
    elif target <= entry:
        yield finding("target_wrong_side", path="target_price", expected=plain(entry), found=plain(target))
    if stop is not None and target is not None and stop < entry < target:
        yield from _odds(proposal, reward_risk=(target - entry) / (entry - stop), least=ground.policy.min_reward_risk)


def _is_tenfold(level: Decimal, price: Decimal) -> bool:
    return price > 0 and not _TENFOLD[1] < level / price < _TENFOLD[0]


def smallest_stop_fraction(ground: Ground) -> Decimal:
    """The nearest stop that policy allows here: its floor, or the spread's or ATR's multiple (C16)."""
    policy, snapshot = ground.policy, ground.snapshot
    atr = snapshot.atr_fraction or ZERO
    return max(
        policy.stop_min_fraction,
        policy.stop_atr_multiple * atr,
        policy.stop_spread_multiple * _spread(ground.facts.get("spread_fraction")),
    )


def _spread(fact: Fact | None) -> Decimal:
    return fact.value if fact is not None and isinstance(fact.value, Decimal) else ZERO


def _stop_distance(distance: Decimal, ground: Ground) -> Iterator[Finding]:
    nearest, farthest = smallest_stop_fraction(ground), ground.policy.stop_max_fraction
    if distance < min(nearest, farthest):
        yield finding("stop_too_near", path="stop_price", expected=_short(nearest), found=_short(distance))
    elif distance > farthest:
        yield finding("stop_too_far", path="stop_price", expected=_short(farthest), found=_short(distance))


def _odds(proposal: Proposal, *, reward_risk: Decimal, least: Decimal) -> Iterator[Finding]:
    if reward_risk < least:
        yield finding("reward_risk_too_low", path="target_price", expected=plain(least), found=_short(reward_risk))
    expected = proposal.win_probability * reward_risk - (ONE - proposal.win_probability)
    if expected < 0:
        yield finding(
            "expected_value_negative",
            path="win_probability",
            expected=f"a win probability of at least {_short(ONE / (ONE + reward_risk))}",
            found=_short(-expected),
        )


def _short(value: Decimal) -> str:
    return plain(value.quantize(_SHOWN, rounding=ROUND_HALF_EVEN))
