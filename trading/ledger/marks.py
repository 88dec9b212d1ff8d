"""Equity from marks, and what a series of it says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from trading.contract import Contract
from trading.ledger.positions import Position
from trading.money import ZERO, quantised
from trading.risk.models import Holding


class MarkedEquity(Contract):
    """An account at the given marks. `unmarked` names symbols valued at their last fill, for want of a mark."""

    equity_usd: Decimal
    cash_usd: Decimal
    holdings: tuple[Holding, ...]
    unmarked: tuple[str, ...] = ()


def mark(cash_usd: Decimal, positions: Iterable[Position], marks: Mapping[str, Decimal]) -> MarkedEquity:
    """Cash plus every position (dust included) at its mark, to eight places."""
    holdings, unmarked = [], []
    for position in sorted(positions, key=lambda p: p.symbol):
        average = position.average_price
        if average is None:
            continue
        price = marks.get(position.symbol, position.last_price)
        if price is None:
            raise ValueError(f"{position.symbol} has a quantity and neither a mark nor a last price")
        if position.symbol not in marks:
            unmarked.append(position.symbol)
        holdings.append(
            Holding(symbol=position.symbol, quantity=position.quantity, average_price=average, mark_price=price)
        )
    worth = sum((quantised(holding.notional_usd) for holding in holdings), ZERO)
    return MarkedEquity(
        equity_usd=cash_usd + worth, cash_usd=cash_usd, holdings=tuple(holdings), unmarked=tuple(unmarked)
    )


def max_drawdown(equity: Iterable[Decimal]) -> Decimal:
    """The largest fall from a peak as a fraction of that peak, to eight places; zero for a series that never falls."""
    peak, worst = ZERO, ZERO
    for value in equity:
        peak = max(peak, value)
        if peak > 0:
            worst = max(worst, (peak - value) / peak)
    return quantised(worst)
