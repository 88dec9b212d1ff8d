"""What a starting worker must not leave alone: open positions and unresolved entries, with what their guards know."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal

from sqlalchemy import RowMapping, and_, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.store.open import Store
from activities.store.order_rows import intent_of
from activities.store.ports.journal import EntryPlan, Intent
from activities.store.tables import (
    DecisionRow,
    GateAnswerRow,
    OrderRow,
    PositionRow,
    TradeOutcomeRow,
    VerificationRow,
)
from trading.contract import Contract
from trading.decision.models import Action, Fusion, Stance
from trading.money import ZERO
from trading.orders.models import OPEN, Leg, OrderStatus
from trading.risk.models import GateAnswer, Permit

NOT_TOLD = frozenset({OrderStatus.INTENDED, OrderStatus.PENDING_NEW})


class Levels(Contract):
    """Where the idea of an entry is wrong, where it is right, and how long it may take."""

    stop_price: Decimal
    target_price: Decimal | None = None
    horizon_hours: int


class OpenEntry(Contract):
    """An entry with the levels of its decision and the answer that permitted it."""

    intent: Intent
    levels: Levels | None = None
    answer: GateAnswer | None = None

    @property
    def permit(self) -> Permit | None:
        return self.answer.permit if self.answer is not None else None

    @property
    def is_unresolved(self) -> bool:
        """Its last fill is not known yet."""
        return self.intent.report is None or not self.intent.report.is_terminal

    @property
    def is_filled(self) -> bool:
        return self.intent.report is not None and self.intent.report.executed_quantity > 0


class OpenTrade(Contract):
    """One account's open business in one symbol: what is held, and its orders since the last closed trade.

    A holding whose newest filled entry belongs to a closed trade is dust and no open trade.
    """

    account: str
    symbol: str
    quantity: Decimal
    entries: tuple[OpenEntry, ...]
    exits: tuple[Intent, ...] = ()


class OpenPlan(Contract):
    """An entry in slices of which more may follow: what its execution was asked, and how far it came."""

    plan: EntryPlan
    newest: OpenEntry | None = None


async def open_entry_plans(store: Store, realm: str) -> tuple[OpenPlan, ...]:
    """Every sliced entry that nothing has ended, with the newest of its orders."""
    plans = await store.open_entry_plans(realm)
    async with store.database.read() as connection:
        return tuple([await _open_plan(connection, plan) for plan in plans])


async def _open_plan(connection: AsyncConnection, plan: EntryPlan) -> OpenPlan:
    query = select(OrderRow.__table__).where(
        OrderRow.realm == plan.realm,
        OrderRow.account == plan.account,
        OrderRow.decision_id == plan.decision_id,
        OrderRow.leg == Leg.ENTRY.value,
    )
    rows = (await connection.execute(query)).mappings().all()
    newest = max(rows, key=lambda row: (row["slice_number"], row["revision"]), default=None)
    return OpenPlan(
        plan=plan,
        newest=None if newest is None else await _open_entry(connection, plan.realm, intent_of(newest)),
    )


async def open_trades(store: Store, realm: str) -> tuple[OpenTrade, ...]:
    """Every open trade of the realm, by account and symbol, as one moment of the database shows it."""
    async with store.database.read() as connection:
        found = [
            await _open_trade(connection, realm, account, symbol)
            for account, symbol in await _candidates(connection, realm)
        ]
    return tuple(trade for trade in found if trade is not None)


async def _candidates(connection: AsyncConnection, realm: str) -> list[tuple[str, str]]:
    unresolved = [status.value for status in OPEN]
    query = union(
        select(PositionRow.account, PositionRow.symbol).where(PositionRow.realm == realm, PositionRow.quantity != ZERO),
        select(OrderRow.account, OrderRow.symbol).where(OrderRow.realm == realm, OrderRow.status.in_(unresolved)),
    )
    return sorted((row.account, row.symbol) for row in await connection.execute(query))


async def _open_trade(connection: AsyncConnection, realm: str, account: str, symbol: str) -> OpenTrade | None:
    mine = and_(
        OrderRow.realm == realm,
        OrderRow.account == account,
        OrderRow.symbol == symbol,
        OrderRow.closed_with.is_(None),
    )
    rows = (await connection.execute(select(OrderRow.__table__).where(mine))).mappings().all()
    orders = [intent_of(row) for row in sorted(rows, key=_when_intended)]
    closed = await _closed_decisions(connection, realm, account, symbol)
    half_told = {order.request.led_by for order in orders if order.status in NOT_TOLD}
    entries = _since_last_close([order for order in orders if order.request.leg is Leg.ENTRY], closed, half_told)
    if not entries:
        return None
    began = entries[0].request.as_of
    held = select(PositionRow.quantity).where(
        PositionRow.realm == realm, PositionRow.account == account, PositionRow.symbol == symbol
    )
    return OpenTrade(
        account=account,
        symbol=symbol,
        quantity=(await connection.execute(held)).scalar_one_or_none() or ZERO,
        entries=tuple([await _open_entry(connection, realm, entry) for entry in entries]),
        exits=tuple(
            order
            for order in orders
            if order.request.leg is not Leg.ENTRY
            and order.request.as_of >= began
            and order.request.decision_id not in closed
        ),
    )


def _when_intended(row: RowMapping) -> tuple[object, ...]:
    return row["as_of"], row["revision"], row["client_order_id"]


def _since_last_close(
    entries: Sequence[Intent], closed: frozenset[str], half_told: Collection[str | None]
) -> list[Intent]:
    """Entries after the newest one whose trade is closed, without those that ended and never filled.

    One whose exits have not been told yet is among them whatever it came to: their rows are not at their end.
    """
    last = max((place for place, entry in enumerate(entries) if entry.request.decision_id in closed), default=-1)
    return [
        entry
        for entry in entries[last + 1 :]
        if entry.report is None
        or not entry.report.is_terminal
        or entry.report.executed_quantity > 0
        or entry.request.client_order_id in half_told
    ]


async def _closed_decisions(connection: AsyncConnection, realm: str, account: str, symbol: str) -> frozenset[str]:
    query = select(TradeOutcomeRow.decision_id).where(
        TradeOutcomeRow.realm == realm, TradeOutcomeRow.account == account, TradeOutcomeRow.symbol == symbol
    )
    return frozenset((await connection.execute(query)).scalars())


async def _open_entry(connection: AsyncConnection, realm: str, entry: Intent) -> OpenEntry:
    decision, account = entry.request.decision_id, entry.request.account
    given = select(GateAnswerRow.answer).where(
        GateAnswerRow.realm == realm, GateAnswerRow.decision_id == decision, GateAnswerRow.account == account
    )
    answers = [GateAnswer.model_validate_json(text) for text in (await connection.execute(given)).scalars()]
    matching = (a for a in answers if a.permit is not None and a.permit.id == entry.request.permit_id)
    return OpenEntry(intent=entry, levels=await _levels(connection, realm, decision), answer=next(matching, None))


async def _levels(connection: AsyncConnection, realm: str, decision: str) -> Levels | None:
    """The levels that were fused; of a decision that never came to its end the most careful ones that were proposed."""
    query = select(DecisionRow.fusion).where(DecisionRow.realm == realm, DecisionRow.decision_id == decision)
    text = (await connection.execute(query)).scalar_one_or_none()
    if text is not None:
        fusion = Fusion.model_validate_json(text)
        if fusion.stop_price is not None:
            return Levels(
                stop_price=fusion.stop_price, target_price=fusion.target_price, horizon_hours=fusion.horizon_hours
            )
    told = select(VerificationRow.stance).where(VerificationRow.realm == realm, VerificationRow.decision_id == decision)
    stances = [Stance.model_validate_json(text) for text in (await connection.execute(told)).scalars()]
    buys = [stance for stance in stances if stance.speaks and stance.action is Action.BUY]
    stops = [stance.stop_price for stance in buys if stance.stop_price is not None]
    if not stops:
        return None
    return Levels(
        stop_price=max(stops),
        target_price=min((s.target_price for s in buys if s.target_price is not None), default=None),
        horizon_hours=min(stance.horizon_hours for stance in buys),
    )
