"""How good a source of market data has been lately, and which is asked first (C64, C68). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum

from pydantic import Field

from trading.contract import Contract
from trading.money import ONE


class Answer(StrEnum):
    """What came of asking a source once."""

    GOOD = "good"
    STALE = "stale"
    SLOW = "slow"
    FAILED = "failed"


_WORTH = {Answer.GOOD: ONE, Answer.STALE: Decimal("0.25"), Answer.SLOW: Decimal(0), Answer.FAILED: Decimal(0)}
_REMEMBERS = Decimal("0.8")
"""A source's last ten answers make nine tenths of its score."""

_DIGITS = Decimal("0.0001")


class SourceQuality(Contract):
    """A source by its address: its score (1 is best), how often each answer came, and the last one."""

    name: str
    place: int
    score: Decimal = Field(default=ONE, ge=0, le=1)
    answers: dict[Answer, int] = Field(default_factory=dict)
    last: Answer | None = None


def judged(quality: SourceQuality, answer: Answer) -> SourceQuality:
    """The source after one more answer."""
    score = quality.score * _REMEMBERS + _WORTH[answer] * (ONE - _REMEMBERS)
    counted = {**quality.answers, answer: quality.answers.get(answer, 0) + 1}
    return quality.model_copy(update={"score": score.quantize(_DIGITS), "answers": counted, "last": answer})


def ranked(sources: Iterable[SourceQuality]) -> tuple[SourceQuality, ...]:
    """The best first; of equal ones in their stated order."""
    return tuple(sorted(sources, key=lambda one: (-one.score, one.place)))


def sources_story(sources: Iterable[SourceQuality]) -> str:
    """Each source with its last answer and score, in a line."""
    told = [f"{one.name} {one.last.value if one.last else 'not asked'} ({one.score:.2f})" for one in sources]
    return f"sources: {', '.join(told)}"
