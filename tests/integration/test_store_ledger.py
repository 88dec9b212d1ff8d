"""Intents, fills, positions, gates and equity on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select
from store_rows import NOON, REALM, D, a_fill, a_fusion, a_head, a_prepared, a_request, a_summary, a_venue_order

from activities.exchange.port import PreparedLeg, VenueAnswer
from activities.store.open import Store, open_store
from activities.store.ports.faults import StoreRefused
from activities.store.ports.journal import IntentRefused
from activities.store.tables import TradeOutcomeRow
from trading.orders.models import Fill, Leg, OrderRequest, OrderStatus, OrderType, OutcomeClass, Side
from trading.risk.models import Mode


@pytest.fixture
async def account(store: Store) -> Store:
    await open_main(store)
    return store


async def open_main(store: Store, realm: str = REALM) -> None:
    await store.open_account(
        realm, venue="simulated", ledger="main", account="main", opening=[("USDT", D("10000"))], as_of=NOON
    )


async def intend(store: Store, request: OrderRequest) -> OrderRequest:
    await store.record_intent(request, a_prepared(request))
    return request


async def trade(store: Store, request: OrderRequest, fills: Sequence[Fill]) -> None:
    await intend(store, request)
    await store.record_sent(request.key)
    await store.record_order(request.key, a_venue_order(request, *fills), fills)


async def test_an_intent_is_there_before_anything_is_sent(account: Store) -> None:
    request = await intend(account, a_request(price=D("5000.10"), expected_price=D("5000.5")))
    found = await account.find_intent(request.key)
    assert found is not None
    assert found.request == request
    assert found.prepared == a_prepared(request)
    assert (found.status, found.sends, found.report) == (OrderStatus.INTENDED, 0, None)


async def test_the_same_intent_twice_is_one_row_and_a_different_one_is_an_error(account: Store) -> None:
    request = await intend(account, a_request())
    later = a_prepared(request, signed_at=NOON + timedelta(seconds=9))
    again = await account.record_intent(request, later)
    assert again.prepared == a_prepared(request)
    with pytest.raises(ValueError, match=r"quantity 0\.1 is now 0\.2"):
        await account.record_intent(request.model_copy(update={"quantity": D("0.2")}), later)
    assert len(await account.ledger_orders(REALM, "main")) == 1


async def test_two_processes_intend_the_same_order_at_once_and_there_is_one_row(
    account: Store, database_url: str
) -> None:
    other = await open_store(database_url)
    try:
        request = a_request()
        both = await asyncio.gather(
            *(each.record_intent(request, a_prepared(request)) for each in [account, other] * 10)
        )
    finally:
        await other.aclose()
    assert {intent.request for intent in both} == {request}
    assert len(await account.ledger_orders(REALM, "main")) == 1


@pytest.mark.parametrize(
    ("mode", "epoch", "changes", "code"),
    [
        (Mode.HALTED, 1, {"epoch": 1}, "halted"),
        (Mode.AUTO, 2, {"epoch": 1}, "epoch_older"),
        (Mode.AUTO, 1, {"epoch": 1, "permit_id": None}, "no_permit"),
        (Mode.AUTO, 1, {"epoch": 1, "account": "nobody"}, "unknown_account"),
    ],
)
async def test_the_gate_row_refuses_an_entry(
    account: Store, mode: Mode, epoch: int, changes: dict[str, object], code: str
) -> None:
    await account.write_gate(REALM, "main", mode=mode, epoch=epoch, reason="drill", who="tester")
    with pytest.raises(IntentRefused) as refused:
        await intend(account, a_request(**changes))
    assert refused.value.code == code
    assert await account.find_intent(a_request(**changes).key) is None


async def test_a_frozen_order_freezes_its_symbol_for_entries_until_it_is_known(account: Store) -> None:
    """A stop of unknown fate stands in its guard's way: what would be bought beside it could not be protected."""
    stop = await intend(account, a_request(leg=Leg.STOP, side=Side.SELL, permit_id=None))
    await account.record_status(stop.key, OrderStatus.FROZEN, reason="the venue was silent")
    entry = a_request(decision_id="d2")
    with pytest.raises(IntentRefused) as refused:
        await intend(account, entry)
    assert refused.value.code == "symbol_frozen"
    assert await account.find_intent(entry.key) is None
    await intend(account, a_request(decision_id="d3", symbol="ETH/USDT"))
    await intend(account, a_request(decision_id="d2", leg=Leg.EXIT, side=Side.SELL, permit_id=None))
    await account.record_status(stop.key, OrderStatus.REFUSED, reason="absent at the venue")
    await intend(account, entry)


