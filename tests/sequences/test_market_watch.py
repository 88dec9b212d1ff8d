"""The watch on real activities and the real server: what starts a decision, and that it starts once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from eventually import eventually
from fakes.scripted_models import buys
from fakes.sequence_house import SequenceHouse
from fakes.told_market import FLAT, OPENS_AT, SYMBOL, Told
from fakes.watched_market import LIMITS, decided, keep_plan, knows, of_the_plan, results, start_watch, tell_plan
from temporalio.client import WorkflowHandle

from activities.store.reading import decision_card, decision_list
from trading.ids import decision_id
from trading.playbook import Playbook, first_playbook, revised, to_json
from trading.policy.table import changed
from workers.cli.card import readable_card
from workflows.market_watch import MarketWatch
from workflows.names import Signal
from workflows.protocol import PlaybookNews, WatchState

OpenHouse = Callable[..., Awaitable[SequenceHouse]]
SYMBOLS = (SYMBOL, "ETH/USDT")
ACCOUNTS = ("aggressive", "composite")
CRASH = (7000, 7010, 6000, 6050)
FALL = (7000, 7010, 6700, 6750)
BOTTOM = (6050, 6060, 6040, 6050)
LOW = (6750, 6760, 6740, 6750)
HOUR = timedelta(hours=1)


def listening(**policy: Any) -> Playbook:
    """A playbook by which a trigger counts from the first moment after the session's decisions."""
    first = first_playbook()
    return revised(first, policy=changed(first.policy, trigger_quiet_s=0, **policy))


@pytest.mark.temporal
async def test_at_the_sessions_start_every_symbol_is_decided_once(open_house: OpenHouse) -> None:
    house = await open_house(Told(symbols=SYMBOLS))
    watch = await start_watch(house)
    settled = await house.tick(watch)  # the house opens at 08:00, the session's start
    ended = await results(house, settled)
    assert [one.summary.head.symbol for one in ended] == list(SYMBOLS)
    assert {one.summary.head.cause for one in ended} == {"plan"}
    assert settled.watched.wakes_at == OPENS_AT + timedelta(days=1)
    expected = [decision_id(ledger=house.ledger, symbol=s, as_of=OPENS_AT, cause="plan") for s in SYMBOLS]
    assert [name.rpartition("/")[2] for name in settled.started] == expected
    again = await house.tick(watch)
    assert again.started == (), "the same time is decided once"


@pytest.mark.temporal
async def test_a_grid_adds_its_own_times(open_house: OpenHouse) -> None:
    house = await open_house(Told())
    watch = await start_watch(house, decide_every_s=4 * 3600, ends_at=OPENS_AT + timedelta(hours=8))
    first = await house.tick(watch)
    await results(house, first)
    assert first.watched.wakes_at == OPENS_AT + timedelta(hours=4)
    await house.advance(OPENS_AT + timedelta(hours=2))
    between = await house.tick(watch)
    assert between.started == ()
    await house.advance(OPENS_AT + timedelta(hours=4))
    on_grid = await house.tick(watch)
    assert [one.summary.head.as_of for one in await results(house, on_grid)] == [OPENS_AT + 4 * HOUR]
    await house.advance(OPENS_AT + timedelta(hours=8))
    at_the_end = await house.tick(watch)
    assert at_the_end.started == (), "nothing is decided when the run ends"


