"""What a review is given: closed trades with their plan and their orders, decisions that did not trade, equity."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from trading.contract import Contract, Utc
from trading.money import ZERO
from trading.orders.models import TERMINAL, Leg, OrderStatus, OrderType, Side


class ReviewedOrder(Contract):
    """One order as it ended. Times are market time; `commission_usd` counts base commissions at their price."""

    client_order_id: str
    decision_id: str
    account: str
    symbol: str
    leg: Leg
    side: Side
    type: OrderType
    status: OrderStatus
    quantity: Decimal
    executed_quantity: Decimal = ZERO
    executed_quote: Decimal = ZERO
    commission_usd: Decimal = ZERO
    expected_price: Decimal | None = None
    stop_price: Decimal | None = None
    as_of: Utc
    first_fill_at: Utc | None = None
    last_fill_at: Utc | None = None

    @property
    def average_price(self) -> Decimal | None:
        return self.executed_quote / self.executed_quantity if self.executed_quantity else None

    @property
    def is_done(self) -> bool:
        return self.status in TERMINAL

    @property
    def reference_price(self) -> Decimal | None:
        """What the fill is measured against: the expected price, or the level at which a stop triggers."""
        return self.expected_price if self.expected_price is not None else self.stop_price


class EntryPlan(Contract):
    """What the entry's decision expected, and what its market looked like. `None` where it was not recorded."""

    entry_price: Decimal | None = None
    stop_price: Decimal | None = None
    target_price: Decimal | None = None
    horizon_hours: int | None = None
    confidence: Decimal | None = None
    win_probability: Decimal | None = None
    trend_regime: str | None = None
    risk_regime: str | None = None
    change_24h: Decimal | None = None
    opposing_facts: int | None = None
    """Facts of the snapshot that spoke against the entry."""
    opposing_cited: int | None = None
    """How many of these the accepted proposals cited."""

    @property
    def expected_return(self) -> Decimal | None:
        """The mean of target and stop at the stated win probability, as a fraction of the entry; before costs."""
        if self.entry_price is None or self.stop_price is None or self.target_price is None:
            return None
        if self.win_probability is None or self.entry_price <= 0:
            return None
        gain, loss = self.target_price / self.entry_price - 1, 1 - self.stop_price / self.entry_price
        return self.win_probability * gain - (1 - self.win_probability) * loss

    @property
    def planned_loss(self) -> Decimal | None:
        """Distance from entry to stop as a fraction of the entry."""
        if self.entry_price is None or self.stop_price is None or self.entry_price <= 0:
            return None
        return 1 - self.stop_price / self.entry_price


class DecisionChain(Contract):
    """Where each link of a decision is kept: ids and content hashes, for whoever wants to read it again."""

    decision_id: str
    cause: str = ""
    as_of: Utc | None = None
    playbook_version: str = ""
    recall_hash: str | None = None
    snapshot_hash: str | None = None
    answer_hashes: tuple[str, ...] = ()
    finding_codes: tuple[str, ...] = ()
    gate_request_ids: tuple[str, ...] = ()
    client_order_ids: tuple[str, ...] = ()


class ClosedTrade(Contract):
    """One closed trade of one account. `decision_id` is the one its outcome is recorded under."""

    account: str
    symbol: str
    decision_id: str
    opened_at: Utc | None = None
    closed_at: Utc
    pnl_usd: Decimal
    return_fraction: Decimal
    exit_reason: str = ""
    plan: EntryPlan = EntryPlan()
    orders: tuple[ReviewedOrder, ...] = ()
    chain: DecisionChain | None = None

    @property
    def won(self) -> bool:
        return self.pnl_usd > 0

    @property
    def held(self) -> timedelta | None:
        return None if self.opened_at is None else self.closed_at - self.opened_at

    @property
    def entries(self) -> tuple[ReviewedOrder, ...]:
        return tuple(order for order in self.orders if order.leg is Leg.ENTRY and order.executed_quantity > 0)

    @property
    def exits(self) -> tuple[ReviewedOrder, ...]:
        return tuple(order for order in self.orders if order.leg is not Leg.ENTRY and order.executed_quantity > 0)

    @property
    def key(self) -> tuple[str, str, str]:
        return self.account, self.symbol, self.decision_id


class DecisionTally(Contract):
    """The decisions of a period by how they ended, for one account."""

    decisions: int = 0
    outcomes: tuple[tuple[str, int], ...] = ()
    denials: tuple[tuple[str, int], ...] = ()
    findings: tuple[tuple[str, int], ...] = ()
    regimes: tuple[tuple[str, str, int], ...] = ()
    """(symbol, trend regime, decisions that saw it)."""
    model_calls: int = 0
    models_cost_usd: Decimal = ZERO


class EquityPoint(Contract):
    at: Utc
    equity_usd: Decimal


def in_order(trades: tuple[ClosedTrade, ...]) -> tuple[ClosedTrade, ...]:
    """By time of closing; ties by account, symbol and decision: one order for everything that counts."""
    return tuple(sorted(trades, key=lambda trade: (trade.closed_at, *trade.key)))
