"""One intent is one order at the venue, whatever happens to the requests between them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from fakes.exchange import (
    START,
    FakeExchange,
    Fate,
    a_stop,
    accepted,
    an_entry_with_exits,
    an_order,
    answered,
    delivered_late,
    lost_reply,
    lost_request,
)
from fakes.journal import FakeJournal

from activities.exchange.following import OrderFollowing
from activities.exchange.placing import IntentDiffers, OrderPlacement, Patience, patience_of
from activities.exchange.port import (
    AwaitChange,
    AwaitMarket,
    Level,
    RealmRefused,
    ResolveOrder,
    VenueUnavailable,
    WatchedOrder,
)
from trading.orders.models import Leg, OrderReport, OrderRequest, OrderStatus, OrderType, OutcomeClass, Side
from trading.orders.sending import wants_the_gate_again
from trading.orders.wishes import Resolution, Verdict

LIMIT = {"type": OrderType.LIMIT, "price": Decimal(6900)}
CAMPAIGN = patience_of("replay-march")
LASTING = patience_of("paper")


class Scene:
    """A venue, a journal, and as many attempts at one order as a test wants."""

    def __init__(self, *fates: Fate, patience: Patience = LASTING) -> None:
        self.venue = FakeExchange(*fates)
        self.journal = FakeJournal()
        self.patience = patience

    @property
    def placement(self) -> OrderPlacement:
        return OrderPlacement(
            self.venue, self.journal, pause=self.venue.pause, patience=self.patience, clock_s=self.venue.clock_s
        )

    @property
    def following(self) -> OrderFollowing:
        return OrderFollowing(self.venue, self.journal, pause=self.venue.pause, clock_s=self.venue.clock_s)

    async def place(self, request: OrderRequest) -> OrderReport:
        return await self.placement.place(request)


async def test_an_accepted_market_order_is_reported_with_its_fills() -> None:
    scene = Scene()
    report = await scene.place(an_order())
    assert (report.status, report.executed_quantity) == (OrderStatus.FILLED, Decimal("0.1"))
    assert len(scene.journal.fills) == 1


@pytest.mark.parametrize(
    ("fates", "sends"),
    [
        # what happens to each send                            how often it is sent
        ((accepted(),), 1),
        ((lost_reply(),), 1),
        ((lost_request(),), 2),
        ((lost_request(), lost_reply()), 2),
        ((delivered_late(2),), 1),  #                          inside its window: found by asking
        ((delivered_late(30),), 2),  #                         after its window: refused by its own expiry
        ((answered(OutcomeClass.NOT_SENT),), 2),
        ((answered(OutcomeClass.NOT_SENT), lost_reply()), 2),
        ((answered(OutcomeClass.NOT_PROCESSED, retry_after_s=7),), 2),
        ((answered(OutcomeClass.NOT_PROCESSED, code=-1021),), 2),
        ((answered(OutcomeClass.NOT_PROCESSED), lost_request()), 3),
    ],
)
@pytest.mark.parametrize(
    ("kind", "patience"), [({}, CAMPAIGN), (LIMIT, CAMPAIGN), ({"leg": Leg.EXIT, "side": Side.SELL}, LASTING)]
)
async def test_every_fate_ends_as_one_order(
    kind: dict[str, object], patience: Patience, fates: tuple[Fate, ...], sends: int
) -> None:
    scene = Scene(*fates, patience=patience)
    report = await scene.place(an_order(**kind))
    assert report.outcome is OutcomeClass.ACCEPTED
    assert len(scene.venue.created) == 1
    assert len(scene.venue.sent) == sends
    assert len({prepared.key.client_order_id for prepared in scene.venue.sent}) == 1
    assert len({prepared.signed_at for prepared in scene.venue.sent}) == sends, "each send has its own timestamp"


async def test_absent_before_the_horizon_is_not_sent_again() -> None:
    scene = Scene(lost_request(), patience=CAMPAIGN)
    await scene.place(an_order())
    first, second = scene.venue.sent
    assert second.signed_at >= first.horizon_at


async def test_lost_reply_then_late_fill_is_one_order() -> None:
    scene = Scene(lost_reply())
    scene.venue.read_lag_s = 4.0
    limit = an_order(**LIMIT)
    first = await scene.place(limit)
    scene.venue.fill(limit.client_order_id)
    second = await scene.place(limit)
    assert (first.status, second.status) == (OrderStatus.NEW, OrderStatus.FILLED)
    assert (len(scene.venue.created), len(scene.journal.fills)) == (1, 1)


async def test_worker_died_after_the_intent_was_written() -> None:
    scene = Scene(patience=CAMPAIGN)
    request = an_order()
    await scene.journal.record_intent(request, await scene.venue.prepare(request))
    report = await scene.place(request)
    assert report.status is OrderStatus.FILLED
    assert scene.venue.sent[0].signed_at >= START + timedelta(seconds=18), "perhaps it was sent: the horizon first"


async def test_worker_died_between_send_and_answer() -> None:
    scene = Scene()
    request = an_order()
    prepared = await scene.venue.prepare(request)
    await scene.journal.record_intent(request, prepared)
    await scene.journal.record_sent(request.key)
    await scene.venue.send(prepared, protective=False)
    report = await scene.place(request)
    assert report.status is OrderStatus.FILLED
    assert len(scene.venue.created) == 1


async def test_a_worker_frozen_before_its_send_wakes_after_another_has_sent() -> None:
    """The first attempt's bytes leave 30 s late: its own timestamp has expired by then."""
    scene = Scene(patience=CAMPAIGN)
    request = an_order()
    frozen = await scene.venue.prepare(request)
    await scene.journal.record_intent(request, frozen)
    await scene.place(request)
    late = await scene.venue.send(frozen, protective=False)
    assert (late.code, len(scene.venue.created)) == (-1021, 1)


