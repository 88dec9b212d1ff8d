"""A month's reflection: which lessons have earned to become principles, and how the agent develops (C12, C57)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from trading.contract import Contract
from trading.ids import content_hash
from trading.money import ZERO, quantised
from trading.policy.model import Policy
from trading.review.biases import BiasCheck
from trading.review.calibration import Calibration
from trading.review.execution import ExecutionQuality
from trading.review.lessons import Lesson

MOST_PRINCIPLES = 3


class ProposedPrinciple(Contract):
    """A sentence for the playbook, with what it rests on.

    One that `cautions` makes the agent trade less and comes into the playbook by itself; one that encourages waits for
    a person, as a loosened limit does.
    """

    id: str
    text: str
    cautions: bool = False
    samples: int
    success_rate: Decimal
    evidence: tuple[str, ...]


def propose_principles(
    book: Sequence[Lesson], policy: Policy, *, known: Sequence[str] = ()
) -> tuple[ProposedPrinciple, ...]:
    """At most three, of lessons with enough samples that one outcome dominates; fewer where the evidence is thin.

    A situation has two lessons, of its gains and of its losses: the one that came at least 60 % of the time speaks.
    Sentences of `known` are not proposed again.
    """
    proposed = []
    for lesson in sorted(book, key=lambda each: (-each.sample_count, each.title)):
        other = sum(o.sample_count for o in book if _same_place(o, lesson) and o.kind != lesson.kind)
        seen = lesson.sample_count + other
        rate = Decimal(lesson.sample_count) / seen
        if seen < policy.principle_min_samples or rate < Decimal("0.6"):
            continue
        text = _sentence(lesson, seen)
        if not any(_stem(text) == _stem(old) for old in known):
            proposed.append(
                ProposedPrinciple(
                    id="n" + content_hash(_stem(text))[:11],
                    text=text,
                    cautions=lesson.kind == "failure",
                    samples=seen,
                    success_rate=rate,
                    evidence=lesson.evidence,
                )
            )
    return tuple(proposed[:MOST_PRINCIPLES])


def _same_place(one: Lesson, other: Lesson) -> bool:
    return (one.symbol, one.action, one.regime) == (other.symbol, other.action, other.regime)


def _sentence(lesson: Lesson, seen: int) -> str:
    market = (lesson.regime or "unknown").removesuffix("_market").replace("_", " ")
    place = f"To {lesson.action} {lesson.symbol} in a {market} market"
    if lesson.kind == "success":
        return f"{place} has worked, in {lesson.sample_count} of {seen} trades: prefer it to a new idea there."
    return f"{place} has failed, in {lesson.sample_count} of {seen} trades: say what is different now, or do not trade."


def _stem(sentence: str) -> str:
    return sentence.split(", in ", 1)[0]


class EvolutionMetric(Contract):
    """One measure of progress against its target; `reached` is `None` where there is nothing to measure (C57)."""

    name: str
    value: Decimal | None
    target: str
    reached: bool | None


def evolution_metrics(
    *,
    execution: ExecutionQuality,
    calibration: Calibration,
    biases: Sequence[BiasCheck],
    biases_before: int | None,
    sharpe: Decimal | None,
    policy: Policy,
) -> tuple[EvolutionMetric, ...]:
    """The measures that the records can give. Targets are reported, never asserted (X59)."""
    found = sum(1 for bias in biases if bias.found)
    slipped, success = execution.slippage_fraction, execution.success_rate
    error, accuracy = calibration.error, calibration.accuracy
    limit = policy.calibration_error_limit
    return (
        _metric("average slippage", slipped, "below 0.1 %", slipped is not None and slipped < Decimal("0.001")),
        _metric("execution success", success, "above 98 %", success is not None and success > Decimal("0.98")),
        _metric("calibration error", error, f"below {limit:.2f}", error is not None and error < limit),
        _metric("decision accuracy", accuracy, "above 75 %", accuracy is not None and accuracy > Decimal("0.75")),
        _metric("Sharpe", sharpe, "above 2", sharpe is not None and sharpe > 2),
        EvolutionMetric(
            name="biases found",
            value=Decimal(found),
            target="fewer than before" if biases_before is None else f"fewer than the {biases_before} before, or none",
            reached=None if biases_before is None else found == 0 or found < biases_before,
        ),
    )


def _metric(name: str, value: Decimal | None, target: str, reached: bool) -> EvolutionMetric:
    return EvolutionMetric(name=name, value=value, target=target, reached=None if value is None else reached)


def learning_slope(values: Sequence[Decimal | None]) -> Decimal | None:
    """The least-squares slope of a measure over its periods, a step a period (S2-78); unknown periods keep their place.

    `None` under three known values.
    """
    known = [(Decimal(place), value) for place, value in enumerate(values) if value is not None]
    if len(known) < 3:
        return None
    mean_x = sum((x for x, _ in known), ZERO) / len(known)
    mean_y = sum((y for _, y in known), ZERO) / len(known)
    spread = sum(((x - mean_x) ** 2 for x, _ in known), ZERO)
    return quantised(sum(((x - mean_x) * (y - mean_y) for x, y in known), ZERO) / spread)
