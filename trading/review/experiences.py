"""What a day taught: up to ten experiences, each with its evidence, and the three lessons of the day (C10)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Literal

from trading.contract import Contract
from trading.decision.outcomes import OUTCOMES
from trading.money import ZERO
from trading.review.biases import BiasCheck
from trading.review.execution import ExecutionQuality
from trading.review.labels import REASONS, Grade, LabelledTrade
from trading.review.lessons import Lesson, extract_lesson
from trading.review.models import DecisionTally

MOST = 10
LESSONS_A_DAY = 3

Knowledge = Literal["market law", "execution", "risk"]
"""The three kinds of new knowledge (S2-246)."""


class Experience(Contract):
    """One thing that happened and what it says. `weight` orders them; `evidence` are ids or codes with counts."""

    kind: Knowledge
    title: str
    text: str
    weight: Decimal
    evidence: tuple[str, ...]
    lesson_title: str | None = None
    symbol: str | None = None


def experiences(
    trades: Sequence[LabelledTrade],
    *,
    tally: DecisionTally,
    execution: ExecutionQuality,
    biases: Sequence[BiasCheck],
    equity_usd: Decimal | None,
) -> tuple[Experience, ...]:
    """At most ten, the weightiest first, one for each title.

    A day on which the agent decided on a few symbols gives at least five; nothing is made up to fill a number: without
    decisions, orders and trades there are none.
    """
    found: dict[str, Experience] = {}
    for each in (
        *(_of_trade(trade, equity_usd) for trade in trades),
        *_of_execution(execution),
        *_of_biases(biases),
        *_of_decisions(tally),
    ):
        known = found.get(each.title)
        found[each.title] = each if known is None else _joined(known, each)
    ranked = sorted(found.values(), key=lambda each: (-each.weight, each.title))
    return tuple(ranked[:MOST])


def lessons_of_the_day(day: Iterable[Experience], book: Sequence[Lesson]) -> tuple[Experience, ...]:
    """The three best experiences: weight, raised by the confidence of the lesson behind it (X34)."""
    confidence = {lesson.title: lesson.confidence for lesson in book}
    ranked = sorted(
        day, key=lambda each: (-each.weight * (1 + confidence.get(each.lesson_title or "", ZERO)), each.title)
    )
    return tuple(ranked[:LESSONS_A_DAY])


def _joined(known: Experience, again: Experience) -> Experience:
    texts = known.text if again.text in known.text else f"{known.text} {again.text}"
    return known.model_copy(
        update={
            "text": texts,
            "weight": known.weight + again.weight,
            "evidence": tuple(dict.fromkeys((*known.evidence, *again.evidence))),
        }
    )


def _of_trade(each: LabelledTrade, equity_usd: Decimal | None) -> Experience:
    trade, lesson = each.trade, extract_lesson(each.trade)
    share = abs(trade.pnl_usd) / equity_usd if equity_usd else abs(trade.return_fraction)
    weight = 1 + min(share * 100, Decimal(4)) + (1 if each.grade is Grade.BAD else 0)
    because = "; ".join(REASONS[reason] for reason in each.reasons)
    return Experience(
        kind="risk" if each.grade is Grade.BAD else "market law",
        title=lesson.title,
        text=f"{trade.symbol}: {trade.pnl_usd:+.2f} USD ({trade.return_fraction:+.2%}), {because}.",
        weight=weight,
        evidence=(trade.decision_id,),
        lesson_title=lesson.title,
        symbol=trade.symbol,
    )


def _of_execution(quality: ExecutionQuality) -> Iterable[Experience]:
    if quality.slippage_fraction is not None:
        cost = "cost" if quality.slippage_fraction > 0 else "gained"
        yield Experience(
            kind="execution",
            title="Slippage",
            text=f"Orders {cost} {abs(quality.slippage_fraction):.4%} against their reference prices, "
            f"at worst {quality.worst_slippage_fraction or ZERO:.4%}.",
            weight=Decimal(3) if quality.is_poor else Decimal("0.6"),
            evidence=() if quality.worst_order_id is None else (quality.worst_order_id,),
        )
    if quality.fees_usd > 0:
        yield Experience(
            kind="execution",
            title="Fees",
            text=f"Fees took {quality.fees_usd:.2f} USD of {quality.turnover_usd:.2f} USD turnover.",
            weight=Decimal("0.5"),
            evidence=(f"filled orders: {quality.filled_orders}",),
        )
    if quality.fill_rate is not None and quality.fill_rate < 1:
        yield Experience(
            kind="execution",
            title="Unfilled orders",
            text=f"Orders that ended were filled to {quality.fill_rate:.0%} on average.",
            weight=1 + (1 - quality.fill_rate),
            evidence=(f"orders: {quality.orders}",),
        )


def _of_biases(biases: Sequence[BiasCheck]) -> Iterable[Experience]:
    for bias in biases:
        if bias.found:
            yield Experience(
                kind="risk",
                title=f"Bias: {bias.name.replace('_', ' ')}",
                text=f"{bias.sentence[:1].upper()}{bias.sentence[1:]}.",
                weight=Decimal(3),
                evidence=bias.evidence,
            )


def _of_decisions(tally: DecisionTally) -> Iterable[Experience]:
    for code, count in tally.outcomes:
        row = OUTCOMES.get(code)
        if row is None or not row.changes_exposure:
            yield Experience(
                kind="market law",
                title=f"Decisions that ended as {code.replace('_', ' ')}",
                text=f"{count} of {tally.decisions} decisions. {row.sentence if row else ''}".strip(),
                weight=Decimal("0.3") + Decimal("0.2") * count / max(tally.decisions, 1),
                evidence=(f"{code}: {count}",),
            )
    for symbol, regime, count in tally.regimes:
        yield Experience(
            kind="market law",
            title=f"{symbol} was {regime.replace('_', ' ')}",
            text=f"Decisions on {symbol} that saw the trend regime {regime.replace('_', ' ')}: {count}.",
            weight=Decimal("0.2"),
            evidence=(f"{regime}: {count}",),
            symbol=symbol,
        )
    for code, count in tally.denials:
        yield Experience(
            kind="risk",
            title=f"Refused by the gate: {code.replace('_', ' ')}",
            text=f"The gate refused {count} times for {code.replace('_', ' ')}.",
            weight=Decimal("1.2"),
            evidence=(f"{code}: {count}",),
        )
    for code, count in tally.findings:
        yield Experience(
            kind="risk",
            title=f"Finding: {code.replace('_', ' ')}",
            text=f"Verification found {code.replace('_', ' ')} {count} times in the models' answers.",
            weight=Decimal("0.8"),
            evidence=(f"{code}: {count}",),
        )