async def test_an_overtaken_attempt_asks_instead_of_sending() -> None:
    """A second attempt sends between our new timestamp and our send: ours is given up, its order is found."""
    scene = Scene(lost_request(), patience=CAMPAIGN)
    request = an_order()
    overtaken = scene.journal.record_resend

    async def while_another_attempt_sends(key: object, prepared: object) -> object:
        scene.journal.record_resend = overtaken  # type: ignore[method-assign]
        intent = await overtaken(key, prepared)  # type: ignore[arg-type]
        theirs = await scene.venue.prepare(request.model_copy(update={"epoch": 0}))
        theirs = theirs.model_copy(update={"fields": (*theirs.fields, ("attempt", "2"))})
        await overtaken(request.key, theirs)
        await scene.journal.record_sent(request.key)
        await scene.venue.send(theirs, protective=False)
        return intent

    scene.journal.record_resend = while_another_attempt_sends  # type: ignore[method-assign,assignment]
    report = await scene.place(request)
    assert report.status is OrderStatus.FILLED
    assert len(scene.venue.created) == 1
    assert len(scene.venue.sent) == 2, "the lost one and the other attempt's"


@pytest.mark.parametrize("freezes_after", ["book_top", "prepare", "record_intent", "record_sent"])
async def test_a_worker_frozen_before_its_first_send_does_not_send_what_it_checked_long_ago(freezes_after: str) -> None:
    """Ten minutes pass between two steps of the only worker there is; nobody overtakes it."""
    scene = Scene()
    owner = scene.venue if hasattr(scene.venue, freezes_after) else scene.journal
    step = getattr(owner, freezes_after)

    async def then_freeze(*args: object) -> object:
        setattr(owner, freezes_after, step)
        done = await step(*args)
        scene.venue.now += timedelta(minutes=10)
        return done

    setattr(owner, freezes_after, then_freeze)
    report = await scene.place(an_order())
    assert (report.status, scene.venue.created) == (OrderStatus.EXPIRED, [])


@pytest.mark.parametrize(
    "hears", [accepted(), answered(OutcomeClass.REFUSED, "<html>Forbidden</html>"), answered(OutcomeClass.NOT_SENT)]
)
async def test_what_a_thawed_attempt_hears_does_not_settle_what_another_has_sent(hears: Fate) -> None:
    """Frozen inside its send; meanwhile a second attempt re-sends, is filled, loses the reply and dies."""
    scene = Scene(lost_reply(), hears)
    request = an_order()
    send = scene.venue.send

    async def frozen(prepared: object, *, protective: bool) -> object:
        scene.venue.send = send  # type: ignore[method-assign]
        scene.venue.now += timedelta(seconds=30)
        theirs = await scene.venue.prepare(request)
        await scene.journal.record_resend(request.key, theirs)
        await scene.journal.record_sent(request.key)
        await send(theirs, protective=False)
        return await send(prepared, protective=protective)  # type: ignore[arg-type]

    scene.venue.send = frozen  # type: ignore[method-assign,assignment]
    report = await scene.place(request)
    assert (report.status, len(scene.venue.created)) == (OrderStatus.FILLED, 1)
    assert scene.journal.intents[request.client_order_id].status is OrderStatus.FILLED


