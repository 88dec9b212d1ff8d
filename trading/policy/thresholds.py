"""How one threshold is declared: default, bounds, unit, capability, its code, and which way is looser."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from pydantic import Field

Looser = Literal["up", "down", "none"]
"""Which move of the value admits more risk: `none` where neither does (a matter of taste, not of safety)."""


def fraction(
    default: str,
    *,
    ge: str,
    le: str,
    capability: str,
    code: str,
    looser: Looser,
    description: str,
    unit: str = "fraction",
) -> Any:
    """A `Decimal` threshold; ratios are fractions, so 0.05 is five percent."""
    return Field(
        default=Decimal(default),
        ge=Decimal(ge),
        le=Decimal(le),
        description=description,
        json_schema_extra={"unit": unit, "capability": capability, "code": code, "looser": looser},
    )


def count(
    default: int, *, ge: int, le: int, unit: str, capability: str, code: str, looser: Looser, description: str
) -> Any:
    """An integer threshold; `unit` says what is counted (`trades`, `s`, `bars`)."""
    return Field(
        default=default,
        ge=ge,
        le=le,
        description=description,
        json_schema_extra={"unit": unit, "capability": capability, "code": code, "looser": looser},
    )
