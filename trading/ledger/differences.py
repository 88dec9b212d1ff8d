"""Ledger against venue: orders, fills, balances per asset and the four invariants, each difference by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal

from pydantic import Field

from trading.contract import Contract, Utc
from trading.ids import content_hash
from trading.ledger.balances import balances
from trading.ledger.positions import Position, distinct_fills, position_of
from trading.money import ZERO, plain
from trading.orders.models import TERMINAL, Fill, OrderStatus, VenueOrder
from trading.orders.venue_account import Balance


class LedgerOrder(Contract):
    """An order as our ledger has it; `venue_order_id` is `None` while no answer of the venue named one."""

    client_order_id: str
    symbol: str
    status: OrderStatus
    executed_quantity: Decimal = ZERO
    executed_quote: Decimal = ZERO
    venue_order_id: str | None = None
    sends: int = 0
    intended_for: Utc = Field(default=datetime.min.replace(tzinfo=UTC), description="market time of the intent")


class LedgerView(Contract):
    """One account as we have it, with the positions as stored (not recomputed)."""

    account: str
    orders: tuple[LedgerOrder, ...] = ()
    fills: tuple[Fill, ...] = ()
    opening: tuple[tuple[str, Decimal], ...] = ()
    positions: tuple[Position, ...] = ()


class VenueView(Contract):
    """The same account as the venue tells it; every symbol that was traded must be in it."""

    account: str
    orders: tuple[VenueOrder, ...] = ()
    fills: tuple[Fill, ...] = ()
    balances: tuple[Balance, ...] = ()


class Difference(Contract):
    """One thing on which ledger and venue disagree (the keys of `reconcile --json`)."""

    kind: str
    id: str
    ours: str
    venue: str


class Transfer(Contract):
    """A balance that trades do not explain: the venue has `amount` more than we (or less, if negative)."""

    account: str
    asset: str
    amount: Decimal


ABSENT = "absent"


def compare(ours: LedgerView, venue: VenueView) -> tuple[Difference, ...]:
    """Every difference, in a stable order. Foreign orders are no differences: `foreign_orders` names them.

    Trades of foreign orders explain balances and touch no position of ours.
    """
    known = {order.client_order_id for order in ours.orders}
    own = distinct_fills(fill for fill in venue.fills if fill.client_order_id in known)
    foreign = tuple(fill for fill in venue.fills if fill.client_order_id not in known)
    return (
        *_orders(ours.orders, venue.orders),
        *_fills(ours.fills, own),
        *_balances(ours, foreign, venue.balances),
        *_invariants(ours, own),
    )


def unexplained(ours: LedgerView, venue: VenueView) -> tuple[Transfer, ...]:
    """What moved besides opening and all trades that the venue tells: transfers for a person to classify."""
    explained = balances(dict(ours.opening), distinct_fills(venue.fills))
    theirs = {balance.asset: balance.total for balance in venue.balances}
    return tuple(
        Transfer(account=ours.account, asset=asset, amount=moved)
        for asset in sorted(explained.keys() | theirs.keys())
        if (moved := theirs.get(asset, ZERO) - explained.get(asset, ZERO))
    )


def foreign_orders(ours: LedgerView, venue: VenueView) -> tuple[str, ...]:
    """Client ids of the venue's orders that are none of ours, in the order in which they were created."""
    known = {order.client_order_id for order in ours.orders}
    return tuple(order.client_order_id for order in venue.orders if order.client_order_id not in known)


def _orders(ours: Iterable[LedgerOrder], venue: Iterable[VenueOrder]) -> Iterator[Difference]:
    at_venue: dict[str, list[VenueOrder]] = {}
    for order in venue:
        at_venue.setdefault(order.client_order_id, []).append(order)
    for mine in sorted(ours, key=lambda order: order.client_order_id):
        found = at_venue.get(mine.client_order_id, [])
        if len(found) > 1:
            ids = " ".join(sorted(order.venue_order_id for order in found))
            yield Difference(
                kind="order_duplicate", id=mine.client_order_id, ours=mine.venue_order_id or "1", venue=ids
            )
        if not found:
            yield from _missing(mine)
            continue
        yield from _order(mine, _counterpart(mine, found))


def _counterpart(mine: LedgerOrder, found: list[VenueOrder]) -> VenueOrder:
    for order in found:
        if order.venue_order_id == mine.venue_order_id:
            return order
    return found[0]


