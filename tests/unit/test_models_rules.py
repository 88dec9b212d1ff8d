"""The keyless analysts: deterministic, labelled, reading the prompt a model would read, and of two minds."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from activities.models.failures import FailureKind
from activities.models.port import ChatRequest, ModelFailure
from activities.models.rules import RuleAnalyst
from config.providers import provider
from trading.decision.models import Action, DecisionHead, Message, Proposal, Role, Verdict
from trading.decision.prompts import PROPOSAL_SCHEMA, PROPOSAL_SCHEMA_NAME, build_messages
from trading.decision.verify import verify_answer
from trading.facts.models import Fact, MarketSnapshot, TrendRegime
from trading.playbook import first_playbook

AS_OF = datetime(2026, 3, 12, 10, 0, tzinfo=UTC)
HEAD = DecisionHead(
    decision_id="d1",
    realm="test-rules",
    venue="sim",
    ledger="l1",
    symbol="BTC/USDT",
    as_of=AS_OF,
    cause="test",
    accounts=("a1",),
    playbook_version="v1",
)


def a_snapshot(**facts: str) -> MarketSnapshot:
    """A market at 100 with an ATR of 1 and no position, changed by fact names in which `__` stands for the at sign."""
    values = {
        "last_price": "100",
        "atr_14@1h": "1",
        "atr_14@4h": "2",
        "atr_fraction@1h": "0.01",
        "ema_fast@4h": "99",
        "ema_slow@4h": "97",
        "adx_14@4h": "30",
        "rsi_14@1h": "50",
        "rsi_14@4h": "55",
        "macd_histogram@1h": "0.4",
        "bollinger_lower@1h": "98",
        "support@1h": "95",
        "position_quantity": "0",
    } | {name.replace("__", "@"): value for name, value in facts.items()}
    numbers = tuple(
        Fact(id=name, name=name, value=Decimal(value), unit="USD", as_of=AS_OF) for name, value in values.items()
    )
    labels = tuple(
        Fact(id=name, name=name, value=value, unit="label", as_of=AS_OF)
        for name, value in (("trend_regime", "bull_run"), ("risk_regime", "normal"))
    )
    return MarketSnapshot(
        symbol="BTC/USDT",
        as_of=AS_OF,
        venue="sim",
        facts=numbers + labels,
        trend_regime=TrendRegime.BULL_RUN,
        last_price=Decimal(100),
        atr_fraction=Decimal("0.01"),
        bars=500,
        base_timeframe="1h",
    )


def a_question(snapshot: MarketSnapshot) -> ChatRequest:
    messages = build_messages(head=HEAD, snapshot=snapshot, recall=None, playbook=first_playbook(), position=None)
    return ChatRequest(messages=messages, schema_name=PROPOSAL_SCHEMA_NAME, json_schema=PROPOSAL_SCHEMA)


def an_analyst(name: str) -> RuleAnalyst:
    spec = provider(name)
    assert spec.strategy is not None
    return RuleAnalyst(name=name, strategy=spec.strategy, rests_below=spec.rests_below)


async def action_of(name: str, snapshot: MarketSnapshot) -> Action:
    answer = await an_analyst(name).complete(a_question(snapshot))
    return Proposal.model_validate_json(answer.text).action


NOTHING, ONE_UNIT = "0", "1"


@pytest.mark.parametrize(
    ("position", "facts", "momentum", "reversion"),
    [
        # a push in a rising trend, not stretched: one follows it, the other waits
        (NOTHING, {"rsi_14__1h": "60"}, Action.BUY, Action.HOLD),
        # stretched below its mean while the trend falls: one waits, the other buys
        (NOTHING, {"rsi_14__1h": "28", "ema_fast__4h": "96", "macd_histogram__1h": "-0.4"}, Action.HOLD, Action.BUY),
        # a dip in a rising trend suits both
        (NOTHING, {"rsi_14__1h": "28"}, Action.BUY, Action.BUY),
        (NOTHING, {"rsi_14__1h": "50", "macd_histogram__1h": "-0.1"}, Action.HOLD, Action.HOLD),
        # overbought in a strong trend: one stays in, the other takes the profit
        (ONE_UNIT, {"rsi_14__1h": "69"}, Action.HOLD, Action.SELL),
        # the trend broke: one leaves, the other waits for the mean
        (ONE_UNIT, {"rsi_14__1h": "50", "ema_fast__4h": "96", "macd_histogram__1h": "-0.4"}, Action.SELL, Action.HOLD),
    ],
)
async def test_two_analysts_read_one_market_in_two_ways(
    position: str, facts: dict[str, str], momentum: Action, reversion: Action
) -> None:
    snapshot = a_snapshot(position_quantity=position, **facts)
    assert await action_of("rules-momentum", snapshot) is momentum
    assert await action_of("rules-reversion", snapshot) is reversion


@pytest.mark.parametrize("name", ["rules-momentum", "rules-reversion", "rules-patient"])
@pytest.mark.parametrize("rsi", ["28", "50", "69"])
async def test_what_an_analyst_says_stands_in_verification(name: str, rsi: str) -> None:
    snapshot = a_snapshot(rsi_14__1h=rsi)
    analyst = an_analyst(name)
    answer = await analyst.complete(a_question(snapshot))
    stance, findings = verify_answer(
        answer.text,
        role=Role.PRIMARY,
        model=analyst.name,
        is_rule_based=analyst.is_rule_based,
        answer_hash=None,
        snapshot=snapshot,
        recall=None,
        policy=first_playbook().policy,
        position=None,
    )
    assert (stance.verdict, findings) == (Verdict.ACCEPTED, ())
    assert stance.is_rule_based


@pytest.mark.parametrize(("name", "entry"), [("rules-momentum", None), ("rules-patient", Decimal("99.9"))])
async def test_a_patient_analyst_buys_what_momentum_buys_and_waits_below_the_price(
    name: str, entry: Decimal | None
) -> None:
    answer = await an_analyst(name).complete(a_question(a_snapshot(rsi_14__1h="60")))
    proposal = Proposal.model_validate_json(answer.text)
    assert (proposal.action, proposal.entry_price) == (Action.BUY, entry)
    assert await action_of(name, a_snapshot(position_quantity=ONE_UNIT, rsi_14__1h="69")) is Action.HOLD


async def test_the_same_prompt_gives_the_same_answer_to_the_byte() -> None:
    question = a_question(a_snapshot(rsi_14__1h="69"))
    answers = [await an_analyst("rules-momentum").complete(question) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0].cost_usd == answers[0].prompt_tokens == answers[0].completion_tokens == 0


async def test_rules_are_labelled_as_rules() -> None:
    analyst = an_analyst("rules-momentum")
    assert (analyst.provider, analyst.name, analyst.is_rule_based) == ("rules", "rules-momentum", True)


async def test_a_prompt_without_facts_is_refused_for_good() -> None:
    question = ChatRequest(
        messages=(Message(role="user", content="Shall I buy?"),), schema_name="proposal", json_schema="{}"
    )
    with pytest.raises(ModelFailure) as caught:
        await an_analyst("rules-momentum").complete(question)
    assert (caught.value.kind, caught.value.retryable) == (FailureKind.BAD_REQUEST.value, False)


def test_an_unknown_strategy_is_refused_where_the_analyst_is_built() -> None:
    with pytest.raises(LookupError, match="rules-momentum"):
        RuleAnalyst(name="rules-luck", strategy="rules-luck")


async def test_thinking_time_is_only_for_benchmarks() -> None:
    slow = RuleAnalyst(name="rules-momentum", strategy="rules-momentum", think_s=Decimal("0.05"))
    question = a_question(a_snapshot())
    began = time.monotonic()
    answer = await slow.complete(question)
    assert time.monotonic() - began >= 0.05
    assert answer.text == (await an_analyst("rules-momentum").complete(question)).text
