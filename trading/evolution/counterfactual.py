"""What if another strategy had been used: the same days, side by side (S2-82, S2-83, C11)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from trading.contract import Contract
from trading.evolution.models import Record
from trading.money import ONE


class Alternative(Contract):
    """One strategy over the period; `difference` is its return less that of the strategy that was used."""

    strategy: str
    return_fraction: Decimal
    difference: Decimal
    trades: int
    win_rate: Decimal | None


class Counterfactual(Contract):
    """The one that was used and the others, best first. Reported, not learned from: a week is a week."""

    used: Alternative
    others: tuple[Alternative, ...]

    @property
    def best(self) -> Alternative:
        return max((self.used, *self.others), key=lambda row: row.return_fraction)

    @property
    def missed(self) -> Decimal:
        """What the best would have earned more; 0 where the one that was used was the best."""
        return self.best.difference


def counterfactual(used: Record, others: Iterable[Record], *, start: datetime, end: datetime) -> Counterfactual:
    """The records from `start` to `end`, each as a fraction of its own equity at the start."""
    own = used.within(start, end)
    base = _return(own)
    rows = [_row(record.within(start, end), base) for record in others if record.strategy != used.strategy]
    return Counterfactual(
        used=_row(own, base), others=tuple(sorted(rows, key=lambda row: (-row.return_fraction, row.strategy)))
    )


def _row(record: Record, base: Decimal) -> Alternative:
    gained = _return(record)
    return Alternative(
        strategy=record.strategy,
        return_fraction=gained,
        difference=gained - base,
        trades=len(record.trades),
        win_rate=record.win_rate,
    )


def _return(record: Record) -> Decimal:
    return record.equity[-1] - ONE
