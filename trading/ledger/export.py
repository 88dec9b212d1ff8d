"""Trades for a tax office: one row a fill, oldest first, every amount exact (venue.md, "Accounting")."""

from __future__ import annotations

from collections.abc import Iterable

from trading.ledger.positions import distinct_fills, fifo_gains
from trading.money import ZERO, plain
from trading.orders.models import Fill

COLUMNS = ("time", "pair", "side", "quantity", "price", "fee", "fee_asset", "fifo_gain")
"""`time` is UTC; `fifo_gain` is in the pair's quote asset, fees included: 0 for a fill that closed nothing."""


def trade_rows(fills: Iterable[Fill]) -> tuple[tuple[str, ...], ...]:
    """The rows of one account, by time and trade id, whatever the order the fills come in. No amount is rounded."""
    ordered = distinct_fills(fills)
    gains = {
        (gain.symbol, gain.trade_id): gain.gain
        for symbol in sorted({fill.symbol for fill in ordered})
        for gain in fifo_gains(symbol, [fill for fill in ordered if fill.symbol == symbol])
    }
    return tuple(
        (
            fill.filled_at.isoformat().replace("+00:00", "Z"),
            fill.symbol,
            fill.side.value,
            plain(fill.quantity),
            plain(fill.price),
            plain(fill.commission),
            fill.commission_asset,
            plain(gains.get((fill.symbol, fill.trade_id), ZERO)),
        )
        for fill in ordered
    )
