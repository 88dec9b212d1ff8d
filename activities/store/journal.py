"""Orders and fills: the intent before the effect, the venue's word after it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, and_, bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.exchange.port import PreparedLeg, PreparedOrder, VenueAnswer
from activities.store.armed import standing_arming
from activities.store.closings import check_books
from activities.store.engine import Database
from activities.store.holdings import take_fills
from activities.store.order_rows import BESIDE, REQUEST_COLUMNS, fill_of, intent_of, report_of
from activities.store.ports.journal import Intent, IntentRefused
from activities.store.tables import FillRow, GateRow, OrderRow
from activities.store.unanswered import naked_since, unanswered_since
from trading.ledger.positions import assets_of, quote_value
from trading.ledger.venue_reset import VENUE_RESET
from trading.money import ZERO
from trading.orders.models import (
    RESTING,
    TERMINAL,
    Fill,
    OrderKey,
    OrderReport,
    OrderRequest,
    OrderStatus,
    OutcomeClass,
    Side,
    VenueOrder,
)
from trading.risk.arming import must_be_armed
from trading.risk.models import Mode


class JournalRows:
    """`OrderJournal` over the tables."""

    _database: Database

    async def find_intent(self, key: OrderKey) -> Intent | None:
        async with self._database.read() as connection:
            row = await _find(connection, key)
        return None if row is None else intent_of(row)

    async def record_intent(self, request: OrderRequest, prepared: PreparedOrder) -> Intent:
        async with self._database.write() as connection:
            row = await _find(connection, request.key)
            if row is None or row["sends"] == 0:
                await check_books(self._database, connection, request)
            if row is None:
                if request.raises_exposure:
                    await _check_gate(connection, request)
                await self._database.add(connection, OrderRow, _intent_values(request, prepared))
                for leg, sent in zip(request.beside, prepared.beside, strict=True):
                    await self._database.add(
                        connection, OrderRow, _intent_values(leg, _prepared_leg(prepared, leg, sent))
                    )
                row = await _find(connection, request.key)
                assert row is not None, "a row that was inserted or was in the way is there"
            elif request.raises_exposure and row["sends"] == 0:
                await _check_gate(connection, request)
            intent = intent_of(row)
            if intent.request != request:
                unlike = _unlike(intent.request, request)
                raise ValueError(f"order {request.client_order_id} is recorded with another request: {unlike}")
            return intent

    async def record_adopted(self, request: OrderRequest, prepared: PreparedOrder) -> Intent:
        async with self._database.write() as connection:
            if await _find(connection, request.key) is None:
                await self._database.add(connection, OrderRow, _intent_values(request, prepared))
            row = await _find(connection, request.key)
            assert row is not None, "a row that was inserted or was in the way is there"
            return intent_of(row)

    async def record_resend(self, key: OrderKey, prepared: PreparedOrder) -> Intent:
        async with self._database.write() as connection:
            row = await _locked(self._database, connection, key)
            _refuse_closed(row)
            intent = intent_of(row)
            await check_books(self._database, connection, intent.request)
            if intent.request.raises_exposure:
                await _check_gate(connection, intent.request)
            if intent.status not in {OrderStatus.INTENDED, OrderStatus.FROZEN}:
                raise ValueError(
                    f"order {key.client_order_id} is {intent.status.value}: only an unresolved one is sent again"
                )
            await connection.execute(update(OrderRow).where(_at(key)).values(prepared=prepared.model_dump_json()))
            return intent.model_copy(update={"prepared": prepared})

    async def record_sent(self, key: OrderKey) -> None:
        async with self._database.write() as connection:
            open_books = and_(_at(key), OrderRow.closed_with.is_(None))
            done = await connection.execute(update(OrderRow).where(open_books).values(sends=OrderRow.sends + 1))
            if not done.rowcount:
                _refuse_closed(await _locked(self._database, connection, key))

    async def record_answer(self, key: OrderKey, answer: VenueAnswer) -> None:
        async with self._database.write() as connection:
            row = await _locked(self._database, connection, key)
            if row["venue_order_id"] is not None or OrderStatus(row["status"]) in TERMINAL:
                return
            values: dict[str, Any] = {"outcome": answer.outcome.value, "reason": answer.message}
            if answer.outcome is OutcomeClass.REFUSED and row["status"] == OrderStatus.INTENDED.value:
                values |= {"status": OrderStatus.REFUSED.value, "code": answer.code}
                await connection.execute(update(OrderRow).where(_led_by(key)).values(**values))
            await connection.execute(update(OrderRow).where(_at(key)).values(**values))

    async def record_order(self, key: OrderKey, order: VenueOrder, fills: Sequence[Fill]) -> OrderReport:
        async with self._database.write() as connection:
            row = await _locked(self._database, connection, key)
            if row["closed_with"] is not None:
                return report_of(row)
            _same_order(row, order, fills)
            known = await _fills_of(connection, key)
            fresh = _fresh(known, fills)
            if fresh:
                values = [_fill_values(key, fill) for fill in fresh]
                await connection.execute(insert(FillRow), values)
                await take_fills(self._database, connection, key, fresh)
            told = _venue_values(row, order) | _sums(row["symbol"], (*known, *fresh))
            if row["accepted_at"] is None and _is_accepted(row, order):
                told |= await _acceptance(connection, row, order)
            changed = {name: value for name, value in told.items() if row[name] != value}
            if changed:
                await connection.execute(update(OrderRow).where(_at(key)).values(**changed))
            return report_of({**row, **changed})

    async def unprotected_s(self, key: OrderKey) -> Decimal | None:
        async with self._database.read() as connection:
            row = await _find(connection, key)
        return None if row is None else row["unprotected_s"]

    async def unprotected_since(self, key: OrderKey) -> datetime | None:
        async with self._database.read() as connection:
            return await naked_since(connection, key.realm, key.account, key.symbol)

    async def record_status(self, key: OrderKey, status: OrderStatus, *, reason: str) -> OrderReport:
        async with self._database.write() as connection:
            row = await _locked(self._database, connection, key)
            if OrderStatus(row["status"]) in TERMINAL or (row["status"], row["reason"]) == (status.value, reason):
                return report_of(row)
            values = {"status": status.value, "reason": reason}
            await connection.execute(update(OrderRow).where(_at(key)).values(**values))
            if status in {OrderStatus.REFUSED, OrderStatus.EXPIRED}:
                await connection.execute(update(OrderRow).where(_led_by(key)).values(**values))
            return report_of({**row, **values})


def _at(key: OrderKey) -> ColumnElement[bool]:
    return and_(
        OrderRow.realm == key.realm, OrderRow.account == key.account, OrderRow.client_order_id == key.client_order_id
    )


def _led_by(key: OrderKey) -> ColumnElement[bool]:
    """The orders that went with this one and of which the venue has said nothing: they share its refusal."""
    return and_(
        OrderRow.realm == key.realm,
        OrderRow.account == key.account,
        OrderRow.led_by == key.client_order_id,
        OrderRow.status == OrderStatus.INTENDED.value,
    )


def _prepared_leg(prepared: PreparedOrder, leg: OrderRequest, sent: PreparedLeg) -> PreparedOrder:
    """How a leg left: inside its lead's request, whose fields are kept once."""
    changes = {"key": leg.key, "fields": (), "beside": ()}
    return prepared.model_copy(update=changes | sent.model_dump(exclude={"client_order_id"}))


