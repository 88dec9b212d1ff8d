"""How the rows of the library write their conditions: a fact against a number, another fact, or words."""

from __future__ import annotations

from decimal import Decimal

from trading.strategies.models import Condition, Op


def number(condition_id: str, fact: str, op: Op, value: str) -> Condition:
    """`fact` against a number."""
    return Condition(id=condition_id, fact=fact, op=op, number=Decimal(value))


def other_fact(condition_id: str, fact: str, op: Op, other: str, factor: str = "1") -> Condition:
    """`fact` against another fact times `factor`."""
    return Condition(id=condition_id, fact=fact, op=op, other_fact=other, factor=Decimal(factor))


def label(condition_id: str, fact: str, op: Op, *labels: str) -> Condition:
    """`fact` against words."""
    return Condition(id=condition_id, fact=fact, op=op, labels=labels)
