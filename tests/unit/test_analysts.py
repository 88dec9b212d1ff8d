"""The rule analysts on generated markets: never a false finding, and each corruption of their answers is caught."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import pytest
from decision_builders import facts, position, snapshot

from trading.candles import CandleSeries
from trading.decision.analysts import propose_by_rules
from trading.decision.models import Action, Finding, PositionView, Role, Stance
from trading.decision.prompts import answer_text
from trading.decision.verify import verify_answer
from trading.facts.models import MarketSnapshot
from trading.facts.snapshot import observe
from trading.generator import generate_market
from trading.policy.model import Policy

ANALYSTS = ("rules-momentum", "rules-reversion")
START = datetime(2024, 1, 1, tzinfo=UTC)
SYMBOLS = ("BTC/USDT", "ADA/USDT")
DECISION_HOURS = 12
CORRUPTED_PROPOSALS = 20


def verified(text: str, seen: MarketSnapshot, held: PositionView) -> tuple[Stance, tuple[Finding, ...]]:
    return verify_answer(
        text,
        role=Role.PRIMARY,
        model="rules",
        is_rule_based=True,
        answer_hash=None,
        snapshot=seen,
        recall=None,
        policy=Policy(),
        position=held,
    )


@lru_cache(maxsize=1)
def market_of_seed_seven() -> tuple[tuple[MarketSnapshot, PositionView], ...]:
    """Two symbols, 23 days with one crash, a decision every twelve hours, flat and with a position in turn."""
    markets = generate_market(seed=7, symbols=SYMBOLS, start=START, days=45, crash_days=(38,))
    return tuple(scene for series in markets.values() for scene in scenes(series))


def scenes(series: CandleSeries) -> list[tuple[MarketSnapshot, PositionView]]:
    found = []
    for at in range(0, 22 * 24, DECISION_HOURS):
        as_of = START + timedelta(days=23, hours=at)
        held = position(quantity="0" if at // DECISION_HOURS % 3 else "0.2")
        found.append((observe(series, as_of=as_of, venue="test", book=None, position=held), held))
    return found


@lru_cache(maxsize=1)
def proposals_of_seed_seven() -> list[tuple[str, MarketSnapshot, PositionView]]:
    """The text of every proposal of both analysts in every scene."""
    return [
        (answer_text(propose_by_rules(name, seen.by_id())), seen, held)
        for seen, held in market_of_seed_seven()
        for name in ANALYSTS
    ]


def test_proposals_of_the_analysts_stand_in_every_scene_without_one_finding() -> None:
    actions = Counter[str]()
    for text, seen, held in proposals_of_seed_seven():
        stance, findings = verified(text, seen, held)
        assert findings == ()
        assert stance.speaks
        actions[stance.action or "none"] += 1
    assert actions.total() == 176
    assert set(actions) == set(Action)


def test_the_two_often_disagree_and_sometimes_agree_to_buy() -> None:
    flat = [seen.by_id() for seen, held in market_of_seed_seven() if not held.is_open]
    pairs = Counter(tuple(propose_by_rules(name, known).action for name in ANALYSTS) for known in flat)
    assert pairs[Action.BUY, Action.BUY] >= 2
    assert pairs[Action.BUY, Action.HOLD] + pairs[Action.HOLD, Action.BUY] > pairs[Action.BUY, Action.BUY]


def test_the_same_facts_give_the_same_proposal() -> None:
    known = snapshot().by_id()
    assert [propose_by_rules(name, known) for name in ANALYSTS] == [propose_by_rules(name, known) for name in ANALYSTS]


@pytest.mark.parametrize("name", ANALYSTS)
def test_every_claim_cites_a_fact_and_repeats_its_value_exactly(name: str) -> None:
    known = snapshot().by_id()
    proposal = propose_by_rules(name, known)
    assert len(proposal.claims) >= 3
    for claim in proposal.claims:
        value = known[claim.cites[0]].value
        assert claim.value is not None
        assert (Decimal(claim.value) if isinstance(value, Decimal) else claim.value) == value


@pytest.mark.parametrize("name", ANALYSTS)
def test_without_any_fact_it_holds_and_names_what_is_missing(name: str) -> None:
    proposal = propose_by_rules(name, {})
    assert proposal.action is Action.HOLD
    assert "last_price" in proposal.steps[2].conclusion


def test_a_crash_is_not_bought() -> None:
    crash = {fact.id: fact for fact in facts(risk_regime="crash", last_price="8960")}
    assert {propose_by_rules(name, crash).action for name in ANALYSTS} == {Action.HOLD}


Corruption = Callable[[dict[str, Any], MarketSnapshot, random.Random], dict[str, Any] | str | None]


def scaled_value(answer: dict[str, Any], seen: MarketSnapshot, rng: random.Random) -> dict[str, Any] | None:
    return revalued(answer, seen, rng, lambda value: value * Decimal(str(rng.choice([0.5, 0.8, 0.97, 1.03, 1.4, 2.5]))))


def flipped_sign(answer: dict[str, Any], seen: MarketSnapshot, rng: random.Random) -> dict[str, Any] | None:
    return revalued(answer, seen, rng, lambda value: -value)


def slipped_point(answer: dict[str, Any], seen: MarketSnapshot, rng: random.Random) -> dict[str, Any] | None:
    return revalued(answer, seen, rng, lambda value: value * rng.choice([10, 100, 1000]))


def revalued(
    answer: dict[str, Any], seen: MarketSnapshot, rng: random.Random, change: Callable[[Decimal], Decimal]
) -> dict[str, Any] | None:
    known = seen.by_id()
    numeric = [c for c in answer["claims"] if isinstance(v := known[c["cites"][0]].value, Decimal) and v != 0]
    if not numeric:
        return None
    claim = rng.choice(numeric)
    claim["value"] = format(change(Decimal(claim["value"])), "f")
    return answer


def borrowed_value(answer: dict[str, Any], seen: MarketSnapshot, rng: random.Random) -> dict[str, Any] | None:
    known = seen.by_id()
    claim = rng.choice(answer["claims"])
    own = known[claim["cites"][0]].value
    others = [fact.value for fact in seen.facts if isinstance(fact.value, Decimal) and is_other(fact.value, own)]
    claim["value"] = format(rng.choice(others), "f")
    return answer


def is_other(value: Decimal, own: Decimal | str) -> bool:
    return isinstance(own, str) or abs(value - own) > abs(own) * Decimal("0.02") + Decimal("0.05")


def wrong_label(answer: dict[str, Any], seen: MarketSnapshot, rng: random.Random) -> dict[str, Any] | None:
    labelled = [claim for claim in answer["claims"] if isinstance(seen.by_id()[claim["cites"][0]].value, str)]
    rng.choice(labelled)["value"] = "euphoria"
    return answer


def invented_id(answer: dict[str, Any], seen: MarketSnapshot, rng: random.Random) -> dict[str, Any] | None:
    rng.choice(answer["claims"])["cites"] = [rng.choice(["rsi_14@5m", "vix", "m-lesson-77", "ema_fast", "RSI_14@1h"])]
    return answer


def invented_reading(answer: dict[str, Any], seen: MarketSnapshot, rng: random.Random) -> dict[str, Any] | None:
    step = rng.choice(answer["steps"])
    step["conclusion"] = f"{step['conclusion'][:500]} rsi_14@1h is {rng.uniform(101, 900):.1f}."
    return answer


def invented_number(answer: dict[str, Any], seen: MarketSnapshot, rng: random.Random) -> dict[str, Any] | None:
    step = rng.choice(answer["steps"])
    step["conclusion"] = f"{step['conclusion'][:500]} Large holders added {rng.randint(10**9, 10**10)} units."
    return answer


def stop_above(answer: dict[str, Any], seen: MarketSnapshot, rng: random.Random) -> dict[str, Any] | None:
    return levels(answer, stop_price=seen.last_price * Decimal(str(rng.uniform(1.0, 1.2))))


def target_below(answer: dict[str, Any], seen: MarketSnapshot, rng: random.Random) -> dict[str, Any] | None:
    return levels(answer, target_price=seen.last_price * Decimal(str(rng.uniform(0.8, 1.0))))


def stop_far(answer: dict[str, Any], seen: MarketSnapshot, rng: random.Random) -> dict[str, Any] | None:
    return levels(answer, stop_price=seen.last_price * Decimal(str(rng.uniform(0.3, 0.94))))


def near_target(answer: dict[str, Any], seen: MarketSnapshot, rng: random.Random) -> dict[str, Any] | None:
    return levels(answer, target_price=seen.last_price * Decimal(str(rng.uniform(1.0001, 1.003))))


def level_slipped(answer: dict[str, Any], seen: MarketSnapshot, rng: random.Random) -> dict[str, Any] | None:
    name = rng.choice(["stop_price", "target_price"])
    return levels(answer, **{name: seen.last_price * rng.choice([Decimal(10), Decimal("0.1"), Decimal(100)])})


def levels(answer: dict[str, Any], **changed: Decimal) -> dict[str, Any] | None:
    if answer["action"] != "buy":
        return None
    return {**answer, **{name: float(value) for name, value in changed.items()}}


def in_percent(answer: dict[str, Any], seen: MarketSnapshot, rng: random.Random) -> dict[str, Any] | None:
    name = rng.choice(["confidence", "win_probability"])
    return {**answer, name: answer[name] * 100}


def field_lost(answer: dict[str, Any], seen: MarketSnapshot, rng: random.Random) -> dict[str, Any] | None:
    required = ["action", "size_fraction", "horizon_hours", "confidence", "win_probability", "steps", "claims"]
    del answer[rng.choice(required)]
    return answer


def field_doubled(answer: dict[str, Any], seen: MarketSnapshot, rng: random.Random) -> str:
    return json.dumps(answer)[:-1] + f', "{rng.choice(sorted(answer))}": null}}'


def cut_off(answer: dict[str, Any], seen: MarketSnapshot, rng: random.Random) -> str:
    text = json.dumps(answer)
    return text[: rng.randrange(1, len(text))]


def sells_nothing(answer: dict[str, Any], seen: MarketSnapshot, rng: random.Random) -> dict[str, Any] | None:
    if seen.by_id()["position_quantity"].value != 0:
        return None
    return {**answer, "action": "sell", "size_fraction": 1, "stop_price": None, "target_price": None}


def against_its_words(answer: dict[str, Any], seen: MarketSnapshot, rng: random.Random) -> dict[str, Any] | None:
    other = rng.choice([action for action in ("buy", "sell", "hold") if action != answer["action"]])
    answer["steps"][-1]["conclusion"] = f"So the decision is to {other}."
    return answer


NOTED: tuple[Corruption, ...] = (invented_number,)
REFUSED: tuple[Corruption, ...] = (
    scaled_value,
    flipped_sign,
    slipped_point,
    borrowed_value,
    wrong_label,
    invented_id,
    invented_reading,
    stop_above,
    target_below,
    stop_far,
    near_target,
    level_slipped,
    in_percent,
    field_lost,
    field_doubled,
    cut_off,
    sells_nothing,
    against_its_words,
)


@pytest.mark.parametrize("corrupt", [*REFUSED, *NOTED], ids=lambda corrupt: corrupt.__name__)
def test_every_corruption_of_a_generated_proposal_is_caught(corrupt: Corruption) -> None:
    rng = random.Random(f"corruption {corrupt.__name__}")
    tried = 0
    for text, seen, held in rng.sample(proposals_of_seed_seven(), len(proposals_of_seed_seven())):
        corrupted = corrupt(json.loads(text), seen, rng)
        if corrupted is None:
            continue
        changed = corrupted if isinstance(corrupted, str) else json.dumps(corrupted)
        stance, findings = verified(changed, seen, held)
        assert findings, changed
        assert stance.speaks is (corrupt in NOTED), changed
        tried += 1
        if tried == CORRUPTED_PROPOSALS:
            return
    pytest.fail(f"only {tried} proposals could be corrupted")
