"""How long a stop took is measured; one that is late is told, and so is each attempt that ends without one."""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import Any

import pytest
from fakes.exchange import START, FakeExchange, Fate, a_stop, an_order, answered
from fakes.journal import FakeJournal
from temporalio.exceptions import ApplicationError
from temporalio.runtime import MetricBuffer, Runtime, TelemetryConfig
from temporalio.testing import ActivityEnvironment

from activities.exchange.calls import ExchangeCalls
from activities.exchange.placing import Patience
from trading.orders.exits import PROTECTED_WITHIN_S
from trading.orders.models import OrderReport, OrderRequest, OrderStatus, OutcomeClass

BANNED = answered(OutcomeClass.NOT_SENT, "banned", retry_after_s=60)


class Desk:
    """The activity with everything around it that a worker gives it, and what it told."""

    def __init__(self, *fates: Fate, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.WARNING, logger="activities.exchange.protecting")
        self.caplog = caplog
        self.journal = FakeJournal()
        self.measured = MetricBuffer(10)
        self.calls = ExchangeCalls(FakeExchange(*fates), self.journal, patience=Patience(tries_for_s=0))

    async def place(self, order: OrderRequest) -> OrderReport:
        environment = ActivityEnvironment()
        environment.metric_meter = Runtime(telemetry=TelemetryConfig(metrics=self.measured)).metric_meter
        return await environment.run(self.calls.place_order, order)

    @property
    def told(self) -> list[tuple[str, Any]]:
        names = ("unprotected_s", "since", "because")
        return [
            (record.message, {name: vars(record)[name] for name in names if name in vars(record)})
            for record in self.caplog.records
        ]

    @property
    def seconds(self) -> list[float]:
        return [update.value for update in self.measured.retrieve_updates()]


@pytest.mark.parametrize(
    ("waited_s", "is_told"), [("0.3", False), (str(PROTECTED_WITHIN_S), False), ("5.001", True), ("86400", True)]
)
async def test_a_stop_is_measured_and_told_where_it_is_late(
    caplog: pytest.LogCaptureFixture, waited_s: str, is_told: bool
) -> None:
    desk, stop = Desk(caplog=caplog), a_stop()
    desk.journal.waits_s[stop.client_order_id] = Decimal(waited_s)
    assert (await desk.place(stop)).status is OrderStatus.NEW
    assert desk.seconds == [float(waited_s)]
    assert desk.told == ([("an exit came late", {"unprotected_s": Decimal(waited_s)})] if is_told else [])


async def test_a_stop_that_answers_no_fill_and_an_entry_are_not_measured(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(caplog=caplog)
    desk.journal.waits_s[an_order().client_order_id] = Decimal(99)
    await desk.place(a_stop())
    await desk.place(an_order())
    assert desk.seconds == []
    assert desk.told == []


async def test_a_refused_exit_is_told_while_something_is_held(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(answered(OutcomeClass.REFUSED, "would trigger immediately"), caplog=caplog)
    desk.journal.unanswered_since = START
    assert (await desk.place(a_stop())).status is OrderStatus.REFUSED
    ((what, facts),) = desk.told
    assert (what, facts["since"]) == ("held without an exit", START)
    assert "would trigger immediately" in facts["because"]


async def test_an_attempt_that_ends_without_the_stop_is_told_while_something_is_held(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk(BANNED, BANNED, caplog=caplog)
    with pytest.raises(ApplicationError, match="banned"):
        await desk.place(a_stop())
    assert desk.told == []
    desk.journal.unanswered_since = START
    with pytest.raises(ApplicationError, match="banned"):
        await desk.place(a_stop())
    (what, facts), *more = desk.told
    assert (what, facts["since"], more) == ("held without an exit", START, [])
    assert "banned" in facts["because"]
