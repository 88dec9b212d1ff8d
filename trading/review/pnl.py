"""The worth of an open position from up to three price sources, and whether they agree (C29)."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from trading.contract import Contract
from trading.ledger.positions import Position
from trading.policy.model import Policy

PnlMethod = Literal["mark", "last_trade", "stream"]
METHODS: tuple[PnlMethod, ...] = ("mark", "last_trade", "stream")
"""In order of preference (S4-29 to S4-31)."""


class ReliablePnl(Contract):
    """Unrealised PnL of one position after fees. `method` is the best source that answered; without any it is `None`.

    `is_consistent` compares the worth of the position over the sources (`None` with fewer than two); `was_repaired`
    says that a reported zero was computed anew because a price was there (S4-35): a zero is never repaired without.
    """

    account: str
    symbol: str
    quantity: Decimal
    pnl_usd: Decimal | None
    method: PnlMethod | None
    by_method: tuple[tuple[PnlMethod, Decimal], ...]
    missing: tuple[PnlMethod, ...]
    is_consistent: bool | None
    spread_fraction: Decimal | None
    was_repaired: bool
    is_complete: bool


def reliable_pnl(
    position: Position,
    *,
    mark: Decimal | None,
    last_trade: Decimal | None,
    stream: Decimal | None,
    reported_usd: Decimal | None = None,
    policy: Policy,
) -> ReliablePnl:
    """The PnL of `position` by the best source. `reported_usd` is what someone else says it is, if anyone does."""
    prices: tuple[tuple[PnlMethod, Decimal | None], ...] = (
        ("mark", mark),
        ("last_trade", last_trade),
        ("stream", stream),
    )
    known = [(method, price) for method, price in prices if price is not None and price > 0]
    values = tuple((method, position.quantity * price - position.cost) for method, price in known)
    spread = max(p for _, p in known) / min(p for _, p in known) - 1 if len(known) > 1 else None
    computed = values[0][1] if values else None
    return ReliablePnl(
        account=position.account,
        symbol=position.symbol,
        quantity=position.quantity,
        pnl_usd=reported_usd if computed is None else computed,
        method=values[0][0] if values else None,
        by_method=values,
        missing=tuple(method for method in METHODS if method not in dict(known)),
        is_consistent=None if spread is None else spread <= policy.pnl_tolerance_fraction,
        spread_fraction=spread,
        was_repaired=reported_usd == 0 and computed is not None and computed != 0,
        is_complete=not position.unvalued_fees,
    )