async def test_a_list_that_ends_unsent_leaves_no_exit_in_doubt() -> None:
    scene = Scene(answered(OutcomeClass.NOT_PROCESSED, retry_after_s=60))
    entry = an_entry_with_exits()
    report = await scene.place(entry)
    assert wants_the_gate_again(report)
    assert {scene.journal.intents[leg.client_order_id].status for leg in entry.beside} == {OrderStatus.EXPIRED}


async def test_a_finished_order_is_not_asked_for_again() -> None:
    scene = Scene()
    first = await scene.place(an_order())
    scene.venue.silent = 99
    assert await scene.place(an_order()) == first


async def test_refusal_names_the_venues_code() -> None:
    scene = Scene(answered(OutcomeClass.REFUSED, "insufficient balance", code=-2010))
    report = await scene.place(an_order())
    assert (report.status, report.code, report.outcome) == (OrderStatus.REFUSED, -2010, OutcomeClass.REFUSED)
    assert await scene.place(an_order()) == report.model_copy(update={"code": None, "outcome": OutcomeClass.UNKNOWN})
    assert len(scene.venue.sent) == 1


async def test_a_halted_gate_refuses_an_entry_unsent_and_lets_a_stop_pass() -> None:
    scene = Scene()
    scene.journal.gate_code = "halted"
    refused = await scene.place(an_order())
    passed = await scene.place(a_stop())
    assert (refused.status, refused.reason) == (OrderStatus.REFUSED, "halted: the gate row forbids it")
    assert scene.journal.given_back == ["permit"], "nothing will be ordered under it: its room is another's"
    assert (passed.status, len(scene.venue.sent)) == (OrderStatus.NEW, 1)


async def test_an_entry_halted_while_it_waited_is_not_sent_again() -> None:
    scene = Scene(answered(OutcomeClass.NOT_PROCESSED, retry_after_s=3))
    scene.venue.on_send = lambda: setattr(scene.journal, "gate_code", "halted")
    report = await scene.place(an_order())
    assert (report.status, len(scene.venue.created)) == (OrderStatus.REFUSED, 0)


@pytest.mark.parametrize(
    ("late_s", "kind", "patience", "sent"),
    [
        # the worker comes to it so much later
        (120, {}, LASTING, 1),
        (121, {}, LASTING, 0),
        (8 * 3600, LIMIT, LASTING, 0),
        (8 * 3600, {"leg": Leg.EXIT, "side": Side.SELL}, LASTING, 1),
        (8 * 3600, {}, CAMPAIGN, 1),
    ],
)
async def test_an_entry_that_waited_too_long_does_not_trade_the_past(
    late_s: int, kind: dict[str, object], patience: Patience, sent: int
) -> None:
    scene = Scene(patience=patience)
    scene.venue.now += timedelta(seconds=late_s)
    report = await scene.place(an_order(**kind))
    assert len(scene.venue.sent) == sent
    if not sent:
        assert report.status is OrderStatus.EXPIRED
        assert report.reason.startswith("stale_as_of: ")
        assert await scene.journal.find_intent(an_order(**kind).key) is None


async def test_a_lost_entry_is_not_sent_again_hours_later() -> None:
    """Killed after the intent was written; the next worker starts in the morning."""
    scene = Scene()
    request = an_order()
    await scene.journal.record_intent(request, await scene.venue.prepare(request))
    scene.venue.now += timedelta(hours=8)
    report = await scene.place(request)
    assert (report.status, scene.venue.sent) == (OrderStatus.EXPIRED, [])
    assert report.reason.startswith("stale_as_of: ")


async def test_a_sent_entry_is_found_hours_later() -> None:
    """It was accepted before the worker died: its fills count, however old it is."""
    scene = Scene(lost_reply())
    request = an_order()
    prepared = await scene.venue.prepare(request)
    await scene.journal.record_intent(request, prepared)
    await scene.venue.send(prepared, protective=False)
    scene.venue.now += timedelta(hours=8)
    assert (await scene.place(request)).status is OrderStatus.FILLED


