"""The single writer of an account: one answer a question, no limit passed by haste, a halt that is durable at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from eventually import eventually
from fakes.people import state_of
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, OPENS_AT, Told
from temporalio.client import WorkflowUpdateFailedError

from trading.orders.models import OrderReport, OrderRequest, OrderStatus, OrderType, Side, TimeInForce
from trading.playbook import first_playbook, revised
from trading.policy.model import Policy
from trading.policy.table import changed as with_limits
from trading.risk.models import GateAnswer, GateRequest, Mode, Permit
from workflows.account_desk import AccountDesk
from workflows.names import QueueRole, Signal, Update, desk_workflow
from workflows.protocol import DeskRequest, ModeChange, ModeChanged, Settlement

pytestmark = pytest.mark.temporal

OpenHouse = Callable[..., Awaitable[SequenceHouse]]


def change(mode: Mode, *, operation_id: str = "op-1", reason: str = "storm", who: str = "a person") -> ModeChange:
    return ModeChange(operation_id=operation_id, mode=mode, reason=reason, who=who)


async def changed(house: SequenceHouse, wish: ModeChange) -> ModeChanged:
    return await house.desk().execute_update(Update.CHANGE_MODE, wish, result_type=ModeChanged)


def codes(answer: GateAnswer) -> list[str]:
    return [denial.code for denial in answer.denials]


async def test_the_same_request_has_the_same_answer_and_one_reservation(open_house: OpenHouse) -> None:
    house = await open_house(Told(coordinated=False), max_cached_workflows=0)
    first = await house.reserve(house.wish("w1"))
    again = await house.reserve(house.wish("w1"))
    assert first.permit is not None
    assert again == first
    assert len((await state_of(house)).exposure.reservations) == 1


async def test_two_hundred_wishes_side_by_side_never_pass_a_limit(open_house: OpenHouse) -> None:
    """Two hundred decisions on one account at once: entries that fill, die or rest; each sum stays within its limit."""
    policy = with_limits(Policy(), max_entries_per_day=1000, order_rate_entries=1000)
    house = await open_house(Told(coordinated=False, playbook=revised(first_playbook(), policy=policy)))
    symbols = [f"S{number}/USDT" for number in range(8)]
    wishes = [house.wish(f"w{number}", symbol=symbols[number % 8], notional="4000") for number in range(200)]
    ten_at_once = asyncio.Semaphore(10)  # what the server lets in to one workflow; more is held back for seconds
    capital = house.told.capital

    promised: dict[str, Permit] = {}

    async def asked(number: int, wish: GateRequest) -> GateAnswer:
        async with ten_at_once:
            answer = await house.reserve(wish)
        if answer.permit is None:
            return answer
        promised[answer.permit.id] = answer.permit
        assert sum(one.notional_usd for one in promised.values()) <= policy.total_fraction_normal * capital
        for symbol in symbols:
            here = sum(one.notional_usd for one in promised.values() if one.symbol == symbol)
            assert here <= policy.max_position_fraction * capital
        assert len({one.symbol for one in promised.values()}) <= policy.max_positions_normal
        if number % 3 == 0:  # its order died: the room is another's
            del promised[answer.permit.id]
            settled = Settlement(permit_id=answer.permit.id, account=ACCOUNT, client_order_id=f"c{number}")
            await house.desk().signal(Signal.SETTLE, settled)
        return answer

    answers = await asyncio.gather(*(asked(number, wish) for number, wish in enumerate(wishes)))
    granted = [answer.permit for answer in answers if answer.permit is not None]
    refused = [answer for answer in answers if answer.permit is None]
    assert len(granted) > 10
    assert refused
    assert all(answer.denials for answer in refused)
    assert all(permit.notional_usd <= policy.max_trade_fraction * capital for permit in granted)
    assert len({permit.id for permit in granted}) == len(granted)
    state = await state_of(house)
    assert {r.permit_id for r in state.exposure.reservations} == set(promised)
    assert state.exposure.cash_usd - state.exposure.reserved_usd >= policy.cash_floor_fraction * capital


async def test_two_hundred_decisions_side_by_side_never_hold_more_than_a_limit(open_house: OpenHouse) -> None:
    """Counted at the venue: what two hundred wishes bought, left resting, or lost, and what the ledger says of it."""
    policy = with_limits(Policy(), max_entries_per_day=1000, order_rate_entries=1000)
    symbols = tuple(f"S{number}/USDT" for number in range(8))
    playbook = revised(first_playbook(), policy=policy)
    house = await open_house(Told(coordinated=False, symbols=symbols, playbook=playbook))
    kinds: tuple[dict[str, object], ...] = (
        {"type": OrderType.LIMIT, "price": Decimal(7010), "time_in_force": TimeInForce.IOC},  # buys
        {"type": OrderType.LIMIT, "price": Decimal(6500), "time_in_force": TimeInForce.FOK},  # dies
        {"type": OrderType.LIMIT, "price": Decimal(6500), "time_in_force": TimeInForce.GTC},  # rests
    )
    ten_at_once = asyncio.Semaphore(10)

    async def decided(number: int) -> OrderReport | None:
        symbol = symbols[number % 8]
        async with ten_at_once:
            now = await house.market_now()
            permit = (await house.reserve(house.wish(f"w{number}", symbol=symbol, notional="4000", now=now))).permit
            if permit is None:
                return None
            order = house.entry(permit, symbol=symbol, as_of=now, **kinds[number % 3])
            handle = await house.execute(permit, order, target=None)
            if number % 3 < 2:
                return await handle.result()
            await eventually(lambda: _is_sent(house, order), what="the order at the venue")
            return None

    async def market_goes_on() -> None:
        while True:
            await house.advance(await house.market_now() + timedelta(seconds=1))
            await asyncio.sleep(0.1)

    market = asyncio.create_task(market_goes_on())
    try:
        reports = [report for report in await asyncio.gather(*(decided(n) for n in range(200))) if report is not None]
    finally:
        market.cancel()
    assert sum(report.executed_quantity > 0 for report in reports) >= 3, "some bought"
    assert sum(report.executed_quantity == 0 for report in reports) >= 3, "some died and gave their room back"
    told, capital = await house.exchange.account(ACCOUNT), house.told.capital
    ledger = {one.symbol: one.quantity for one in await house.store.positions(house.realm, ACCOUNT)}
    exposed: dict[str, Decimal] = {}
    for symbol in symbols:
        held = told.balance(symbol.partition("/")[0]).total
        assert ledger.get(symbol, Decimal(0)) == held, "the ledger has what the venue has"
        resting = [one for one in await house.exchange.open_orders(ACCOUNT, symbol) if one.side is Side.BUY]
        exposed[symbol] = held * 7000 + sum(one.quantity * (one.price or 0) for one in resting)
    assert max(exposed.values()) <= policy.max_position_fraction * capital
    assert sum(exposed.values()) <= policy.total_fraction_normal * capital
    assert sum(usd > 0 for usd in exposed.values()) <= policy.max_positions_normal
    assert told.balance("USDT").free >= policy.cash_floor_fraction * capital
    assert sum(exposed.values()) > Decimal("0.5") * policy.total_fraction_normal * capital, "limits were reached for"


async def test_two_desks_at_once_share_the_symbol_limit(open_house: OpenHouse) -> None:
    """A hundred wishes each for a symbol of which a third account has much; nothing is ordered before all are answered.

    Each desk alone stays within its position limit; only what they show each other keeps both within the symbol's.
    """
    policy = with_limits(Policy(), max_position_fraction="0.3", max_entries_per_day=1000, order_rate_entries=1000)
    playbook = revised(first_playbook(), policy=policy)
    desks = (ACCOUNT, "second")
    house = await open_house(Told(coordinated=False, accounts=(*desks, "heavy"), playbook=playbook))
    heavy = (await house.permit(name="heavy", account="heavy")).model_copy(update={"quantity": Decimal(9)})
    rests = house.entry(heavy, price=Decimal(5000))
    await house.store.record_adopted(rests, await house.exchange.prepare(rests))
    at_once = {account: asyncio.Semaphore(5) for account in desks}

    async def asked(account: str, number: int) -> GateAnswer:
        async with at_once[account]:
            return await house.reserve(house.wish(f"{account}-{number}", account=account, notional="4000"))

    answers = await asyncio.gather(*(asked(account, number) for number in range(100) for account in desks))
    permits = [answer.permit for answer in answers if answer.permit is not None]
    left = policy.max_symbol_fraction * 3 * house.told.capital - 45_000
    promised = sum(permit.notional_usd for permit in permits)
    assert left - 100 < promised <= left, "all of it is given, and nothing twice"
    assert {permit.account for permit in permits} == set(desks)
    assert "symbol_cap" in {answer.binding for answer in answers}


async def test_a_settled_order_gives_its_room_back(open_house: OpenHouse) -> None:
    house = await open_house()
    permit = await house.permit(name="w1")
    settlement = Settlement(permit_id=permit.id, account=ACCOUNT, client_order_id="c1")
    await house.desk().signal(Signal.SETTLE, settlement)
    await house.desk().signal(Signal.SETTLE, settlement)
    await eventually(lambda: _is_free(house), what="the release")
    assert "w1" not in (await state_of(house)).answers, "its order has settled: nobody asks again"


async def test_a_halt_is_in_the_gate_row_before_it_is_acknowledged(open_house: OpenHouse) -> None:
    house = await open_house()
    permit = await house.permit(name="w1")
    answer = await changed(house, change(Mode.HALTED))
    kept = await house.store.exposure(house.realm, ACCOUNT)
    assert kept is not None
    assert (kept.mode, kept.epoch) == (Mode.HALTED, answer.epoch)
    assert answer.epoch > permit.epoch
    report = await (await house.execute(permit, house.entry(permit))).result()
    assert report.reason.startswith("halted:"), "a permit from before the halt sends nothing"


async def test_a_permit_from_before_a_pause_is_too_old_after_it(open_house: OpenHouse) -> None:
    house = await open_house()
    permit = await house.permit(name="w1")
    await changed(house, change(Mode.MANUAL, operation_id="op-1"))
    await changed(house, change(Mode.AUTO, operation_id="op-2", reason="calm again"))
    report = await (await house.execute(permit, house.entry(permit))).result()
    assert report.reason.startswith("epoch_older:")


@pytest.mark.parametrize(
    ("mode", "code"), [(Mode.HALTED, "halted"), (Mode.MANUAL, "manual_mode"), (Mode.DEFENSIVE, None)]
)
async def test_modes_refuse_new_exposure(open_house: OpenHouse, mode: Mode, code: str | None) -> None:
    house = await open_house()
    free = await house.reserve(house.wish("before"))
    assert free.permit is not None
    await changed(house, change(mode))
    answer = await house.reserve(house.wish("after"))
    if code is None:
        assert answer.permit is None or answer.permit.notional_usd <= free.permit.notional_usd
        return
    assert answer.permit is None
    assert code in codes(answer)


async def test_signals_change_the_mode_too(open_house: OpenHouse) -> None:
    house = await open_house()
    await house.desk().signal(Signal.HALT, change(Mode.AUTO, operation_id="op-1"))
    await eventually(lambda: _has_mode(house, Mode.HALTED), what="the halt")
    await house.desk().signal(Signal.RESUME, change(Mode.HALTED, operation_id="op-2", reason="calm again"))
    await eventually(lambda: _has_mode(house, Mode.AUTO), what="the resumption")


async def test_the_same_operation_changes_the_mode_once(open_house: OpenHouse) -> None:
    house = await open_house()
    first = await changed(house, change(Mode.MANUAL))
    assert await changed(house, change(Mode.MANUAL)) == first
    assert (await state_of(house)).exposure.epoch == first.epoch


async def test_answers_reservations_and_mode_live_through_continue_as_new(open_house: OpenHouse) -> None:
    """A desk that begins with what another one carried over answers as that one did."""
    house = await open_house()
    answer = await house.reserve(house.wish("w1"))
    mode = await changed(house, change(Mode.MANUAL))
    carried = await state_of(house)
    await house.desk().signal(AccountDesk.close)
    await house.desk().result()
    await house.client.start_workflow(
        AccountDesk.run,
        DeskRequest(
            realm=house.realm,
            venue=house.exchange.venue,
            account=ACCOUNT,
            playbook_hash=house.playbook_hash,
            state=carried,
        ),
        id=desk_workflow(house.realm, ACCOUNT),
        task_queue=house.queue(QueueRole.DECISIONS),
    )
    assert await house.reserve(house.wish("w1")) == answer
    assert await changed(house, change(Mode.MANUAL)) == mode
    state = await state_of(house)
    assert state == carried
    assert state.exposure.mode is Mode.MANUAL


async def test_a_wish_of_another_account_is_rejected(open_house: OpenHouse) -> None:
    house = await open_house()
    wish = house.wish("w1", account="somebody-else")
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await house.desk().execute_update(Update.RESERVE, wish)
    assert "is not this desk's" in str(failed.value.cause)
    assert (await state_of(house)).answers == {}


@pytest.mark.parametrize(("reason", "who"), [("", "a person"), ("  ", "a person"), ("storm", "")])
async def test_a_change_without_who_and_why_is_rejected(open_house: OpenHouse, reason: str, who: str) -> None:
    house = await open_house()
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await changed(house, change(Mode.HALTED, reason=reason, who=who))
    assert "both must be given" in str(failed.value.cause)
    assert (await state_of(house)).exposure.mode is Mode.AUTO


async def test_an_answer_is_by_market_time_and_an_old_observation_is_refused(open_house: OpenHouse) -> None:
    house = await open_house()
    wish = house.wish("w1").model_copy(update={"now": OPENS_AT.replace(hour=OPENS_AT.hour + 1)})
    assert "stale_observation" in codes(await house.reserve(wish))


async def _is_sent(house: SequenceHouse, order: OrderRequest) -> bool:
    intent = await house.store.find_intent(order.key)
    return intent is not None and intent.status is OrderStatus.NEW


async def _is_free(house: SequenceHouse) -> bool:
    return (await state_of(house)).exposure.reservations == ()


async def _has_mode(house: SequenceHouse, mode: Mode) -> bool:
    return (await state_of(house)).exposure.mode is mode


async def test_a_promise_that_nobody_used_is_given_back(open_house: OpenHouse) -> None:
    house = await open_house()
    unused = await house.permit(name="unused", notional="1000")
    used = await house.permit(name="used", notional="1000")
    order = house.entry(used, price=Decimal(6900))
    await house.store.record_intent(order, await house.exchange.prepare(order))
    await house.permit(name="soon", notional="1000", now=OPENS_AT + timedelta(seconds=60))
    promises = (await state_of(house)).exposure.reservations
    assert {unused.id, used.id} <= {promise.permit_id for promise in promises}, "both may still be used"
    await house.permit(name="late", notional="1000", now=OPENS_AT + timedelta(seconds=121))
    promised = {promise.permit_id for promise in (await state_of(house)).exposure.reservations}
    assert unused.id not in promised
    assert used.id in promised, "an order was intended under it: it waits for that order's end"


async def test_the_gate_asked_again_counts_the_earlier_promise_once(open_house: OpenHouse) -> None:
    house = await open_house()
    first = await house.permit(name="first")
    again = await house.permit(name="again", replaces=first.id)
    state = await state_of(house)
    assert [promise.permit_id for promise in state.exposure.reservations] == [again.id]
    assert (state.exposure.entries_today, again.notional_usd) == (1, first.notional_usd)
