"""Limits of the catalogue that the crypto spot profile has no use for, and why: never a silent zero (X46)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

NOT_APPLICABLE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "limit_down_share": "S2-69 counts stocks at their daily price limit; a crypto venue has no daily price limits",
        "short_exposure": "nothing is sold short on spot: a sell only reduces (`short_unavailable`)",
        "leverage_above_one": "nothing is borrowed on spot: `leverage_cap` binds at 1 whatever `max_leverage` says",
    }
)
"""By name: the reason. What is used in their place is a row of the policy where there is one."""
