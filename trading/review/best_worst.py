"""The best and the worst trades of a period, with the chain of ids behind each (C12)."""

from __future__ import annotations

from collections.abc import Iterable

from trading.contract import Contract
from trading.review.labels import LabelledTrade

SHOWN = 5


class BestAndWorst(Contract):
    """At most five of each, the best and the worst first; a trade is in one list only, gains above and losses below."""

    best: tuple[LabelledTrade, ...]
    worst: tuple[LabelledTrade, ...]


def best_and_worst(trades: Iterable[LabelledTrade], *, shown: int = SHOWN) -> BestAndWorst:
    """By profit in USD; ties by time and decision."""
    ranked = sorted(trades, key=lambda each: (-each.trade.pnl_usd, each.trade.closed_at, *each.trade.key))
    return BestAndWorst(
        best=tuple(each for each in ranked if each.trade.won)[:shown],
        worst=tuple(each for each in reversed(ranked) if not each.trade.won)[:shown],
    )
