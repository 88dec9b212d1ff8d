"""Numbers as people write them: percent signs, thousands separators, suffixes, and how near two of them are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Literal

HUNDRED = Decimal(100)
NEAR_ZERO = Decimal("1e-12")
MIN_DIGITS_TO_ROUND = 2
"""A number with fewer significant digits is too coarse to count as a rounding of a fact."""

NUMBER = re.compile(
    r"(?<![\w.@])(?P<sign>[-+\u2212]?)[$€]?(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?(?:[eE][-+]?\d{1,3})?)"
    r"(?:\s?(?P<percent>%|percent\b|pct\b)|(?P<basis>\s?(?:bp|bps|basis points)\b)|(?P<suffix>[kKmM]\b)|(?![\w@]|\.\d))"
)
_SUFFIX = {"k": Decimal(1000), "m": Decimal(1_000_000)}
_SCALES = tuple(Decimal(10) ** power for power in (-4, -3, -2, -1, 1, 2, 3, 4))

Difference = Literal["equal", "sign", "percent", "magnitude", "other"]


@dataclass(frozen=True, slots=True)
class Quantity:
    """One written number. `value` is the fraction where it carries a percent sign: `2.5%` is 0.025."""

    text: str
    value: Decimal
    step: Decimal
    is_percent: bool
    digits: int
    start: int
    end: int

    @property
    def is_integer(self) -> bool:
        return not self.is_percent and self.step >= 1 and self.value == self.value.to_integral_value()


@lru_cache(maxsize=1024)
def quantities(text: str) -> tuple[Quantity, ...]:
    """Every number written in `text`, in order; digits inside names (`rsi_14@1h`, `4h`) are none.

    Both models of a decision are held against the same memories, and the next decision against most of them again.
    """
    return tuple(_quantities(text))


def _quantities(text: str) -> Iterator[Quantity]:
    for match in NUMBER.finditer(text):
        digits = match["digits"].replace(",", "")
        number = Decimal(digits)
        exponent = number.as_tuple().exponent
        step = Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0)
        scale = Decimal(1)
        if match["percent"]:
            scale = 1 / HUNDRED
        elif match["basis"]:
            scale = 1 / HUNDRED / HUNDRED
        elif match["suffix"]:
            scale = _SUFFIX[match["suffix"].lower()]
        negative = match["sign"] in {"-", "\u2212"} and not _is_range(text, match.start())
        yield Quantity(
            text=match.group().strip(),
            value=(-number if negative else number) * scale,
            step=step * scale,
            is_percent=bool(match["percent"]),
            digits=len(digits.replace(".", "").lstrip("0")),
            start=match.start(),
            end=match.end(),
        )


def _is_range(text: str, at: int) -> bool:
    """Whether the dash at `at` joins two numbers (`10-20`) and is no sign."""
    return at > 0 and (text[at - 1].isdigit() or text[at - 1] == "%")


def only_quantity(text: str) -> Quantity | None:
    """The number where `text` is one number with at most a unit behind it; else `None`."""
    found = list(quantities(text))
    if len(found) != 1:
        return None
    rest = (text[: found[0].start] + text[found[0].end :]).strip()
    return found[0] if re.fullmatch(r"[~≈]?\s*[A-Za-z/$]{0,12}", rest) else None


def is_near(stated: Quantity, actual: Decimal, *, tolerance: Decimal) -> bool:
    """Whether `stated` equals `actual` within the relative tolerance, or is its correct rounding.

    A rounding counts from two significant digits on: 0.012 stands for 0.0123, 0.3 does not stand for 0.26.
    """
    apart = abs(stated.value - actual)
    if apart <= max(abs(actual) * tolerance, NEAR_ZERO):
        return True
    return stated.digits >= MIN_DIGITS_TO_ROUND and apart <= stated.step / 2


def difference(stated: Quantity, actual: Decimal, *, tolerance: Decimal, unit: str) -> Difference:
    """How `stated` differs from a fact: not at all, by sign, by percent for fraction, by a power of ten, or otherwise.

    A percent sign before a fact that is itself no fraction (`5%` for the index 5) compares the digits.
    """
    if is_near(stated, actual, tolerance=tolerance):
        return "equal"
    as_written = _scaled(stated, HUNDRED) if stated.is_percent else stated
    if stated.is_percent and unit != "fraction" and is_near(as_written, actual, tolerance=tolerance):
        return "equal"
    if is_near(_scaled(stated, Decimal(-1)), actual, tolerance=tolerance):
        return "sign"
    if unit in {"fraction", "ratio"} or stated.is_percent:
        for factor in (HUNDRED, 1 / HUNDRED):
            if is_near(_scaled(stated, factor), actual, tolerance=tolerance):
                return "percent"
    if actual and any(is_near(_scaled(stated, scale), actual, tolerance=tolerance) for scale in _SCALES):
        return "magnitude"
    return "other"


def _scaled(stated: Quantity, factor: Decimal) -> Quantity:
    return Quantity(
        text=stated.text,
        value=stated.value * factor,
        step=stated.step * abs(factor),
        is_percent=stated.is_percent,
        digits=stated.digits,
        start=stated.start,
        end=stated.end,
    )