async def test_a_found_order_that_is_not_ours_freezes() -> None:
    scene = Scene()
    ours = an_order(**LIMIT)
    await scene.venue.send(await scene.venue.prepare(an_order(**LIMIT, quantity=Decimal("0.2"))), protective=False)
    report = await scene.place(ours)
    assert report.status is OrderStatus.FROZEN
    assert "quantity is 0.2 at the venue, 0.1 in the intent" in report.reason
    assert (await scene.place(ours)).status is OrderStatus.FROZEN
    assert (await scene.following.sync(ours.key)).status is OrderStatus.FROZEN
    waited = AwaitChange(key=ours.key, seen_status=OrderStatus.FROZEN, until=START + timedelta(minutes=1))
    assert (await scene.following.await_change(waited)).status is OrderStatus.FROZEN
    assert scene.venue.now >= START + timedelta(minutes=1), "no news is waited out, not told again and again"


async def test_the_same_id_for_another_order_is_a_defect() -> None:
    scene = Scene()
    await scene.place(an_order(**LIMIT))
    with pytest.raises(IntentDiffers, match="quantity"):
        await scene.place(an_order(**LIMIT, quantity=Decimal("0.3")))


async def test_a_venue_silent_for_too_long_freezes_what_is_in_doubt() -> None:
    scene = Scene(lost_reply())
    scene.venue.silent = 10_000
    report = await scene.place(an_order())
    assert report.status is OrderStatus.FROZEN
    scene.venue.silent = 0
    assert (await scene.place(an_order())).status is OrderStatus.FILLED


@pytest.mark.parametrize("fate", [lost_reply(), lost_request()])
async def test_a_stop_outlasts_a_silence_and_freezes_its_symbol_meanwhile(fate: Fate) -> None:
    scene, stop = Scene(fate), a_stop()
    scene.venue.silent = 10_000
    for _ in range(3):
        with pytest.raises(VenueUnavailable):
            await scene.place(stop)
        assert scene.journal.intents[stop.client_order_id].status is OrderStatus.FROZEN
    scene.venue.silent = 0
    assert (await scene.place(stop)).status is OrderStatus.NEW
    assert [order.client_order_id for order in scene.venue.created] == [stop.client_order_id]


async def test_a_stop_that_is_not_as_we_meant_it_waits_for_a_person_and_is_never_sent_again() -> None:
    scene, stop = Scene(), a_stop()
    await scene.journal.record_intent(stop, await scene.venue.prepare(stop))
    await scene.journal.record_status(stop.key, OrderStatus.FROZEN, reason="stop price is 6900 at the venue")
    assert (await scene.place(stop)).status is OrderStatus.FROZEN
    assert scene.venue.sent == []


async def test_a_ban_is_waited_for_as_long_as_the_venue_says() -> None:
    scene = Scene(answered(OutcomeClass.NOT_SENT, "banned", retry_after_s=600))
    with pytest.raises(VenueUnavailable) as banned:
        await scene.place(a_stop())
    assert banned.value.retry_after_s == 600
    await scene.venue.pause(600)
    assert (await scene.place(a_stop())).status is OrderStatus.NEW


async def test_a_campaign_never_freezes_by_the_clock() -> None:
    scene = Scene(lost_reply(), patience=CAMPAIGN)
    scene.venue.silent = 10_000
    with pytest.raises(VenueUnavailable):
        await scene.place(an_order())
    scene.venue.silent = 0
    assert (await scene.place(an_order())).status is OrderStatus.FILLED
    assert len(scene.venue.created) == 1


@pytest.mark.parametrize(
    "fate", [lost_request(), delivered_late(30), answered(OutcomeClass.NOT_PROCESSED, "slow down", retry_after_s=60)]
)
async def test_an_entry_that_waited_over_five_seconds_needs_the_gate_again(fate: Fate) -> None:
    scene = Scene(fate)
    report = await scene.place(an_order())
    assert (report.status, len(scene.venue.sent), len(scene.venue.created)) == (OrderStatus.EXPIRED, 1, 0)
    assert report.reason.startswith("gate_again: waited ")
    assert wants_the_gate_again(report)
    assert (await scene.place(an_order())).status is OrderStatus.EXPIRED, "asked again, it stays unsent"
    assert len(scene.venue.sent) == 1


async def test_an_exit_is_sent_until_it_is_there() -> None:
    scene = Scene(*[lost_request()] * 4)
    left = await scene.place(an_order(leg=Leg.EXIT, side=Side.SELL))
    assert (left.status, len(scene.venue.sent)) == (OrderStatus.FILLED, 5)