def _unknown(key: OrderKey) -> ValueError:
    return ValueError(
        f"order {key.client_order_id} of account {key.account} in {key.realm} has no intent: record it first"
    )


_FIND = select(OrderRow.__table__).where(
    OrderRow.realm == bindparam("realm"),
    OrderRow.account == bindparam("account"),
    OrderRow.client_order_id == bindparam("client_order_id"),
)
_FILLS = select(FillRow.__table__).where(
    FillRow.realm == bindparam("realm"),
    FillRow.account == bindparam("account"),
    FillRow.client_order_id == bindparam("client_order_id"),
)
_GATE = (
    select(GateRow.mode, GateRow.epoch)
    .where(GateRow.realm == bindparam("realm"), GateRow.account == bindparam("account"))
    .with_for_update()
)
_FROZEN = (
    select(OrderRow.client_order_id)
    .where(
        OrderRow.realm == bindparam("realm"),
        OrderRow.account == bindparam("account"),
        OrderRow.symbol == bindparam("symbol"),
        OrderRow.status == OrderStatus.FROZEN.value,
        OrderRow.client_order_id != bindparam("client_order_id"),
    )
    .order_by(OrderRow.client_order_id)
    .limit(1)
)
"""Built once: putting a statement together costs more than running it."""


def _names(key: OrderKey) -> dict[str, str]:
    return {"realm": key.realm, "account": key.account, "client_order_id": key.client_order_id}


