"""The exchange activities as Temporal sees them: heartbeats, stable error types, and options that fit the protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from fakes.exchange import START, FakeExchange, Fate, a_stop, an_order, answered
from fakes.journal import FakeJournal
from temporalio import workflow
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.workflow import ActivityCancellationType

from activities.exchange.calls import (
    CANCEL_CALL,
    FOLLOW_CALL,
    ORDER_CALL,
    RECONCILE_CALL,
    SYNC_CALL,
    CampaignCalls,
    ExchangeCalls,
)
from activities.exchange.port import (
    AdvanceRequest,
    ClockStop,
    Level,
    MarkRequest,
    OpenAccounts,
    VenueAnswer,
    VenueRefused,
    VenueUnavailable,
)
from activities.exchange.quoting import QuoteCalls, QuoteRequest
from trading.orders.models import OrderStatus, OutcomeClass
from trading.orders.venue_account import Balance

REALM = "test-calls"


class FakeClock:
    """A market clock that answers each request id once and the same, and moves the books of its exchange."""

    def __init__(self, exchange: FakeExchange) -> None:
        self._exchange = exchange
        self.stops: dict[str, ClockStop] = {}
        self.opened: dict[str, Mapping[str, Decimal]] = {}

    async def advance(self, to: datetime, levels: tuple[Level, ...], *, request_id: str) -> ClockStop:
        if request_id not in self.stops:
            self._exchange.now = to
        return self.stops.setdefault(request_id, ClockStop(now=to))

    async def open_account(self, account: str, balances: Mapping[str, Decimal]) -> tuple[Balance, ...]:
        self.opened.setdefault(account, dict(balances))
        return ()


class FakeAccounts:
    """Remembers what was opened and marked; equity is what a tenth of a coin is worth at the marks."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, Sequence[tuple[str, Decimal]]]] = []
        self.marked: list[tuple[str, datetime]] = []

    async def open_account(
        self, realm: str, *, account: str, opening: Sequence[tuple[str, Decimal]], **facts: object
    ) -> None:
        self.opened.append((account, opening))

    async def record_equity(
        self, realm: str, account: str, *, as_of: datetime, marks: Sequence[tuple[str, Decimal]]
    ) -> Decimal:
        self.marked.append((account, as_of))
        return sum((price / 10 for _, price in marks), Decimal(0))


async def run(call: Callable[..., Coroutine[Any, Any, Any]], request: object) -> Any:
    return await ActivityEnvironment().run(call, request)


def calls(*fates: Fate) -> tuple[ExchangeCalls, FakeExchange]:
    exchange = FakeExchange(*fates, realm=REALM)
    return ExchangeCalls(exchange, FakeJournal()), exchange


def an_order_here(**changes: object) -> Any:
    return an_order(realm=REALM, **changes)


async def test_an_order_is_placed_and_synced() -> None:
    activities, _ = calls()
    placed = await run(activities.place_order, an_order_here())
    synced = await run(activities.sync_order, an_order_here().key)
    assert placed.status is OrderStatus.FILLED
    assert synced == placed


async def test_a_call_beats_while_it_waits() -> None:
    beats: list[object] = []
    activities, _ = calls(answered(OutcomeClass.NOT_PROCESSED, retry_after_s=1))
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *details: beats.append(details)
    await environment.run(activities.place_order, an_order_here())
    assert len(beats) >= 2, "every 0.4 s of a wait of one second"


async def test_a_cancelled_call_ends_and_stops_beating() -> None:
    beats: list[object] = []
    activities, exchange = calls(answered(OutcomeClass.NOT_PROCESSED, retry_after_s=60))
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *details: beats.append(details)
    exchange.on_send = environment.cancel
    with pytest.raises(asyncio.CancelledError):
        await environment.run(activities.place_order, an_order_here())
    heard = len(beats)
    await asyncio.sleep(0)
    assert len(beats) == heard
    assert len(exchange.sent) == 1


class Failing(FakeExchange):
    """Answers every question with one error."""

    def __init__(self, error: Exception) -> None:
        super().__init__(realm=REALM)
        self.error = error

    async def find(self, key: object) -> Any:
        raise self.error


@pytest.mark.parametrize(
    ("error", "kind", "is_final", "delay_s"),
    [
        (VenueUnavailable("later", retry_after_s=Decimal(7)), "VenueUnavailable", False, 7),
        (VenueUnavailable("later"), "VenueUnavailable", False, None),
        (VenueRefused("bad key", code=-2014), "VenueRefused", False, 10),
    ],
)
async def test_errors_have_stable_types(error: Exception, kind: str, is_final: bool, delay_s: int | None) -> None:
    activities = ExchangeCalls(Failing(error), FakeJournal())
    with pytest.raises(ApplicationError) as raised:
        await run(activities.sync_order, an_order_here().key)
    assert (raised.value.type, raised.value.non_retryable) == (kind, is_final)
    assert raised.value.next_retry_delay == (timedelta(seconds=delay_s) if delay_s else None)


class Forbidding(FakeExchange):
    """Takes orders; then a firewall stands before it and answers every question and every cancel with 403."""

    async def cancel(self, key: object) -> VenueAnswer:
        return VenueAnswer(outcome=OutcomeClass.REFUSED, http_status=403, message="HTTP 403 <html>")

    async def fills(self, account: str, symbol: str, **narrowed: object) -> Any:
        raise VenueRefused("HTTP 403 <html>")

    async def account(self, account: str) -> Any:
        raise VenueRefused("HTTP 403 <html>")