@pytest.mark.parametrize(
    ("bounds", "why"),
    [
        # the ask is 7001, the time 10:00
        ({"valid_until": START}, None),
        ({"valid_until": START - timedelta(seconds=1)}, "permit_lapsed"),
        ({"collar_low": Decimal(6966), "collar_high": Decimal(7036)}, None),
        ({"collar_high": Decimal("7000.99")}, "collar"),
        ({"collar_low": Decimal("7001.01")}, "collar"),
        ({"worst_price": Decimal(7001)}, None),
        ({"worst_price": Decimal(7000)}, "slippage"),
        (LIMIT | {"collar_low": Decimal(6866), "collar_high": Decimal(6934)}, None),  # it waits at its own price
        (LIMIT | {"collar_low": Decimal(6901)}, "collar"),
    ],
)
async def test_permit_and_collar_are_looked_at_right_before_the_request(
    bounds: dict[str, object], why: str | None
) -> None:
    entry, leave = Scene(), Scene()
    report = await entry.place(an_order(**bounds))
    assert (report.status is OrderStatus.EXPIRED, len(entry.venue.sent)) == (why is not None, 0 if why else 1)
    assert report.reason.partition(":")[0] == (why or "")
    await leave.place(an_order(**bounds | {"leg": Leg.EXIT, "side": Side.SELL}))
    assert len(leave.venue.sent) == 1, "what reduces always leaves"


async def test_a_permit_that_lapses_while_the_venue_holds_us_back_is_not_used() -> None:
    scene = Scene(answered(OutcomeClass.NOT_PROCESSED, retry_after_s=3))
    report = await scene.place(an_order(valid_until=START + timedelta(seconds=2)))
    assert (report.status, len(scene.venue.created)) == (OrderStatus.EXPIRED, 0)
    assert report.reason.startswith("permit_lapsed: ")


async def test_an_unreachable_venue_ends_an_entry_and_keeps_an_exit_trying() -> None:
    refusals = [answered(OutcomeClass.NOT_SENT, "refused")] * 200
    entry, leave = Scene(*refusals), Scene(*refusals)
    ended = await entry.place(an_order())
    assert ended.status is OrderStatus.EXPIRED
    assert ended.reason.startswith("gate_again: ")
    with pytest.raises(VenueUnavailable):
        await leave.place(an_order(leg=Leg.EXIT, side=Side.SELL))


async def test_an_unknown_stop_is_sent_again_at_once_and_rests_once() -> None:
    scene = Scene(delivered_late(1))
    report = await scene.place(a_stop())
    first, second = scene.venue.sent
    assert second.signed_at < first.expires_at, "no waiting beside an unprotected position"
    assert (report.status, len(scene.venue.created)) == (OrderStatus.NEW, 1)


async def test_a_refused_second_stop_may_be_the_echo_of_the_first() -> None:
    """The first stop arrives after all and locks the balance: the second's refusal must not end the protection."""
    scene = Scene(delivered_late(2), answered(OutcomeClass.REFUSED, "insufficient balance", code=-2010))
    report = await scene.place(a_stop())
    assert (report.status, len(scene.venue.created)) == (OrderStatus.NEW, 1)


async def test_a_stop_that_would_trigger_at_once_is_refused_for_good() -> None:
    scene = Scene(lost_request())
    scene.venue.stop_would_trigger = True
    report = await scene.place(a_stop())
    assert (report.status, report.code) == (OrderStatus.REFUSED, -2010)
    assert scene.venue.created == []


async def test_another_realm_is_refused_and_leaves_no_intent() -> None:
    scene = Scene()
    with pytest.raises(RealmRefused):
        await scene.place(an_order(realm="replay-march"))
    assert scene.journal.intents == {}


async def test_cancel_returns_the_fills_that_came_before_it() -> None:
    scene = Scene()
    limit = an_order(**LIMIT)
    await scene.place(limit)
    scene.venue.fill(limit.client_order_id)
    report = await scene.following.cancel(limit.key)
    assert (report.status, report.executed_quantity) == (OrderStatus.FILLED, Decimal("0.1"))


async def test_a_cancel_that_overtakes_its_order_is_sent_again() -> None:
    scene = Scene()
    limit = an_order(**LIMIT)
    prepared = await scene.venue.prepare(limit)
    await scene.journal.record_intent(limit, prepared)
    scene.venue.fates.append(delivered_late(2))
    await scene.venue.send(prepared, protective=False)
    report = await scene.following.cancel(limit.key)
    assert report.status is OrderStatus.CANCELED
    assert [order.status for order in scene.venue.created] == [OrderStatus.CANCELED]


