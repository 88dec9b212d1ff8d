"""An order through a real Temporal server: its worker goes away in the middle of the send, another one finishes it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from eventually import eventually
from fakes.exchange import FakeExchange, an_order
from fakes.journal import FakeJournal
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker

from activities.exchange.calls import ORDER_CALL, ExchangeCalls
from activities.exchange.port import PreparedOrder, VenueAnswer
from trading.orders.models import OrderReport, OrderRequest, OrderStatus

REALM = "test-calls"

pytestmark = pytest.mark.temporal


@workflow.defn(sandboxed=False)
class OneOrder:
    @workflow.run
    async def run(self, request: OrderRequest) -> OrderReport:
        return await workflow.execute_activity_method(ExchangeCalls.place_order, request, **ORDER_CALL)


class Hanging(FakeExchange):
    """Takes the first order and never answers; time passes with the wall, so a horizon is really waited for."""

    def __init__(self) -> None:
        super().__init__(realm=REALM)
        self.is_reached = asyncio.Event()

    async def send(self, prepared: PreparedOrder, *, protective: bool) -> VenueAnswer:
        answer = await super().send(prepared, protective=protective)
        if not self.is_reached.is_set():
            self.is_reached.set()
            await asyncio.Event().wait()
        return answer


async def test_a_worker_that_ends_in_the_middle_of_a_send_leaves_one_order(
    temporal_client: Client, task_queue: str
) -> None:
    exchange, journal = Hanging(), FakeJournal()

    def a_worker() -> Worker:
        return Worker(
            temporal_client,
            task_queue=task_queue,
            workflows=[OneOrder],
            activities=[ExchangeCalls(exchange, journal).place_order],
            graceful_shutdown_timeout=timedelta(0),
        )

    request = an_order(realm=REALM)
    async with a_worker():
        handle = await temporal_client.start_workflow(
            OneOrder.run, request, id=f"{task_queue}-order", task_queue=task_queue
        )
        await eventually(exchange.is_reached.is_set)
    async with a_worker():
        report = await asyncio.wait_for(handle.result(), 30)
    assert report.status is OrderStatus.FILLED
    assert len(exchange.created) == len(exchange.sent) == 1
