"""Lessons from closed trades: one title for one situation, more confidence with each repetition (C10, S0-54 to S0-60).

The lesson book is a function of the closed trades in their order, so nothing is lost and two runs agree.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

from trading.contract import Contract, Utc
from trading.ids import content_hash
from trading.review.models import ClosedTrade, in_order

FIRST_CONFIDENCE = Decimal("0.5")
CONFIDENCE_STEP = Decimal("0.1")
FULL_CONFIDENCE = Decimal("1.0")
VALIDATION_TRADES = 5
VALIDATED_FROM = Decimal("0.6")
WITHDRAWN_BELOW = Decimal("0.4")
"""A lesson is validated after five trades in its situation of which 60 % went its way; withdrawn under 40 % (X32)."""

EVIDENCE_KEPT = 20
"""A lesson names its newest decisions; the count of all is `sample_count`."""

LessonKind = Literal["success", "failure"]

_TITLES: dict[LessonKind, str] = {"success": "成功案例", "failure": "失败案例"}


class Lesson(Contract):
    """What a situation has taught. The title is its identity: case, action, symbol and trend regime (S0-55)."""

    id: str
    title: str
    description: str
    kind: LessonKind
    symbol: str
    action: str
    regime: str | None
    sample_count: int = 1
    confidence: Decimal = FIRST_CONFIDENCE
    validation_trades: int = 0
    validation_successes: int = 0
    validated: bool = False
    evidence: tuple[str, ...] = ()
    """The newest decisions it was drawn from, oldest first."""
    updated_at: Utc

    @property
    def success_rate(self) -> Decimal | None:
        """Share of later trades in the same situation that went the lesson's way."""
        return Decimal(self.validation_successes) / self.validation_trades if self.validation_trades else None

    @property
    def sentence(self) -> str:
        """The lesson in one line, as a decision's memory quotes it."""
        rate = self.success_rate
        tested = "" if rate is None else f", came true in {rate:.0%} of {self.validation_trades} later trades"
        return (
            f"{self.description} ({self.sample_count} {'sample' if self.sample_count == 1 else 'samples'}, "
            f"confidence {self.confidence:.0%}{tested}{', validated' if self.validated else ''})"
        )


def title_of(kind: LessonKind, *, action: str, symbol: str, regime: str | None) -> str:
    """The title of a lesson, as S0-55 words it; an unknown regime is called so."""
    return f"{_TITLES[kind]}: {action} {symbol} in {regime or 'unknown'} market"


def extract_lesson(trade: ClosedTrade, *, action: str = "buy") -> Lesson:
    """The lesson of one closed trade; symbol, action and regime are those of its first decision."""
    kind: LessonKind = "success" if trade.won else "failure"
    regime = trade.plan.trend_regime
    title = title_of(kind, action=action, symbol=trade.symbol, regime=regime)
    advice = "" if trade.won else "; should avoid similar decisions"
    return Lesson(
        id="L" + content_hash(title)[:11],
        title=title,
        description=f"In a {regime or 'unknown'} market, {action} {trade.symbol}: pnl {trade.pnl_usd:.2f} USD{advice}",
        kind=kind,
        symbol=trade.symbol,
        action=action,
        regime=regime,
        evidence=(trade.decision_id,),
        updated_at=trade.closed_at,
    )


def merged(known: tuple[Lesson, ...], new: Lesson) -> tuple[Lesson, ...]:
    """`known` with `new` in it: the same title gains a sample and 0.1 of confidence, up to 1 (S0-57)."""
    if all(lesson.title != new.title for lesson in known):
        return (*known, new)
    return tuple(_repeated(lesson, new) if lesson.title == new.title else lesson for lesson in known)


def _repeated(lesson: Lesson, new: Lesson) -> Lesson:
    return lesson.model_copy(
        update={
            "sample_count": lesson.sample_count + 1,
            "confidence": min(lesson.confidence + CONFIDENCE_STEP, FULL_CONFIDENCE),
            "description": new.description,
            "evidence": (*lesson.evidence, *new.evidence)[-EVIDENCE_KEPT:],
            "updated_at": new.updated_at,
        }
    )


def lesson_book(trades: Iterable[ClosedTrade], *, known: Iterable[Lesson] = ()) -> tuple[Lesson, ...]:
    """Every lesson that `trades` taught after the `known` ones, in the order in which it was first learned.

    Day by day on top of what was known comes to the same book as all trades at once. Each later trade in a lesson's
    situation tests it before it is learned from: a success lesson by a gain, a failure lesson by a loss. The same as
    `merged` one after the other, in time that grows with the trades alone.
    """
    book = {lesson.title: lesson for lesson in known}
    for trade in in_order(tuple(trades)):
        lesson = extract_lesson(trade)
        for kind in _TITLES:
            title = title_of(kind, action=lesson.action, symbol=lesson.symbol, regime=lesson.regime)
            if title in book:
                book[title] = _tested(book[title], lesson)
        before = book.get(lesson.title)
        book[lesson.title] = lesson if before is None else _repeated(before, lesson)
    return tuple(book.values())


def _tested(known: Lesson, new: Lesson) -> Lesson:
    tried = known.validation_trades + 1
    good = known.validation_successes + (1 if known.kind == new.kind else 0)
    rate = Decimal(good) / tried
    if tried >= VALIDATION_TRADES and rate >= VALIDATED_FROM:
        valid = True
    else:
        valid = known.validated and rate >= WITHDRAWN_BELOW
    return known.model_copy(update={"validation_trades": tried, "validation_successes": good, "validated": valid})
