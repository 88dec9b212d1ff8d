"""Real money needs a person's leave: who must be armed, and the account as its armed capital (venue.md)."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from trading.risk.models import Arming, Exposure

ARMED_REALMS: Final = frozenset({"live"})
"""Realms in which nothing is opened before a person has armed the account."""


def must_be_armed(realm: str) -> bool:
    return realm in ARMED_REALMS


def armed_view(exposure: Exposure, arming: Arming, *, day_start_usd: Decimal | None, peak_usd: Decimal) -> Exposure:
    """The account as its armed capital: every share of equity is a share of that, every loss is counted from there.

    `day_start_usd` is the whole account's equity at the start of the day where it was armed by then, `peak_usd` its
    highest since it was armed.
    """
    day_start = arming.capital_usd if day_start_usd is None else day_start_usd + arming.offset_usd
    cash = exposure.cash_usd + arming.offset_usd
    armed = exposure.model_copy(update={"cash_usd": cash, "arming": arming, "day_start_equity_usd": day_start})
    peak = max(arming.capital_usd, peak_usd + arming.offset_usd, armed.equity_usd)
    return armed.model_copy(update={"peak_equity_usd": peak})
