"""Fills to positions: net of base commission, average cost with fees, realised PnL, FIFO lots (venue.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from pydantic import Field

from trading.contract import Contract, Utc
from trading.money import ZERO, quantised
from trading.orders.models import Fill, Side


def assets_of(symbol: str) -> tuple[str, str]:
    """Base and quote of a symbol written `BASE/QUOTE`; raises `ValueError` for any other form."""
    base, slash, quote = symbol.partition("/")
    if not (base and slash and quote) or "/" in quote:
        raise ValueError(f"symbol {symbol!r} is not of the form BASE/QUOTE, like BTC/USDT")
    return base, quote


def quote_value(fill: Fill) -> Decimal:
    """Price times quantity to eight places: the quote amount that changed hands, before any commission."""
    return quantised(fill.price * fill.quantity)


class Lot(Contract):
    """What one opening fill still holds; quantity and cost are negative for a sale beyond the position."""

    trade_id: str
    opened_at: Utc
    quantity: Decimal
    cost: Decimal = Field(description="quote units, fees valued at the fill included")


class FifoGain(Contract):
    """What one fill realised first-in first-out, for the export of trades."""

    trade_id: str
    symbol: str
    closed_quantity: Decimal
    gain: Decimal = Field(description="quote units")


class Position(Contract):
    """An account's holding of one symbol in base units. All money is in quote units.

    `cost` is what the held quantity cost with its fees; `unvalued_fees` names commissions in a third asset for which
    no price at the fill was given: PnL is incomplete by them until it is recomputed.
    """

    account: str
    symbol: str
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realised_pnl: Decimal = ZERO
    fifo_pnl: Decimal = ZERO
    fees: Decimal = Field(default=ZERO, description="all commissions valued at their fills")
    lots: tuple[Lot, ...] = ()
    fills: int = 0
    unvalued_fees: tuple[tuple[str, Decimal], ...] = ()
    last_trade_id: str | None = None
    last_price: Decimal | None = None
    last_fill_at: Utc | None = None

    @property
    def average_price(self) -> Decimal | None:
        """Average cost of one held unit with fees, or `None` when nothing is held."""
        return self.cost / self.quantity if self.quantity else None


FillKey = tuple[datetime, int, str]


def fill_key(fill: Fill) -> FillKey:
    """Where a fill stands in the ledger's one order: time, then trade id (numbers by value)."""
    return _key(fill.filled_at, fill.trade_id)


def _key(at: datetime, trade_id: str) -> FillKey:
    return at, len(trade_id), trade_id


def distinct_fills(fills: Iterable[Fill]) -> tuple[Fill, ...]:
    """Each trade once, in the ledger's order. Raises `ValueError` where one trade id tells two stories."""
    by_id: dict[tuple[str, str], Fill] = {}
    for fill in fills:
        known = by_id.setdefault((fill.symbol, fill.trade_id), fill)
        if known != fill:
            raise ValueError(
                f"trade {fill.trade_id} of {fill.symbol} is told twice and differently: {known} and {fill}"
            )
    return tuple(sorted(by_id.values(), key=fill_key))


def position_of(
    account: str, symbol: str, fills: Iterable[Fill], *, fee_prices: Mapping[str, Decimal] | None = None
) -> Position:
    """The position that `fills` (any order, any duplication; of this symbol) come to.

    `fee_prices` values a commission in a third asset: trade id to quote units per unit of that asset at the fill.
    """
    return extended(Position(account=account, symbol=symbol), distinct_fills(fills), fee_prices=fee_prices)


def follows(position: Position, fills: Iterable[Fill]) -> bool:
    """Whether every one of `fills` comes after all that the position has taken in: then `extended` may be used."""
    if position.last_fill_at is None or position.last_trade_id is None:
        return True
    last = _key(position.last_fill_at, position.last_trade_id)
    return all(fill_key(fill) > last for fill in fills)


def extended(position: Position, fills: Iterable[Fill], *, fee_prices: Mapping[str, Decimal] | None = None) -> Position:
    """The position after new `fills`. Raises `ValueError` for a fill of another symbol or one that does not follow."""
    account = _Running.of(position)
    for fill in distinct_fills(fills):
        account.take(fill, fee_prices or {})
    return account.position()


def fifo_gains(
    symbol: str, fills: Iterable[Fill], *, fee_prices: Mapping[str, Decimal] | None = None
) -> tuple[FifoGain, ...]:
    """The first-in first-out gain of each fill that closed something, in the ledger's order."""
    running = _Running.of(Position(account="", symbol=symbol))
    gains = []
    for fill in distinct_fills(fills):
        closed, gain = running.take(fill, fee_prices or {})
        if closed:
            gains.append(FifoGain(trade_id=fill.trade_id, symbol=symbol, closed_quantity=closed, gain=gain))
    return tuple(gains)


