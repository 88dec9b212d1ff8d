"""Orders that depend on each other: one cancels the other (OCO), triggers others (OTO) or pays for them (OPO)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from trading.matching.fills import Venue
from trading.matching.filters import down_to
from trading.matching.model import STOPS, ZERO, Fill, Order


class Contingency(StrEnum):
    """How the venue calls a list; an OTOCO, OPO or OPOCO is called OTO."""

    OCO = "OCO"
    OTO = "OTO"


class ListStatus(StrEnum):
    EXECUTING = "EXECUTING"
    ALL_DONE = "ALL_DONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderList:
    """One list; its legs know it by `list_id`. `pays_other`: pending legs sell what the working order received.

    `order_ids` has the working order first, then stop and target. `use` counts the account's earlier lists under the
    same client id.
    """

    account: str
    symbol: str
    list_id: int
    client_id: str
    contingency: Contingency
    order_ids: tuple[int, ...]
    created_ms: int
    updated_ms: int
    pays_other: bool = False
    status: ListStatus = ListStatus.EXECUTING
    use: int = 0

    @property
    def is_open(self) -> bool:
        return self.status is ListStatus.EXECUTING

    @property
    def status_type(self) -> str:
        return "EXEC_STARTED" if self.is_open else "ALL_DONE"


def received(fill: Fill, venue: Venue) -> Decimal:
    """What a buy brought in base units, net of a commission charged in them.

    Binance takes the commission from free base units where there are enough, and then the pending legs sell all of the
    fill. Here they always sell the net: what is free may be the owner's.
    """
    return fill.quantity - (fill.commission if fill.commission_asset == venue.base else ZERO)


def pending_quantity(held: Decimal, venue: Venue) -> Decimal:
    """What pending legs sell of what the working order brought: all that the lot size allows."""
    return down_to(held, venue.filters.step)


def stop_first(legs: list[Order]) -> list[Order]:
    """The legs of a pair as the venue lists them: the stop, then the target."""
    return sorted(legs, key=lambda leg: leg.kind not in STOPS)
