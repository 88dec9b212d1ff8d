"""Numbers and times as a trader reads them; what is not known is said, never zero."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from trading.money import plain

UNKNOWN = "n/a"


def usd(value: Decimal | None, *, signed: bool = False) -> str:
    """`1,000,000.00`; with `signed` a plus before gains."""
    if value is None:
        return UNKNOWN
    rounded = value.quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)
    return f"{rounded:+,.2f}" if signed and rounded else f"{rounded if rounded else abs(rounded):,.2f}"


def percent(value: Decimal | None, *, places: int = 2, signed: bool = False) -> str:
    """A fraction in percent: `-0.99 %`."""
    if value is None:
        return UNKNOWN
    rounded = (value * 100).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    number = rounded if rounded else abs(rounded)
    return f"{number:+,f} %" if signed and rounded else f"{number:,f} %"


def number(value: Decimal | int | None, *, places: int = 2) -> str:
    """A plain number with a fixed count of decimals."""
    if value is None:
        return UNKNOWN
    if isinstance(value, int):
        return f"{value:,}"
    rounded = value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    return f"{rounded if rounded else abs(rounded):,f}"


def price(value: Decimal | None) -> str:
    """Eight significant digits, without trailing zeros."""
    return UNKNOWN if value is None else plain(Decimal(f"{value:.8g}"))


def moment(value: datetime | None) -> str:
    """`2024-01-24 16:00Z`; seconds only where there are some."""
    if value is None:
        return UNKNOWN
    utc = value.astimezone(UTC)
    return f"{utc:%Y-%m-%d %H:%M:%SZ}" if utc.second else f"{utc:%Y-%m-%d %H:%MZ}"


def span(value: timedelta | None) -> str:
    """Hours with one decimal."""
    return UNKNOWN if value is None else f"{Decimal(value // timedelta(seconds=1)) / 3600:.1f} h"


def words(code: str) -> str:
    """A code as words: `lost_within_plan` is `lost within plan`."""
    return code.replace("_", " ")


def yes_no(value: bool | None) -> str:
    return UNKNOWN if value is None else "yes" if value else "no"
