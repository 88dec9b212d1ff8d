"""Decimal arithmetic with the direction of each rounding in its name."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

ZERO = Decimal(0)
ONE = Decimal(1)
USD_QUANTUM = Decimal("0.00000001")
"""Quote amounts are kept to eight places, as venues do."""


def floor_to_step(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above `value` (`step` 0 means no grid)."""
    return _to_step(value, step, ROUND_FLOOR)


def ceil_to_step(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of `step` that is not below `value` (`step` 0 means no grid)."""
    return _to_step(value, step, ROUND_CEILING)


def nearest_step(value: Decimal, step: Decimal) -> Decimal:
    """The multiple of `step` nearest to `value`, ties to even."""
    return _to_step(value, step, ROUND_HALF_EVEN)


def _to_step(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    if step < 0:
        raise ValueError(f"step {step} must not be negative")
    if step == 0:
        return value
    return ((value / step).to_integral_value(rounding=rounding) * step).quantize(step.normalize())


def plain(value: Decimal) -> str:
    """`value` without exponent and without trailing zeros: `Decimal("1E+2")` is `100`."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"", "-0"} else text


def quantised(value: Decimal) -> Decimal:
    """`value` to eight places, ties to even: how quote amounts enter the ledger."""
    return value.quantize(USD_QUANTUM, rounding=ROUND_HALF_EVEN)