async def test_a_frozen_entry_may_be_resolved_by_its_own_id(account: Store) -> None:
    entry = await intend(account, a_request())
    await account.record_status(entry.key, OrderStatus.FROZEN, reason="the venue was silent")
    assert (await account.record_resend(entry.key, a_prepared(entry))).status is OrderStatus.FROZEN


@pytest.mark.parametrize("leg", [Leg.STOP, Leg.TARGET, Leg.EXIT, Leg.FLATTEN])
async def test_protective_legs_pass_while_halted(account: Store, leg: Leg) -> None:
    await account.write_gate(REALM, "main", mode=Mode.HALTED, epoch=5, reason="drill", who="tester")
    request = await intend(account, a_request(leg=leg, side=Side.SELL, permit_id=None))
    assert await account.find_intent(request.key) is not None


async def test_an_intent_that_was_never_sent_passes_the_gate_again(account: Store) -> None:
    unsent, sent = await intend(account, a_request()), await intend(account, a_request(decision_id="d2"))
    await account.record_sent(sent.key)
    await account.write_gate(REALM, "main", mode=Mode.HALTED, epoch=1, reason="drill", who="tester")
    with pytest.raises(IntentRefused):
        await intend(account, unsent)
    assert (await account.record_intent(sent, a_prepared(sent))).sends == 1
    with pytest.raises(IntentRefused):
        await account.record_resend(sent.key, a_prepared(sent))


async def test_halting_while_intents_are_recorded_leaves_none_after_the_halt(account: Store, database_url: str) -> None:
    """Once `write_gate` has returned, no entry of the older epoch gets a row: not one, from no process."""
    other = await open_store(database_url)
    five_written, halted = asyncio.Event(), asyncio.Event()
    written: list[int] = []
    refused: list[int] = []
    late: list[int] = []

    async def enter(number: int, through: Store) -> None:
        request = a_request(decision_id=f"d{number}")
        begun_after_halt = halted.is_set()
        try:
            await intend(through, request)
        except IntentRefused:
            refused.append(number)
        else:
            written.append(number)
            if begun_after_halt:
                late.append(number)
            if len(written) == 5:
                five_written.set()

    async def enter_many(through: Store, first: int) -> None:
        for number in range(first, first + 40):
            await enter(number, through)

    async def halt() -> None:
        await five_written.wait()
        await other.write_gate(REALM, "main", mode=Mode.HALTED, epoch=1, reason="drill", who="tester")
        halted.set()

    try:
        await asyncio.gather(enter_many(account, 0), enter_many(other, 100), halt())
        rows = len(await account.ledger_orders(REALM, "main"))
    finally:
        await other.aclose()
    assert late == []
    assert refused, "the halt came too late to refuse anything"
    assert rows == len(written) == 80 - len(refused)


async def test_a_resend_keeps_the_id_and_takes_a_new_timestamp(account: Store) -> None:
    request = await intend(account, a_request())
    later = a_prepared(request, signed_at=NOON + timedelta(seconds=30))
    assert (await account.record_resend(request.key, later)).prepared == later
    found = await account.find_intent(request.key)
    assert found is not None
    assert found.prepared == later


async def test_a_settled_order_is_not_sent_again(account: Store) -> None:
    request = a_request()
    await trade(account, request, [a_fill(request)])
    with pytest.raises(ValueError, match="FILLED"):
        await account.record_resend(request.key, a_prepared(request))


async def test_fills_become_a_position_net_of_commission_and_balances(account: Store) -> None:
    request = a_request()
    await trade(account, request, [a_fill(request)])
    (held,) = await account.positions(REALM, "main")
    assert held.quantity == D("0.0999")
    exposure = await account.exposure(REALM, "main")
    assert exposure is not None
    assert exposure.cash_usd == D("9500")
    assert exposure.holdings[0].quantity == D("0.0999")
    assert exposure.equity_usd == D("9999.5")


