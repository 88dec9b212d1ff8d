"""How an entry is cut so that it does not move the market: parts in time (TWAP, VWAP), or one that shows little (C24).

Pure: sizes, times and the venue's numbers come in; what the execution does step by step comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from trading.contract import Contract, Utc
from trading.ids import client_order_id
from trading.money import ZERO, ceil_to_step, floor_to_step
from trading.orders.exits import led_anew
from trading.orders.models import OrderRequest, OrderType
from trading.orders.symbols import Lot
from trading.policy.execution import ExecutionPolicy
from trading.risk.models import Permit

HOUR = timedelta(hours=1)
ICEBERG_PARTS = 10
"""The venue's own bound (`ICEBERG_PARTS`): an iceberg has at most ten parts."""


class Slice(Contract):
    """One part of an entry: it is sent at `due_at` (market time), not before."""

    number: int
    quantity: Decimal
    due_at: Utc


class Size(Contract):
    """An entry's size against what the market usually trades; `hour_volumes_usd` by hour of the UTC day, or none."""

    notional_usd: Decimal
    lot: Lot
    hour_volumes_usd: tuple[Decimal, ...] = ()

    def parts(self, terms: ExecutionPolicy) -> int:
        """Into how many parts the entry is worth cutting; 1 where it is small, or the usual volume is not known.

        Each part is at least the policy's multiple of the venue's smallest order.
        """
        usual = sum(self.hour_volumes_usd, ZERO) / len(self.hour_volumes_usd) if self.hour_volumes_usd else ZERO
        if usual <= 0 or self.notional_usd <= terms.slice_volume_fraction * usual:
            return 1
        least = terms.algo_min_notional_multiple * self.lot.min_notional_usd
        if least <= 0:
            return terms.slice_most
        return max(1, min(terms.slice_most, int(self.notional_usd / least)))


def slices_of(order: OrderRequest, size: Size, terms: ExecutionPolicy) -> tuple[Slice, ...]:
    """The parts of an entry at market, evenly in time; none where it is sent whole.

    Over up to an hour they are equal (TWAP), over more they follow the volume that these hours usually have (VWAP).
    Together they are the order's quantity on the venue's step, and never more.
    """
    count = size.parts(terms) if order.takes_at_once else 1
    if count < 2:
        return ()
    every = timedelta(seconds=terms.slice_window_s) / count
    times = [order.as_of + every * number for number in range(count)]
    equal = [Decimal(1)] * count
    weights = equal
    if timedelta(seconds=terms.slice_window_s) > HOUR and len(size.hour_volumes_usd) == 24:
        weights = [size.hour_volumes_usd[at.astimezone(UTC).hour] for at in times]
    quantities = _shares(order.quantity, weights, size.lot.step_size)
    price = size.notional_usd / order.quantity
    least = terms.algo_min_notional_multiple * size.lot.min_notional_usd
    if any(quantity * price < least for quantity in quantities):
        quantities = _shares(order.quantity, equal, size.lot.step_size)
    return tuple(
        Slice(number=number, quantity=quantity, due_at=at)
        for number, (quantity, at) in enumerate(zip(quantities, times, strict=True))
    )


def shown_part(order: OrderRequest, size: Size, terms: ExecutionPolicy) -> Decimal | None:
    """What of a resting entry the book shows (an iceberg); `None` where all of it may be seen."""
    rests = order.type is OrderType.LIMIT and not order.takes_at_once
    parts = min(size.parts(terms), ICEBERG_PARTS) if rests else 1
    return ceil_to_step(order.quantity / parts, size.lot.step_size) if parts > 1 else None


def sliced(order: OrderRequest, part: Slice) -> OrderRequest:
    """The order of one part: a child id of its own, its quantity and its time."""
    return _renamed(order, slice_number=part.number, revision=0, quantity=part.quantity)


def permitted_again(order: OrderRequest, permit: Permit, *, ask: Decimal, as_of: datetime) -> OrderRequest:
    """The same order under another permit, with the next revision's id: at most what the new permit gives.

    Its collar stays the first one's: what was decided at one price is not bought at any other.
    """
    changed = _renamed(
        order,
        slice_number=order.slice_number,
        revision=order.revision + 1,
        quantity=min(order.quantity, permit.quantity),
    )
    worst_price = ask * (1 + permit.terms.slippage_tolerance_fraction)
    renewed = changed.model_copy(
        update={
            "permit_id": permit.id,
            "epoch": permit.epoch,
            "valid_until": permit.valid_until,
            "as_of": as_of,
            "expected_price": ask,
            "worst_price": worst_price,
        }
    )
    if order.price is not None and order.takes_at_once:
        renewed = renewed.model_copy(update={"price": worst_price})
    return renewed.model_copy(update={"beside": led_anew(order.beside, renewed)}) if order.beside else renewed


def first_order_id(order: OrderRequest) -> str:
    """The client id of the entry's first order, after which its execution is named: the same for all its parts."""
    return _renamed(order, slice_number=0, revision=0, quantity=order.quantity).client_order_id


def _renamed(order: OrderRequest, *, slice_number: int, revision: int, quantity: Decimal) -> OrderRequest:
    name = client_order_id(
        ledger=order.ledger,
        account=order.account,
        decision=order.decision_id,
        leg=order.leg.value,
        slice_number=slice_number,
        revision=revision,
    )
    return order.model_copy(
        update={"slice_number": slice_number, "revision": revision, "client_order_id": name, "quantity": quantity}
    )


def _shares(quantity: Decimal, weights: Sequence[Decimal], step: Decimal) -> list[Decimal]:
    """`quantity` by weight on the step; what rounding leaves goes to the last part."""
    total = sum(weights, ZERO)
    if total <= 0:
        weights, total = [Decimal(1)] * len(weights), Decimal(len(weights))
    whole = floor_to_step(quantity, step)
    parts = [floor_to_step(whole * weight / total, step) for weight in weights]
    parts[-1] += whole - sum(parts, ZERO)
    return parts