@pytest.mark.temporal
async def test_a_trigger_of_the_plan_is_decided_once_for_who_planned_it(open_house: OpenHouse) -> None:
    house = await open_house(Told(accounts=ACCOUNTS, hours=[FALL, FALL], playbook=listening()))
    watch = await start_watch(house, accounts=ACCOUNTS)
    await results(house, await house.tick(watch))
    await tell_plan(house, watch)
    told = await house.tick(watch)
    assert [(level.direction, level.price) for level in of_the_plan(told)] == [
        ("below", Decimal(6800)),
        ("below", Decimal(6900)),
    ]
    stop = await house.advance(OPENS_AT + HOUR, *told.watched.levels)
    crossed = await house.tick(watch, *stop.events)
    (ended,) = await results(house, crossed)
    head = ended.summary.head
    assert (head.cause, head.accounts) == ("trigger", ACCOUNTS)
    trigger = f"{OPENS_AT:%Y-%m-%d}:{SYMBOL}:pullback:6900"
    assert head.decision_id == decision_id(
        ledger=house.ledger, symbol=SYMBOL, as_of=head.as_of, cause=f"trigger:{trigger}"
    )
    repeated = await house.tick(watch, *stop.events)
    assert repeated.started == (), "a trigger fires once"
    stop = await house.advance(OPENS_AT + HOUR, *repeated.watched.levels)
    defended = await house.tick(watch, *stop.events)
    (ended,) = await results(house, defended)
    assert ended.summary.head.accounts == ("composite",), "who holds it decides on its defence"
    assert of_the_plan(defended) == []


@pytest.mark.temporal
@pytest.mark.parametrize(("allowed", "is_planned_anew"), [("0.2", True), ("0.3", False)])
async def test_a_day_off_its_course_is_planned_anew_once(
    open_house: OpenHouse, allowed: str, is_planned_anew: bool
) -> None:
    """Four hours into the session nothing was made: a quarter of the target is missing."""
    first = first_playbook()
    strict = revised(first, policy=changed(first.policy, replan_deviation_fraction=allowed))
    house = await open_house(Told(symbols=SYMBOLS, playbook=strict))
    watch = await start_watch(house)
    await results(house, await house.tick(watch))
    await tell_plan(house, watch)
    told = await house.tick(watch)
    assert told.watched.wakes_at == OPENS_AT + 4 * HOUR, "progress is judged at the policy's hour"
    await house.advance(OPENS_AT + 4 * HOUR)
    for hours in (0, 4):
        await house.store.record_equity(house.realm, house.told.accounts[0], as_of=OPENS_AT + hours * HOUR, marks=())
    judged = await house.tick(watch)
    assert (judged.started, judged.watched.wakes_at) == ((), OPENS_AT + 24 * HOUR), "no decision, no second look"
    plans = await house.store.day_plans(house.realm, OPENS_AT.date())
    state: WatchState = await watch.query(MarketWatch.state)
    assert state.plan is not None
    if not is_planned_anew:
        assert [plan.revision for plan in plans] == [0]
        assert state.plan.period == f"{OPENS_AT:%Y-%m-%d}"
        return
    assert [plan.revision for plan in plans] == [0, 1], "the first plan stays"
    (why,) = plans[1].progress
    assert (why.course.value, why.return_fraction, why.expected_fraction) == ("behind", 0, Decimal("0.0025"))
    assert plans[1].plans[0].target.reasons[-1] == "behind"
    assert state.plan.period == f"{OPENS_AT:%Y-%m-%d}.1", "the watch has the new plan"
    in_force = await house.store.day_plan_in_force(house.realm, as_of=OPENS_AT + 5 * HOUR)
    assert in_force is not None
    assert in_force.period == state.plan.period, "and so has each decision from here on"


@pytest.mark.temporal
async def test_right_after_the_session_a_trigger_is_spent_without_another_decision(open_house: OpenHouse) -> None:
    house = await open_house(Told(hours=[FALL]))
    watch = await start_watch(house)
    await results(house, await house.tick(watch))
    await tell_plan(house, watch)
    told = await house.tick(watch)
    stop = await house.advance(OPENS_AT + HOUR, *told.watched.levels)
    assert stop.now < OPENS_AT + timedelta(minutes=30)
    spent = await house.tick(watch, *stop.events)
    assert spent.started == ()
    assert len(spent.watched.levels) < len(told.watched.levels), "it is not waited for again"


@pytest.mark.temporal
async def test_the_policy_caps_what_a_plan_may_ask_for(open_house: OpenHouse) -> None:
    first = first_playbook()
    none = revised(first, policy=changed(first.policy, triggers_per_symbol=0))
    house = await open_house(Told(playbook=none))
    watch = await start_watch(house)
    await results(house, await house.tick(watch))
    await tell_plan(house, watch)
    told = await house.tick(watch)
    assert [level.price for level in of_the_plan(told)] == [Decimal(6800)], "a defence is under no cap"