async def _find(connection: AsyncConnection, key: OrderKey) -> RowMapping | None:
    return (await connection.execute(_FIND, _names(key))).mappings().one_or_none()


async def _locked(database: Database, connection: AsyncConnection, key: OrderKey) -> RowMapping:
    """The order's row, with the account's ledger to ourselves."""
    await database.serialise(connection, key.realm, key.account)
    row = await _find(connection, key)
    if row is None:
        raise _unknown(key)
    return row


def _refuse_closed(row: RowMapping) -> None:
    """Nothing is sent for an order of books that a wiped venue ended, whoever is still about to."""
    if row["closed_with"] is not None:
        raise IntentRefused(VENUE_RESET, f"order {row['client_order_id']} ended with {row['closed_with']}")


async def _check_gate(connection: AsyncConnection, request: OrderRequest) -> None:
    gate = (await connection.execute(_GATE, {"realm": request.realm, "account": request.account})).one_or_none()
    if gate is None:
        raise IntentRefused("unknown_account", f"account {request.account} of {request.realm} has no gate row")
    if gate.mode == Mode.HALTED.value:
        raise IntentRefused("halted", f"account {request.account} is halted")
    if request.epoch < gate.epoch:
        message = f"the order's epoch {request.epoch} is older than the account's {gate.epoch}: ask the desk again"
        raise IntentRefused("epoch_older", message)
    if must_be_armed(request.realm):
        armed = await standing_arming(connection, request.realm, request.account)
        if armed is None:
            raise IntentRefused("not_armed", f"account {request.account} is not armed: nothing is opened in it")
    if request.permit_id is None:
        raise IntentRefused("no_permit", "an order that raises exposure needs a permit of the desk")
    asked = {**_names(request.key), "symbol": request.symbol}
    frozen = (await connection.execute(_FROZEN, asked)).scalar_one_or_none()
    if frozen is not None:
        message = f"{request.symbol} waits for a person: what became of order {frozen} is not known"
        raise IntentRefused("symbol_frozen", message)


def _intent_values(request: OrderRequest, prepared: PreparedOrder) -> dict[str, Any]:
    return {
        **request.model_dump(mode="python", exclude={"beside"}),
        "beside": BESIDE.dump_json(request.beside).decode() if request.beside else "",
        "status": OrderStatus.INTENDED.value,
        "code": None,
        "venue_order_id": None,
        "venue_executed_quantity": ZERO,
        "executed_quantity": ZERO,
        "executed_quote": ZERO,
        "commission_base": ZERO,
        "commission_quote": ZERO,
        "observed_at": request.as_of,
        "reason": "",
        "outcome": OutcomeClass.NOT_SENT.value,
        "sends": 0,
        "prepared": prepared.model_dump_json(),
        "intended_at": datetime.now(UTC),
        "accepted_at": None,
        "unprotected_s": None,
    }


def _unlike(recorded: OrderRequest, given: OrderRequest) -> str:
    unlike = [
        f"{name} {getattr(recorded, name)} is now {getattr(given, name)}"
        for name in REQUEST_COLUMNS
        if getattr(recorded, name) != getattr(given, name)
    ]
    return ", ".join(unlike)