async def test_repeating_the_venues_word_changes_nothing(account: Store) -> None:
    request = a_request()
    fills = [a_fill(request, quantity=D("0.04")), a_fill(request, trade_id="2", quantity=D("0.06"))]
    await trade(account, request, fills)
    before = await account.digest(REALM)
    report = await account.record_order(request.key, a_venue_order(request, *fills), [*fills, *fills])
    assert report.executed_quantity == D("0.1")
    assert report.is_terminal
    assert await account.digest(REALM) == before


async def test_two_processes_take_the_same_fills_at_once_and_count_them_once(account: Store, database_url: str) -> None:
    request = await intend(account, a_request())
    fills = [a_fill(request, trade_id=str(n), quantity=D("0.02")) for n in range(5)]
    other = await open_store(database_url)
    try:
        await asyncio.gather(
            *(
                each.record_order(request.key, a_venue_order(request, *fills), fills[: 1 + n % 5])
                for n, each in enumerate([account, other] * 10)
            )
        )
    finally:
        await other.aclose()
    (held,) = await account.positions(REALM, "main")
    assert held.quantity == D("0.1") * D("0.999")
    exposure = await account.exposure(REALM, "main")
    assert exposure is not None
    assert exposure.cash_usd == D("9500")


async def test_fills_that_arrive_late_and_out_of_order_come_to_the_same_position(account: Store) -> None:
    first, second = a_request(), a_request(decision_id="d2", leg=Leg.EXIT, side=Side.SELL, quantity=D("0.05"))
    bought = a_fill(first, filled_at=NOON + timedelta(seconds=1))
    sold = a_fill(second, trade_id="2", venue_order_id="11", price=D("6000"), filled_at=NOON + timedelta(seconds=2))
    await intend(account, first)
    await intend(account, second)
    sale = a_venue_order(second, sold, venue_order_id="11")
    await account.record_order(second.key, sale, [sold])
    await account.record_order(first.key, a_venue_order(first, bought), [bought])
    (late,) = await account.positions(REALM, "main")
    await open_main(account, "test-in-order")
    for request, fill, number in [(first, bought, "10"), (second, sold, "11")]:
        moved = request.model_copy(update={"realm": "test-in-order"})
        await intend(account, moved)
        await account.record_order(moved.key, a_venue_order(moved, fill, venue_order_id=number), [fill])
    assert (late,) == await account.positions("test-in-order", "main")
    assert await account.digest(REALM) == await account.digest("test-in-order")


async def test_an_order_is_not_settled_before_its_fills_are_known(account: Store) -> None:
    request = await intend(account, a_request())
    fill = a_fill(request)
    early = await account.record_order(request.key, a_venue_order(request, fill), [])
    assert (early.status, early.missing_quantity, early.is_terminal) == (OrderStatus.FILLED, D("0.1"), False)
    settled = await account.record_order(request.key, a_venue_order(request, fill), [fill])
    assert (settled.executed_quantity, settled.commission_base, settled.is_terminal) == (D("0.1"), D("0.0001"), True)


async def test_a_terminal_status_never_goes_back(account: Store) -> None:
    request = await intend(account, a_request())
    half = a_fill(request, quantity=D("0.05"))
    gone = a_venue_order(request, half, status=OrderStatus.CANCELED, updated_at=NOON + timedelta(seconds=9))
    await account.record_order(request.key, gone, [half])
    for stale in (a_venue_order(request), a_venue_order(request, half)):
        report = await account.record_order(request.key, stale, [])
        assert (report.status, report.executed_quantity) == (OrderStatus.CANCELED, D("0.05"))
    assert (await account.record_status(request.key, OrderStatus.FROZEN, reason="x")).status is OrderStatus.CANCELED


async def test_an_older_view_does_not_take_back_a_partial_fill(account: Store) -> None:
    request = await intend(account, a_request())
    half = a_fill(request, quantity=D("0.05"))
    await account.record_order(request.key, a_venue_order(request, half), [half])
    report = await account.record_order(request.key, a_venue_order(request), [])
    assert report.status is OrderStatus.PARTIALLY_FILLED


