"""A strategy as data: setups, filters, exits, sizes and confidence, immutable and serialisable to JSON."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from trading.contract import Contract, Fraction
from trading.decision.models import Action


class Op(StrEnum):
    """How a condition compares its left fact with its right side."""

    BELOW = "below"
    AT_MOST = "at_most"
    ABOVE = "above"
    AT_LEAST = "at_least"
    IS = "is"
    IS_NOT = "is_not"


ORDERED = frozenset({Op.BELOW, Op.AT_MOST, Op.ABOVE, Op.AT_LEAST})


class Condition(Contract):
    """One comparison of a fact: with a number, with another fact times `factor`, or with labels.

    Facts of two timeframes may stand on the two sides. A fact that is absent makes the condition unsatisfied.
    """

    id: str = Field(min_length=1, description="names the condition within its strategy")
    fact: str = Field(min_length=1, description="the id of the fact on the left")
    op: Op
    number: Decimal | None = None
    other_fact: str | None = None
    factor: Decimal = Decimal(1)
    labels: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_right_side(self) -> Self:
        sides = [self.number is not None, self.other_fact is not None, bool(self.labels)]
        if sum(sides) != 1:
            raise ValueError(f"condition {self.id}: exactly one of number, other_fact and labels is allowed")
        if bool(self.labels) is (self.op in ORDERED):
            raise ValueError(
                f"condition {self.id}: labels go with is and is_not, numbers and facts with the other four"
            )
        return self

    @property
    def facts(self) -> tuple[str, ...]:
        """The ids of the facts that it reads."""
        return (self.fact,) if self.other_fact is None else (self.fact, self.other_fact)


class Setup(Contract):
    """A situation: all of `all_of`, and at least `at_least` of `any_of`."""

    id: str
    all_of: tuple[Condition, ...] = ()
    any_of: tuple[Condition, ...] = ()
    at_least: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if not self.all_of and not self.any_of:
            raise ValueError(f"setup {self.id}: a setup without conditions would always be satisfied")
        if self.any_of and not 1 <= self.at_least <= len(self.any_of):
            raise ValueError(f"setup {self.id}: at_least must lie between 1 and {len(self.any_of)}")
        if not self.any_of and self.at_least:
            raise ValueError(f"setup {self.id}: at_least needs any_of")
        return self


class StopRule(Contract):
    """The stop's distance from the entry: ATR times a multiple, or a fraction; held within the two bounds."""

    kind: Literal["atr", "fraction"]
    value: Decimal = Field(gt=0)
    atr_fact: str = "atr_14@1h"
    at_least: Fraction = Decimal("0.006")
    at_most: Fraction = Decimal("0.045")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not 0 < self.at_least <= self.at_most < 1:
            raise ValueError(f"stop bounds {self.at_least} and {self.at_most} must be ordered, above 0 and below 1")
        return self


class Term(Contract):
    """A piece of a score: 0 at `zero_at`, `weight` at `full_at`, linear between, clamped outside.

    `zero_at` may lie above `full_at`: then lower values score higher. With `label` the fact must equal it instead.
    """

    fact: str
    weight: Decimal
    zero_at: Decimal | None = None
    full_at: Decimal | None = None
    label: str | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        scaled = self.zero_at is not None and self.full_at is not None and self.zero_at != self.full_at
        if scaled is (self.label is not None):
            raise ValueError(f"term on {self.fact}: give two different numbers zero_at and full_at, or a label")
        return self


class Score(Contract):
    """`start` and the sum of its terms, held within the bounds; a term whose fact is absent adds nothing."""

    start: Fraction
    terms: tuple[Term, ...] = ()
    at_least: Fraction = Decimal(0)
    at_most: Fraction = Decimal(1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.at_least > self.at_most:
            raise ValueError(f"score bounds {self.at_least} and {self.at_most} must be ordered")
        return self


class Strategy(Contract):
    """One row of the gene pool. `entries` and `exits` are alternatives: the first satisfied one speaks.

    Spot only: an entry buys, an exit sells `exit_size_fraction` of the position, nothing goes short.
    """

    name: str = Field(min_length=1)
    version: str
    kind: Literal["momentum", "reversion", "breakout", "trend", "volatility", "other"]
    thesis: str = Field(min_length=1, description="why it should earn, in one sentence")
    price_fact: str = "last_price"
    position_fact: str = "position_quantity"
    entries: tuple[Setup, ...] = Field(min_length=1)
    filters: tuple[Condition, ...] = Field(default=(), description="each must hold for an entry")
    exits: tuple[Setup, ...] = ()
    stop: StopRule
    reward_risk: Decimal = Field(gt=0, description="the target's distance over the stop's")
    time_exit_hours: int = Field(ge=1, le=24 * 30)
    size_fraction: Fraction = Field(description="of equity, for an entry")
    exit_size_fraction: Fraction = Field(default=Decimal(1), description="of the position, for an exit")
    confidence: Score
    win_probability: Score

    def facts(self) -> frozenset[str]:
        """The ids of all facts that it reads: what a back-test must compute and a snapshot should hold."""
        ids = {self.price_fact, self.position_fact}
        for setup in (*self.entries, *self.exits):
            for condition in (*setup.all_of, *setup.any_of):
                ids.update(condition.facts)
        for condition in self.filters:
            ids.update(condition.facts)
        ids.update(term.fact for score in (self.confidence, self.win_probability) for term in score.terms)
        if self.stop.kind == "atr":
            ids.add(self.stop.atr_fact)
        return frozenset(ids)


class Checked(Contract):
    """A condition that was looked at, with the values it saw as text."""

    condition: Condition
    setup: str
    left: str | None = None
    right: str | None = None


class Signal(Contract):
    """What a strategy says: the action, its levels, and every condition by outcome.

    `missing` names the absent facts; a condition that needs one is in `failed`. Levels are `None` unless it buys.
    """

    action: Action
    setup: str | None = None
    entry: Decimal | None = None
    stop: Decimal | None = None
    target: Decimal | None = None
    horizon_hours: int
    size_fraction: Decimal = Decimal(0)
    confidence: Decimal
    win_probability: Decimal
    satisfied: tuple[Checked, ...] = ()
    failed: tuple[Checked, ...] = ()
    missing: tuple[str, ...] = ()
