"""Which time a valuation belongs to. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

JUST_PAST = timedelta(minutes=5)
"""A schedule's jitter and a worker's restart fit into it; prices of that age still value an hour."""


def valued_at(nominal: datetime, *, market: datetime) -> datetime:
    """`nominal` where the market is just past it, else the market's own minute: no price is dated back."""
    if timedelta(0) <= market - nominal <= JUST_PAST:
        return nominal
    return market.replace(second=0, microsecond=0)