def _missing(mine: LedgerOrder) -> Iterator[Difference]:
    """Absent at the venue: fine for what never left or was refused, a question for what may have been accepted."""
    if mine.venue_order_id is not None or mine.executed_quantity:
        yield Difference(kind="order_missing", id=mine.client_order_id, ours=mine.status.value, venue=ABSENT)
    elif mine.status not in TERMINAL and mine.sends:
        yield Difference(kind="order_unresolved", id=mine.client_order_id, ours=mine.status.value, venue=ABSENT)


def _order(mine: LedgerOrder, theirs: VenueOrder) -> Iterator[Difference]:
    name = mine.client_order_id
    if mine.status is not theirs.status:
        yield Difference(kind="order_status", id=name, ours=mine.status.value, venue=theirs.status.value)
    yield from _number("order_executed_quantity", name, mine.executed_quantity, theirs.executed_quantity)
    yield from _number("order_executed_quote", name, mine.executed_quote, theirs.executed_quote)


def _fills(ours: Iterable[Fill], venue: Iterable[Fill]) -> Iterator[Difference]:
    mine = {_fill_name(fill): fill for fill in ours}
    theirs = {_fill_name(fill): fill for fill in venue}
    for name in sorted(mine.keys() | theirs.keys()):
        a, b = mine.get(name), theirs.get(name)
        if a is None or b is None:
            yield Difference(kind="fill_missing", id=name, ours=_fill_text(a), venue=_fill_text(b))
            continue
        yield from _number("fill_price", name, a.price, b.price)
        yield from _number("fill_quantity", name, a.quantity, b.quantity)
        if (a.commission, a.commission_asset) != (b.commission, b.commission_asset):
            yield Difference(kind="fill_commission", id=name, ours=_commission(a), venue=_commission(b))
        if (a.client_order_id, a.side) != (b.client_order_id, b.side):
            yield Difference(
                kind="fill_order",
                id=name,
                ours=f"{a.side.value} {a.client_order_id}",
                venue=f"{b.side.value} {b.client_order_id}",
            )


def _fill_name(fill: Fill) -> str:
    return f"{fill.symbol}:{fill.trade_id}"


def _fill_text(fill: Fill | None) -> str:
    return ABSENT if fill is None else f"{fill.side.value} {plain(fill.quantity)} @ {plain(fill.price)}"


def _commission(fill: Fill) -> str:
    return f"{plain(fill.commission)} {fill.commission_asset}"


def _balances(ours: LedgerView, foreign: Iterable[Fill], venue: Iterable[Balance]) -> Iterator[Difference]:
    mine = balances(dict(ours.opening), (*ours.fills, *foreign))
    theirs = {balance.asset: balance.total for balance in venue}
    for asset in sorted(mine.keys() | theirs.keys()):
        yield from _number("balance", f"{ours.account}:{asset}", mine.get(asset, ZERO), theirs.get(asset, ZERO))


def _invariants(ours: LedgerView, own: tuple[Fill, ...]) -> Iterator[Difference]:
    """Quantity, average price, PnL and trade ids of each symbol: the stored position against the venue's trades."""
    stored = {position.symbol: position for position in ours.positions}
    for symbol in sorted(stored.keys() | {fill.symbol for fill in own}):
        mine = stored.get(symbol, Position(account=ours.account, symbol=symbol))
        told = [fill for fill in own if fill.symbol == symbol]
        theirs = position_of(ours.account, symbol, told)
        yield from _number("invariant_quantity", symbol, mine.quantity, theirs.quantity)
        yield from _number("invariant_average_price", symbol, mine.average_price, theirs.average_price)
        yield from _number("invariant_pnl", symbol, mine.realised_pnl, theirs.realised_pnl)
        recorded = [fill.trade_id for fill in ours.fills if fill.symbol == symbol]
        if sorted(recorded) != sorted(fill.trade_id for fill in told):
            yield Difference(
                kind="invariant_ids", id=symbol, ours=_ids(recorded), venue=_ids(fill.trade_id for fill in told)
            )


def _ids(trade_ids: Iterable[str]) -> str:
    ordered = sorted(trade_ids)
    return f"{len(ordered)} trades {content_hash(' '.join(ordered))[:12]}"


def _number(kind: str, name: str, ours: Decimal | None, venue: Decimal | None) -> Iterator[Difference]:
    if ours != venue:
        yield Difference(
            kind=kind,
            id=name,
            ours=ABSENT if ours is None else plain(ours),
            venue=ABSENT if venue is None else plain(venue),
        )