async def test_a_cancel_of_an_order_that_never_arrived_says_so_after_the_horizon() -> None:
    scene = Scene()
    limit = an_order(**LIMIT)
    prepared = await scene.venue.prepare(limit)
    await scene.journal.record_intent(limit, prepared)
    report = await scene.following.cancel(limit.key)
    assert report.status is OrderStatus.REFUSED
    assert scene.venue.now >= prepared.horizon_at


async def test_following_an_order_returns_on_its_change() -> None:
    scene = Scene()
    limit = an_order(**LIMIT)
    await scene.place(limit)
    until = scene.venue.now.replace(hour=11)
    waited = AwaitChange(key=limit.key, seen_status=OrderStatus.NEW, until=until)
    unchanged = await scene.following.await_change(waited)
    assert (unchanged.status, scene.venue.now >= until.replace(hour=10, minute=9)) == (OrderStatus.NEW, True)
    scene.venue.fill(limit.client_order_id)
    assert (await scene.following.await_change(waited)).status is OrderStatus.FILLED


@pytest.mark.parametrize(
    ("direction", "price", "crossed"),
    [
        # the best bid is 6999
        ("below", "6999", True),
        ("below", "6998", False),
        ("above", "6999", True),
        ("above", "7000", False),  # the ask of 7001 alone is nobody's exit
    ],
)
async def test_levels_are_crossed_by_the_best_bid(direction: str, price: str, crossed: bool) -> None:
    scene = Scene()
    level = Level(id="stop", symbol="BTC/USDT", direction=direction, price=Decimal(price))
    until = scene.venue.now.replace(minute=1)
    news = await scene.following.await_market(
        AwaitMarket(realm="paper", venue="sim", symbol="BTC/USDT", levels=(level,), until=until)
    )
    assert (news.crossed == ("stop",), news.price) == (crossed, Decimal(6999))


async def test_a_changed_order_is_market_news() -> None:
    scene = Scene()
    stop = a_stop()
    await scene.place(stop)
    scene.venue.fill(stop.client_order_id)
    watched = WatchedOrder(key=stop.key, seen_status=OrderStatus.NEW)
    until = scene.venue.now.replace(minute=1)
    news = await scene.following.await_market(
        AwaitMarket(realm="paper", venue="sim", symbol="BTC/USDT", keys=(watched,), until=until)
    )
    assert news.changed == (stop.key,)


async def frozen_scene(*, at_the_venue: bool) -> tuple[Scene, OrderRequest]:
    """An entry whose fate nobody could learn in time; the venue took it, or never saw it."""
    scene = Scene(lost_reply() if at_the_venue else lost_request())
    scene.venue.silent = 10_000
    assert (await scene.place(an_order())).status is OrderStatus.FROZEN
    scene.venue.silent = 0
    return scene, an_order()


@pytest.mark.parametrize(
    ("at_the_venue", "said", "becomes"),
    [
        (True, Verdict.FILLED, OrderStatus.FILLED),
        (False, Verdict.ABSENT, OrderStatus.REFUSED),
        (True, Verdict.ABSENT, OrderStatus.FROZEN),  #  the venue contradicts
        (False, Verdict.FILLED, OrderStatus.FROZEN),
    ],
)
async def test_a_person_s_word_ends_a_frozen_order_where_the_venue_agrees(
    at_the_venue: bool, said: Verdict, becomes: OrderStatus
) -> None:
    scene, order = await frozen_scene(at_the_venue=at_the_venue)
    word = Resolution(client_order_id=order.client_order_id, verdict=said, who="me", reason="looked it up")
    report = await scene.following.resolve(ResolveOrder(key=order.key, word=word))
    assert report.status is becomes
    assert len(scene.journal.fills) == (becomes is OrderStatus.FILLED)


async def test_absent_counts_only_once_nothing_sent_can_still_arrive() -> None:
    scene = Scene()
    order = an_order()
    await scene.journal.record_intent(order, await scene.venue.prepare(order))
    await scene.journal.record_status(order.key, OrderStatus.FROZEN, reason="a test")
    word = Resolution(client_order_id=order.client_order_id, verdict=Verdict.ABSENT, who="me", reason="not there")
    asked = ResolveOrder(key=order.key, word=word)
    assert (await scene.following.resolve(asked)).status is OrderStatus.FROZEN
    scene.venue.now += timedelta(seconds=18)
    assert (await scene.following.resolve(asked)).status is OrderStatus.REFUSED