@pytest.mark.temporal
async def test_news_of_a_playbook_counts_for_the_next_decision(open_house: OpenHouse) -> None:
    house = await open_house(Told())
    watch = await start_watch(house)
    await results(house, await house.tick(watch))
    other = revised(house.told.playbook, policy=changed(house.told.playbook.policy, triggers_per_day=3))
    name = await house.store.put(to_json(other), media_type="application/json")
    await watch.signal(Signal.PLAYBOOK, PlaybookNews(version=other.version, playbook_hash=name))
    await house.advance(OPENS_AT + timedelta(days=1))
    (ended,) = await results(house, await house.tick(watch))
    assert ended.summary.head.playbook_version == other.version


@pytest.mark.temporal
async def test_what_fired_stays_fired_in_a_new_run(open_house: OpenHouse) -> None:
    house = await open_house(Told(hours=[FALL], playbook=listening()))
    watch = await start_watch(house)
    await results(house, await house.tick(watch))
    await tell_plan(house, watch)
    told = await house.tick(watch)
    stop = await house.advance(OPENS_AT + HOUR, *told.watched.levels)
    await results(house, await house.tick(watch, *stop.events))
    state: WatchState = await watch.query(MarketWatch.state)
    assert len(state.fired) == 1
    await watch.signal(MarketWatch.close)
    await watch.result()
    carried = await start_watch(house, state=state)
    again = await house.tick(carried, *stop.events)
    assert again.started == ()
    assert len(await decision_list(house.store, house.realm)) == 2


@pytest.mark.temporal
async def test_each_account_trades_by_its_own_plan(open_house: OpenHouse) -> None:
    """One observation and one pair of proposals; sizes, refusals and orders are each account's own."""
    house = await open_house(Told(accounts=("aggressive", "composite", "conservative")))
    house.primary.say(buys(stop="6930", target="7250"))
    house.secondary.say(buys(stop="6930", target="7250"))
    avoids = {"dropped": ({"symbol": SYMBOL, "reason": "memory_avoids"},), "ideas": ()}
    await keep_plan(house, composite={"limits": LIMITS | {"max_trade_fraction": "0.01"}}, conservative=avoids)
    watch = await start_watch(house)
    (ended,) = await results(house, await house.tick(watch))
    summary = ended.summary
    free, small, out = summary.outcomes
    assert summary.plan == f"{OPENS_AT:%Y-%m-%d}"
    assert (free.outcome, small.outcome, out.outcome) == ("opened", "opened", "refused_by_gate"), summary.outcomes
    assert free.notional_usd is not None
    assert free.notional_usd > 1000
    assert small.notional_usd == Decimal(1000), "a hundredth of 100,000 by its plan"
    assert out.reasons == ("plan_not_here",)
    card = await decision_card(house.store, house.realm, summary.head.decision_id)
    assert card is not None
    assert card["plan"] == f"{OPENS_AT:%Y-%m-%d}"


@pytest.mark.temporal
async def test_without_a_plan_the_policy_alone_applies_and_the_card_says_so(open_house: OpenHouse) -> None:
    house = await open_house(Told())
    watch = await start_watch(house)
    (ended,) = await results(house, await house.tick(watch))
    assert ended.summary.plan is None
    card = await decision_card(house.store, house.realm, ended.summary.head.decision_id)
    assert card is not None
    assert card["plan"] is None
    assert "no plan of the day" in readable_card(card)


