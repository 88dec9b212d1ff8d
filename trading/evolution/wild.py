"""A strategy drawn from all facts by chance, far from everything in the pool (C53)."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Literal

from trading.strategies.conditions import label, number
from trading.strategies.models import Condition, Op, Score, Setup, StopRule, Strategy

FARTHEST_SHARE = Decimal("0.5")
"""A wild strategy shares less than this part of its entry conditions with any strategy of the pool."""
ATTEMPTS = 200

_Side = Literal["weak", "strong"]

_NUMBERS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("rsi_14", ("18", "24", "28", "34"), ("62", "68", "74", "80")),
    ("bollinger_place", ("-0.15", "0", "0.1"), ("0.9", "1", "1.15")),
    ("adx_14", ("14", "18", "22"), ("28", "36", "45")),
    ("volume_ratio", ("0.4", "0.6", "0.8"), ("1.6", "2.5", "4")),
    ("bollinger_width", ("0.012", "0.02"), ("0.05", "0.09")),
    ("atr_fraction", ("0.004", "0.007"), ("0.015", "0.025")),
)
_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("ema_trend", ("down", "flat", "up")),
    ("macd_cross", ("bearish", "bullish")),
    ("value_place", ("below_value", "above_value")),
    ("market_structure", ("lower_highs_lower_lows", "contracting", "expanding", "higher_highs_higher_lows")),
    ("liquidity_sweep", ("swept_lows", "swept_highs")),
)
_REGIMES = ("high_volatility", "low_volatility", "rally", "crash")


def wild_strategy(chance: random.Random, pool: Sequence[Strategy]) -> Strategy:
    """A strategy whose entry shares under half of its conditions with any of `pool`; the caller names it.

    Contrarian or not is a draw like any other. Raises `ValueError` where the pool leaves no room, after many draws.
    """
    for _ in range(ATTEMPTS):
        drawn = _drawn(chance)
        if all(likeness(drawn, other) < FARTHEST_SHARE for other in pool):
            return drawn
    raise ValueError(f"no strategy far from all {len(pool)} of the pool was found in {ATTEMPTS} draws")


def likeness(one: Strategy, other: Strategy) -> Decimal:
    """The share of entry conditions that two strategies have in common, by fact, direction and word: 0 to 1."""
    first, second = _traits(one), _traits(other)
    return Decimal(len(first & second)) / len(first | second)


def _traits(strategy: Strategy) -> frozenset[tuple[str, ...]]:
    conditions: Iterable[Condition] = (
        *strategy.filters,
        *(condition for setup in strategy.entries for condition in (*setup.all_of, *setup.any_of)),
    )
    return frozenset((condition.fact, condition.op.value, *condition.labels) for condition in conditions)


def _drawn(chance: random.Random) -> Strategy:
    timeframe = chance.choice(["1h", "1h", "4h"])
    entry = [_number_condition(chance, row, timeframe) for row in chance.sample(_NUMBERS, k=chance.randint(1, 2))]
    fact, words = chance.choice(_WORDS)
    entry.append(label(f"{fact} is", f"{fact}@{chance.choice(['1h', '4h'])}", Op.IS, chance.choice(words)))
    filters: tuple[Condition, ...] = ()
    if chance.random() < 0.4:
        regime = chance.choice(_REGIMES)
        filters = (label(f"regime is {regime}", "risk_regime", Op.IS, regime),)
    leaving = _number_condition(chance, _NUMBERS[0], "1h")
    return Strategy(
        name="wild",
        version="1",
        kind="other",
        thesis="Drawn by chance: " + ", ".join(condition.id for condition in entry) + ".",
        filters=filters,
        entries=(Setup(id="drawn", all_of=tuple(entry)),),
        exits=(Setup(id="drawn", all_of=(leaving,)),),
        stop=StopRule(
            kind="atr",
            value=Decimal(chance.choice(["1.5", "2", "2.5", "3"])),
            at_least=Decimal("0.01"),
            at_most=Decimal("0.045"),
        ),
        reward_risk=Decimal(chance.choice(["1.5", "2", "3"])),
        time_exit_hours=chance.choice([12, 24, 48, 96]),
        size_fraction=Decimal("0.01"),
        confidence=Score(start=Decimal("0.45")),
        win_probability=Score(start=Decimal("0.40")),
    )


def _number_condition(
    chance: random.Random, row: tuple[str, tuple[str, ...], tuple[str, ...]], timeframe: str
) -> Condition:
    fact, low, high = row
    side: _Side = "weak" if chance.random() < 0.5 else "strong"
    value = chance.choice(low if side == "weak" else high)
    op = Op.BELOW if side == "weak" else Op.ABOVE
    return number(f"{fact} {op.value} {value}", f"{fact}@{timeframe}", op, value)
