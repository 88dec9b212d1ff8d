"""What the exchange wrote down in a run: its own file is read when the run is over, past every line of our ledger."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Outage = tuple[int, int]
"""Wall-clock milliseconds, first and last, in which a part other than a worker was down or frozen."""

PROTECTIVE = ("STOP_LOSS", "STOP_LOSS_LIMIT")


@dataclass(frozen=True, slots=True)
class VenueRecords:
    """Orders and trades with the wall-clock milliseconds of their first row."""

    orders: tuple[tuple[int, dict[str, Any]], ...]
    trades: tuple[tuple[int, dict[str, Any]], ...]

    @property
    def client_ids(self) -> list[str]:
        return [order["client_id"] for _, order in self.orders]

    def unprotected_s(self, *, outages_ms: Sequence[Outage] = ()) -> list[float]:
        """For each entry that filled: wall seconds from its first fill to the stop, or to the sale, that answers it.

        A stop that the venue had before the fill (a pending leg of an order list) makes it zero. An entry that nothing
        answers is an error of the run: it counts until its last row. One whose wait met an outage is left out.
        """
        buys = {order["order_id"] for _, order in self.orders if order["side"] == "BUY"}
        first_fill: dict[int, tuple[int, str, str]] = {}
        for at, trade in self.trades:
            if trade["order_id"] in buys and trade["order_id"] not in first_fill:
                first_fill[trade["order_id"]] = (at, trade["account"], trade["symbol"])
        ended = max((at for at, _ in (*self.orders, *self.trades)), default=0)
        answers = self._answers()
        listed = self._listed
        waits = []
        for order, (filled, account, symbol) in first_fill.items():
            answered = (at for at in answers[account, symbol] if at >= filled)
            until = filled if order in listed else min(answered, default=ended)
            if not any(began <= until and filled <= over for began, over in outages_ms):
                waits.append((until - filled) / 1000)
        return waits

    @property
    def _listed(self) -> frozenset[int]:
        """Entries that were sent in one list with their stop."""
        stops = {
            order.get("list_id", -1)
            for _, order in self.orders
            if order["kind"] in PROTECTIVE and order.get("status") != "REJECTED"
        }
        return frozenset(
            order["order_id"]
            for _, order in self.orders
            if order["side"] == "BUY" and order.get("list_id", -1) in stops - {-1}
        )

    def _answers(self) -> dict[tuple[str, str], list[int]]:
        found: dict[tuple[str, str], list[int]] = defaultdict(list)
        for at, order in self.orders:
            if order["side"] == "SELL":
                found[order["account"], order["symbol"]].append(at)
        return found


def read_venue(path: Path) -> VenueRecords:
    """The records of an exchange that has stopped."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        orders = _rows(connection, "orders")
        trades = _rows(connection, "trades")
    return VenueRecords(orders, trades)


def _rows(connection: sqlite3.Connection, table: str) -> tuple[tuple[int, dict[str, Any]], ...]:
    rows = connection.execute(f"select wall_ms, body from {table} order by wall_ms")
    return tuple((at, json.loads(body)) for at, body in rows)
