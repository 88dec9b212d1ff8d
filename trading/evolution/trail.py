"""Records put together: of several symbols beside each other, and of several weeks one after another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import chain

from trading.evolution.models import Record, TradeReturn
from trading.money import ONE, ZERO

RETURN_QUANTUM = Decimal("0.000000000001")


def side_by_side(strategy: str, parts: Sequence[Record], *, start: datetime, end: datetime) -> Record:
    """Records of one strategy on several symbols as one account that gave each the same part."""
    days: dict[datetime, list[Decimal]] = {}
    for part in parts:
        for day, value in part.daily_returns:
            days.setdefault(day, []).append(value)
    return Record(
        strategy=strategy,
        start=start,
        end=end,
        trades=_in_order(chain.from_iterable(part.trades for part in parts)),
        daily_returns=tuple(
            (day, (sum(values, ZERO) / len(parts)).quantize(RETURN_QUANTUM)) for day, values in sorted(days.items())
        ),
    )


def one_after_another(records: Sequence[Record]) -> Record:
    """Records of one strategy over times that follow each other, oldest first; two parts of one day are compounded."""
    days: dict[datetime, Decimal] = {}
    for record in records:
        for day, value in record.daily_returns:
            days[day] = value if day not in days else (ONE + days[day]) * (ONE + value) - ONE
    first, last = records[0], records[-1]
    return first.model_copy(
        update={
            "end": last.end,
            "trades": _in_order(chain.from_iterable(record.trades for record in records)),
            "daily_returns": tuple(days.items()),
        }
    )


def _in_order(trades: Iterable[TradeReturn]) -> tuple[TradeReturn, ...]:
    return tuple(sorted(trades, key=lambda trade: (trade.exit_at, trade.entry_at, trade.return_fraction)))