def _same_order(row: RowMapping, order: VenueOrder, fills: Sequence[Fill]) -> None:
    """A venue's answer about something else must not enter this order's row."""
    mine = (row["client_order_id"], row["symbol"], row["side"])
    heard = [(told.client_order_id, told.symbol, told.side.value) for told in fills]
    for theirs in ((order.client_order_id, order.symbol, order.side.value), *heard):
        if mine != theirs:
            raise ValueError(f"the venue's {' '.join(theirs)} is not the order {' '.join(mine)}")
    if row["venue_order_id"] not in {None, order.venue_order_id}:
        known = f"order {row['client_order_id']} is {row['venue_order_id']} at the venue"
        raise ValueError(f"{known}, now told as {order.venue_order_id}")


async def _fills_of(connection: AsyncConnection, key: OrderKey) -> tuple[Fill, ...]:
    return tuple(fill_of(row) for row in (await connection.execute(_FILLS, _names(key))).mappings())


def _fresh(known: Sequence[Fill], told: Sequence[Fill]) -> tuple[Fill, ...]:
    """What is new in `told`; raises `ValueError` where a stored trade is now told differently."""
    by_id = {fill.trade_id: fill for fill in known}
    fresh: dict[str, Fill] = {}
    for fill in told:
        stored = by_id.get(fill.trade_id) or fresh.setdefault(fill.trade_id, fill)
        if stored != fill:
            raise ValueError(f"trade {fill.trade_id} of {fill.symbol} is stored as {stored} and now told as {fill}")
    return tuple(fresh.values())


def _venue_values(row: RowMapping, order: VenueOrder) -> dict[str, Any]:
    settled = OrderStatus(row["status"]) in TERMINAL and row["venue_order_id"] is not None
    older = order.status not in TERMINAL and (
        order.updated_at < row["observed_at"] or order.executed_quantity < row["venue_executed_quantity"]
    )
    values: dict[str, Any] = {"venue_order_id": order.venue_order_id, "outcome": OutcomeClass.ACCEPTED.value}
    values["venue_executed_quantity"] = max(order.executed_quantity, row["venue_executed_quantity"])
    if row["led_by"] is not None and order.quantity > 0:
        values["quantity"] = order.quantity  # a list's leg is sized by what its working order brought
    if settled or (older and row["venue_order_id"] is not None):
        return values
    return values | {"status": order.status.value, "observed_at": order.updated_at, "code": None, "reason": ""}


def _is_accepted(row: RowMapping, order: VenueOrder) -> bool:
    """Whether it has rested or traded: the exits of a list whose entry did not fill only end."""
    if order.status in {OrderStatus.PENDING_NEW, OrderStatus.REJECTED}:
        return False
    return row["led_by"] is None or order.status in RESTING or order.executed_quantity > 0


async def _acceptance(connection: AsyncConnection, row: RowMapping, order: VenueOrder) -> dict[str, Any]:
    """When the venue took the order, and of an exit how long what it answers was held without one.

    One that came in another order's list answers nothing that this one has not.
    """
    accepted: dict[str, Any] = {"accepted_at": order.created_at}
    if order.side is Side.BUY or row["led_by"] is not None:
        return accepted
    since = await unanswered_since(connection, row["realm"], row["account"], row["symbol"], before=order.created_at)
    if since is None:
        return accepted
    return accepted | {"unprotected_s": Decimal(str((order.created_at - since).total_seconds()))}


def _sums(symbol: str, fills: Sequence[Fill]) -> dict[str, Decimal]:
    base, quote = assets_of(symbol)
    return {
        "executed_quantity": sum((fill.quantity for fill in fills), ZERO),
        "executed_quote": sum((quote_value(fill) for fill in fills), ZERO),
        "commission_base": sum((fill.commission for fill in fills if fill.commission_asset == base), ZERO),
        "commission_quote": sum((fill.commission for fill in fills if fill.commission_asset == quote), ZERO),
    }


def _fill_values(key: OrderKey, fill: Fill) -> dict[str, Any]:
    return {"realm": key.realm, "account": key.account, **fill.model_dump(mode="python")}