async def test_the_venues_word_wins_over_our_own_guess(account: Store) -> None:
    request = await intend(account, a_request())
    await account.record_status(request.key, OrderStatus.EXPIRED, reason="absent after its horizon")
    fill = a_fill(request)
    report = await account.record_order(request.key, a_venue_order(request, fill), [fill])
    assert report.status is OrderStatus.FILLED


async def test_a_definite_refusal_ends_the_order_and_doubt_does_not(account: Store) -> None:
    doubtful, refused = await intend(account, a_request()), await intend(account, a_request(decision_id="d2"))
    await account.record_answer(doubtful.key, VenueAnswer(outcome=OutcomeClass.UNKNOWN, message="timed out"))
    await account.record_answer(
        refused.key, VenueAnswer(outcome=OutcomeClass.REFUSED, code=-2010, message="insufficient balance")
    )
    one, two = await account.find_intent(doubtful.key), await account.find_intent(refused.key)
    assert one is not None
    assert two is not None
    assert one.status is OrderStatus.INTENDED
    assert two.report is not None
    assert (two.status, two.report.code, two.report.reason) == (OrderStatus.REFUSED, -2010, "insufficient balance")


@pytest.mark.parametrize("end", [OrderStatus.REFUSED, OrderStatus.EXPIRED])
async def test_a_list_that_ends_unsent_takes_its_exits_with_it(account: Store, end: OrderStatus) -> None:
    """Else they would stay intended for ever, and a starting worker would look for their owner."""
    lead = a_request()
    exits = {"leg": Leg.STOP, "side": Side.SELL, "type": OrderType.STOP_LOSS, "stop_price": D("4900")}
    stop = a_request(**exits).model_copy(update={"led_by": lead.client_order_id})
    entry = lead.model_copy(update={"beside": (stop,)})
    sent = PreparedLeg(client_order_id=stop.client_order_id)
    await account.record_intent(entry, a_prepared(entry).model_copy(update={"beside": (sent,)}))
    await account.record_status(entry.key, end, reason="gate_again: waited 6 s")
    assert [order.status for order in await account.ledger_orders(REALM, "main")] == [end, end]
    assert await account.open_items(REALM) == ()


async def test_an_answer_about_another_order_is_refused(account: Store) -> None:
    request, other = await intend(account, a_request()), a_request(decision_id="d9")
    with pytest.raises(ValueError, match="is not the order"):
        await account.record_order(request.key, a_venue_order(other), [])
    with pytest.raises(ValueError, match="is not the order"):
        await account.record_order(request.key, a_venue_order(request), [a_fill(other)])


async def test_a_trade_told_differently_is_refused_and_leaves_no_trace(account: Store) -> None:
    request = await intend(account, a_request())
    half = a_fill(request, quantity=D("0.05"))
    await account.record_order(request.key, a_venue_order(request, half), [half])
    before = await account.digest(REALM)
    changed = half.model_copy(update={"price": D("5001")})
    with pytest.raises(ValueError, match="now told as"):
        await account.record_order(request.key, a_venue_order(request, half), [changed, a_fill(request, trade_id="3")])
    assert await account.digest(REALM) == before


async def test_one_trade_id_cannot_belong_to_two_orders(account: Store) -> None:
    first, second = a_request(), await intend(account, a_request(decision_id="d2"))
    await trade(account, first, [a_fill(first)])
    with pytest.raises(StoreRefused):
        await account.record_order(second.key, a_venue_order(second, a_fill(second)), [a_fill(second)])


async def test_opening_an_account_twice_keeps_the_first_balances(account: Store) -> None:
    await account.open_account(
        REALM, venue="simulated", ledger="main", account="main", opening=[("USDT", D(1))], as_of=NOON
    )
    assert await account.opening_balances(REALM, "main") == (("USDT", D("10000")),)
    assert await account.exposure(REALM, "nobody") is None


async def test_an_older_epoch_does_not_overwrite_the_gate(account: Store) -> None:
    await account.write_gate(REALM, "main", mode=Mode.HALTED, epoch=3, reason="drill", who="tester")
    await account.write_gate(REALM, "main", mode=Mode.AUTO, epoch=2, reason="late retry", who="desk")
    exposure = await account.exposure(REALM, "main")
    assert exposure is not None
    assert (exposure.mode, exposure.epoch) == (Mode.HALTED, 3)
    with pytest.raises(StoreRefused, match="unknown"):
        await account.write_gate(REALM, "nobody", mode=Mode.AUTO, epoch=1, reason="", who="desk")


