"""Every fault on every kind of order request, spoiled once and three times in a row: at the venue is what was intended.

A row of the table is a fault, a column a kind of request, a cell how often it befalls. Zero is the undisturbed request
that the others are held against. "Three times" spoils the request and whatever is asked of its order next.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from eventually import eventually
from fakes.venue_desk import HORIZON_S, LIST_PATH, ORDER_PATH, Desk
from fakes.venue_process import venue_process

from activities.exchange.binance_session import Reply
from trading.orders.models import OrderReport, OrderRequest, OrderStatus
from workers.trials.fault_proxy import Fault, FaultProxy, Rule, venue_error

FROZEN_WORKER = "worker frozen between ask and send"
FAULTS = {
    "reset": Rule(fault=Fault.RESET),
    "hang": Rule(fault=Fault.HANG),
    "502": Rule(fault=Fault.REPLACE, status=502, body="<html>bad gateway</html>"),
    "503": Rule(fault=Fault.REPLACE, status=503, body="unavailable"),
    "-1006": venue_error(Fault.REPLACE, status=400, code=-1006, message="Execution status unknown."),
    "-1007": venue_error(Fault.REPLACE, status=504, code=-1007, message="Timeout waiting for response."),
    "half body": Rule(fault=Fault.HALF_BODY),
    "request delivered late": Rule(fault=Fault.HOLD, hold_s=HORIZON_S),
    FROZEN_WORKER: None,
}
KINDS = ("market", "limit", "stop", "order list", "cancel")
TIMES = (0, 1, 3)
PATHS = f"{ORDER_PATH}|/api/v3/orderList|{LIST_PATH}"


@dataclass(frozen=True)
class Cell:
    """What one cell came to; `wrong` says what differs from the intention, empty where nothing does."""

    fault: str
    kind: str
    times: int
    intended: int
    at_venue: int
    is_frozen: bool
    wrong: str = ""


class SleepingWorkers:
    """The first `count` order requests stop right before their bytes leave, past every check, until `wake`."""

    def __init__(self, desk: Desk, method: str, count: int) -> None:
        self._left = count
        self._awake = asyncio.Event()
        self._act = desk.through._session.act
        self._method = method
        self.asleep = 0
        desk.through._session.act = self._sleepy  # type: ignore[method-assign]

    async def _sleepy(self, method: str, path: str, fields: Any, **options: Any) -> Reply:
        if method == self._method and self._left:
            self._left -= 1
            self.asleep += 1
            await self._awake.wait()
        return await self._act(method, path, fields, **options)

    def wake(self) -> None:
        self._awake.set()


@pytest.fixture
def venue_url(tmp_path: Path) -> Iterator[str]:
    with venue_process(tmp_path, rate_limits=False) as url:
        yield url


@pytest.fixture(scope="module")
def counted(request: pytest.FixtureRequest) -> Iterator[Counter[str]]:
    """The table's sums, said in one line when its last column is done."""
    sums: Counter[str] = Counter(frozen=0)
    yield sums
    said = ", ".join(f"{name} {count}" for name, count in sorted(sums.items()))
    request.config.get_terminal_writer().line(f"\nfault matrix: {said}")


@asynccontextmanager
async def a_desk(venue_url: str) -> AsyncIterator[tuple[Desk, FaultProxy]]:
    parts = urlsplit(venue_url)
    async with FaultProxy((str(parts.hostname), int(parts.port or 0))) as proxy:
        desk = Desk(venue_url, proxy)
        await desk.clock.open_account(desk.account, {"USDT": Decimal(100_000), "BTC": Decimal(2)})
        try:
            yield desk, proxy
        finally:
            for part in (desk.through, desk.direct, desk.clock):
                await part.aclose()


async def attempts(desk: Desk, request: OrderRequest, *, cancels: bool, asleep: int) -> list[OrderReport]:
    """The call as Temporal makes it: another attempt for each worker that fell asleep, which all wake at the end."""
    call = desk.cancel if cancels else desk.place
    sleeping = SleepingWorkers(desk, "DELETE" if cancels else "POST", asleep)
    earlier = []
    for number in range(1, asleep + 1):
        earlier.append(asyncio.create_task(call(request)))
        await eventually(lambda n=number: sleeping.asleep >= n, what="a worker falls asleep before its send")
    last = await call(request)
    sleeping.wake()
    return [last, *await asyncio.gather(*earlier)]


async def run_cell(venue_url: str, fault: str, kind: str, times: int) -> Cell:
    async with a_desk(venue_url) as (desk, proxy):
        cancels = kind == "cancel"
        request = desk.request("limit" if cancels else kind)
        if cancels:
            await desk.place(request)
        rule = FAULTS[fault]
        if rule is not None and times:
            proxy.plan([rule.model_copy(update={"method": "POST|DELETE|GET", "path": PATHS, "times": times})])
        reports = await attempts(desk, request, cancels=cancels, asleep=times if rule is None else 0)
        await proxy.all_delivered()
        at_venue = await desk.direct.orders(desk.account, "BTC/USDT")
        spoiled = sum(proxy.counts[one] for one in Fault)
        names = Counter(order.client_order_id for order in at_venue)
        intended = Counter(order.client_order_id for order in (request, *request.beside))
        rests = {order.status for order in at_venue if order.client_order_id == request.client_order_id}
        wanted = OrderStatus.CANCELED if cancels else OrderStatus.NEW
        is_frozen = reports[0].status is OrderStatus.FROZEN
        wrong = [
            f"{what}: {seen}, not {meant}"
            for what, seen, meant in (
                ("orders", names, intended),
                ("status", rests, {wanted}),
                ("told", {report.status for report in reports}, {wanted}),
                ("faults used", spoiled, 0 if rule is None else times),
            )
            if seen != meant
        ]
        return Cell(
            fault=fault,
            kind=kind,
            times=times,
            intended=intended.total(),
            at_venue=names.total(),
            is_frozen=is_frozen,
            wrong="" if is_frozen and names == intended else "; ".join(wrong),
        )


@pytest.mark.parametrize("kind", KINDS)
async def test_at_the_venue_is_what_was_intended_whatever_befell_the_request(
    venue_url: str, kind: str, counted: Counter[str]
) -> None:
    cells = [run_cell(venue_url, fault, kind, times) for fault in FAULTS for times in TIMES]
    table = [await cell for cell in asyncio.as_completed([asyncio.create_task(cell) for cell in cells])]
    assert [cell for cell in table if cell.wrong] == []
    assert {(cell.fault, cell.times) for cell in table} == {(fault, times) for fault in FAULTS for times in TIMES}
    as_intended = [cell for cell in table if cell.at_venue == cell.intended and not cell.is_frozen]
    frozen = [cell for cell in table if cell.is_frozen]
    assert len(as_intended) + len(frozen) == len(FAULTS) * len(TIMES)
    counted["cells"] += len(table)
    counted["frozen"] += len(frozen)
    counted["orders intended"] += sum(cell.intended for cell in table)
    counted["orders at the venue"] += sum(cell.at_venue for cell in table)