async def test_a_refused_cancel_is_tried_again_for_its_stop_may_still_rest() -> None:
    """A guard that ended on it would leave its position alone."""
    activities = ExchangeCalls(Forbidding(realm=REALM), FakeJournal())
    stop = a_stop(realm=REALM)
    await run(activities.place_order, stop)
    with pytest.raises(ApplicationError) as raised:
        await run(activities.cancel_order, stop.key)
    assert (raised.value.type, raised.value.non_retryable) == ("VenueRefused", False)


async def test_a_refused_question_after_an_accepted_entry_is_tried_again() -> None:
    """The order is at the venue: giving up here would leave what it filled without a stop."""
    activities = ExchangeCalls(Forbidding(realm=REALM), FakeJournal())
    with pytest.raises(ApplicationError) as raised:
        await run(activities.place_order, an_order_here())
    assert (raised.value.type, raised.value.non_retryable) == ("VenueRefused", False)


@pytest.mark.parametrize(("symbol", "is_final"), [("BTC/USDT", False), ("NONE/USDT", True)])
async def test_a_refused_quote_is_asked_again_and_a_wrong_symbol_is_not(symbol: str, is_final: bool) -> None:
    """A guard quotes right after the fill, to know its lot: ending there would leave the fill without a stop."""
    quotes = QuoteCalls(Forbidding(realm=REALM))
    with pytest.raises(ApplicationError) as raised:
        await run(quotes.quote, QuoteRequest(realm=REALM, venue="sim", account="composite", symbol=symbol))
    assert (raised.value.type, raised.value.non_retryable) == ("VenueRefused", is_final)


async def test_another_realm_and_an_unknown_order_are_final() -> None:
    activities, _ = calls()
    for call, request, kind in (
        (activities.place_order, an_order(realm="live"), "RealmRefused"),
        (activities.sync_order, an_order_here().key, "UnknownOrder"),
    ):
        with pytest.raises(ApplicationError) as raised:
            await run(call, request)
        assert (raised.value.type, raised.value.non_retryable) == (kind, True)


async def test_a_campaign_opens_moves_and_marks() -> None:
    exchange, accounts = FakeExchange(realm=REALM), FakeAccounts()
    clock = FakeClock(exchange)
    campaign = CampaignCalls(clock, exchange, accounts)  # type: ignore[arg-type]
    names = ("aggressive", "conservative")
    opening = OpenAccounts(
        realm=REALM,
        venue="sim",
        ledger="ledger",
        accounts=names,
        quote_asset="USDT",
        capital=Decimal(1000),
        as_of=START,
    )
    await run(campaign.open_accounts, opening)
    assert accounts.opened == [(name, (("USDT", Decimal(1000)),)) for name in names]
    assert clock.opened == {name: {"USDT": Decimal(1000)} for name in names}

    to = START + timedelta(hours=1)
    moved = await run(campaign.advance_clock, AdvanceRequest(realm=REALM, to=to, request_id="step-1"))
    assert moved == ClockStop(now=to)

    marked = await run(
        campaign.mark_accounts,
        MarkRequest(realm=REALM, venue="sim", accounts=names, symbols=("BTC/USDT",), as_of=to),
    )
    assert marked.marks == (("BTC/USDT", Decimal(6999)),)
    assert [(row.account, row.equity_usd) for row in marked.equities] == [(name, Decimal("699.9")) for name in names]


async def test_an_hour_that_is_over_keeps_its_worth() -> None:
    """A worker that is killed between a mark on the way and its answer makes the whole move again."""
    exchange, accounts = FakeExchange(realm=REALM), FakeAccounts()
    campaign = CampaignCalls(FakeClock(exchange), exchange, accounts)  # type: ignore[arg-type]
    hour, later = START + timedelta(hours=1), START + timedelta(hours=2)
    valuation = MarkRequest(realm=REALM, venue="sim", accounts=("aggressive",), symbols=("BTC/USDT",), as_of=hour)
    move = AdvanceRequest(realm=REALM, to=later, request_id="step-1", marks=(valuation,))
    first = await run(campaign.advance_clock, move)
    assert (first.marked_at, accounts.marked) == (hour, [("aggressive", hour)])
    assert await run(campaign.advance_clock, move) == first, "the same answer, told twice"
    assert (await run(campaign.mark_accounts, valuation)).equities == ()
    assert accounts.marked == [("aggressive", hour)], "nothing is valued at the prices of another time"


async def test_a_campaign_moves_no_other_realm_s_clock() -> None:
    exchange = FakeExchange(realm=REALM)
    clock = FakeClock(exchange)
    campaign = CampaignCalls(clock, exchange, FakeAccounts())  # type: ignore[arg-type]
    with pytest.raises(ApplicationError) as raised:
        await run(campaign.advance_clock, AdvanceRequest(realm="replay-other", to=START, request_id="1"))
    assert (raised.value.type, clock.stops) == ("RealmRefused", {})


@pytest.mark.parametrize("options", [ORDER_CALL, CANCEL_CALL, SYNC_CALL, FOLLOW_CALL, RECONCILE_CALL])
def test_calls_are_retried_until_answered(options: workflow.ActivityConfig) -> None:
    policy = options["retry_policy"]
    assert policy is not None
    assert policy.maximum_attempts == 0
    assert "schedule_to_close_timeout" not in options
    assert {"PayloadsTooLarge", "PydanticSerializationError"} <= set(policy.non_retryable_error_types or ())


@pytest.mark.parametrize("options", [ORDER_CALL, CANCEL_CALL, SYNC_CALL, RECONCILE_CALL])
def test_what_touches_the_venue_is_cancelled_only_when_it_has_ended(options: workflow.ActivityConfig) -> None:
    assert options["cancellation_type"] is ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
