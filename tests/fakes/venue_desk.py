"""An account at an exchange in a process of its own, with the fault proxy between the two."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from itertools import count

from fakes.exchange import a_stop, an_entry_with_exits, an_order
from fakes.journal import FakeJournal

from activities.exchange.binance import BinanceExchange
from activities.exchange.binance_session import simulated_credential
from activities.exchange.following import OrderFollowing
from activities.exchange.placing import OrderPlacement, patience_of
from activities.exchange.port import VenueUnavailable
from activities.exchange.simulated_clock import SimulatedClock
from trading.orders.models import OrderReport, OrderRequest, OrderType
from workers.trials.fault_proxy import FaultProxy

REALM = "test-adapter"
ORDER_PATH = "/api/v3/order"
LIST_PATH = "/api/v3/orderList/opoco"

HORIZON_S = 1.2
"""Just longer than the horizon of these requests."""

_accounts = count(1)


class Desk:
    """A fresh account at the venue; `through` speaks by way of the proxy and gives up soon, `direct` past it."""

    def __init__(self, venue_url: str, proxy: FaultProxy) -> None:
        self.account = f"account-{next(_accounts)}"
        self.clock = SimulatedClock(realm=REALM, base_url=venue_url)
        self.through = self._adapter(proxy.url, answers_within_s=0.5)
        self.direct = self._adapter(venue_url, answers_within_s=10)
        self.journal = FakeJournal()

    def _adapter(self, base_url: str, *, answers_within_s: float) -> BinanceExchange:
        """Short windows, so that a horizon is a second and not eighteen; the protocol is the same."""
        return BinanceExchange(
            realm=REALM,
            venue="sim",
            base_url=base_url,
            credentials=simulated_credential,
            market_clock=self.clock,
            receive_window_s=Decimal("0.8"),
            engine_timeout_s=Decimal("0.2"),
            read_lag_s=Decimal("0.1"),
            total_timeout_s=answers_within_s,
        )

    def request(self, kind: str) -> OrderRequest:
        where = {"realm": REALM, "account": self.account, "decision_id": self.account}
        if kind == "market":
            return an_order(**where)
        if kind == "stop":
            return a_stop(**where)
        if kind == "order list":
            return an_entry_with_exits(**where)
        return an_order(**where, type=OrderType.LIMIT, price=Decimal(6900))

    async def place(self, request: OrderRequest) -> OrderReport:
        placement = OrderPlacement(self.through, self.journal, pause=asyncio.sleep, patience=patience_of(REALM))
        while True:
            try:
                return await placement.place(request)
            except VenueUnavailable:
                await asyncio.sleep(0.1)

    async def cancel(self, request: OrderRequest) -> OrderReport:
        following = OrderFollowing(self.through, self.journal, pause=asyncio.sleep)
        while True:
            try:
                return await following.cancel(request.key)
            except VenueUnavailable:
                await asyncio.sleep(0.1)