@pytest.mark.temporal
async def test_where_nobody_ticks_the_market_itself_is_polled(open_house: OpenHouse) -> None:
    """The session's start and a trigger of the plan, seen at the venue; each is decided once."""
    house = await open_house(Told(coordinated=False, hours=[*[FLAT] * 26, FALL, LOW]))
    watch = await start_watch(house, coordinator=None)
    await eventually(lambda: decided(house, 1), timeout_s=30, what="the decision of this session's start")
    await house.advance(OPENS_AT + timedelta(days=1))
    await eventually(lambda: decided(house, 2), timeout_s=30, what="the session's decision")
    await tell_plan(house, watch, as_of=OPENS_AT + timedelta(days=1))
    await eventually(lambda: _watches(watch), timeout_s=30, what="the plan's triggers")
    await house.advance(OPENS_AT + 27 * HOUR)
    rows = await eventually(lambda: decided(house, 4), timeout_s=30, what="pullback and defence")
    assert sorted(row["cause"] for row in rows) == ["plan", "plan", "trigger", "trigger"]
    await watch.signal(MarketWatch.close)
    await watch.result()


@pytest.mark.temporal
async def test_a_crash_tells_every_desk_to_defend_once(open_house: OpenHouse) -> None:
    first = first_playbook()
    hourly = revised(first, policy=changed(first.policy, breaker_window_s=3600))
    house = await open_house(Told(coordinated=False, playbook=hourly, accounts=ACCOUNTS, hours=[CRASH, BOTTOM]))
    watch = await start_watch(house, coordinator=None, accounts=ACCOUNTS)
    await eventually(lambda: knows(watch, OPENS_AT), what="the market's time")
    await house.advance(OPENS_AT + HOUR)
    kinds = await eventually(lambda: _anomalies(watch), timeout_s=30, what="the crash")
    assert kinds[0] == "flash_crash", "candles tell the surge and the regime after it"
    await watch.signal(MarketWatch.close)
    await watch.result()
    history = await watch.fetch_history()
    told = [
        event.signal_external_workflow_execution_initiated_event_attributes.workflow_execution.workflow_id
        for event in history.events
        if event.HasField("signal_external_workflow_execution_initiated_event_attributes")
    ]
    assert set(told) == {house.desk(account).id for account in ACCOUNTS}
    assert len(told) == len(set(kinds)) * len(ACCOUNTS), "each is told once"


@pytest.mark.temporal
async def test_a_replayed_market_stops_at_a_crash_and_every_desk_freezes_the_symbol(open_house: OpenHouse) -> None:
    """Against the hour before: 14 % in one hour is a crash, the hour after it none, and each is told once."""
    house = await open_house(Told(accounts=ACCOUNTS, hours=[CRASH, BOTTOM, FLAT]))
    watch = await start_watch(house, accounts=ACCOUNTS)
    first = await house.tick(watch)
    await results(house, first)
    stop = await house.advance(OPENS_AT + HOUR, *first.watched.levels)
    assert OPENS_AT < stop.now < OPENS_AT + HOUR / 3, "on the way down, at a tenth below the close before"
    (event,) = stop.events
    assert event.price == Decimal(6300)
    told = await house.tick(watch, *stop.events)
    assert told.also == tuple(house.desk(account).id for account in ACCOUNTS)
    rows = await eventually(lambda: _protections(house, 2), what="a freeze of each account")
    assert {row.account for row in rows} == set(ACCOUNTS)
    assert {(row.protection.code, row.protection.symbol) for row in rows} == {("flash_crash", SYMBOL)}
    assert {row.protection.since for row in rows} == {stop.now}
    for hour in (1, 2, 3):
        later = await house.advance(OPENS_AT + hour * HOUR, *told.watched.levels)
        assert later.now == OPENS_AT + hour * HOUR, "the same fall is told once"


async def _protections(house: SequenceHouse, count: int) -> Any:
    rows = await house.store.protections(house.realm)
    return rows if len(rows) == count else None


async def _watches(watch: WorkflowHandle[Any, Any]) -> bool:
    state: WatchState = await watch.query(MarketWatch.state)
    return state.plan is not None and bool(state.plan.triggers)


async def _anomalies(watch: WorkflowHandle[Any, Any]) -> list[str]:
    state: WatchState = await watch.query(MarketWatch.state)
    return [one.kind for one in state.anomalies]
