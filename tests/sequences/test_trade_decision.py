"""Every way a decision can end, on real activities and a real exchange, with models that say what the test wants."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from fakes.scripted_models import ScriptedModel, buys, misquotes, nonsense, sells
from fakes.sequence_house import SequenceHouse
from fakes.told_market import ACCOUNT, OPENS_AT, SYMBOL, Told

from activities.models.failures import FailureKind, broken
from trading.decision.models import FusionOutcome, Verdict
from trading.orders.models import Side
from trading.risk.models import Mode
from workflows.names import Update
from workflows.position_guard import PositionGuard
from workflows.protocol import DecisionResult, ModeChange

pytestmark = pytest.mark.temporal

OpenHouse = Callable[..., Awaitable[SequenceHouse]]


def away(model: ScriptedModel) -> None:
    model.say(broken("scripted", FailureKind.BAD_REQUEST, "the provider refuses for good"))


def ended(result: DecisionResult) -> tuple[str, tuple[str, ...]]:
    (outcome,) = result.summary.outcomes
    return outcome.outcome, outcome.reasons


async def orders_at_the_venue(house: SequenceHouse) -> int:
    """Entries, whole ones: the exits that came with one are of its list."""
    found = await house.exchange.orders(ACCOUNT, SYMBOL)
    return len([order for order in found if order.side is Side.BUY])


async def test_two_holds_are_held_and_recorded(open_house: OpenHouse) -> None:
    house = await open_house(Told(desks=False, coordinated=False), max_cached_workflows=0)
    result = await house.decide()
    assert ended(result) == ("held", ("agree_to_hold",))
    assert await house.store.open_decision(house.head()) == result.summary, "the row says what the workflow returned"
    assert await orders_at_the_venue(house) == 0


async def test_a_buy_beside_a_hold_is_no_trade(open_house: OpenHouse) -> None:
    house = await open_house()
    house.primary.say(buys())
    assert ended(await house.decide()) == ("no_trade", ("one_alone_never_opens",))


async def test_too_little_history_abstains_before_any_model_is_asked(open_house: OpenHouse) -> None:
    house = await open_house(Told(history_hours=60))
    outcome, _ = ended(await house.decide())
    assert outcome == "abstained_insufficient_history"
    assert house.primary.asked == house.secondary.asked == []


async def test_an_unknown_market_ends_without_a_model_call(open_house: OpenHouse) -> None:
    house = await open_house()
    result = await house.decide(symbol="XRP/USDT")
    assert ended(result) == ("market_unavailable", ())
    assert house.primary.asked == []


async def test_answers_that_stay_wrong_after_one_correction_abstain(open_house: OpenHouse) -> None:
    house = await open_house()
    house.primary.say(misquotes(buys()))
    house.secondary.say(misquotes(buys()))
    result = await house.decide()
    assert ended(result) == ("abstained_models", ("both_abstain",))
    assert [stance.abstains_because for stance in result.summary.stances] == ["not_repaired", "not_repaired"]
    assert len(house.primary.asked) == len(house.secondary.asked) == 2, "one proposal and one correction, no more"


async def test_an_unreadable_answer_leaves_the_other_model_alone(open_house: OpenHouse) -> None:
    house = await open_house()
    house.primary.say(nonsense)
    house.secondary.say(buys())
    outcome, reasons = ended(await house.decide())
    assert outcome == "no_trade"
    assert reasons[:2] == ("one_alone_never_opens", "primary_abstains")


async def test_a_corrected_answer_counts_like_any_other(open_house: OpenHouse) -> None:
    house = await open_house()
    house.primary.say(misquotes(buys()), buys())
    house.secondary.say(buys())
    result = await house.decide()
    assert ended(result)[0] == "opened"
    assert [len(model.asked) for model in (house.primary, house.secondary)] == [2, 1]
    correction = house.primary.asked[1].messages
    assert "12345.67" in correction[-2].content, "the model sees its own answer"
    assert len(correction) > len(house.primary.asked[0].messages), "and what was found in it"


async def test_one_model_that_is_away_never_opens(open_house: OpenHouse) -> None:
    house = await open_house()
    house.primary.say(buys())
    away(house.secondary)
    result = await house.decide()
    assert ended(result) == ("no_trade", ("one_alone_never_opens", "secondary_abstains"))
    assert result.summary.stances[1].abstains_because == "model_unavailable"
    assert result.summary.stances[1].verdict is Verdict.ABSTAINS
    assert await orders_at_the_venue(house) == 0


async def test_both_models_away_is_abstained_and_not_held(open_house: OpenHouse) -> None:
    house = await open_house()
    away(house.primary)
    away(house.secondary)
    assert ended(await house.decide()) == ("abstained_models", ("both_abstain",))


async def test_two_buys_open_a_position_with_a_guard(open_house: OpenHouse) -> None:
    house = await open_house()
    house.primary.say(buys(size="0.05"))
    house.secondary.say(buys(size="0.04", stop="6800"))
    result = await house.decide()
    (outcome,) = result.summary.outcomes
    fusion = result.summary.fusion
    assert fusion is not None
    assert (fusion.outcome, fusion.size_fraction, fusion.stop_price) == (
        FusionOutcome.OPEN,
        Decimal("0.04"),
        Decimal(6800),
    )
    assert outcome.outcome == "opened"
    assert outcome.notional_usd is not None
    assert outcome.notional_usd <= Decimal("0.04") * house.told.capital, "the smaller wish is never enlarged"
    assert await orders_at_the_venue(house) == 1
    assert result.also == (house.guard().id,), "the guard was told and must be ticked"
    (expected,) = (await house.guard().query(PositionGuard.state)).expected
    assert (expected.stop_price, expected.exit_at) == (Decimal(6800), OPENS_AT + timedelta(hours=48))


async def test_two_sales_reduce_through_the_guard(open_house: OpenHouse) -> None:
    house = await open_house()
    await house.bought()
    held = (await house.exchange.account(ACCOUNT)).balance("BTC").total
    house.primary.say(sells(size="0.5"))
    house.secondary.say(sells(size="0.5"))
    result = await house.decide()
    assert ended(result)[0] == "reduced"
    await house.settle(house.guard().id)
    await house.play(OPENS_AT + timedelta(minutes=1))
    left = (await house.exchange.account(ACCOUNT)).balance("BTC").total
    assert held * Decimal("0.49") < left < held * Decimal("0.51")
    assert house.guard().id in result.also


async def test_a_sale_without_a_position_is_a_finding_and_both_abstain(open_house: OpenHouse) -> None:
    house = await open_house()
    house.primary.say(sells())
    house.secondary.say(sells())
    result = await house.decide()
    assert ended(result) == ("abstained_models", ("both_abstain",))
    assert all(stance.finding_codes for stance in result.summary.stances)


async def test_a_halted_account_is_refused_by_the_gate(open_house: OpenHouse) -> None:
    house = await open_house()
    await house.desk().execute_update(
        Update.CHANGE_MODE, ModeChange(operation_id="op-1", mode=Mode.HALTED, reason="storm", who="a person")
    )
    house.primary.say(buys())
    house.secondary.say(buys())
    outcome, reasons = ended(await house.decide())
    assert outcome == "refused_by_gate"
    assert "halted" in reasons
    assert await orders_at_the_venue(house) == 0


async def test_an_order_that_the_venue_refuses_is_said_to_be_refused(open_house: OpenHouse) -> None:
    house = await open_house(Told(venue_capital=Decimal(100)))
    house.primary.say(buys())
    house.secondary.say(buys())
    outcome, reasons = ended(await house.decide())
    assert outcome == "order_refused"
    assert "insufficient balance" in reasons[0]


async def test_an_old_observation_is_stale_at_the_gate(open_house: OpenHouse) -> None:
    house = await open_house()
    await house.advance(OPENS_AT + timedelta(hours=3))
    house.primary.say(buys())
    house.secondary.say(buys())
    outcome, reasons = ended(await house.decide(as_of=OPENS_AT))
    assert outcome == "stale_as_of"
    assert "stale_observation" in reasons


async def test_decided_twice_is_one_decision(open_house: OpenHouse) -> None:
    house = await open_house()
    house.primary.say(buys())
    house.secondary.say(buys())
    first = await house.decide()
    again = await house.decide(run="-again")
    assert again.already_decided
    assert again.summary == first.summary
    assert (len(house.primary.asked), await orders_at_the_venue(house)) == (1, 1)


async def test_accounts_share_one_pair_of_proposals_and_have_an_outcome_each(open_house: OpenHouse) -> None:
    house = await open_house(Told(accounts=("aggressive", "conservative")))
    await house.desk("conservative").execute_update(
        Update.CHANGE_MODE, ModeChange(operation_id="op-1", mode=Mode.MANUAL, reason="careful", who="a person")
    )
    house.primary.say(buys())
    house.secondary.say(buys())
    result = await house.decide()
    assert [(o.account, o.outcome) for o in result.summary.outcomes] == [
        ("aggressive", "opened"),
        ("conservative", "expired"),
    ]
    assert len(house.primary.asked) == 1
