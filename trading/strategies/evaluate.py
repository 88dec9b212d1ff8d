"""The one evaluator of strategies: the analysts, the back-tester and the gene pool all ask it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Protocol

from trading.decision.models import Action
from trading.money import ONE, ZERO, plain
from trading.strategies.models import Checked, Condition, Op, Score, Setup, Signal, StopRule, Strategy, Term

SCORE_QUANTUM = Decimal("0.0001")
PRICE_DIGITS = 8
"""Levels are rounded to eight significant digits: finer than any venue's grid, short enough to read."""


class Valued(Protocol):
    """What the evaluator reads of a fact."""

    @property
    def value(self) -> Decimal | str: ...


Facts = Mapping[str, Valued]


def evaluate(strategy: Strategy, facts: Facts) -> Signal:
    """What `strategy` says about `facts`; a pure function, the same facts give the same signal.

    Without a position it buys or holds, with one it sells or holds. A missing fact satisfies nothing and is named in
    `missing`; without a price, or without the ATR that its stop needs, an entry is a hold.
    """
    checks = _Checks(facts, explained=True)
    if _is_open(strategy, facts):
        return _exit(strategy, checks, checks.first_satisfied(strategy.exits))
    filtered = checks.all_hold("filter", strategy.filters)
    setup = checks.first_satisfied(strategy.entries)
    return _entry(strategy, checks, setup if filtered else None)


def acting(strategy: Strategy, facts: Facts) -> Signal | None:
    """`evaluate` for who asks thousands of times: its signal without the conditions, or `None` where it is a hold.

    A condition is looked at only where the action still hangs on it.
    """
    checks = _Checks(facts, explained=False)
    if _is_open(strategy, facts):
        setup = checks.first_satisfied(strategy.exits)
        return None if setup is None else _exit(strategy, checks, setup)
    setup = checks.first_satisfied(strategy.entries) if checks.all_hold("filter", strategy.filters) else None
    signal = None if setup is None else _entry(strategy, checks, setup)
    return None if signal is None or signal.action is Action.HOLD else signal


def _entry(strategy: Strategy, checks: _Checks, setup: Setup | None) -> Signal:
    facts = checks.facts
    price = number(facts, strategy.price_fact)
    stop_distance = _stop_distance(strategy.stop, price, facts)
    needed = (
        (strategy.price_fact,) if strategy.stop.kind == "fraction" else (strategy.price_fact, strategy.stop.atr_fact)
    )
    if checks.explained:
        checks.missing.update(fact_id for fact_id in needed if fact_id not in facts)
    confidence = _score(strategy.confidence, facts)
    win_probability = _score(strategy.win_probability, facts)
    if setup is None or price is None or stop_distance is None:
        return Signal(
            action=Action.HOLD,
            horizon_hours=strategy.time_exit_hours,
            confidence=confidence,
            win_probability=win_probability,
            **checks.outcome(),
        )
    return Signal(
        action=Action.BUY,
        setup=setup.id,
        entry=price,
        stop=round_level(price * (ONE - stop_distance)),
        target=round_level(price * (ONE + stop_distance * strategy.reward_risk)),
        horizon_hours=strategy.time_exit_hours,
        size_fraction=strategy.size_fraction,
        confidence=confidence,
        win_probability=win_probability,
        **checks.outcome(),
    )


def _exit(strategy: Strategy, checks: _Checks, setup: Setup | None) -> Signal:
    facts = checks.facts
    return Signal(
        action=Action.HOLD if setup is None else Action.SELL,
        setup=None if setup is None else setup.id,
        horizon_hours=strategy.time_exit_hours,
        size_fraction=ZERO if setup is None else strategy.exit_size_fraction,
        confidence=_score(strategy.confidence, facts),
        win_probability=_score(strategy.win_probability, facts),
        **checks.outcome(),
    )


def number(facts: Facts, fact_id: str) -> Decimal | None:
    """The numeric value of a fact, or `None` where it is absent or a label."""
    fact = facts.get(fact_id)
    return fact.value if fact is not None and isinstance(fact.value, Decimal) else None