@dataclass(slots=True)
class _Running:
    start: Position
    base: str
    quote: str
    quantity: Decimal
    cost: Decimal
    realised: Decimal
    fifo: Decimal
    fees: Decimal
    fills: int
    lots: list[Lot]
    unvalued: dict[str, Decimal]
    last: Fill | None = None
    last_key: FillKey | None = field(default=None)

    @classmethod
    def of(cls, position: Position) -> _Running:
        base, quote = assets_of(position.symbol)
        key = None
        if position.last_fill_at is not None and position.last_trade_id is not None:
            key = _key(position.last_fill_at, position.last_trade_id)
        return cls(
            start=position,
            base=base,
            quote=quote,
            quantity=position.quantity,
            cost=position.cost,
            realised=position.realised_pnl,
            fifo=position.fifo_pnl,
            fees=position.fees,
            fills=position.fills,
            lots=list(position.lots),
            unvalued=dict(position.unvalued_fees),
            last_key=key,
        )

    def take(self, fill: Fill, fee_prices: Mapping[str, Decimal]) -> tuple[Decimal, Decimal]:
        """Apply one fill; how much it closed, and the FIFO gain of that."""
        if fill.symbol != self.start.symbol:
            raise ValueError(f"a fill of {fill.symbol} does not belong to the position in {self.start.symbol}")
        key = fill_key(fill)
        if self.last_key is not None and key <= self.last_key:
            raise ValueError(
                f"trade {fill.trade_id} of {fill.symbol} does not follow the last one taken: recompute all"
            )
        change, paid = self._moves(fill, fee_prices)
        closed, closing_paid = self._close_share(change, paid)
        gain = self._fifo(fill, change, paid, closed, closing_paid)
        if closed:
            cost_out = self.cost if closed == abs(self.quantity) else quantised(self.cost * closed / abs(self.quantity))
            self.realised += -closing_paid - cost_out
            self.cost += paid - closing_paid - cost_out
        else:
            self.cost += paid
        self.quantity += change
        self.fifo += gain
        self.fills += 1
        self.last, self.last_key = fill, key
        return closed, gain

    def _moves(self, fill: Fill, fee_prices: Mapping[str, Decimal]) -> tuple[Decimal, Decimal]:
        """The signed change in base units and the signed quote amount paid for it, fees valued at the fill."""
        sign = 1 if fill.side is Side.BUY else -1
        change, paid = sign * fill.quantity, sign * quote_value(fill)
        if fill.commission_asset == self.base:
            change -= fill.commission
            self.fees += quantised(fill.commission * fill.price)
        elif fill.commission_asset == self.quote:
            paid += fill.commission
            self.fees += fill.commission
        elif fill.trade_id in fee_prices:
            value = quantised(fill.commission * fee_prices[fill.trade_id])
            paid += value
            self.fees += value
        elif fill.commission:
            self.unvalued[fill.commission_asset] = self.unvalued.get(fill.commission_asset, ZERO) + fill.commission
        return change, paid

    def _close_share(self, change: Decimal, paid: Decimal) -> tuple[Decimal, Decimal]:
        if self.quantity * change >= 0:
            return ZERO, ZERO
        closed = min(abs(change), abs(self.quantity))
        return closed, paid if closed == abs(change) else quantised(paid * closed / abs(change))

    def _fifo(self, fill: Fill, change: Decimal, paid: Decimal, closed: Decimal, closing_paid: Decimal) -> Decimal:
        left, cost_out = closed, ZERO
        while left:
            lot = self.lots[0]
            if abs(lot.quantity) <= left:
                left -= abs(lot.quantity)
                cost_out += lot.cost
                del self.lots[0]
                continue
            share = quantised(lot.cost * left / abs(lot.quantity))
            rest = lot.quantity - left if lot.quantity > 0 else lot.quantity + left
            self.lots[0] = Lot(trade_id=lot.trade_id, opened_at=lot.opened_at, quantity=rest, cost=lot.cost - share)
            cost_out, left = cost_out + share, ZERO
        opened = abs(change) - closed
        if opened:
            sign = 1 if change > 0 else -1
            cost = paid - closing_paid
            self.lots.append(Lot(trade_id=fill.trade_id, opened_at=fill.filled_at, quantity=sign * opened, cost=cost))
        return -closing_paid - cost_out if closed else ZERO

    def position(self) -> Position:
        if self.last is None:
            return self.start
        return self.start.model_copy(
            update={
                "quantity": self.quantity,
                "cost": self.cost,
                "realised_pnl": self.realised,
                "fifo_pnl": self.fifo,
                "fees": self.fees,
                "lots": tuple(self.lots),
                "fills": self.fills,
                "unvalued_fees": tuple(sorted(self.unvalued.items())),
                "last_trade_id": self.last.trade_id,
                "last_price": self.last.price,
                "last_fill_at": self.last.filled_at,
            }
        )
