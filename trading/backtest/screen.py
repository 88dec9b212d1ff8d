"""Which candles a strategy could act on at all: a sieve over whole arrays, so that the evaluator looks at few.

The evaluator alone decides. The sieve may let too much through, never too little: it compares with a tolerance wider
than the rounding of a fact, and whatever it cannot see (structure, account) it lets pass. numpy, because a comparison
of whole arrays is what makes a back-test thousands of times faster than asking the evaluator at each candle.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trading.backtest.fact_table import FactTable
from trading.backtest.market_facts import BoolArray
from trading.facts.bars import FloatArray
from trading.strategies.models import Condition, Op, Setup, Strategy

TOLERANCE = 1e-6
"""Relative; a stated fact has eight significant digits, so it is within 1e-7 of the number behind it."""


def possible_entries(strategy: Strategy, table: FactTable) -> BoolArray:
    """Where of the table's candles the strategy might buy when flat: a superset of where it does."""
    return _all(strategy.filters, table) & _any(strategy.entries, table)


def possible_exits(strategy: Strategy, table: FactTable) -> BoolArray:
    """Where of the table's candles the strategy might sell when it holds: a superset of where it does."""
    return _any(strategy.exits, table)


def _any(setups: Sequence[Setup], table: FactTable) -> BoolArray:
    seen = np.zeros(len(table), dtype=bool)
    for setup in setups:
        alternatives = np.zeros(len(table), dtype=np.int64)
        for condition in setup.any_of:
            alternatives += _might_hold(condition, table)
        seen |= _all(setup.all_of, table) & (alternatives >= setup.at_least)
    return seen


def _all(conditions: Sequence[Condition], table: FactTable) -> BoolArray:
    seen = np.ones(len(table), dtype=bool)
    for condition in conditions:
        seen &= _might_hold(condition, table)
    return seen


def _might_hold(condition: Condition, table: FactTable) -> BoolArray:
    unknown = table.word_is(condition.fact, None)
    if unknown is not None:
        return _words_might_hold(condition, table, unknown)
    left = table.aligned(condition.fact)
    if left is None:
        return np.ones(len(table), dtype=bool)
    row, values = left
    if condition.labels:
        return _labels_might_hold(condition, row.labels, values)
    right = _right_side(condition, table)
    if right is None:
        return np.ones(len(table), dtype=bool)
    return _ordered(condition.op, values, right)


def _words_might_hold(condition: Condition, table: FactTable, unknown: BoolArray) -> BoolArray:
    found = np.zeros(len(table), dtype=bool)
    for word in condition.labels:
        matching = table.word_is(condition.fact, word)
        if matching is not None:
            found |= matching
    return found if condition.op is Op.IS else ~found & ~unknown


def _labels_might_hold(condition: Condition, labels: tuple[str, ...], values: FloatArray) -> BoolArray:
    chosen = [float(place) for place, word in enumerate(labels) if word in condition.labels]
    matching = np.isin(values, chosen)
    return matching if condition.op is Op.IS else ~matching & ~np.isnan(values)


def _right_side(condition: Condition, table: FactTable) -> FloatArray | None:
    if condition.number is not None:
        return np.full(len(table), float(condition.number))
    other = table.aligned(condition.other_fact or "")
    return None if other is None else other[1] * float(condition.factor)


def _ordered(op: Op, left: FloatArray, right: FloatArray) -> BoolArray:
    slack = TOLERANCE * np.maximum(np.abs(left), np.abs(right)) + 1e-12
    with np.errstate(invalid="ignore"):
        above: BoolArray = left >= right - slack
        below: BoolArray = left <= right + slack
    return above if op in (Op.ABOVE, Op.AT_LEAST) else below
