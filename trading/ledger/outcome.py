"""What a closed trade came to, from the reports of its orders."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from trading.contract import Contract
from trading.orders.models import OrderReport


class TradeOutcome(Contract):
    """Profit or loss in quote units after commissions, and as a fraction of what was paid."""

    pnl_usd: Decimal
    paid_usd: Decimal
    return_fraction: Decimal
    remainder_base: Decimal


def position_quantity(entries: Iterable[OrderReport], exits: Iterable[OrderReport]) -> Decimal:
    """Base units held: what entries brought and exits took, net of commission charged in the base asset."""
    return sum((report.net_base for report in (*entries, *exits)), Decimal(0))


def trade_outcome(
    entries: Iterable[OrderReport],
    exits: Iterable[OrderReport],
    *,
    opening: Decimal,
    remainder_price: Decimal | None,
) -> TradeOutcome:
    """The outcome of a trade that began with `opening` base units of dust; dust is valued at `remainder_price`.

    What was there before is no gain of this trade, and what is left over no loss: only the change counts. Without a
    price (nothing was sold) the remainder counts as nothing.
    """
    bought, sold = tuple(entries), tuple(exits)
    paid = sum((r.executed_quote + r.commission_quote for r in bought), Decimal(0))
    received = sum((r.executed_quote - r.commission_quote for r in sold), Decimal(0))
    change = position_quantity(bought, sold)
    value = change * remainder_price if remainder_price is not None else Decimal(0)
    pnl = received + value - paid
    return TradeOutcome(
        pnl_usd=pnl,
        paid_usd=paid,
        return_fraction=pnl / paid if paid else Decimal(0),
        remainder_base=opening + change,
    )
