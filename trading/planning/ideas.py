"""Price triggers from facts, and what might be done at them: entry, stop and target that the policy would allow."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal

from trading.facts.models import MarketSnapshot
from trading.money import ONE, plain
from trading.planning.models import (
    Level,
    MemoryCheck,
    MemoryVerdict,
    PlanLimits,
    PriceTrigger,
    TradeIdea,
    TriggerKind,
    Unwatched,
)
from trading.planning.styles import StyleRow
from trading.policy.model import Policy

BELOW = ("support", "value_area_low", "swing_low", "order_block_below")
ABOVE = ("resistance", "value_area_high", "swing_high", "order_block_above")
NEAREST_FRACTION = Decimal("0.001")
"""A level nearer than this to the price is already being touched: it is no trigger for later."""

_DIGITS = Context(prec=8)
MEMORY_SIZE = {
    MemoryVerdict.CLEAR: ONE,
    MemoryVerdict.UNKNOWN: ONE,
    MemoryVerdict.CAUTIOUS: Decimal("0.5"),
    MemoryVerdict.AVOID: Decimal(0),
}
"""The share of a size that the memory of a symbol leaves."""


def levels_below(snapshot: MarketSnapshot) -> tuple[Level, ...]:
    """Levels under the price, nearest first."""
    edge = snapshot.last_price * (ONE - NEAREST_FRACTION)
    found = [level for level in _levels(snapshot, BELOW) if level.price < edge]
    return tuple(sorted(found, key=lambda level: (-level.price, level.fact)))


def levels_above(snapshot: MarketSnapshot) -> tuple[Level, ...]:
    """Levels over the price, nearest first."""
    edge = snapshot.last_price * (ONE + NEAREST_FRACTION)
    found = [level for level in _levels(snapshot, ABOVE) if level.price > edge]
    return tuple(sorted(found, key=lambda level: (level.price, level.fact)))


def _levels(snapshot: MarketSnapshot, names: tuple[str, ...]) -> list[Level]:
    return [
        Level(fact=fact.id, price=fact.value)
        for fact in snapshot.facts
        if fact.name in names and isinstance(fact.value, Decimal)
    ]


def triggers_of(snapshot: MarketSnapshot, *, held: bool) -> tuple[PriceTrigger, ...]:
    """The nearest level on each side; for a held symbol the lower one asks to defend instead of to buy."""
    below, above = levels_below(snapshot), levels_above(snapshot)
    triggers = []
    if below:
        kind = TriggerKind.DEFEND if held else TriggerKind.PULLBACK
        triggers.append(PriceTrigger(symbol=snapshot.symbol, kind=kind, crosses="down_to", level=below[0]))
    if above:
        triggers.append(
            PriceTrigger(symbol=snapshot.symbol, kind=TriggerKind.BREAKOUT, crosses="up_to", level=above[0])
        )
    return tuple(triggers)


def idea_at(
    trigger: PriceTrigger,
    snapshot: MarketSnapshot,
    *,
    row: StyleRow,
    limits: PlanLimits,
    policy: Policy,
    memory: MemoryCheck,
) -> TradeIdea | Unwatched:
    """A long entry at the trigger, or why there is none.

    The stop is as wide as the style's multiple of the ATR and the policy's floor ask, never wider than the policy
    allows. The target is the next level above the entry, or the least reward where no level is in the way.
    """
    reason = _no_idea(trigger, snapshot, row=row, limits=limits, memory=memory)
    if reason is not None or snapshot.atr_fraction is None:
        return Unwatched(symbol=trigger.symbol, reason=reason or "no_atr")
    distance = max(
        policy.stop_min_fraction, max(row.stop_atr_multiple, policy.stop_atr_multiple) * snapshot.atr_fraction
    )
    if distance > policy.stop_max_fraction:
        return Unwatched(symbol=trigger.symbol, reason="stop_too_wide")
    entry = trigger.level.price
    reward_risk = max(row.reward_risk, policy.min_reward_risk)
    least = entry * (ONE + distance * reward_risk)
    beyond = [level for level in levels_above(snapshot) if level.price > entry]
    target = beyond[0].price if beyond else least
    if target < least:
        return Unwatched(symbol=trigger.symbol, reason="no_room_to_target")
    stop = entry * (ONE - distance)
    return TradeIdea(
        trigger=trigger,
        size_fraction=_tidy(limits.max_trade_fraction * MEMORY_SIZE[memory.verdict]),
        entry_price=_tidy(entry),
        stop_price=_tidy(stop),
        target_price=_tidy(target),
        reward_risk=_tidy((target - entry) / (entry - stop)).quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN),
        cites=(trigger.level.fact, *([beyond[0].fact] if beyond else []), *memory.cites),
    )


def _no_idea(
    trigger: PriceTrigger, snapshot: MarketSnapshot, *, row: StyleRow, limits: PlanLimits, memory: MemoryCheck
) -> str | None:
    if trigger.kind is TriggerKind.DEFEND:
        return "held"
    if trigger.kind is TriggerKind.BREAKOUT and not row.trades_breakouts:
        return "no_breakouts_in_this_style"
    if limits.max_entries == 0:
        return "no_entries_in_this_regime"
    if memory.verdict is MemoryVerdict.AVOID:
        return "memory_avoids"
    return "no_atr" if snapshot.atr_fraction is None else None


def _tidy(value: Decimal) -> Decimal:
    return Decimal(plain(_DIGITS.create_decimal(value)))