async def test_equity_follows_marks_and_the_day_starts_at_midnight(account: Store) -> None:
    request = a_request()
    await trade(account, request, [a_fill(request)])

    async def equity(at: datetime, price: str) -> Decimal:
        return await account.record_equity(REALM, "main", as_of=at, marks=[("BTC/USDT", D(price))])

    assert await equity(NOON + timedelta(hours=6), "6000") == D("9500") + D("599.4")
    assert await equity(NOON + timedelta(hours=12), "5500") == D("9500") + D("549.45")
    assert await equity(NOON + timedelta(hours=18), "4000") == D("9500") + D("399.6")
    exposure = await account.exposure(REALM, "main")
    assert exposure is not None
    assert exposure.day_start_equity_usd == D("10049.45")
    assert exposure.peak_equity_usd == D("10099.4")
    assert exposure.holdings[0].mark_price == D("4000")
    view = await account.position_view(REALM, "main", "BTC/USDT")
    assert view is not None
    assert (view.quantity, view.equity_usd, view.cash_usd) == (D("0.0999"), D("9899.6"), D("9500"))


async def test_a_fill_after_the_newest_mark_is_the_better_mark(account: Store) -> None:
    first = a_request()
    await trade(account, first, [a_fill(first)])
    await account.record_equity(REALM, "main", as_of=NOON + timedelta(minutes=1), marks=[("BTC/USDT", D("4000"))])
    second = a_request(decision_id="d2")
    later = a_fill(second, trade_id="2", venue_order_id="11", price=D("4500"), filled_at=NOON + timedelta(minutes=2))
    await intend(account, second)
    await account.record_order(second.key, a_venue_order(second, later, venue_order_id="11"), [later])
    exposure = await account.exposure(REALM, "main")
    assert exposure is not None
    assert exposure.holdings[0].mark_price == D("4500")


async def test_open_items_name_what_needs_a_workflow(account: Store) -> None:
    head = a_head()
    await account.open_decision(head)
    await account.finish_decision(a_summary(head, fusion=a_fusion(stop_price=D("4900"), horizon_hours=6)))
    entry = a_request(decision_id=head.decision_id)
    await trade(account, entry, [a_fill(entry)])
    stop = a_request(
        decision_id=head.decision_id,
        leg=Leg.STOP,
        side=Side.SELL,
        type=OrderType.STOP_LOSS,
        quantity=D("0.0999"),
        stop_price=D("4950"),
    )
    await intend(account, stop)
    order, position = await account.open_items(REALM)
    assert (order.kind, order.client_order_id) == ("order", stop.client_order_id)
    assert (position.kind, position.quantity, position.decision_id) == ("position", D("0.0999"), head.decision_id)
    assert (position.stop_price, position.target_price) == (D("4950"), D("5300"))
    assert position.exit_at == NOON + timedelta(hours=6)


@pytest.mark.parametrize("number", ["0.00000000000000000001", "123456789012345678901234567.123456789", "100", "-0.5"])
async def test_money_is_stored_to_the_last_digit(account: Store, number: str) -> None:
    await account.record_outcome(
        REALM,
        "main",
        "BTC/USDT",
        "d1",
        pnl_usd=D(number),
        return_fraction=D("0.1"),
        exit_reason="stop",
        closed_at=NOON,
    )
    async with account.database.read() as connection:
        stored = (await connection.execute(select(TradeOutcomeRow.pnl_usd, TradeOutcomeRow.closed_at))).one()
    assert stored == (D(number), NOON)
    assert stored.closed_at.tzinfo is not None


async def test_an_ignored_gate_write_leaves_no_audit_entry(account: Store) -> None:
    await account.write_gate(REALM, "main", mode=Mode.HALTED, epoch=3, reason="drill", who="tester")
    before = await account.digest(REALM)
    await account.write_gate(REALM, "main", mode=Mode.AUTO, epoch=2, reason="late retry", who="desk")
    assert await account.digest(REALM) == before