def round_level(price: Decimal) -> Decimal:
    """`price` to eight significant digits, ties to even."""
    if price == 0:
        return ZERO
    exponent = price.adjusted() - PRICE_DIGITS + 1
    return price.quantize(Decimal(1).scaleb(exponent), rounding=ROUND_HALF_EVEN) if exponent < 0 else price


def _is_open(strategy: Strategy, facts: Facts) -> bool:
    quantity = number(facts, strategy.position_fact)
    return quantity is not None and quantity > 0


def _stop_distance(rule: StopRule, price: Decimal | None, facts: Facts) -> Decimal | None:
    if rule.kind == "fraction":
        distance: Decimal | None = rule.value
    else:
        atr = number(facts, rule.atr_fact)
        distance = None if atr is None or price is None or price <= 0 else atr * rule.value / price
    return None if distance is None else min(max(distance, rule.at_least), rule.at_most)


def _score(score: Score, facts: Facts) -> Decimal:
    total = score.start + sum((_points(term, facts) for term in score.terms), ZERO)
    return min(max(total, score.at_least), score.at_most).quantize(SCORE_QUANTUM, rounding=ROUND_HALF_EVEN)


def _points(term: Term, facts: Facts) -> Decimal:
    fact = facts.get(term.fact)
    if fact is None:
        return ZERO
    if term.label is not None:
        return term.weight if fact.value == term.label else ZERO
    if not isinstance(fact.value, Decimal) or term.zero_at is None or term.full_at is None:
        return ZERO
    share = (fact.value - term.zero_at) / (term.full_at - term.zero_at)
    return term.weight * min(max(share, ZERO), ONE)


class _Checks:
    """Looks at conditions one after the other and, where it shall explain, at all of them and keeps what it saw."""

    def __init__(self, facts: Facts, *, explained: bool) -> None:
        self.facts = facts
        self.explained = explained
        self.satisfied: list[Checked] = []
        self.failed: list[Checked] = []
        self.missing: set[str] = set()

    def first_satisfied(self, setups: tuple[Setup, ...]) -> Setup | None:
        for setup in setups:
            required = self.all_hold(setup.id, setup.all_of)
            if not required and not self.explained:
                continue
            alternatives = sum([self.holds(setup.id, condition) for condition in setup.any_of])
            if required and alternatives >= setup.at_least:
                return setup
        return None

    def all_hold(self, setup: str, conditions: tuple[Condition, ...]) -> bool:
        if not self.explained:
            return all(self.holds(setup, condition) for condition in conditions)
        return all([self.holds(setup, condition) for condition in conditions])  # noqa: C419  each one is recorded

    def holds(self, setup: str, condition: Condition) -> bool:
        left = self.facts.get(condition.fact)
        right = self._right_side(condition)
        held = left is not None and right is not None and _compare(left.value, condition.op, right)
        if not self.explained:
            return held
        self.missing.update(fact_id for fact_id in condition.facts if fact_id not in self.facts)
        (self.satisfied if held else self.failed).append(
            Checked(
                condition=condition,
                setup=setup,
                left=None if left is None else as_text(left.value),
                right=None if right is None else " or ".join(as_text(value) for value in right),
            )
        )
        return held

    def _right_side(self, condition: Condition) -> tuple[Decimal | str, ...] | None:
        if condition.labels:
            return condition.labels
        if condition.number is not None:
            return (condition.number,)
        other = number(self.facts, condition.other_fact or "")
        return None if other is None else (other * condition.factor,)

    def outcome(self) -> dict[str, tuple[Checked, ...] | tuple[str, ...]]:
        return {
            "satisfied": tuple(self.satisfied),
            "failed": tuple(self.failed),
            "missing": tuple(sorted(self.missing)),
        }


def _compare(left: Decimal | str, op: Op, right: tuple[Decimal | str, ...]) -> bool:
    if op is Op.IS:
        return left in right
    if op is Op.IS_NOT:
        return left not in right
    bound = right[0]
    if not isinstance(left, Decimal) or not isinstance(bound, Decimal):
        return False
    if op is Op.BELOW:
        return left < bound
    if op is Op.AT_MOST:
        return left <= bound
    return left > bound if op is Op.ABOVE else left >= bound


def as_text(value: Decimal | str) -> str:
    """A fact's value as a claim repeats it."""
    return plain(value) if isinstance(value, Decimal) else value
